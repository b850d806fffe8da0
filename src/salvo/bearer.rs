//! [`Bearer`] and [`MaybeBearer`] as arguments of salvo's endpoints, which declare what they need.

use ::salvo_core::{Depot, Extractible, Request, extract::Metadata};
use salvo_oapi::{
    Components, EndpointArgRegister, Operation, SecurityRequirement,
    security::{OAuth2, SecurityScheme},
};
use serde_json::{Map, Value};

use super::extract::{NO_METADATA, accepted};
use crate::{
    openapi::extensions::{self, ALTERNATIVES},
    policy::{Access, Require},
    protect::{
        Caller,
        bearer::{Bearer, MaybeBearer},
        refusal::Refusal,
    },
    token::typed::FromClaims,
};

/// The scheme that a type declares itself in; a [`ProtectApi`](crate::ProtectApi) whose scheme has
/// another name is rejected at start.
pub(super) const SCHEME: &str = crate::config::SCHEME_NAME;

impl<'r, P: Require, C: FromClaims> Extractible<'r> for Bearer<P, C> {
    fn metadata() -> &'static Metadata {
        &NO_METADATA
    }

    #[allow(refining_impl_trait, reason = "a caller that extracts by hand sees the type")]
    async fn extract(request: &'r mut Request, _depot: &'r mut Depot) -> Result<Self, Refusal> {
        Self::of(accepted(request)?)
    }
}

impl<P: Require, C> EndpointArgRegister for Bearer<P, C> {
    fn register(components: &mut Components, operation: &mut Operation, _arg: &str) {
        let alternatives = Access::from(P::POLICY).alternatives;
        for requirement in &alternatives {
            declare(components, operation, &requirement.scopes);
        }
        let mut extensions = Map::new();
        match alternatives.as_slice() {
            [single] => extensions = extensions::members_of(single),
            several => {
                let each = several.iter().map(|it| Value::from(extensions::members_of(it)));
                extensions.insert(ALTERNATIVES.to_owned(), each.collect());
            }
        }
        operation.extensions.extend(extensions);
    }
}

impl<'r> Extractible<'r> for MaybeBearer {
    fn metadata() -> &'static Metadata {
        &NO_METADATA
    }

    #[allow(refining_impl_trait, reason = "a caller that extracts by hand sees the type")]
    async fn extract(request: &'r mut Request, depot: &'r mut Depot) -> Result<Self, Refusal> {
        Caller::extract(request, depot).await.map(Self::from)
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
fn declare(components: &mut Components, operation: &mut Operation, scopes: &[String]) {
    let scheme = OAuth2::with_description([], "An access token of the MonoCloud tenant");
    components.security_schemes.insert(SCHEME.to_owned(), SecurityScheme::from(scheme).into());
    let alternative = SecurityRequirement::new(SCHEME, scopes);
    operation.securities.get_or_insert_default().push(alternative);
}
