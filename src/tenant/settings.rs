//! What is configured for a tenant.

use url::Url;

use super::{
    lifecycle::Lifetimes,
    metadata::{EndpointRule, IntrospectionEndpoint, Metadata},
};
use crate::{config::Config, error::TenantError};

/// What a tenant is, and how long its documents live.
#[derive(Debug)]
pub(crate) struct TenantConfig {
    pub(crate) issuer: String,
    pub(crate) discovery_url: Url,
    pub(crate) endpoint_rule: EndpointRule,
    pub(crate) introspection_endpoint: IntrospectionEndpoint,
    pub(crate) metadata: Lifetimes,
    pub(crate) keys: Lifetimes,
}

impl TenantConfig {
    pub(super) fn read_metadata(&self, document: &[u8]) -> Result<Metadata, TenantError> {
        let Self { issuer, endpoint_rule, introspection_endpoint, .. } = self;
        Metadata::parse(document, issuer, *endpoint_rule, introspection_endpoint)
    }
}

impl From<&Config> for TenantConfig {
    fn from(config: &Config) -> Self {
        let tenant = &config.tenant;
        let outage_tolerance = config.keys_outage_tolerance;
        Self {
            issuer: tenant.issuer().to_owned(),
            discovery_url: tenant.discovery_url(),
            endpoint_rule: match (tenant.allows_http(), tenant.is_loopback()) {
                (false, _) => EndpointRule::Https,
                (true, true) => EndpointRule::HttpOnLoopback,
                (true, false) => EndpointRule::Http,
            },
            introspection_endpoint: IntrospectionEndpoint::of(config.client.as_ref()),
            metadata: Lifetimes { fresh: config.metadata_cache_duration, outage_tolerance },
            keys: Lifetimes { fresh: config.jwks_cache_duration, outage_tolerance },
        }
    }
}
