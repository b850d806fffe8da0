//! The pages for users, as a browser without scripts uses them.

use std::time::Duration;

use monocloud_testkit::{Clock, Endpoint, MockTenant, OAuthClient, User};

use crate::client::{
    Pairs, REDIRECT_URI, Seen, VERIFIER, authorization, authorize, challenge, get, issued, post,
    redemption, with,
};

/// The value of a hidden field.
#[track_caller]
fn hidden<'a>(seen: &'a Seen, name: &str) -> &'a str {
    let field = format!(r#"name="{name}" value=""#);
    let (_, rest) = seen.text.split_once(&field).unwrap_or_else(|| panic!("no {name}: {seen:?}"));
    rest.split_once('"').unwrap().0
}

/// Chooses a user on the login page.
pub(crate) async fn log_in(tenant: &MockTenant, user: &str, pairs: &[(&str, &str)]) -> Seen {
    let page = authorize(tenant, pairs).await;
    assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"));
    let form = [("interaction", hidden(&page, "interaction")), ("user", user)];
    post(tenant, Endpoint::Authorize, &form).await
}

/// Allows what the consent page asks for.
pub(crate) async fn allow(tenant: &MockTenant, page: &Seen) -> Seen {
    let form = [("interaction", hidden(page, "interaction")), ("consent", "allow")];
    post(tenant, Endpoint::Authorize, &form).await
}

#[tokio::test]
async fn a_user_logs_in_and_consents() {
    let tenant = MockTenant::builder().path("acme").start().await;
    let challenge = challenge(VERIFIER);
    let consent = log_in(&tenant, "admin", &authorization(&challenge)).await;
    for text in ["admin", "posts:read", "web", tenant.audience(), REDIRECT_URI] {
        assert!(consent.text.contains(text), "{text} is not on the page");
    }
    let answer = allow(&tenant, &consent).await.redirected();
    assert_eq!(answer["state"], "MjAyNiA+/=&é");
    let tokens = issued(&post(&tenant, Endpoint::Token, &redemption(&answer["code"])).await);
    let claims = crate::client::claims(&tokens["access_token"]);
    assert_eq!(claims["groups"], serde_json::json!(["admin"]));

    // She is not asked twice.
    let again = log_in(&tenant, "admin", &authorization(&challenge)).await;
    assert!(again.redirected().contains_key("code"));
    let other = log_in(&tenant, "alice", &authorization(&challenge)).await;
    assert!(other.text.contains("Allow"), "alice has not consented");
}

#[tokio::test]
async fn a_user_may_refuse() {
    let tenant = MockTenant::start().await;
    let challenge = challenge(VERIFIER);
    let consent = log_in(&tenant, "alice", &authorization(&challenge)).await;
    let form = [("interaction", hidden(&consent, "interaction")), ("consent", "deny")];
    let answer = post(&tenant, Endpoint::Authorize, &form).await.redirected();
    assert_eq!(answer["error"], "access_denied");

    let login = authorize(&tenant, &authorization(&challenge)).await;
    let form = [("interaction", hidden(&login, "interaction")), ("cancel", "true")];
    let answer = post(&tenant, Endpoint::Authorize, &form).await.redirected();
    assert_eq!((&*answer["error"], &*answer["state"]), ("access_denied", "MjAyNiA+/=&é"));
}

#[tokio::test]
async fn a_page_is_answered_once_and_in_time() {
    let tenant = MockTenant::builder().clock(Clock::frozen()).start().await;
    let challenge = challenge(VERIFIER);
    let login = authorize(&tenant, &authorization(&challenge)).await;
    let unknown = [("interaction", hidden(&login, "interaction")), ("user", "eve")];
    let again = post(&tenant, Endpoint::Authorize, &unknown).await;
    assert!(again.status == 200 && again.header("set-cookie").is_empty(), "{again:?}");
    let replayed = [("interaction", hidden(&login, "interaction")), ("user", "alice")];
    assert_eq!(post(&tenant, Endpoint::Authorize, &replayed).await.status, 400);

    tenant.clock().advance(Duration::from_secs(1800));
    let late = [("interaction", hidden(&again, "interaction")), ("user", "alice")];
    assert_eq!(post(&tenant, Endpoint::Authorize, &late).await.status, 400);
}

