//! Requests that no client sends.

use monocloud_testkit::{Endpoint, MockTenant};
use proptest::{
    prelude::*,
    sample::select,
    test_runner::{Config, TestRunner},
};
use reqwest::Client;

use crate::client::{Seen, encoded, http, post, redemption, started};

const ALL: [Endpoint; 9] = [
    Endpoint::Authorize,
    Endpoint::Token,
    Endpoint::DeviceAuthorization,
    Endpoint::Device,
    Endpoint::Introspection,
    Endpoint::Revocation,
    Endpoint::Userinfo,
    Endpoint::EndSession,
    Endpoint::Registration,
];

const NAMES: [&str; 28] = [
    "response_type",
    "client_id",
    "client_secret",
    "redirect_uri",
    "scope",
    "state",
    "nonce",
    "code_challenge",
    "code_challenge_method",
    "prompt",
    "max_age",
    "acr_values",
    "login_hint",
    "resource",
    "response_mode",
    "grant_type",
    "code",
    "code_verifier",
    "refresh_token",
    "device_code",
    "user_code",
    "user",
    "interaction",
    "consent",
    "subject_token",
    "subject_token_type",
    "id_token_hint",
    "client_assertion",
];

const VALUES: [&str; 22] = [
    "code",
    "web",
    "service",
    "secret",
    "http://127.0.0.1/cb",
    "openid",
    "S256",
    "none",
    "login",
    "form_post",
    "authorization_code",
    "refresh_token",
    "client_credentials",
    "alice",
    "allow",
    "urn:ietf:params:oauth:grant-type:device_code",
    "urn:ietf:params:oauth:grant-type:token-exchange",
    "urn:ietf:params:oauth:token-type:access_token",
    "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
    "18446744073709551616",
    "e30.e30.",
    "https://api.example.com",
];

fn parameters() -> impl Strategy<Value = String> {
    let name = prop_oneof![9 => select(&NAMES[..]).prop_map(str::to_owned), 1 => ".*"];
    let value = prop_oneof![4 => select(&VALUES[..]).prop_map(str::to_owned), 1 => ".*"];
    let well_formed = prop::collection::vec((name, value), 0..16).prop_map(|pairs| {
        let pairs: Vec<_> = pairs.iter().map(|(name, value)| (&**name, &**value)).collect();
        encoded(&pairs)
    });
    let malformed = "[a-z_=&%+;\\[\\]{}\"0-9]{0,80}";
    prop_oneof![4 => well_formed, 1 => malformed]
}

/// The header with credentials or a proof.
fn header() -> impl Strategy<Value = (&'static str, String)> {
    let value = prop_oneof![
        Just("Basic c2VydmljZTpzZWNyZXQ=".to_owned()),
        "(Basic|Bearer|DPoP)? ?[A-Za-z0-9+/=._-]{0,40}",
    ];
    (select(&["Authorization", "DPoP", "Cookie", "X-None"][..]), value)
}

#[test]
fn no_request_makes_the_tenant_panic() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let tenant = runtime.block_on(started(MockTenant::builder()));
    let client = http();
    let config = Config { cases: 1500, failure_persistence: None, ..Config::default() };
    let media = select(
        &["application/x-www-form-urlencoded", "application/json", "text/plain;charset=\"", ""][..],
    );
    let case = (select(&ALL[..]), parameters(), any::<bool>(), header(), media);
    TestRunner::new(config)
        .run(&case, |(endpoint, text, is_post, header, media)| {
            let seen =
                runtime.block_on(send(&client, &tenant, endpoint, &text, is_post, header, media));
            // A panic would close the connection.
            let seen = seen.map_err(|error| TestCaseError::fail(error.to_string()))?;
            let has_no_page = !cfg!(feature = "pages") && seen.status == 501;
            prop_assert!(seen.status < 500 || has_no_page, "{seen:?}");
            prop_assert!(!seen.header("location").starts_with("javascript"), "{seen:?}");
            Ok(())
        })
        .unwrap();
    assert_eq!(runtime.block_on(post(&tenant, Endpoint::Token, &[])).status, 401);
}

async fn send(
    client: &Client,
    tenant: &MockTenant,
    endpoint: Endpoint,
    text: &str,
    is_post: bool,
    (name, value): (&str, String),
    media: &str,
) -> reqwest::Result<Seen> {
    let url = tenant.url(endpoint);
    let request = if is_post {
        client.post(url).header("Content-Type", media).body(text.to_owned())
    } else {
        client.get(format!("{url}?{}", text.replace(['"', '{', '}'], "")))
    };
    Ok(Seen::of(request.header(name, value).send().await?).await)
}

#[tokio::test]
async fn a_repeated_parameter_is_refused() {
    let tenant = started(MockTenant::builder()).await;
    for endpoint in [Endpoint::Token, Endpoint::DeviceAuthorization, Endpoint::Revocation] {
        let form = [("client_id", "web"), ("client_id", "web")];
        post(&tenant, endpoint, &form).await.refused("invalid_request");
    }
    let form = [&redemption("x")[..], &[("code", "y")]].concat();
    post(&tenant, Endpoint::Token, &form).await.refused("invalid_request");
}

#[tokio::test]
async fn a_huge_form_is_refused_at_every_endpoint() {
    let tenant = started(MockTenant::builder()).await;
    let huge = "x".repeat(1024 * 1024);
    for endpoint in ALL {
        let seen = post(&tenant, endpoint, &[("scope", &huge)]).await;
        assert_eq!(seen.status, 413, "{endpoint:?}");
        assert_eq!(seen.json()["error"], "invalid_request");
    }
    let endless = "x".repeat(16 * 1024 * 1024);
    assert_eq!(post(&tenant, Endpoint::Token, &[("scope", &endless)]).await.status, 413);
    let large = "x".repeat(63 * 1024);
    assert_ne!(post(&tenant, Endpoint::Token, &[("scope", &large)]).await.status, 413);
}

#[tokio::test]
async fn what_is_not_a_form_is_refused() {
    let tenant = started(MockTenant::builder()).await;
    for endpoint in [Endpoint::Token, Endpoint::DeviceAuthorization, Endpoint::Revocation] {
        let request = http().post(tenant.url(endpoint)).header("Content-Type", "application/json");
        let seen = Seen::of(request.body("{}").send().await.unwrap()).await;
        seen.refused("invalid_request");
        let seen = Seen::of(http().get(tenant.url(endpoint)).send().await.unwrap()).await;
        seen.refused("invalid_request");
    }
}
