//! poem-openapi: the document is the policy.
//!
//! - `bearer`: the arguments an operation declares itself secured with
//! - `declared`: the raw document in OpenAPI's own words
//! - `guards`: the guard of each operation
//! - `policy_name`: how a policy travels from an argument's type to the guard
//! - `routes`: how poem-openapi writes the paths of its routes
//! - `secured`: from an API to a service

mod bearer;
mod declared;
mod guards;
mod policy_name;
mod raw;
mod routes;
mod secured;

pub use self::secured::{Guarded, Secured};
