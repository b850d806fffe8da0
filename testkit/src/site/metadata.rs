//! The discovery document.

use serde_json::{Map, Value, json};

use crate::{Algorithm, ClientAuth, Endpoint, Entrance};

/// The discovery document of the tenant with this issuer (OpenID Connect Discovery §3, RFC 8414
/// §2), as MonoCloud writes it. With mutual TLS it also names the aliases of the client endpoints
/// (RFC 8705 §5).
pub(crate) fn discovery_document(issuer: &str, aliases: &[(Entrance, String)]) -> Value {
    let mut document = json!({
        "issuer": issuer,
        "jwks_uri": format!("{issuer}{}", Endpoint::Jwks.path()),
        "authorization_endpoint": format!("{issuer}/connect/authorize"),
        "userinfo_endpoint": format!("{issuer}/connect/userinfo"),
        "end_session_endpoint": format!("{issuer}/connect/endsession"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": Algorithm::ALL.map(Algorithm::as_str),
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "code_challenge_methods_supported": ["S256"],
        "grant_types_supported": ["authorization_code", "client_credentials", "refresh_token"],
        "token_endpoint_auth_methods_supported": methods(!aliases.is_empty()),
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
        ("token_endpoint", "/connect/token"),
        ("introspection_endpoint", Endpoint::Introspection.path()),
        ("revocation_endpoint", "/connect/revocation"),
    ];
    let endpoints = endpoints.into_iter();
    endpoints.map(|(name, path)| (name.to_owned(), format!("{base}{path}").into())).collect()
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
    methods.into_iter().map(ClientAuth::as_str).collect()
}
