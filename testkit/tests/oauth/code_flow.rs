//! The authorization code flow: codes and PKCE.

use std::time::Duration;

use monocloud_testkit::{Clock, Endpoint, MockTenant};
use serde_json::json;

use crate::client::{
    VERIFIER, authorization, authorize, challenge, claims, code, is_active, issued, post,
    redemption, started, tokens, with,
};

#[tokio::test]
async fn a_public_client_gets_tokens_by_a_code() {
    let tenant = started(MockTenant::builder().path("acme").clock(Clock::frozen())).await;
    let challenge = challenge(VERIFIER);
    let answer = authorize(&tenant, &authorization(&challenge)).await.redirected();
    assert_eq!(answer["state"], "MjAyNiA+/=&é", "unchanged");
    assert_eq!(answer["iss"], tenant.issuer(), "RFC 9207");

    let response = post(&tenant, Endpoint::Token, &redemption(&answer["code"])).await;
    let tokens = issued(&response);
    assert_eq!(tokens["token_type"], "Bearer");
    assert_eq!(tokens["expires_in"], 3600);
    assert_eq!(tokens["scope"], "openid profile offline_access posts:read");
    let access = claims(&tokens["access_token"]);
    for (name, value) in [
        ("iss", json!(tenant.issuer())),
        ("aud", json!(tenant.audience())),
        ("sub", json!("alice")),
        ("client_id", json!("web")),
        ("scope", tokens["scope"].clone()),
    ] {
        assert_eq!(access[name], value, "{name}");
    }
    assert_eq!(access.get("groups"), None, "alice is in no group");
    let id = claims(&tokens["id_token"]);
    assert_eq!((&id["aud"], &id["nonce"]), (&json!("web"), &json!("n-0S6")));
    assert_eq!(id["auth_time"], access["iat"]);
    assert!(is_active(&tenant, &tokens["access_token"]).await);
}

#[tokio::test]
async fn a_code_is_used_once_and_its_reuse_revokes_the_tokens() {
    let tenant = started(MockTenant::builder()).await;
    let code = code(&tenant).await;
    let tokens = issued(&post(&tenant, Endpoint::Token, &redemption(&code)).await);
    assert!(is_active(&tenant, &tokens["access_token"]).await);

    post(&tenant, Endpoint::Token, &redemption(&code)).await.refused("invalid_grant");
    assert!(!is_active(&tenant, &tokens["access_token"]).await);
    let refresh = tokens["refresh_token"].as_str().unwrap();
    let refresh =
        [("grant_type", "refresh_token"), ("refresh_token", refresh), ("client_id", "web")];
    post(&tenant, Endpoint::Token, &refresh).await.refused("invalid_grant");
}

#[tokio::test]
async fn a_code_expires() {
    let tenant = started(MockTenant::builder().clock(Clock::frozen())).await;
    let code = code(&tenant).await;
    tenant.clock().advance(Duration::from_secs(60));
    post(&tenant, Endpoint::Token, &redemption(&code)).await.refused("invalid_grant");
}

#[tokio::test]
async fn what_belongs_to_a_code_is_checked() {
    let tenant = started(MockTenant::builder()).await;
    let code = code(&tenant).await;
    for (name, value, error) in [
        ("code", "", "invalid_request"),
        ("code", "another", "invalid_grant"),
        ("redirect_uri", "", "invalid_grant"),
        ("redirect_uri", "http://127.0.0.1:51005/callback", "invalid_grant"),
        ("code_verifier", "", "invalid_grant"),
        ("code_verifier", "another-verifier-of-at-least-forty-three-chars", "invalid_grant"),
        ("scope", "openid posts:write", "invalid_scope"),
        ("resource", "https://other.example.com", "invalid_target"),
        ("client_id", "unknown", "invalid_client"),
        ("client_id", "", "invalid_client"),
        ("grant_type", "", "invalid_request"),
        ("grant_type", "password", "unsupported_grant_type"),
        ("client_secret", "x", "invalid_client"),
    ] {
        let form = with(redemption(&code), name, value);
        post(&tenant, Endpoint::Token, &form).await.refused(error);
    }
    // None of them has used it up.
    issued(&post(&tenant, Endpoint::Token, &redemption(&code)).await);
}

#[tokio::test]
async fn a_code_belongs_to_one_client() {
    let other = monocloud_testkit::OAuthClient::public("other").any_loopback_redirect();
    let tenant = started(MockTenant::builder().oauth_client(other)).await;
    let code = code(&tenant).await;
    let form = with(redemption(&code), "client_id", "other");
    post(&tenant, Endpoint::Token, &form).await.refused("invalid_grant");
}

#[tokio::test]
async fn tokens_of_the_code_flow_are_signed_by_the_tenant() {
    let tenant = started(MockTenant::builder()).await;
    let tokens = tokens(&tenant).await;
    for name in ["access_token", "id_token"] {
        let token = tokens[name].as_str().unwrap();
        let kid = jsonwebtoken::decode_header(token).unwrap().kid.unwrap();
        let jwks = tenant.jwks();
        let jwk = jwks["keys"].as_array().unwrap().iter().find(|jwk| jwk["kid"] == *kid).unwrap();
        let jwk = serde_json::from_value(jwk.clone()).unwrap();
        let key = jsonwebtoken::DecodingKey::from_jwk(&jwk).unwrap();
        let (input, signature) = token.rsplit_once('.').unwrap();
        let _ = jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER.install_default();
        let algorithm = jsonwebtoken::Algorithm::RS256;
        let verified =
            jsonwebtoken::crypto::verify(signature, input.as_bytes(), &key, algorithm).unwrap();
        assert!(verified, "{name}");
    }
}
