//! The document is the policy: on poem-openapi and poem, and in the folders on axum and salvo.

mod alternatives;
mod axum;
mod declared;
mod default;
mod diagnosis;
mod dpop;
mod fixtures;
mod given;
mod hidden;
mod journey;
mod optional;
mod order;
mod page;
mod policies;
mod random;
mod reading;
mod requirements;
mod salvo;
mod schemes_of_32;
mod served;
mod start_up;
mod tenant_down;
mod world;
