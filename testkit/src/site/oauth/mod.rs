//! The tenant as an authorization server.

mod redirect_uri;
mod scope;

pub(crate) use redirect_uri::is_redirect_uri;
pub(crate) use scope::is_scope;
