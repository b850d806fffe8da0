//! [`Authenticated`] and [`Caller`] as arguments of salvo's handlers.

use ::salvo_core::{Depot, Extractible, Request, extract::Metadata};

use crate::{
    protect::{Authenticated, Caller, bearer::Accepted, refusal::Refusal},
    token::typed::FromClaims,
};

impl<'r, C: FromClaims> Extractible<'r> for Authenticated<C> {
    fn metadata() -> &'static Metadata {
        &NO_METADATA
    }

    #[allow(refining_impl_trait, reason = "a caller that extracts by hand sees the type")]
    async fn extract(request: &'r mut Request, _depot: &'r mut Depot) -> Result<Self, Refusal> {
        accepted(request)?.caller.require()?.typed()
    }
}

impl<'r> Extractible<'r> for Caller {
    fn metadata() -> &'static Metadata {
        &NO_METADATA
    }

    #[allow(refining_impl_trait, reason = "a caller that extracts by hand sees the type")]
    async fn extract(request: &'r mut Request, _depot: &'r mut Depot) -> Result<Self, Refusal> {
        accepted(request).map(|accepted| accepted.caller.clone())
    }
}

/// A caller has no values that a request would have by name.
pub(super) static NO_METADATA: Metadata = Metadata::new("");

/// What to write where a handler takes the caller without a guard.
const REMEDY: &str = "put a guard before the handler, \
    `Router::with_path(\"posts\").hoop(protect.require(POLICY)).get(handler)`, or, where a document \
    is the policy, take `Bearer` or give its operation a `security`";

/// What the guard left; without a guard the request is rejected.
pub(super) fn accepted(request: &Request) -> Result<&Accepted, Refusal> {
    request
        .extensions()
        .get::<Accepted>()
        .ok_or_else(|| Refusal::unprotected(request.method(), request.uri().path(), REMEDY))
}
