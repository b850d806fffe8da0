//! Logins without a page: hints, prompts, ages and methods.

use monocloud_testkit::{Clock, Endpoint, MockTenant};
use serde_json::Value;

use crate::client::{
    Seen, VERIFIER, authorization, authorize, challenge, claims, encoded, http, issued, post,
    redemption, started, with,
};

/// The claims of the ID token after an authorization request.
async fn id_token(tenant: &MockTenant, seen: &Seen) -> Value {
    let code = seen.redirected().remove("code").unwrap_or_else(|| panic!("no code: {seen:?}"));
    let tokens = issued(&post(tenant, Endpoint::Token, &redemption(&code)).await);
    claims(&tokens["id_token"])
}

#[tokio::test]
async fn an_automatic_login_is_that_of_its_user_or_of_the_hinted_one() {
    let tenant = started(MockTenant::builder()).await;
    let challenge = challenge(VERIFIER);
    for (hint, subject) in [("", "alice"), ("admin", "admin"), ("unknown", "alice")] {
        let pairs = with(authorization(&challenge), "login_hint", hint);
        let seen = authorize(&tenant, &pairs).await;
        assert_eq!(id_token(&tenant, &seen).await["sub"], subject, "{hint}");
    }
}

#[tokio::test]
async fn the_methods_that_are_requested_are_those_of_the_login() {
    let tenant = started(MockTenant::builder().clock(Clock::frozen())).await;
    let challenge = challenge(VERIFIER);
    let pairs = with(authorization(&challenge), "acr_values", "phr mfa");
    let seen = authorize(&tenant, &pairs).await;
    let code = seen.redirected().remove("code").unwrap();
    let tokens = issued(&post(&tenant, Endpoint::Token, &redemption(&code)).await);
    for name in ["access_token", "id_token"] {
        let claims = claims(&tokens[name]);
        assert_eq!((&claims["acr"], &claims["auth_time"]), (&"phr".into(), &claims["iat"]));
    }
    let seen = authorize(&tenant, &authorization(&challenge)).await;
    assert_eq!(id_token(&tenant, &seen).await.get("acr"), None);
}

/// Requests with the session of one browser.
struct Browser<'a> {
    tenant: &'a MockTenant,
    cookie: String,
}

impl Browser<'_> {
    async fn authorize(&self, pairs: &[(&str, &str)]) -> Seen {
        let url = format!("{}?{}", self.tenant.url(Endpoint::Authorize), encoded(pairs));
        Seen::of(http().get(url).header("Cookie", &self.cookie).send().await.unwrap()).await
    }
}

#[cfg(not(feature = "pages"))]
#[tokio::test]
async fn without_pages_a_hint_logs_in_and_otherwise_the_answer_says_what_is_missing() {
    let tenant = MockTenant::start().await;
    let challenge = challenge(VERIFIER);
    let pairs = with(authorization(&challenge), "login_hint", "admin");
    let seen = authorize(&tenant, &pairs).await;
    assert_eq!(id_token(&tenant, &seen).await["sub"], "admin");
    let seen = authorize(&tenant, &authorization(&challenge)).await;
    assert!(seen.status == 501 && seen.text.contains("the feature `pages`"), "{seen:?}");
}

#[cfg(feature = "pages")]
async fn browser<'a>(
    tenant: &'a MockTenant,
    user: &str,
    pairs: crate::client::Pairs<'_>,
) -> Browser<'a> {
    let seen = crate::pages::log_in(tenant, user, &pairs).await;
    let cookie = seen.header("set-cookie").split(';').next().unwrap().to_owned();
    assert!(!cookie.is_empty(), "{seen:?}");
    crate::pages::allow(tenant, &seen).await;
    // It is in the header as other cookies are.
    Browser { tenant, cookie: format!("theme=dark; {cookie}; a=b") }
}

#[tokio::test]
async fn without_a_session_the_prompt_none_fails() {
    let tenant = MockTenant::start().await;
    let challenge = challenge(VERIFIER);
    let pairs = with(authorization(&challenge), "prompt", "none");
    let browser = Browser { tenant: &tenant, cookie: "tenant_session_0=x; other".to_owned() };
    assert_eq!(browser.authorize(&pairs).await.redirected()["error"], "login_required");
}

#[cfg(feature = "pages")]
#[tokio::test]
async fn a_session_is_used_again_if_it_suffices() {
    use std::time::Duration;

    let tenant = MockTenant::builder().clock(Clock::frozen()).start().await;
    let challenge = challenge(VERIFIER);
    let valid = || authorization(&challenge);
    let browser = browser(&tenant, "alice", with(valid(), "acr_values", "mfa")).await;
    tenant.clock().advance(Duration::from_secs(100));

    let none = || with(valid(), "prompt", "none");
    let id = id_token(&tenant, &browser.authorize(&none()).await).await;
    assert_eq!((&id["sub"], &id["acr"]), (&"alice".into(), &"mfa".into()));
    assert_eq!(id["auth_time"].as_i64(), id["iat"].as_i64().map(|now| now - 100));
    for (name, value) in
        [("max_age", "100"), ("acr_values", "pwd mfa"), ("login_hint", "alice"), ("max_age", "")]
    {
        let seen = browser.authorize(&with(none(), name, value)).await;
        assert_eq!(id_token(&tenant, &seen).await["auth_time"], id["auth_time"], "{name}={value}");
    }
    let hint = async |user| tenant.sign_in(user).await.id_token.unwrap();
    let (hint, other) = (hint("alice").await, hint("admin").await);
    let seen = browser.authorize(&with(none(), "id_token_hint", &hint)).await;
    assert_eq!(id_token(&tenant, &seen).await["sub"], "alice");
    for (name, value, error) in [
        ("id_token_hint", &*other, "login_required"),
        ("id_token_hint", "e30.e30.", "invalid_request"),
        ("max_age", "99", "login_required"),
        ("acr_values", "phr", "login_required"),
        ("login_hint", "admin", "login_required"),
        ("scope", "openid more", "consent_required"),
    ] {
        let seen = browser.authorize(&with(none(), name, value)).await;
        assert_eq!(seen.redirected()["error"], error, "{name}={value}");
    }
    for (name, value) in
        [("prompt", "login"), ("prompt", "consent"), ("max_age", "0"), ("scope", "openid more")]
    {
        let seen = browser.authorize(&with(valid(), name, value)).await;
        assert!(seen.status == 200 && seen.text.contains("<form"), "{name}={value}: {seen:?}");
    }
    tenant.clock().advance(Duration::from_secs(8 * 3600));
    assert_eq!(browser.authorize(&none()).await.redirected()["error"], "login_required");
}
