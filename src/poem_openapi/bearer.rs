//! The security arguments of an operation.

use std::{fmt, marker::PhantomData};

use ::poem::{Request, RequestBody, Result};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ExtractParamOptions,
    registry::{MetaOAuthFlows, MetaSecurityScheme, Registry},
};

use super::policy_name::policy_name;
use crate::{
    poem::{caller, refused, unprotected},
    policy::{AnyToken, Require},
    protect::{Authenticated, Caller, Guard},
    token::claims::Claims,
};

/// Declares that an operation needs an access token, and hands its caller over.
///
/// The scopes are declared in poem-openapi's words, groups by a [policy](Require) with a name.
/// Both are in the document, and the guard of [`secure`](crate::ProtectApi::secure) enforces
/// both before anything of the request is parsed. An operation that is hidden from the document
/// needs what [`hidden`](super::Secured::hidden) lists for it, and then the policy of the type.
///
/// ```
/// use monocloud_backend::{Policy, Require, poem_openapi::Bearer};
/// use poem_openapi::{OAuthScopes, OpenApi, payload::PlainText};
///
/// #[derive(OAuthScopes)]
/// enum Scope {
///     /// Read posts
///     #[oai(rename = "posts:read")]
///     Read,
/// }
///
/// struct Admins;
///
/// impl Require for Admins {
///     const POLICY: Policy = Policy::ANY_TOKEN.any_group(&["admin"]);
/// }
///
/// struct PostsApi;
///
/// #[OpenApi]
/// impl PostsApi {
///     #[oai(path = "/posts", method = "get")]
///     async fn list(&self, #[oai(scope = "Scope::Read")] caller: Bearer) -> PlainText<String> {
///         PlainText(caller.claims().subject().unwrap_or_default().to_owned())
///     }
///
///     #[oai(path = "/posts", method = "delete")]
///     async fn clear(&self, _caller: Bearer<Admins>) {}
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

impl<'a, P: Require> ApiExtractor<'a> for Bearer<P> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::SecurityScheme];
    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        register(registry, policy_name::<P>());
    }

    fn security_schemes() -> Vec<&'static str> {
        vec![policy_name::<P>()]
    }

    async fn from_request(
        request: &'a Request,
        _body: &mut RequestBody,
        _options: ExtractParamOptions<()>,
    ) -> Result<Self> {
        let (guard, caller) = admitted(request)?;
        let caller = caller.require().map_err(refused)?;
        // What is listed for a hidden operation may ask for less.
        guard.authorize(caller, P::POLICY).map_err(refused)?;
        Ok(Self { caller: caller.clone(), policy: PhantomData })
    }
}

/// Declares that an operation takes an access token and can do without.
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

impl<'a> ApiExtractor<'a> for MaybeBearer {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::SecurityScheme];
    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        register(registry, policy_name::<AnyToken>());
    }

    fn security_schemes() -> Vec<&'static str> {
        vec![policy_name::<AnyToken>()]
    }

    /// Documents the operation with `{}` beside the scheme: no credentials are needed.
    fn has_security_fallback() -> bool {
        true
    }

    async fn from_request(
        request: &'a Request,
        _body: &mut RequestBody,
        _options: ExtractParamOptions<()>,
    ) -> Result<Self> {
        let (_, caller) = admitted(request)?;
        Ok(Self(caller.clone()))
    }
}

/// The guard that let a request pass, in its extensions.
///
/// A guard before the whole application does not put it there: that one does not know what the
/// operation needs.
#[derive(Clone)]
pub(super) struct Admitted(pub(super) Guard);

fn admitted(request: &Request) -> Result<(&Guard, &Caller)> {
    let Admitted(guard) = request.data().ok_or_else(|| unprotected(request))?;
    Ok((guard, caller(request)?))
}

/// An `oauth2` scheme without flows: that is where scopes may stand (OpenAPI 3.0 §4.7.30), and the
/// tenant's endpoints are known only at run time.
fn register(registry: &mut Registry, name: &'static str) {
    let flows = MetaOAuthFlows {
        implicit: None,
        password: None,
        client_credentials: None,
        authorization_code: None,
    };
    registry.create_security_scheme(
        name,
        MetaSecurityScheme {
            ty: "oauth2",
            description: Some("An access token of the MonoCloud tenant"),
            name: None,
            key_in: None,
            scheme: None,
            bearer_format: None,
            flows: Some(flows),
            openid_connect_url: None,
        },
    );
}
