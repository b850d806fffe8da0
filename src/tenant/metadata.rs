//! The tenant's metadata (OpenID Connect Discovery 1.0 §3, RFC 8414 §2).

use serde_json::{Map, Value};
use url::Url;

use crate::{
    config::{ClientAuth, ClientConfig, is_loopback},
    error::TenantError,
    token::json,
};

/// What this API needs of the document. Endpoints that may not be used are not there.
#[derive(Debug)]
pub(crate) struct Metadata {
    pub(crate) jwks_uri: Url,
    pub(crate) authorization_endpoint: Option<Url>,
    pub(crate) token_endpoint: Option<Url>,
    /// For the login on devices without a browser (RFC 8628 §4).
    pub(crate) device_authorization_endpoint: Option<Url>,
    /// The `acr` values that the tenant says it issues (OpenID Connect Discovery 1.0 §3).
    pub(crate) acr_values_supported: Option<Vec<String>>,
    /// The algorithms of the DPoP proofs that the tenant takes (RFC 9449 §5.1).
    pub(crate) dpop_signing_alg_values_supported: Option<Vec<String>>,
    /// The endpoint, or why there is none.
    pub(crate) introspection_endpoint: Result<Url, TenantError>,
}

impl Metadata {
    /// Reads the document that `issuer` publishes; another issuer's is rejected.
    pub(crate) fn parse(
        document: &[u8],
        issuer: &str,
        rule: EndpointRule,
        introspection: &IntrospectionEndpoint,
    ) -> Result<Self, TenantError> {
        let members = json::parse_object(document).map_err(|error| TenantError::Document {
            document: "metadata",
            reason: error.to_string().into(),
        })?;
        let found = members.get("issuer").and_then(Value::as_str).unwrap_or_default();
        if found != issuer {
            return Err(TenantError::Issuer { expected: issuer.into(), found: found.into() });
        }
        let endpoint = |member| rule.endpoint(member, members.get(member));
        let list = |member| members.get(member).and_then(strings);
        Ok(Self {
            jwks_uri: endpoint("jwks_uri")?,
            authorization_endpoint: endpoint("authorization_endpoint").ok(),
            token_endpoint: endpoint("token_endpoint").ok(),
            device_authorization_endpoint: endpoint("device_authorization_endpoint").ok(),
            acr_values_supported: list("acr_values_supported"),
            dpop_signing_alg_values_supported: list("dpop_signing_alg_values_supported"),
            introspection_endpoint: introspection.find(&members, rule),
        })
    }
}

/// A list of strings; anything else is ignored, since no token depends on it.
fn strings(list: &Value) -> Option<Vec<String>> {
    list.as_array()?.iter().map(|value| value.as_str().map(str::to_owned)).collect()
}

/// Which introspection endpoint is meant for this API. None stands in for another: where no
/// certificate is asked for, none is seen (RFC 8705 §5).
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum IntrospectionEndpoint {
    Plain,
    MutualTls,
    /// For certificates that this trust store of the tenant vouches for.
    TrustStore(String),
}

impl IntrospectionEndpoint {
    /// The one for a client that authenticates so.
    pub(crate) fn of(client: Option<&ClientConfig>) -> Self {
        match client.map(|client| &client.auth) {
            Some(ClientAuth::MutualTls { trust_store_id: Some(id), .. }) => {
                Self::TrustStore(id.clone())
            }
            Some(ClientAuth::MutualTls { trust_store_id: None, .. }) => Self::MutualTls,
            _ => Self::Plain,
        }
    }

