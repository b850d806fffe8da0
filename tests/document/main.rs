//! The document is the policy, on poem-openapi.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test's helper panics where the test would"
)]

mod alternatives;
mod declared;
mod default;
mod fixtures;
mod given;
#[path = "../given/alternatives.rs"]
mod given_alternatives;
mod hidden;
mod journey;
mod optional;
mod order;
mod page;
mod policies;
mod random;
mod reading;
mod served;
mod start_up;
mod tenant_down;
mod world;
