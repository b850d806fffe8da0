//! poem-openapi: the document is the policy.
//!
//! - `bearer`: the arguments an operation declares itself secured with
//! - `policy_name`: how a policy travels from an argument's type to the guard
//! - `routes`: which documented operation a route is
//! - `secured`: the wrapper that puts each operation behind its guard

mod bearer;
mod policy_name;
mod routes;
mod secured;

pub use self::{
    bearer::{Bearer, MaybeBearer},
    secured::Secured,
};