    fn find(&self, metadata: &Map<String, Value>, rule: EndpointRule) -> Result<Url, TenantError> {
        const MEMBER: &str = "introspection_endpoint";
        const ALIASES: &str = "mtls_endpoint_aliases";
        const ADDITIONAL_ALIASES: &str = "mtls_additional_endpoint_aliases";
        match self {
            Self::Plain => rule.endpoint(MEMBER, metadata.get(MEMBER)),
            Self::MutualTls => {
                let alias = metadata.get(ALIASES).and_then(|aliases| aliases.get(MEMBER));
                rule.endpoint(&format!("{ALIASES}.{MEMBER}"), alias)
            }
            Self::TrustStore(id) => {
                let aliases = metadata.get(ADDITIONAL_ALIASES).and_then(|stores| stores.get(id));
                let alias = aliases.and_then(|aliases| aliases.get(MEMBER));
                rule.endpoint(&format!("{ADDITIONAL_ALIASES}[{id:?}].{MEMBER}"), alias)
            }
        }
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
    /// Reads what the metadata has under `name`.
    pub(crate) fn endpoint(self, name: &str, value: Option<&Value>) -> Result<Url, TenantError> {
        let unusable =
            |reason: &str| TenantError::Endpoint { endpoint: name.into(), reason: reason.into() };
        let text = value.and_then(Value::as_str).ok_or_else(|| unusable("there is none"))?;
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
        parse(&document, rule)
    }

    fn parse(document: &str, rule: EndpointRule) -> Result<Metadata, TenantError> {
        Metadata::parse(document.as_bytes(), ISSUER, rule, &IntrospectionEndpoint::Plain)
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
            let refused = parse(&document, EndpointRule::Https);
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
    fn a_client_with_a_certificate_has_endpoints_of_its_own_and_no_other() {
        use IntrospectionEndpoint::{MutualTls, Plain, TrustStore};
        let endpoint = |host: &str| json!({"introspection_endpoint": format!("https://{host}/")});
        let mut document = endpoint("plain.test");
        document["issuer"] = json!(ISSUER);
        document["jwks_uri"] = json!("https://acme.test/jwks");
        document["mtls_endpoint_aliases"] = endpoint("mtls.test");
        document["mtls_additional_endpoint_aliases"] = json!({"eu": endpoint("eu.test")});
        let eu = TrustStore("eu".to_owned());
        for (wanted, host, name) in [
            (&Plain, "plain.test", "introspection_endpoint"),
            (&MutualTls, "mtls.test", "mtls_endpoint_aliases.introspection_endpoint"),
            (&eu, "eu.test", r#"mtls_additional_endpoint_aliases["eu"].introspection_endpoint"#),
        ] {
            let find = |document: &Value| {
                let document = document.to_string();
                let rule = EndpointRule::Https;
                let metadata = Metadata::parse(document.as_bytes(), ISSUER, rule, wanted);
                metadata.unwrap().introspection_endpoint
            };
            assert_eq!(find(&document).unwrap().host_str(), Some(host));
            // As a JSON pointer (RFC 6901).
            let member = name.replace(['.', '['], "/").replace(['"', ']'], "");
            for (value, reason) in [
                (json!(null), "there is none"),
                (json!(["https://acme.test/"]), "there is none"),
                (json!("http://acme.test/"), "it is not an https URL"),
            ] {
                let mut document = document.clone();
                *document.pointer_mut(&format!("/{member}")).unwrap() = value;
                let error = find(&document).unwrap_err().to_string();
                let expected = format!("the tenant's metadata has no usable {name}: {reason}");
                assert_eq!(error, expected);
            }
        }
        let unknown = TrustStore("us".to_owned());
        let document = document.to_string();
        let metadata =
            Metadata::parse(document.as_bytes(), ISSUER, EndpointRule::Https, &unknown).unwrap();
        assert!(metadata.introspection_endpoint.is_err());
    }

    #[test]
    fn supported_acr_values_are_a_list_of_strings_or_ignored() {
        for (supported, expected) in [
            (json!(["mfa", "phr"]), Some(&["mfa", "phr"][..])),
            (json!([]), Some(&[])),
            (json!("mfa"), None),
            (json!(["mfa", 1]), None),
            (json!(null), None),
        ] {
            let document = json!({
                "issuer": ISSUER,
                "jwks_uri": "https://acme.test/jwks",
                "acr_values_supported": supported,
            });
            let found = parse(&document.to_string(), EndpointRule::Https).unwrap();
            let expected: Option<Vec<_>> =
                expected.map(|it| it.iter().map(|it| (*it).to_owned()).collect());
            assert_eq!(found.acr_values_supported, expected, "{supported}");
        }
    }

    #[test]
    fn a_document_that_is_not_one_json_object_is_refused() {
        for document in ["", "null", "[]", "<html>", "{", r#"{"issuer":"a","issuer":"a"}"#] {
            let refused = parse(document, EndpointRule::Https);
            assert!(matches!(refused, Err(TenantError::Document { .. })), "{document}");
        }
    }
}
