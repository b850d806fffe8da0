//! The arguments by whose type an endpoint says what it needs.

use std::{fmt, marker::PhantomData};

use ::salvo_core::{Depot, Extractible, Request, extract::Metadata};
use salvo_oapi::{
    Components, EndpointArgRegister, Operation, SecurityRequirement,
    security::{OAuth2, SecurityScheme},
};
use serde_json::Map;

use super::{NO_METADATA, let_in};
use crate::{
    openapi::security,
    policy::{AnyToken, Require},
    protect::{Authenticated, Caller, refusal::Refusal},
    token::claims::Claims,
};

/// The scheme that a type declares itself in; a [`ProtectApi`](crate::ProtectApi) whose scheme has
/// another name is refused at start.
pub(super) const SCHEME: &str = "MonoCloud";

/// Declares that an endpoint needs an access token, and hands its caller over.
///
/// What the token must carry is the [policy](Require) of the type. It stands in the document, the
/// guard enforces it before anything of the request is parsed, and where a document says less, the
/// argument itself still asks for all of it.
///
/// ```
/// use monocloud_backend::{Policy, Require, salvo::Bearer};
/// use salvo::prelude::*;
///
/// struct Read;
///
/// impl Require for Read {
///     const POLICY: Policy = Policy::ANY_TOKEN.scopes(&["posts:read"]);
/// }
///
/// #[endpoint]
/// async fn list(caller: Bearer<Read>) -> String {
///     caller.claims().subject().unwrap_or_default().to_owned()
/// }
/// ```
pub struct Bearer<P = AnyToken> {
    caller: Authenticated,
    policy: PhantomData<fn() -> P>,
}

impl<P> Bearer<P> {
    /// An argument for unit tests of handlers. The policy is not applied.
    #[must_use]
    pub fn for_tests(caller: Authenticated) -> Self {
        Self { caller, policy: PhantomData }
    }

    /// What the token says.
    #[must_use]
    pub fn claims(&self) -> &Claims {
        self.caller.claims()
    }

    /// The caller, to be passed on.
    #[must_use]
    pub fn into_authenticated(self) -> Authenticated {
        self.caller
    }
}

impl<P> fmt::Debug for Bearer<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Bearer").field(&self.caller).finish()
    }
}

impl<'r, P: Require> Extractible<'r> for Bearer<P> {
    fn metadata() -> &'static Metadata {
        &NO_METADATA
    }

    #[allow(refining_impl_trait, reason = "whoever extracts by hand may know what an error is")]
    async fn extract(request: &'r mut Request, _depot: &'r mut Depot) -> Result<Self, Refusal> {
        let let_in = let_in(request)?;
        let caller = let_in.caller.require()?;
        // The guard before a handler may have been told of another policy.
        let_in.guard.authorize(caller, P::POLICY)?;
        Ok(Self { caller: caller.clone(), policy: PhantomData })
    }
}

impl<P: Require> EndpointArgRegister for Bearer<P> {
    fn register(components: &mut Components, operation: &mut Operation, _arg: &str) {
        declare(components, operation, P::POLICY.scopes);
        let mut groups = Map::new();
        security::write_groups(&mut groups, &P::POLICY.into());
        operation.extensions.extend(groups);
    }
}

/// Declares that an endpoint takes an access token and can do without.
///
/// Without a token the caller is anonymous; a token that is invalid is refused all the same.
#[derive(Debug)]
pub struct MaybeBearer(Caller);

impl MaybeBearer {
    /// An argument for unit tests of handlers.
    #[must_use]
    pub fn for_tests(caller: Caller) -> Self {
        Self(caller)
    }

    /// What the token says, if the request carried one.
    #[must_use]
    pub fn claims(&self) -> Option<&Claims> {
        self.0.claims()
    }

    /// The caller, to be passed on.
    #[must_use]
    pub fn into_caller(self) -> Caller {
        self.0
    }
}

impl<'r> Extractible<'r> for MaybeBearer {
    fn metadata() -> &'static Metadata {
        &NO_METADATA
    }

    #[allow(refining_impl_trait, reason = "whoever extracts by hand may know what an error is")]
    async fn extract(request: &'r mut Request, depot: &'r mut Depot) -> Result<Self, Refusal> {
        Caller::extract(request, depot).await.map(Self)
    }
}

impl EndpointArgRegister for MaybeBearer {
    fn register(components: &mut Components, operation: &mut Operation, _arg: &str) {
        declare(components, operation, &[]);
        operation.securities.get_or_insert_default().push(SecurityRequirement::default());
    }
}

/// Adds an alternative to an operation, and its scheme to the components: an `oauth2` scheme without
/// flows. That is where scopes may stand (OpenAPI 3.0 §4.7.30), and the tenant's endpoints are
/// known only at run time.
fn declare(components: &mut Components, operation: &mut Operation, scopes: &[&str]) {
    let scheme = OAuth2::with_description([], "An access token of the MonoCloud tenant");
    components.security_schemes.insert(SCHEME.to_owned(), SecurityScheme::from(scheme).into());
    let alternative = SecurityRequirement::new(SCHEME, scopes.iter().copied());
    operation.securities.get_or_insert_default().push(alternative);
}
