//! What the tenant advertises, and whether it answers.

use monocloud_testkit::{Api, Endpoint, MockTenant};
use serde_json::{Value, json};

use crate::client::{get, started};

#[tokio::test]
async fn every_form_of_the_metadata_url_is_answered_with_one_document() {
    let tenant = MockTenant::builder().path("acme").start().await;
    let origin = tenant.issuer().strip_suffix("/acme").unwrap();
    for url in [
        format!("{origin}/acme/.well-known/openid-configuration"),
        format!("{origin}/.well-known/openid-configuration/acme"),
        format!("{origin}/acme/.well-known/oauth-authorization-server"),
        format!("{origin}/.well-known/oauth-authorization-server/acme"),
    ] {
        let seen = get(&url).await;
        assert_eq!((seen.status, seen.json()), (200, tenant.metadata()), "{url}");
    }
    assert_eq!(tenant.requests(Endpoint::Discovery), 2);
    assert_eq!(tenant.requests(Endpoint::AuthorizationServer), 2);
    let root = get(&format!("{origin}/.well-known/oauth-authorization-server")).await;
    assert_eq!(root.status, 404, "that of another issuer");
    assert_eq!(tenant.metadata()["issuer"], tenant.issuer());
}

#[tokio::test]
async fn every_advertised_endpoint_answers() {
    let tenant = started(MockTenant::builder()).await;
    let metadata = tenant.metadata();
    let mut advertised = 0;
    for (name, url) in metadata.as_object().unwrap() {
        if name == "jwks_uri" || name.ends_with("_endpoint") {
            let status = get(url.as_str().unwrap()).await.status;
            assert!(status != 404 && status < 500, "{name}: {status}");
            advertised += 1;
        }
    }
    assert_eq!(advertised, 9);
}

#[tokio::test]
async fn the_metadata_says_what_mcp_and_browser_clients_look_for() {
    let api = Api::new("https://orders.example.com").scope("orders:read");
    let metadata = MockTenant::builder().api(api).start().await.metadata();
    assert_eq!(metadata["code_challenge_methods_supported"], json!(["S256"]));
    assert_eq!(metadata["authorization_response_iss_parameter_supported"], true);
    assert_eq!(metadata["response_modes_supported"], json!(["query", "form_post"]));
    for grant in [
        "authorization_code",
        "refresh_token",
        "client_credentials",
        "urn:ietf:params:oauth:grant-type:device_code",
        "urn:ietf:params:oauth:grant-type:token-exchange",
    ] {
        assert!(has(&metadata["grant_types_supported"], grant), "{grant}");
    }
    assert!(has(&metadata["token_endpoint_auth_methods_supported"], "none"));
    assert!(has(&metadata["scopes_supported"], "orders:read"));
    assert!(has(&metadata["scopes_supported"], "offline_access"));
}

fn has(list: &Value, text: &str) -> bool {
    list.as_array().unwrap().contains(&json!(text))
}