#[tokio::test]
async fn everything_on_a_page_is_escaped() {
    const EVIL: &str = "<script>alert(\"1\")</script>";
    let client = OAuthClient::public("evil").name(EVIL).any_loopback_redirect();
    let builder = MockTenant::builder().user(User::new(EVIL).group(EVIL)).oauth_client(client);
    let tenant = builder.start().await;
    let challenge = challenge(VERIFIER);
    let pairs: Pairs<'_> = with(authorization(&challenge), "client_id", "evil");
    let pairs = with(with(pairs, "acr_values", "<b>"), "scope", "<i>");
    let login = authorize(&tenant, &pairs).await;
    let consent = log_in(&tenant, EVIL, &pairs).await;
    let device = [("client_id", "evil"), ("scope", "<i>")];
    let device = post(&tenant, Endpoint::DeviceAuthorization, &device).await.json();
    let device = get(device["verification_uri_complete"].as_str().unwrap()).await;
    for page in [login, consent, device] {
        assert_eq!(page.status, 200, "{page:?}");
        assert!(page.text.contains("&lt;script&gt;"), "{page:?}");
        for raw in ["<script", "<b>", "<i>"] {
            assert!(!page.text.contains(raw), "{raw} in {}", page.text);
        }
    }
}

#[tokio::test]
async fn a_hint_puts_a_user_first() {
    let tenant = MockTenant::start().await;
    let challenge = challenge(VERIFIER);
    let order = async |hint| {
        let page = authorize(&tenant, &with(authorization(&challenge), "login_hint", hint)).await;
        page.text.find(r#"value="alice""#) < page.text.find(r#"value="admin""#)
    };
    assert!(order("").await && order("alice").await && !order("admin").await);
}

#[tokio::test]
async fn a_page_is_not_cached_framed_or_isolated_from_its_opener() {
    let tenant = MockTenant::start().await;
    let challenge = challenge(VERIFIER);
    let login = authorize(&tenant, &authorization(&challenge)).await;
    let error = authorize(&tenant, &[]).await;
    let device = get(&tenant.url(Endpoint::Device)).await;
    for page in [login, error, device] {
        assert_eq!(page.header("cache-control"), "no-store");
        assert!(page.header("content-security-policy").contains("frame-ancestors 'none'"));
        assert!(!page.headers.contains_key("cross-origin-opener-policy"));
        assert!(page.text.contains(r#"<html lang="en">"#) && page.text.contains("viewport"));
    }
}

#[tokio::test]
async fn a_client_may_be_trusted_without_consent() {
    let client = OAuthClient::public("own").any_loopback_redirect().skip_consent();
    let tenant = MockTenant::builder().oauth_client(client).start().await;
    let challenge = challenge(VERIFIER);
    let pairs = with(authorization(&challenge), "client_id", "own");
    assert!(log_in(&tenant, "alice", &pairs).await.redirected().contains_key("code"));
}

#[tokio::test]
async fn a_session_cookie_is_out_of_reach_of_scripts_and_other_sites() {
    let tenant = MockTenant::start().await;
    let challenge = challenge(VERIFIER);
    let seen = log_in(&tenant, "alice", &authorization(&challenge)).await;
    let cookie = seen.header("set-cookie");
    let port = tenant.issuer().rsplit_once(':').unwrap().1;
    assert!(cookie.starts_with(&format!("tenant_session_{port}=")), "{cookie}");
    assert!(cookie.ends_with("; Path=/; HttpOnly; SameSite=Lax"), "{cookie}");
}
