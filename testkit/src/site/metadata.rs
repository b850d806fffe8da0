//! The discovery document.

use serde_json::{Map, Value, json};

use crate::{
    Algorithm, ClientAuth, Endpoint, Entrance, GrantType, TenantConfig, site::oauth::OWN_SCOPES,
};

/// The discovery document of the tenant with this issuer (OpenID Connect Discovery §3, RFC 8414
/// §2), as MonoCloud writes it. With mutual TLS it also names the aliases of the client endpoints
/// (RFC 8705 §5).
pub(crate) fn discovery_document(
    issuer: &str,
    aliases: &[(Entrance, String)],
    config: &TenantConfig,
) -> Value {
    let url = |endpoint: Endpoint| format!("{issuer}{}", endpoint.path());
    let of_apis = config.apis.iter().flat_map(|api| api.scopes.iter().map(String::as_str));
    let mut scopes = OWN_SCOPES.to_vec();
    for scope in of_apis {
        if !scopes.contains(&scope) {
            scopes.push(scope);
        }
    }
    let mut document = json!({
        "issuer": issuer,
        "jwks_uri": url(Endpoint::Jwks),
        "authorization_endpoint": url(Endpoint::Authorize),
        "userinfo_endpoint": url(Endpoint::Userinfo),
        "end_session_endpoint": url(Endpoint::EndSession),
        "registration_endpoint": url(Endpoint::Registration),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query", "form_post"],
        "prompt_values_supported": ["none", "login", "consent", "select_account"],
        "authorization_response_iss_parameter_supported": true,
        "request_uri_parameter_supported": false,
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": Algorithm::ALL.map(Algorithm::as_str),
        "scopes_supported": scopes,
        "code_challenge_methods_supported": ["S256"],
        "grant_types_supported": GrantType::ALL.map(GrantType::as_str),
        "token_endpoint_auth_methods_supported": methods(!aliases.is_empty()),
        "token_endpoint_auth_signing_alg_values_supported": assertion_algorithms(),
        "dpop_signing_alg_values_supported": Algorithm::ALL.map(Algorithm::as_str),
        "tls_client_certificate_bound_access_tokens": true,
    });
    let mut additional = Map::new();
    for (entrance, base) in aliases {
        match entrance {
            Entrance::TrustStore(id) => {
                additional.insert(id.clone(), client_endpoints(base).into());
            }
            _ => document["mtls_endpoint_aliases"] = client_endpoints(base).into(),
        }
    }
    if !additional.is_empty() {
        document["mtls_additional_endpoint_aliases"] = additional.into();
    }
    for (name, url) in client_endpoints(issuer) {
        document[name] = url;
    }
    document
}

/// The endpoints at which a client authenticates.
fn client_endpoints(base: &str) -> Map<String, Value> {
    let endpoints = [
        ("token_endpoint", Endpoint::Token),
        ("device_authorization_endpoint", Endpoint::DeviceAuthorization),
        ("introspection_endpoint", Endpoint::Introspection),
        ("revocation_endpoint", Endpoint::Revocation),
    ];
    let endpoints = endpoints.into_iter();
    let url = |endpoint: Endpoint| format!("{base}{}", endpoint.path());
    endpoints.map(|(name, endpoint)| (name.to_owned(), url(endpoint).into())).collect()
}

/// HS256 with a secret, all others with a key (RFC 7523 §2.2).
fn assertion_algorithms() -> Vec<&'static str> {
    ["HS256"].into_iter().chain(Algorithm::ALL.map(Algorithm::as_str)).collect()
}

fn methods(with_certificates: bool) -> Vec<&'static str> {
    let mut methods = vec![
        ClientAuth::SecretBasic,
        ClientAuth::SecretPost,
        ClientAuth::SecretJwt,
        ClientAuth::PrivateKeyJwt(Algorithm::Rs256),
        ClientAuth::SpiffeJwt,
    ];
    if with_certificates {
        methods.extend([ClientAuth::Tls, ClientAuth::SelfSignedTls, ClientAuth::SpiffeX509]);
    }
    let methods = methods.into_iter().map(ClientAuth::as_str);
    // Public clients (RFC 7591 §2).
    methods.chain(["none"]).collect()
}
