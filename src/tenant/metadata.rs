//! The tenant's metadata (OpenID Connect Discovery 1.0 §3, RFC 8414 §2).

use serde_json::{Map, Value};
use url::Url;

use crate::{config::is_loopback, error::TenantError, json};

/// What this API needs of the document. Endpoints that may not be used are not there.
#[derive(Debug)]
pub(crate) struct Metadata {
    pub(crate) jwks_uri: Url,
    pub(crate) authorization_endpoint: Option<Url>,
    pub(crate) token_endpoint: Option<Url>,
    /// The endpoint, or why there is none.
    pub(crate) introspection_endpoint: Result<Url, TenantError>,
}

impl Metadata {
    /// Reads the document that `issuer` publishes; another issuer's is refused.
    pub(crate) fn parse(
        document: &[u8],
        issuer: &str,
        rule: EndpointRule,
    ) -> Result<Self, TenantError> {
        let members = json::parse_object(document).map_err(|error| TenantError::Document {
            document: "metadata",
            reason: error.to_string().into(),
        })?;
        let found = members.get("issuer").and_then(Value::as_str).unwrap_or_default();
        if found != issuer {
            return Err(TenantError::Issuer { expected: issuer.into(), found: found.into() });
        }
        Ok(Self {
            jwks_uri: rule.endpoint(&members, "jwks_uri")?,
            authorization_endpoint: rule.endpoint(&members, "authorization_endpoint").ok(),
            token_endpoint: rule.endpoint(&members, "token_endpoint").ok(),
            introspection_endpoint: rule.endpoint(&members, "introspection_endpoint"),
        })
    }
}

/// Which endpoints may be used at all.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum EndpointRule {
    /// Only `https`.
    Https,
    /// `https`, and `http` on loopback: the tenant itself is reached so.
    HttpOnLoopback,
    /// `https` and `http`: the application asked for this danger.
    Http,
}

impl EndpointRule {
    fn endpoint(
        self,
        metadata: &Map<String, Value>,
        endpoint: &'static str,
    ) -> Result<Url, TenantError> {
        let unusable = |reason: &str| TenantError::Endpoint { endpoint, reason: reason.into() };
        let text = metadata
            .get(endpoint)
            .and_then(Value::as_str)
            .ok_or_else(|| unusable("there is none"))?;
        let url = Url::parse(text).map_err(|error| unusable(&error.to_string()))?;
        let is_scheme_allowed = match (url.scheme(), self) {
            ("https", _) | ("http", Self::Http) => true,
            ("http", Self::HttpOnLoopback) => is_loopback(&url),
            _ => false,
        };
        if !is_scheme_allowed {
            return Err(unusable("it is not an https URL"));
        }
        if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
            return Err(unusable("it has userinfo or a fragment"));
        }
        Ok(url)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ISSUER: &str = "https://acme.test";

    fn jwks_uri(jwks_uri: &str, rule: EndpointRule) -> Result<Metadata, TenantError> {
        let document = json!({"issuer": ISSUER, "jwks_uri": jwks_uri}).to_string();
        Metadata::parse(document.as_bytes(), ISSUER, rule)
    }

    #[test]
    fn the_issuer_must_be_the_tenant_byte_for_byte() {
        for issuer in [
            json!("https://acme.test/"),
            json!("https://ACME.test"),
            json!(null),
            json!(["https://acme.test"]),
        ] {
            let document =
                json!({"issuer": issuer, "jwks_uri": "https://acme.test/jwks"}).to_string();
            let refused = Metadata::parse(document.as_bytes(), ISSUER, EndpointRule::Https);
            assert!(matches!(refused, Err(TenantError::Issuer { .. })), "{document}");
        }
    }

    #[test]
    fn endpoints_are_https_and_on_loopback_http_only_if_the_tenant_is() {
        use EndpointRule::{Http, HttpOnLoopback, Https};
        for (url, allowed_by) in [
            ("https://keys.example/jwks", &[Https, HttpOnLoopback, Http][..]),
            ("http://127.0.0.1:8080/jwks", &[HttpOnLoopback, Http]),
            ("http://localhost/jwks", &[HttpOnLoopback, Http]),
            ("http://[::1]/jwks", &[HttpOnLoopback, Http]),
            ("http://acme.test/jwks", &[Http]),
            ("http://localhost.evil.test/jwks", &[Http]),
            ("ftp://acme.test/jwks", &[]),
            ("file:///etc/passwd", &[]),
            ("https://user@acme.test/jwks", &[]),
            ("https://:secret@acme.test/jwks", &[]),
            ("https://acme.test/jwks#keys", &[]),
            ("/jwks", &[]),
            ("", &[]),
        ] {
            for rule in [Https, HttpOnLoopback, Http] {
                assert_eq!(
                    jwks_uri(url, rule).is_ok(),
                    allowed_by.contains(&rule),
                    "{url} by {rule:?}"
                );
            }
        }
    }

    #[test]
    fn a_document_that_is_not_one_json_object_is_refused() {
        for document in ["", "null", "[]", "<html>", "{", r#"{"issuer":"a","issuer":"a"}"#] {
            let refused = Metadata::parse(document.as_bytes(), ISSUER, EndpointRule::Https);
            assert!(matches!(refused, Err(TenantError::Document { .. })), "{document}");
        }
    }
}
