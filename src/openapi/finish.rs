//! The document that is served: the tenant's own endpoints, scopes with their descriptions, and on
//! every secured operation what it requires and how it rejects a request.

use serde_json::{Map, Value, json};
use url::Url;

use super::{
    document::{Document, edit},
    extensions::{CERTIFICATE_BINDING, DPOP, IMPLIES, INCOMPLETE},
    read::Version,
    refusals::Refusals,
    requirement_text, security,
};
use crate::{
    certificate::CertificateBinding,
    config::DpopMode,
    policy::{Access, GroupMatch, ImpliedScopes},
    protect::{api::ScopeDescriptions, refusal::ErrorBody},
    tenant::metadata::Metadata,
};

/// What is known of our scheme beside the document.
pub(crate) struct Scheme<'s> {
    pub(crate) name: &'s str,
    pub(crate) scopes: &'s ScopeDescriptions,
    pub(crate) implied: &'s ImpliedScopes,
    pub(crate) binding: CertificateBinding,
    pub(crate) dpop: DpopMode,
    /// Whether one or all of the groups count where an operation does not say.
    pub(crate) default_match: GroupMatch,
    pub(crate) error_body: &'s ErrorBody,
    /// Where the tenant's metadata is.
    pub(crate) metadata_url: &'s str,
    /// The tenant's, if they could be fetched.
    pub(crate) endpoints: Option<Endpoints<'s>>,
}

/// The endpoints of the login: all of the tenant's metadata that is in a document.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Endpoints<'m> {
    pub(crate) authorization: &'m str,
    pub(crate) token: &'m str,
    pub(crate) device_authorization: Option<&'m str>,
}

impl<'m> Endpoints<'m> {
    pub(crate) fn of(metadata: &'m Metadata) -> Option<Self> {
        Some(Self {
            authorization: metadata.authorization_endpoint.as_ref()?.as_str(),
            token: metadata.token_endpoint.as_ref()?.as_str(),
            device_authorization: metadata.device_authorization_endpoint.as_ref().map(Url::as_str),
        })
    }
}

/// Finishes a document. While the tenant cannot be read the scheme is plain bearer, marked as
/// incomplete: `http` schemes have no endpoints, and no scopes either.
pub(crate) fn finish(mut document: Document, scheme: &Scheme<'_>) -> Value {
    let accesses = security::compile(&document, scheme.name);
    let is_of_3_2 = Version::of(document.members()).is_ok_and(|it| it >= Version::V3_2);
    let is_deprecated = document.is_scheme_deprecated(scheme.name);
    edit(document.members_mut(), "components", |components| {
        edit(components, "securitySchemes", |schemes| {
            schemes.insert(scheme.name.to_owned(), scheme.describe());
            if is_of_3_2 {
                edit(schemes, scheme.name, |it| scheme.complete(it, is_deprecated));
            }
        });
    });
    let takes_scopes = document.schemes_with_scopes();
    if let Some(root) = document.members_mut().get_mut("security") {
        strip_scopes(root, &takes_scopes);
    }
    let mut refusals = Refusals::new(document.members(), scheme.name, scheme.dpop);
    let is_secured = |access: &Access| !access.is_public();
    let is_any_secured = accesses.iter().any(|(_, access)| access.as_ref().is_ok_and(is_secured));
    let mut accesses = accesses.into_iter();
    document.rewrite(|_, _, operation| {
        if let Some(security) = operation.get_mut("security") {
            strip_scopes(security, &takes_scopes);
        }
        if let Some((_, Ok(access))) = accesses.next()
            && is_secured(&access)
        {
            let requirement = requirement_text::sentence(&access, scheme.default_match);
            refusals.describe(operation, requirement.as_deref());
            if let Some(requirement) = requirement {
                requirement_text::append(operation, &requirement);
            }
        }
    });
    if is_any_secured {
        refusals.add_to(document.members_mut(), scheme.error_body);
    }
    Value::Object(std::mem::take(document.members_mut()))
}

impl Scheme<'_> {
    /// Adds what OpenAPI 3.2 has and earlier versions do not.
    fn complete(&self, description: &mut Map<String, Value>, is_deprecated: bool) {
        if is_deprecated {
            description.insert("deprecated".to_owned(), true.into());
        }
        let Some(endpoints) = self.endpoints else { return };
        description.insert("oauth2MetadataUrl".to_owned(), self.metadata_url.into());
        let Some(device_authorization) = endpoints.device_authorization else { return };
        edit(description, "flows", |flows| {
            let flow = json!({
                "deviceAuthorizationUrl": device_authorization,
                "tokenUrl": endpoints.token,
                "scopes": self.scopes,
            });
            flows.insert("deviceAuthorization".to_owned(), flow);
        });
    }

    fn describe(&self) -> Value {
        let mut scheme = self.without_optional_extensions();
        let implied = self.implied.declared();
        let implied = (!implied.is_empty()).then(|| (IMPLIES, json!(implied)));
        let dpop = (self.dpop != DpopMode::Disabled).then(|| (DPOP, self.dpop.word().into()));
        if let Some(members) = scheme.as_object_mut() {
            let optional = implied.into_iter().chain(dpop);
            members.extend(optional.map(|(name, value)| (name.to_owned(), value)));
        }
        scheme
    }

    fn without_optional_extensions(&self) -> Value {
        match self.endpoints {
            Some(Endpoints { authorization, token, .. }) => json!({
                "type": "oauth2",
                "description": "An access token of the MonoCloud tenant",
                CERTIFICATE_BINDING: self.binding.word(),
                "flows": { "authorizationCode": {
                    "authorizationUrl": authorization,
                    "tokenUrl": token,
                    "scopes": self.scopes,
                }},
            }),
            None => json!({
                "type": "http",
                "scheme": "bearer",
                "bearerFormat": "JWT",
                "description": "An access token of the MonoCloud tenant, whose endpoints could not be read yet",
                CERTIFICATE_BINDING: self.binding.word(),
                INCOMPLETE: true,
            }),
        }
    }
}

/// Only oauth2 and openIdConnect schemes have scopes (OpenAPI 3.0 §4.7.30); poem-openapi copies
/// them to every scheme of an argument.
fn strip_scopes(security: &mut Value, takes_scopes: &[String]) {
    let alternatives = security.as_array_mut().into_iter().flatten();
    for (scheme, scopes) in alternatives.filter_map(Value::as_object_mut).flatten() {
        if !takes_scopes.contains(scheme) {
            *scopes = json!([]);
        }
    }
}
