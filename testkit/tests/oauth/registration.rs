//! Clients that register themselves.

use monocloud_testkit::{Algorithm, DpopKey, Endpoint, MockTenant};
use serde_json::{Value, json};

use crate::client::{
    Seen, VERIFIER, authorization, authorize, basic, challenge, http, issued, post, post_with,
    redemption, started, with,
};

async fn register(tenant: &MockTenant, metadata: &Value) -> Seen {
    let request = http().post(tenant.url(Endpoint::Registration)).body(metadata.to_string());
    let request = request.header("Content-Type", "application/json");
    Seen::of(request.send().await.unwrap()).await
}

#[tokio::test]
async fn a_public_client_registers_and_logs_its_user_in() {
    let tenant = started(MockTenant::builder()).await;
    let uri = "https://app.example.com/callback";
    let metadata = json!({
        "client_name": "An MCP client",
        "redirect_uris": [uri],
        "token_endpoint_auth_method": "none",
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "software_id": "ignored",
    });
    let seen = register(&tenant, &metadata).await;
    let client = seen.json();
    assert_eq!((seen.status, seen.header("cache-control")), (201, "no-store"), "{seen:?}");
    assert_eq!(client.get("client_secret"), None);
    for name in ["client_name", "redirect_uris", "token_endpoint_auth_method", "grant_types"] {
        assert_eq!(client[name], metadata[name], "{name}");
    }

    let (id, challenge) = (client["client_id"].as_str().unwrap(), challenge(VERIFIER));
    let pairs = with(with(authorization(&challenge), "client_id", id), "redirect_uri", uri);
    let code = authorize(&tenant, &pairs).await.redirected().remove("code").unwrap();
    let form = with(with(redemption(&code), "client_id", id), "redirect_uri", uri);
    assert!(issued(&post(&tenant, Endpoint::Token, &form).await)["refresh_token"].is_string());
}

#[tokio::test]
async fn a_confidential_client_registers_and_authenticates() {
    let tenant = MockTenant::start().await;
    let metadata = json!({ "grant_types": ["client_credentials"], "response_types": [] });
    let client = register(&tenant, &metadata).await.json();
    assert_eq!(client["token_endpoint_auth_method"], "client_secret_basic", "RFC 7591 §2");
    assert_eq!(client["client_secret_expires_at"], 0);
    let text = |name: &str| client[name].as_str().unwrap();
    let authorization = basic(text("client_id"), text("client_secret"));
    let headers = [("Authorization", &*authorization)];
    let form = [("grant_type", "client_credentials")];
    issued(&post_with(&tenant, Endpoint::Token, &form, &headers).await);

    let key = DpopKey::of(Algorithm::Es256);
    let metadata = json!({
        "grant_types": ["client_credentials"],
        "token_endpoint_auth_method": "private_key_jwt",
        "jwks": { "keys": [key.jwk()] },
    });
    let client = register(&tenant, &metadata).await.json();
    assert_eq!((client.get("client_secret"), &client["jwks"]), (None, &metadata["jwks"]));
}

#[tokio::test]
async fn wrong_metadata_is_refused() {
    let tenant = MockTenant::start().await;
    let uris = json!(["https://app.example.com/"]);
    for (metadata, error) in [
        (json!({}), "invalid_redirect_uri"),
        (json!({ "redirect_uris": [] }), "invalid_redirect_uri"),
        (json!({ "redirect_uris": ["/relative"] }), "invalid_redirect_uri"),
        (json!({ "redirect_uris": ["https://a.b/#c"] }), "invalid_redirect_uri"),
        (json!({ "redirect_uris": ["javascript:alert(1)"] }), "invalid_redirect_uri"),
        (json!({ "redirect_uris": "https://a.b/" }), "invalid_client_metadata"),
        (json!([]), "invalid_client_metadata"),
        (json!({ "redirect_uris": uris, "grant_types": ["password"] }), "invalid_client_metadata"),
        (json!({ "redirect_uris": uris, "response_types": ["token"] }), "invalid_client_metadata"),
        (
            json!({ "redirect_uris": uris, "token_endpoint_auth_method": "tls_client_auth" }),
            "invalid_client_metadata",
        ),
        (
            json!({ "redirect_uris": uris, "token_endpoint_auth_method": "private_key_jwt" }),
            "invalid_client_metadata",
        ),
        (
            json!({
                "grant_types": ["client_credentials"], "token_endpoint_auth_method": "none",
            }),
            "invalid_client_metadata",
        ),
    ] {
        register(&tenant, &metadata).await.refused(error);
    }
    post(&tenant, Endpoint::Registration, &[]).await.refused("invalid_request");
}
