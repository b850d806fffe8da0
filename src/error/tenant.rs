//! What went wrong between this API and the tenant.

use std::{sync::Arc, time::Duration};

use super::cause::Cause;

reasons! {
    /// What went wrong between this API and the tenant.
    #[derive(Clone, Debug, thiserror::Error)]
    #[non_exhaustive]
    pub enum TenantError {
        /// The tenant ends the TLS handshake over this API's certificate, or the lack of one.
        #[error("the tenant rejects this API's certificate at {url}")]
        #[non_exhaustive]
        Certificate {
            /// What was asked for.
            url: Arc<str>,
            /// What went wrong.
            #[source]
            source: Cause,
        } => "tenant_certificate",
        /// This API's own credentials are unavailable.
        #[error("client credentials are unavailable")]
        #[non_exhaustive]
        Credentials {
            /// What went wrong.
            #[source]
            source: Cause,
        } => "tenant_credentials",
        /// A document is not what it should be.
        #[error("the tenant's {document} is unusable: {reason}")]
        #[non_exhaustive]
        Document {
            /// Which document.
            document: &'static str,
            /// What is wrong with it.
            reason: Arc<str>,
        } => "tenant_document",
        /// The metadata names no endpoint that may be used.
        #[error("the tenant's metadata has no usable {endpoint}: {reason}")]
        #[non_exhaustive]
        Endpoint {
            /// The endpoint's member in the metadata.
            endpoint: Arc<str>,
            /// Why none is usable.
            reason: Arc<str>,
        } => "tenant_endpoint",
        /// The fetch ended with the runtime it ran on.
        #[error("the fetch from the tenant was interrupted")]
        Interrupted => "tenant_interrupted",
        /// The metadata is that of another issuer (OpenID Connect Discovery §4.3).
        #[error("the tenant's metadata names the issuer {found:?} where {expected:?} is configured")]
        #[non_exhaustive]
        Issuer {
            /// The configured tenant.
            expected: Arc<str>,
            /// The issuer in the metadata.
            found: Arc<str>,
        } => "tenant_issuer",
        /// The tenant asked us to back off, or as many tokens wait for a call to it as may wait.
        #[error("the tenant asked us to back off, or too many calls to it are waiting")]
        Overloaded => "tenant_overloaded",
        /// The tenant answered with a status other than success.
        #[error("the tenant answered {url} with status {status}{}", parenthesised(.code.as_deref()))]
        #[non_exhaustive]
        Status {
            /// What was asked for.
            url: Arc<str>,
            /// The status.
            status: u16,
            /// The OAuth error code of the answer, such as `invalid_client` (RFC 6749 §5.2), if it has
            /// one.
            code: Option<Arc<str>>,
            /// The tenant's own Retry-After, if it sent one.
            retry_after: Option<Duration>,
        } => "tenant_status",
        /// The tenant did not answer within the response time-out.
        #[error("the tenant did not answer {url} in time")]
        #[non_exhaustive]
        Timeout {
            /// What was asked for.
            url: Arc<str>,
        } => "tenant_timeout",
        /// The tenant cannot be reached.
        #[error("the tenant cannot be reached at {url}")]
        #[non_exhaustive]
        Unreachable {
            /// What was asked for.
            url: Arc<str>,
            /// What went wrong.
            #[source]
            source: Cause,
        } => "tenant_unreachable",
    }
}

impl TenantError {
    /// Whether the tenant works as it means to: asking again will not help.
    ///
    /// It rejects our request, or is another tenant than the configured one; everything else may
    /// pass.
    pub(crate) fn is_permanent(&self) -> bool {
        match self {
            Self::Certificate { .. }
            | Self::Credentials { .. }
            | Self::Endpoint { .. }
            | Self::Issuer { .. } => true,
            // 408 and 429 ask for another attempt.
            Self::Status { status, .. } => {
                (300..500).contains(status) && !matches!(status, 408 | 429)
            }
            Self::Document { .. }
            | Self::Interrupted
            | Self::Overloaded
            | Self::Timeout { .. }
            | Self::Unreachable { .. } => false,
        }
    }

    /// How long the tenant itself asks us to wait.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

fn parenthesised(code: Option<&str>) -> String {
    code.map(|code| format!(" ({code})")).unwrap_or_default()
}
