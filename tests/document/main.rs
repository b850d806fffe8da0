//! The document is the policy, on poem-openapi.

mod alternatives;
mod declared;
mod default;
mod hidden;
mod journey;
mod optional;
mod order;
mod page;
mod policies;
mod random;
mod served;
mod start_up;
mod tenant_down;
mod world;
