//! What clients find out about the API itself (RFC 9728): where its tokens come from, and what they
//! may carry.

use std::{iter, ops::Not, sync::Arc};

use http::{
    HeaderValue, Response,
    header::{ACCESS_CONTROL_ALLOW_ORIGIN, CONTENT_TYPE},
};
use serde::Serialize;

use super::api::ProtectApi;
use crate::{
    certificate::CertificateBinding,
    config::{ConfigError, DpopMode, Key, Resource, WELL_KNOWN},
    token::algorithm::SigningAlgorithm,
};

/// A scope of the authorization server alone, which a resource should not list.
const OFFLINE_ACCESS: &str = "offline_access";

impl ProtectApi {
    /// The metadata of this API, to be served at its [paths](ResourceMetadata::paths). From then on
    /// every challenge says where it is, so that a client that knows nothing but the API's URL, as
    /// those of the Model Context Protocol do, finds the tenant (RFC 9728 §5.1).
    ///
    /// The API's URL is `RESOURCE`, or the audience if that is an https URL; never what a request
    /// says it is.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if the URL is invalid.
    pub fn serve_resource_metadata(&self) -> Result<ResourceMetadata, ConfigError> {
        let Some(resource) = self.announce_resource() else {
            let rule = "is needed, as the audience is not an https URL: the public URL of this API";
            return Err(ConfigError::of(&Key::Resource.variable(), rule));
        };
        let path = resource.metadata_path.as_str().into();
        let document = document(self, resource, [self.issuer()].as_slice());
        Ok(ResourceMetadata { path, document, protect: self.clone() })
    }
}

fn document(protect: &ProtectApi, resource: &Resource, issuers: &[&str]) -> Arc<str> {
    let scopes = protect.scope_descriptions().keys();
    let dpop = protect.dpop_mode();
    let document = Document {
        resource: &resource.identifier,
        resource_name: resource.name.as_deref(),
        resource_documentation: resource.documentation.as_deref(),
        authorization_servers: issuers,
        bearer_methods_supported: ["header"],
        scopes_supported: scopes.filter(|scope| *scope != OFFLINE_ACCESS).collect(),
        tls_client_certificate_bound_access_tokens: protect.binding()
            == CertificateBinding::Required,
        dpop_signing_alg_values_supported: (dpop != DpopMode::Disabled)
            .then(|| SigningAlgorithm::ALL.map(SigningAlgorithm::name)),
        dpop_bound_access_tokens_required: dpop == DpopMode::Required,
    };
    serde_json::to_string(&document).unwrap_or_default().into()
}

/// The parameters of RFC 9728 §2; lists must not be empty.
#[derive(Serialize)]
struct Document<'d> {
    resource: &'d str,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_name: Option<&'d str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_documentation: Option<&'d str>,
    authorization_servers: &'d [&'d str],
    bearer_methods_supported: [&'d str; 1],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    scopes_supported: Vec<&'d String>,
    /// Said where a token must be bound, for where it may be there may be no way to prove it.
    #[serde(skip_serializing_if = "Not::not")]
    tls_client_certificate_bound_access_tokens: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    dpop_signing_alg_values_supported: Option<[&'d str; 10]>,
    #[serde(skip_serializing_if = "Not::not")]
    dpop_bound_access_tokens_required: bool,
}

/// Answers requests with the metadata of the API (RFC 9728 §3.2).
#[derive(Clone, Debug)]
pub struct ResourceMetadata {
    path: Arc<str>,
    document: Arc<str>,
    protect: ProtectApi,
}

impl ResourceMetadata {
    /// Names every tenant whose tokens this API [accepts](ProtectApi::also_accept) in
    /// `authorization_servers`, the API's own first. Without this only the own one is named:
    /// which partners an API has may be confidential.
    #[must_use]
    pub fn name_all_tenants(mut self) -> Self {
        let issuers = self.protect.tenants().all().map(|validator| validator.issuer());
        let issuers: Vec<&str> = issuers.collect();
        if let Some(resource) = &self.protect.settings().resource {
            self.document = document(&self.protect, resource, &issuers);
        }
        self
    }

    /// Where challenges say that it is: `/.well-known/oauth-protected-resource`, followed by the
    /// path of the API's URL (RFC 9728 §3.1).
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Every path at which clients look for it, for an application that has its host to itself: its
    /// [path](Self::path) and, if the API's URL has a path, also
    /// `/.well-known/oauth-protected-resource`, which clients without a challenge try as well.
    ///
    /// Where several APIs share a host, only one of them can answer there.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        let root = (&*self.path != WELL_KNOWN).then_some(WELL_KNOWN);
        iter::once(&*self.path).chain(root)
    }

    /// The answer to any request. Clients in browsers may read it from anywhere.
    #[must_use]
    pub fn respond(&self) -> Response<String> {
        let mut response = Response::new(self.document.as_ref().to_owned());
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        response
    }
}
