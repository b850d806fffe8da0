//! poem-openapi: the document is the policy.
//!
//! - `bearer`: the arguments an operation declares itself secured with
//! - `declared`: the raw document in OpenAPI's own words
//! - `policy_name`: how a policy travels from an argument's type to the guard
//! - `routes`: which documented operation a route is
//! - `secured`: the wrapper that puts each operation behind its guard

mod bearer;
mod declared;
mod policy_name;
mod routes;
mod secured;

pub use self::{
    bearer::{Bearer, MaybeBearer},
    secured::Secured,
};
