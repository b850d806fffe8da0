//! The document and Swagger UI as responses; a host only passes them on.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Response, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH},
};
use serde_json::Value;

use super::{
    document::Document,
    finish::{Endpoints, Scheme, finish},
    report::value::{self, PolicyReport},
};
use crate::{
    config::ConfigError,
    doctor::diagnosis::Diagnosis,
    error::TenantError,
    protect::{ProtectApi, resource::ResourceMetadata},
    tenant::{lifecycle::Kept, metadata::Metadata},
};

/// The document of a protected API, which names the tenant's own endpoints.
///
/// They come from the tenant's discovery. As long as that fails the document says that it is
/// incomplete, and the next request for it tries again. It is rendered once and kept until these
/// endpoints change.
#[derive(Clone, Debug)]
pub struct ApiDocument {
    protect: ProtectApi,
    document: Arc<Document>,
    /// The last one that was rendered.
    rendered: Arc<Mutex<Option<Arc<Rendered>>>>,
}

impl ApiDocument {
    pub(crate) fn new(protect: ProtectApi, document: Document) -> Self {
        Self { protect, document: Arc::new(document), rendered: Arc::default() }
    }

    /// The document as it would be served now.
    pub async fn render(&self) -> Value {
        let metadata = self.protect.tenant().metadata().await;
        self.finish(endpoints_in(metadata.as_deref()))
    }

    /// The document for metadata that is given: for a build step without a network.
    ///
    /// # Errors
    ///
    /// [`TenantError`] if the metadata is not that of the configured tenant.
    pub fn render_with(&self, metadata: &Value) -> Result<Value, TenantError> {
        let metadata = self.protect.tenant().read_metadata(metadata.to_string().as_bytes())?;
        Ok(self.finish(Endpoints::of(&metadata)))
    }

    /// What every operation of the document needs: for a snapshot test, and for reviewers. The tenant is
    /// not asked.
    #[must_use]
    pub fn report(&self) -> PolicyReport {
        // The operations were found to be clear when the routes were compared.
        let (report, _) = value::read(&self.document, &self.protect);
        report
    }

    /// As [`ProtectApi::diagnose`], and compares the `acr` values that operations demand with those
    /// that the tenant lists as supported, if it does.
    pub async fn diagnose(&self, token: Option<&str>) -> Diagnosis {
        self.protect.diagnose_with(token, &self.report().demanded_acr()).await
    }

    /// Serves the document as JSON.
    #[must_use]
    pub fn json(&self) -> DocumentEndpoint {
        DocumentEndpoint { document: self.clone(), format: Format::Json }
    }

    /// Serves the document as YAML.
    #[cfg(feature = "yaml")]
    #[must_use]
    pub fn yaml(&self) -> DocumentEndpoint {
        DocumentEndpoint { document: self.clone(), format: Format::Yaml }
    }

    /// [`ProtectApi::serve_resource_metadata`], with the scopes that this document describes.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if this API has no URL.
    pub fn serve_resource_metadata(&self) -> Result<ResourceMetadata, ConfigError> {
        self.protect.serve_resource_metadata()
    }

    /// Serves Swagger UI, which loads the document from `document_url`, such as `/openapi.json`,
    /// and logs people in with the client of `SWAGGER_CLIENT_ID`.
    #[cfg(feature = "swagger-ui")]
    #[must_use]
    pub fn swagger_ui(&self, document_url: &str) -> super::SwaggerUi {
        let scheme = self.protect.scheme_name();
        super::SwaggerUi::new(document_url, self.protect.swagger_client_id(), scheme)
    }

    /// The document as text. It is rendered once for the endpoints that the metadata names, and kept
    /// until they change.
    async fn rendered(&self) -> Arc<Rendered> {
        let metadata = self.protect.tenant().metadata().await;
        let endpoints = endpoints_in(metadata.as_deref());
        let mut kept = self.rendered.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(rendered) = kept.as_ref().filter(|rendered| rendered.is_for(endpoints)) {
            return Arc::clone(rendered);
        }
        let document = self.finish(endpoints);
        let rendered = Arc::new(Rendered::new(document, metadata));
        *kept = Some(Arc::clone(&rendered));
        rendered
    }

