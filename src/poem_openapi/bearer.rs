//! [`Bearer`] and [`MaybeBearer`] as the security arguments of an operation.

use ::poem::{Request, RequestBody, Result};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ExtractParamOptions,
    registry::{MetaOAuthFlows, MetaSecurityScheme, Registry},
};

use super::policy_name::policy_name;
use crate::{
    poem::{caller, refused, unprotected},
    policy::{AnyToken, Require},
    protect::{
        Guard,
        bearer::{Accepted, Bearer, MaybeBearer},
    },
    token::typed::FromClaims,
};

impl<'a, P: Require, C: FromClaims> ApiExtractor<'a> for Bearer<P, C> {
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
        Self::of(&accepted(request)?).map_err(refused)
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
        Ok(accepted(request)?.caller.into())
    }
}

/// The guard of the operation, in the extensions of a request that it accepted.
///
/// A guard before the whole application does not put it there: that one does not know what the
/// operation needs.
#[derive(Clone)]
pub(super) struct OperationGuard(pub(super) Guard);

fn accepted(request: &Request) -> Result<Accepted> {
    let OperationGuard(guard) = request.data().ok_or_else(|| unprotected(request))?;
    Ok(Accepted { guard: guard.clone(), caller: caller(request)?.clone() })
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Policy;

    struct Admins;

    impl Require for Admins {
        const POLICY: Policy = Policy::ANY_TOKEN.any_group(&["admin"]);
    }

    fn documented<T: for<'a> ApiExtractor<'a>>() -> (Vec<&'static str>, Vec<&'static str>) {
        let mut registry = Registry::new();
        T::register(&mut registry);
        (T::security_schemes(), registry.security_schemes.into_keys().collect())
    }

    #[test]
    fn the_type_of_the_claims_is_not_in_the_document() {
        assert_eq!(documented::<Bearer<AnyToken, String>>(), documented::<Bearer>());
        assert_eq!(documented::<Bearer<Admins, String>>(), documented::<Bearer<Admins>>());
        assert_ne!(documented::<Bearer<Admins, String>>(), documented::<Bearer>());
    }
}
