use monocloud_testkit::{Clock, Endpoint, MockTenant};
use reqwest::Method;
use serde_json::json;

use crate::caller::{accepted, client, minted, post, request, sent};

#[tokio::test]
async fn a_reset_undoes_everything_but_the_active_keys() {
    let clock = Clock::frozen();
    let tenant = MockTenant::builder().clock(clock.clone()).control().start().await;
    let (now, document) = (clock.now(), tenant.metadata());
    let opaque = minted(&tenant, json!({ "opaque": true })).await;
    let refresh = tenant.sign_in("alice").scope("offline_access").await.refresh_token.unwrap();
    accepted(post(&tenant, "keys/rotate", json!({})).await);
    let rotated = tenant.jwks();
    accepted(post(&tenant, "clock", json!({ "advance": 5, "shift": -9 })).await);
    accepted(post(&tenant, "faults", json!({ "endpoint": "jwks", "fault": "reset" })).await);
    tenant.serve_metadata(json!({}));

    assert_eq!(accepted(post(&tenant, "reset", json!({})).await), json!({}));

    assert_eq!(clock.now(), now);
    assert!(
        tenant.jwks()["keys"].as_array().unwrap().len() < rotated["keys"].as_array().unwrap().len()
    );
    assert_eq!(tenant.jwks()["keys"][0], rotated["keys"][0]);
    let log = sent(request(&tenant, Method::GET, "requests")).await;
    assert_eq!(log, (200, json!([])));
    assert_eq!(sent(client().get(tenant.url(Endpoint::Discovery))).await, (200, document));
    assert_eq!(sent(client().get(tenant.url(Endpoint::Jwks))).await.0, 200);
    let form = |path: Endpoint, body: String| {
        let request = client().post(tenant.url(path)).body(body);
        request.header("content-type", "application/x-www-form-urlencoded")
    };
    let body = format!("token={opaque}&client_id=service&client_secret=secret");
    let answer = sent(form(Endpoint::Introspection, body)).await;
    assert_eq!(answer, (200, json!({ "active": false })));
    let body = format!("grant_type=refresh_token&client_id=web&refresh_token={refresh}");
    let (status, answer) = sent(form(Endpoint::Token, body)).await;
    assert_eq!((status, &answer["error"]), (400, &json!("invalid_grant")), "{answer}");
}

#[tokio::test]
async fn a_revoked_refresh_token_takes_its_access_token_along() {
    let tenant = MockTenant::builder().control().start().await;
    let tokens = tenant.sign_in("alice").scope("offline_access").await;
    let introspect = async || {
        let body = format!("token={}&client_id=service&client_secret=secret", tokens.access_token);
        let request = client().post(tenant.url(Endpoint::Introspection)).body(body);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        sent(request).await.1["active"].clone()
    };
    assert_eq!(introspect().await, true);
    let body = json!({ "token": tokens.refresh_token });
    assert_eq!(post(&tenant, "revoke", body).await, (200, json!({})));
    assert_eq!(introspect().await, false);
    // A token that the tenant does not know is revoked already.
    assert_eq!(post(&tenant, "revoke", json!({ "token": "x" })).await.0, 200);
}