    fn finish(&self, endpoints: Option<Endpoints<'_>>) -> Value {
        let scheme = Scheme {
            name: self.protect.scheme_name(),
            scopes: self.protect.scope_descriptions(),
            implied: self.protect.implied_scopes(),
            binding: self.protect.binding(),
            dpop: self.protect.dpop_mode(),
            default_match: self.protect.default_group_match(),
            error_body: self.protect.error_body(),
            metadata_url: self.protect.tenant().discovery_url().as_str(),
            endpoints,
        };
        finish(Document::clone(&self.document), &scheme)
    }
}

/// Answers requests with the document.
#[derive(Clone, Debug)]
pub struct DocumentEndpoint {
    document: ApiDocument,
    format: Format,
}

#[derive(Clone, Copy, Debug)]
enum Format {
    Json,
    #[cfg(feature = "yaml")]
    Yaml,
}

impl DocumentEndpoint {
    /// The response to a request with these headers: the document with an `ETag`, or 304 if the
    /// client has it already (RFC 9110 §13.1.2). A host drops the body of a response to HEAD.
    pub async fn respond(&self, headers: &HeaderMap) -> Response<Bytes> {
        let rendered = self.document.rendered().await;
        let text = rendered.text(self.format, &self.document.document);
        let mut response = Response::default();
        let answer = response.headers_mut();
        answer.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        answer.extend(HeaderValue::from_str(&text.etag).ok().map(|etag| (ETAG, etag)));
        if has(headers, &text.etag) {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            return response;
        }
        answer.insert(CONTENT_TYPE, HeaderValue::from_static(text.content_type));
        *response.body_mut() = text.octets.clone();
        response
    }
}

/// Whether a client has what an entity tag names (RFC 9110 §13.1.2, by weak comparison).
fn has(headers: &HeaderMap, etag: &str) -> bool {
    let lists = headers.get_all(IF_NONE_MATCH).iter().filter_map(|list| list.to_str().ok());
    // The tags of this library contain no comma.
    lists.flat_map(|list| list.split(',')).map(str::trim).any(|candidate| {
        candidate == "*" || candidate.strip_prefix("W/").unwrap_or(candidate) == etag
    })
}

fn endpoints_in(metadata: Option<&Kept<Metadata>>) -> Option<Endpoints<'_>> {
    Endpoints::of(&metadata?.value)
}

/// A document for certain endpoints of the tenant, and its texts once they were asked for.
#[derive(Debug)]
struct Rendered {
    /// Where the endpoints are from.
    metadata: Option<Arc<Kept<Metadata>>>,
    document: Value,
    json: OnceLock<Text>,
    yaml: OnceLock<Text>,
}

#[derive(Debug)]
struct Text {
    content_type: &'static str,
    octets: Bytes,
    etag: String,
}

impl Rendered {
    fn new(document: Value, metadata: Option<Arc<Kept<Metadata>>>) -> Self {
        Self { metadata, document, json: OnceLock::new(), yaml: OnceLock::new() }
    }

    fn is_for(&self, endpoints: Option<Endpoints<'_>>) -> bool {
        endpoints_in(self.metadata.as_deref()) == endpoints
    }

    /// As text, in the order of the document that it was made from.
    fn text(&self, format: Format, of: &Document) -> &Text {
        let document = of.in_order(&self.document);
        match format {
            Format::Json => self.json.get_or_init(|| {
                let json = serde_json::to_string_pretty(&document).unwrap_or_default();
                Text::new("application/json", json)
            }),
            #[cfg(feature = "yaml")]
            Format::Yaml => self
                .yaml
                .get_or_init(|| Text::new("application/yaml", super::yaml::write(&document))),
        }
    }
}

impl Text {
    /// A text with a strong validator: equal texts have equal tags, in every process.
    fn new(content_type: &'static str, text: String) -> Self {
        let hash = digest(&SHA256, text.as_bytes());
        let etag = format!("\"{}\"", URL_SAFE_NO_PAD.encode(hash));
        Self { content_type, octets: text.into(), etag }
    }
}
