use std::time::Duration;

use monocloud_testkit::{Algorithm, Clock, MockTenant};
use serde_json::json;

use crate::reader::{segment, verify};

#[tokio::test]
async fn tokens_of_every_algorithm_verify() {
    let tenant = MockTenant::start().await;
    for algorithm in Algorithm::ALL {
        let token = tenant.token().algorithm(algorithm).mint();
        let verified = verify(&tenant, &token).await;
        assert!(verified.is_ok(), "{algorithm}: {verified:?}");
        assert_eq!(segment(&token, 0).unwrap()["alg"], algorithm.as_str());
    }
}

#[tokio::test]
async fn a_tenant_signs_with_the_algorithm_it_was_built_with() {
    for algorithm in Algorithm::ALL {
        let tenant = MockTenant::builder().algorithm(algorithm).start().await;
        assert_eq!(tenant.jwks()["keys"][0]["alg"], algorithm.as_str());
        let token = tenant.token().mint();
        let verified = verify(&tenant, &token).await;
        assert!(verified.is_ok(), "{algorithm}: {verified:?}");
    }
}

#[tokio::test]
async fn a_token_has_the_claims_of_rfc_9068() {
    let tenant = MockTenant::builder().audience("https://orders.example.com");
    let tenant = tenant.clock(Clock::frozen()).start().await;
    let token = tenant.token().mint();

    let header = segment(&token, 0).unwrap();
    assert_eq!(header["typ"], "at+jwt");
    assert_eq!(header["kid"], tenant.jwks()["keys"][0]["kid"]);

    let claims = segment(&token, 1).unwrap();
    assert_eq!(claims["aud"], "https://orders.example.com");
    assert_eq!(claims["exp"], json!(claims["iat"].as_i64().unwrap() + 3600));
    assert_eq!(claims["nbf"], claims["iat"]);
    for name in ["sub", "client_id", "jti"] {
        assert!(claims[name].is_string(), "{name}");
    }
    assert!(claims.get("scope").is_none());
    let another = segment(&tenant.token().mint(), 1).unwrap();
    assert_ne!(claims["jti"], another["jti"]);
}

#[tokio::test]
async fn the_builder_sets_and_removes_claims() {
    let tenant = MockTenant::start().await;
    let token = tenant
        .token()
        .subject("alice")
        .scope("posts:read  posts:write")
        .scope("posts:delete")
        .group_objects([("7", "admin")])
        .claim("tier", 3)
        .claim("gone", true)
        .without("gone")
        .without("client_id")
        .mint();

    let claims = verify(&tenant, &token).await.unwrap();
    assert_eq!(claims["sub"], "alice");
    assert_eq!(claims["scope"], "posts:read posts:write posts:delete");
    assert_eq!(claims["groups"], json!([{ "id": "7", "name": "admin" }]));
    assert_eq!(claims["tier"], 3);
    assert!(claims.get("gone").is_none());
    assert!(claims.get("client_id").is_none());

    let groups = tenant.token().groups(["admin", "staff"]).mint();
    let claims = segment(&groups, 1).unwrap();
    assert_eq!(claims["groups"], json!(["admin", "staff"]));
}

#[tokio::test]
async fn the_builder_sets_and_removes_header_parameters() {
    let tenant = MockTenant::start().await;
    let token = tenant
        .token()
        .header("typ", "JWT")
        .header("jku", "https://attacker.example.com")
        .without_header("kid")
        .mint();

    let expected = json!({ "alg": "RS256", "typ": "JWT", "jku": "https://attacker.example.com" });
    assert_eq!(segment(&token, 0).unwrap(), expected);
}

#[tokio::test]
async fn raw_text_is_signed_unchanged() {
    let tenant = MockTenant::start().await;
    let header = format!(
        r#"{{"alg":"RS256","kid":{},"typ":"at+jwt" , "x":1}}"#,
        tenant.jwks()["keys"][0]["kid"],
    );
    let payload = segment(&tenant.token().mint(), 1).unwrap().to_string() + "\n";

    let token = tenant.token().raw_header(header).raw_payload(payload);
    verify(&tenant, &token.mint()).await.unwrap();
}

#[tokio::test]
async fn the_clock_stamps_the_tokens() {
    let tenant = MockTenant::builder().clock(Clock::frozen()).start().await;
    let expiry = |token: &str| segment(token, 1).unwrap()["exp"].as_i64().unwrap();

    let first = tenant.token().mint();
    tenant.clock().advance(Duration::from_secs(600));
    let second = tenant.token().mint();
    assert_eq!(expiry(&second), expiry(&first) + 600);

    tenant.clock().shift_wall(-900);
    let third = tenant.token().expires_in(60).mint();
    assert_eq!(expiry(&third), expiry(&first) - 300 - 3540);

    let expired = tenant.token().expires_in(-3600).mint();
    assert!(verify(&tenant, &expired).await.is_err());
}

#[tokio::test]
async fn claims_and_groups_of_the_tenant_are_in_every_token_and_can_be_replaced() {
    let tenant = MockTenant::builder().claim("tenant_id", "acme").groups(["admin"]).start().await;
    let claims = segment(&tenant.token().mint(), 1).unwrap();
    assert_eq!((&claims["tenant_id"], &claims["groups"]), (&json!("acme"), &json!(["admin"])));
    let token = tenant.token().claim("tenant_id", "other").without("groups").mint();
    let claims = segment(&token, 1).unwrap();
    assert_eq!((&claims["tenant_id"], claims.get("groups")), (&json!("other"), None));
}
