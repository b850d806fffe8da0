//! Exchanging tokens.

use monocloud_testkit::{Api, Endpoint, MockTenant};
use serde_json::{Value, json};

use crate::client::{Pairs, Seen, claims, issued, post, with};

const TYPE: &str = "urn:ietf:params:oauth:token-type:access_token";

async fn tenant() -> MockTenant {
    let orders = Api::new("https://orders.example.com").scope("orders:read");
    MockTenant::builder().audience("https://api.example.com").api(orders).start().await
}

fn exchange(token: &str) -> Pairs<'_> {
    vec![
        ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
        ("client_id", "service"),
        ("client_secret", "secret"),
        ("subject_token", token),
        ("subject_token_type", TYPE),
    ]
}

async fn send(tenant: &MockTenant, pairs: &[(&str, &str)]) -> Seen {
    post(tenant, Endpoint::Token, pairs).await
}

#[tokio::test]
async fn a_service_exchanges_a_users_token_for_one_of_another_api() {
    let tenant = tenant().await;
    let subject = tenant.sign_in("admin").scope("posts:read").acr_values("mfa").await.access_token;
    let pairs = with(exchange(&subject), "audience", "https://orders.example.com");
    let response = issued(&send(&tenant, &with(pairs, "scope", "orders:read")).await);
    assert_eq!(response["issued_token_type"], TYPE);
    assert_eq!(response["scope"], "orders:read");
    let claims = claims(&response["access_token"]);
    for (name, value) in [
        ("aud", json!("https://orders.example.com")),
        ("sub", json!("admin")),
        ("groups", json!(["admin"])),
        ("acr", json!("mfa")),
        ("client_id", json!("service")),
        ("scope", json!("orders:read")),
    ] {
        assert_eq!(claims[name], value, "{name}");
    }
    assert_eq!(claims.get("act"), None);
}

#[tokio::test]
async fn a_token_says_who_acts() {
    let tenant = tenant().await;
    let subject = tenant.sign_in("alice").await.access_token;
    let actor = tenant.token().subject("worker").mint();
    let pairs = with(exchange(&subject), "actor_token", &actor);
    let first = issued(&send(&tenant, &with(pairs, "actor_token_type", TYPE)).await);
    let first = first["access_token"].as_str().unwrap();
    assert_eq!(claims(&first.into())["act"], json!({ "sub": "worker" }));

    let second = tenant.token().subject("robot").mint();
    let pairs = with(exchange(first), "actor_token", &second);
    let second = issued(&send(&tenant, &with(pairs, "actor_token_type", TYPE)).await);
    let act = json!({ "sub": "robot", "act": { "sub": "worker" } });
    assert_eq!(claims(&second["access_token"])["act"], act);
}

#[tokio::test]
async fn an_exchange_adds_no_scope_of_the_same_api_and_no_time() {
    let tenant = tenant().await;
    let subject = tenant.token().scope("posts:read posts:write").expires_in(60).mint();
    let narrow = issued(&send(&tenant, &with(exchange(&subject), "scope", "posts:read")).await);
    assert_eq!((&narrow["scope"], &narrow["expires_in"]), (&json!("posts:read"), &json!(60)));
    let same = issued(&send(&tenant, &exchange(&subject)).await);
    assert_eq!(same["scope"], "posts:read posts:write");
    send(&tenant, &with(exchange(&subject), "scope", "posts:delete"))
        .await
        .refused("invalid_scope");
}

#[tokio::test]
async fn a_wrong_exchange_is_refused() {
    let tenant = tenant().await;
    let subject = tenant.token().mint();
    let expired = tenant.token().expires_in(-1).mint();
    let revoked = tenant.token().mint();
    tenant.revoke(&revoked);
    let foreign = MockTenant::start().await.token().mint();
    for (name, value, error) in [
        ("subject_token", "", "invalid_request"),
        ("subject_token", "x", "invalid_request"),
        ("subject_token", &*expired, "invalid_request"),
        ("subject_token", &revoked, "invalid_request"),
        ("subject_token", &foreign, "invalid_request"),
        ("subject_token_type", "", "invalid_request"),
        ("subject_token_type", "urn:ietf:params:oauth:token-type:saml2", "invalid_request"),
        ("actor_token", &subject, "invalid_request"),
        ("requested_token_type", "urn:ietf:params:oauth:token-type:saml2", "invalid_request"),
        ("audience", "https://other.example.com", "invalid_target"),
        ("client_secret", "other", "invalid_client"),
    ] {
        send(&tenant, &with(exchange(&subject), name, value)).await.refused(error);
    }
    let public = with(with(exchange(&subject), "client_id", "web"), "client_secret", "");
    send(&tenant, &public).await.refused("unauthorized_client");
    let active: Value = issued(&send(&tenant, &exchange(&subject)).await);
    assert!(active["access_token"].is_string());
}
