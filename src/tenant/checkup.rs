//! What the tenant says at this moment, for a diagnosis: past every cache and every budget, and
//! leaving nothing behind.

use std::time::Duration;

use ::http::Response;
use bytes::Bytes;
use serde_json::Value;
use url::Url;

use super::{
    Tenant,
    documents::{KEY_SET, METADATA},
    metadata::IntrospectionEndpoint,
};
use crate::error::TenantError;

impl Tenant {
    /// Fetches the metadata as it is now.
    pub(crate) async fn current_metadata(&self) -> Result<Response<Bytes>, TenantError> {
        self.http.get(&self.config.discovery_url, &METADATA, Duration::MAX).await
    }

    /// Fetches the key set as it is now.
    pub(crate) async fn current_keys(
        &self,
        jwks_uri: &Url,
    ) -> Result<Response<Bytes>, TenantError> {
        self.http.get(jwks_uri, &KEY_SET, Duration::MAX).await
    }

    /// Where the metadata is.
    pub(crate) fn discovery_url(&self) -> &Url {
        &self.config.discovery_url
    }

    /// Which introspection endpoint is meant for this API.
    pub(crate) fn introspection_endpoint(&self) -> &IntrospectionEndpoint {
        &self.config.introspection_endpoint
    }

    /// Reads an endpoint of the metadata under the rule for this tenant.
    pub(crate) fn endpoint(&self, name: &str, value: Option<&Value>) -> Result<Url, TenantError> {
        self.config.endpoint_rule.endpoint(name, value)
    }
}
