//! poem-openapi: the document is the policy.
//!
//! - `bearer`: the arguments an operation declares itself secured with
//! - `declared`: the raw document in OpenAPI's own words
//! - `judge`: who judges an operation's caller, the guard before it or its argument
//! - `operations`: the guard of each operation, and what speaks against starting
//! - `policy_name`: how a policy travels from an argument's type to the guard
//! - `routes`: which documented operation a route is
//! - `secured`: the wrapper around an API

mod bearer;
mod declared;
mod judge;
mod operations;
mod policy_name;
mod routes;
mod secured;

pub use self::{
    bearer::{Bearer, MaybeBearer},
    secured::Secured,
};
