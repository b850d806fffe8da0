//! Refresh tokens: rotation, reuse and narrowing.

use std::time::Duration;

use monocloud_testkit::{Clock, Endpoint, GrantType, MockTenant, OAuthClient};
use serde_json::Value;

use crate::client::{
    VERIFIER, authorization, authorize, challenge, claims, is_active, issued, post, redemption,
    started, tokens, with,
};

fn refresh(token: &Value) -> [(&str, &str); 3] {
    let token = token.as_str().expect("a refresh token");
    [("grant_type", "refresh_token"), ("refresh_token", token), ("client_id", "web")]
}

#[tokio::test]
async fn a_refresh_token_rotates_and_its_reuse_revokes_the_family() {
    let tenant = started(MockTenant::builder()).await;
    let first = tokens(&tenant).await;
    let second = issued(&post(&tenant, Endpoint::Token, &refresh(&first["refresh_token"])).await);
    assert_ne!(second["refresh_token"], first["refresh_token"]);
    assert_ne!(second["access_token"], first["access_token"]);
    assert_eq!(second["scope"], first["scope"]);
    let (before, after) = (claims(&first["id_token"]), claims(&second["id_token"]));
    assert_eq!((&before["sub"], &before["auth_time"]), (&after["sub"], &after["auth_time"]));

    assert!(before["nonce"].is_string() && after.get("nonce").is_none());

    let stolen = refresh(&first["refresh_token"]);
    post(&tenant, Endpoint::Token, &stolen).await.refused("invalid_grant");
    let own = refresh(&second["refresh_token"]);
    post(&tenant, Endpoint::Token, &own).await.refused("invalid_grant");
    for tokens in [first, second] {
        assert!(!is_active(&tenant, &tokens["access_token"]).await);
    }
}

#[tokio::test]
async fn a_refresh_token_needs_offline_access() {
    let tenant = started(MockTenant::builder()).await;
    let challenge = challenge(VERIFIER);
    let pairs = with(authorization(&challenge), "scope", "openid posts:read");
    let code = authorize(&tenant, &pairs).await.redirected().remove("code").unwrap();
    let tokens = issued(&post(&tenant, Endpoint::Token, &redemption(&code)).await);
    assert_eq!(tokens.get("refresh_token"), None);
}

#[tokio::test]
async fn a_refresh_may_narrow_the_scope_for_one_token() {
    let tenant = started(MockTenant::builder()).await;
    let first = tokens(&tenant).await;
    let form = [&refresh(&first["refresh_token"])[..], &[("scope", "posts:write")]].concat();
    post(&tenant, Endpoint::Token, &form).await.refused("invalid_scope");
    let form = [&refresh(&first["refresh_token"])[..], &[("scope", "posts:read")]].concat();
    let narrow = issued(&post(&tenant, Endpoint::Token, &form).await);
    assert_eq!(claims(&narrow["access_token"])["scope"], "posts:read");
    assert_eq!(narrow.get("id_token"), None);
    let wide = issued(&post(&tenant, Endpoint::Token, &refresh(&narrow["refresh_token"])).await);
    assert_eq!(wide["scope"], first["scope"]);
}

#[tokio::test]
async fn a_refresh_token_expires_after_its_last_use() {
    let tenant = started(MockTenant::builder().clock(Clock::frozen())).await;
    let month = Duration::from_secs(30 * 24 * 3600);
    let mut tokens = tokens(&tenant).await;
    for _ in 0..2 {
        tenant.clock().advance(month - Duration::from_secs(1));
        let form = refresh(&tokens["refresh_token"]);
        tokens = issued(&post(&tenant, Endpoint::Token, &form).await);
    }
    tenant.clock().advance(month);
    let form = refresh(&tokens["refresh_token"]);
    post(&tenant, Endpoint::Token, &form).await.refused("invalid_grant");
}

#[tokio::test]
async fn a_refresh_token_belongs_to_one_client() {
    let codes_only = OAuthClient::public("codes").any_loopback_redirect();
    let codes_only = codes_only.grant_type(GrantType::AuthorizationCode);
    let other = OAuthClient::public("other");
    let tenant = MockTenant::builder().oauth_client(other).oauth_client(codes_only);
    let tenant = started(tenant).await;
    let tokens = tokens(&tenant).await;
    let form = with(refresh(&tokens["refresh_token"]).to_vec(), "client_id", "other");
    post(&tenant, Endpoint::Token, &form).await.refused("invalid_grant");
    let form = with(form, "client_id", "codes");
    post(&tenant, Endpoint::Token, &form).await.refused("unauthorized_client");
    let form = refresh(&tokens["refresh_token"]);
    issued(&post(&tenant, Endpoint::Token, &form).await);
}
