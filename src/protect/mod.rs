//! What happens to a request, in order.
//!
//! 1. The token is found, by the application's resolver or in the `Authorization` header. Where
//!    there are several tenants, it is decided which one validates it.
//! 2. A JWT is parsed, its signature verified with the tenant's keys, its claims validated. An
//!    opaque token is introspected, and the claims of the response are validated alike.
//! 3. Possession comes before permission: the certificate and the key that the token is bound to.
//! 4. Scopes, then groups.
//!
//! - `api`: the API's settings and its tenants
//! - `tenants`: which tenant validates a token
//! - `authentication`: finds and validates the token of a request
//! - `guard`, `terms`: authenticates and authorizes a request
//! - `caller`, `bearer`: the outcome, and how handlers take it
//! - `expiry`: when it no longer holds, for responses that outlive the request
//! - `request`: what a guard sees of a request
//! - `decision`: the application's own decision
//! - `refusal`, `challenge`: the response otherwise
//! - `presentation`: how a request presents its token
//! - `builder`, `assembly`: from the configuration to an API
//! - `resource`: the API's own metadata (RFC 9728)

pub(crate) mod api;
mod assembly;
mod authentication;
pub(crate) mod bearer;
pub(crate) mod builder;
pub(crate) mod caller;
mod challenge;
pub(crate) mod decision;
pub(crate) mod expiry;
pub(crate) mod guard;
pub(crate) mod presentation;
pub(crate) mod refusal;
pub(crate) mod request;
pub(crate) mod resource;
pub(crate) mod tenants;
mod terms;

pub use self::{
    api::ProtectApi,
    caller::{Authenticated, Caller},
    guard::Guard,
    request::RequestHead,
};
