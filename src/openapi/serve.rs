//! The document and Swagger UI as answers; a host only passes them on.

use std::sync::Arc;

use http::{
    HeaderValue, Response,
    header::{CACHE_CONTROL, CONTENT_TYPE},
};
use serde_json::Value;

use super::{
    document::Document,
    finish::{Scheme, finish},
};
use crate::{
    config::ConfigError, error::TenantError, protect::ProtectApi, resource::ResourceMetadata,
    tenant::metadata::Metadata,
};

/// The document of a protected API, which names the tenant's own endpoints.
///
/// They come from the tenant's discovery. As long as that fails the document says that it is
/// incomplete, and the next request for it tries again.
#[derive(Clone, Debug)]
pub struct ApiDocument {
    protect: ProtectApi,
    document: Arc<Document>,
}

impl ApiDocument {
    pub(crate) fn new(protect: ProtectApi, document: Document) -> Self {
        Self { protect, document: Arc::new(document) }
    }

    /// The document as it would be served now.
    pub async fn render(&self) -> Value {
        let metadata = self.protect.tenant().metadata().await;
        self.finish(metadata.as_ref().map(|loaded| &loaded.value))
    }

    /// The document for metadata that is given: for a build step without a network.
    ///
    /// # Errors
    ///
    /// [`TenantError`] if the metadata is not that of the configured tenant.
    pub fn render_with(&self, metadata: &Value) -> Result<Value, TenantError> {
        let metadata = self.protect.tenant().read_metadata(metadata.to_string().as_bytes())?;
        Ok(self.finish(Some(&metadata)))
    }

    /// Serves the document as JSON.
    #[must_use]
    pub fn json(&self) -> DocumentEndpoint {
        DocumentEndpoint { document: self.clone(), format: Format::Json }
    }

    /// Serves the document as YAML.
    #[must_use]
    pub fn yaml(&self) -> DocumentEndpoint {
        DocumentEndpoint { document: self.clone(), format: Format::Yaml }
    }

    /// [`ProtectApi::resource_metadata`], with the scopes that this document describes.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if this API has no URL.
    pub fn resource_metadata(&self) -> Result<ResourceMetadata, ConfigError> {
        self.protect.resource_metadata()
    }

    /// Serves Swagger UI, which loads the document from `document_url`, such as `/openapi.json`,
    /// and logs people in with the client of `SWAGGER_CLIENT_ID`.
    #[cfg(feature = "swagger-ui")]
    #[must_use]
    pub fn swagger_ui(&self, document_url: &str) -> super::SwaggerUi {
        super::SwaggerUi::new(document_url, self.protect.swagger_client_id())
    }

    fn finish(&self, metadata: Option<&Metadata>) -> Value {
        let scheme = Scheme {
            name: self.protect.scheme_name(),
            scopes: self.protect.scope_descriptions(),
            binding: self.protect.binding(),
            metadata,
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
    Yaml,
}

impl DocumentEndpoint {
    /// The answer to any request.
    pub async fn respond(&self) -> Response<Vec<u8>> {
        let document = self.document.render().await;
        let document = self.document.document.in_order(&document);
        let (content_type, text) = match self.format {
            Format::Json => {
                ("application/json", serde_json::to_string_pretty(&document).unwrap_or_default())
            }
            Format::Yaml => {
                ("application/yaml", serde_saphyr::to_string(&document).unwrap_or_default())
            }
        };
        let mut response = Response::new(text.into_bytes());
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        response
    }
}
