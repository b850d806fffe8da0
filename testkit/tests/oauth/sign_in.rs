//! Logging in inside the process.

use monocloud_testkit::{Api, DpopKey, Endpoint, Fault, MockTenant, OAuthClient, User};
use serde_json::json;

use crate::client::{REDIRECT_URI, claims};

#[tokio::test]
async fn a_user_signs_in_with_everything_that_a_client_can_ask_for() {
    let app = OAuthClient::confidential("app", "secret").redirect_uri(REDIRECT_URI);
    let tenant = MockTenant::builder()
        .user(User::new("bob").claim("tenant_id", "acme"))
        .oauth_client(app)
        .api(Api::new("https://a.example.com"))
        .api(Api::new("https://b.example.com").scope("b:read"))
        .claim("env", "test")
        .start()
        .await;
    let key = DpopKey::generate();
    let tokens = tenant
        .sign_in("bob")
        .client("app")
        .scope("b:read offline_access")
        .resource("https://b.example.com")
        .acr_values("phr")
        .bound_to_key(&key)
        .await;
    assert_eq!((&*tokens.token_type, tokens.expires_in), ("DPoP", 3600));
    assert_eq!(tokens.scope, "openid b:read offline_access");
    assert!(tokens.refresh_token.is_some() && tokens.id_token.is_some());
    let claims = claims(&tokens.access_token.into());
    for (name, value) in [
        ("aud", json!("https://b.example.com")),
        ("sub", json!("bob")),
        ("client_id", json!("app")),
        ("acr", json!("phr")),
        ("tenant_id", json!("acme")),
        ("env", json!("test")),
        ("cnf", json!({ "jkt": key.thumbprint() })),
    ] {
        assert_eq!(claims[name], value, "{name}");
    }
}

#[tokio::test]
async fn a_login_inside_the_process_is_not_a_request() {
    let tenant = MockTenant::start().await;
    tenant.fault(Endpoint::Token, Fault::Reset).until_recovered();
    tenant.sign_in("alice").await;
    let counts = [Endpoint::Authorize, Endpoint::Token].map(|endpoint| tenant.requests(endpoint));
    assert_eq!(counts, [0, 0]);
}

#[tokio::test]
#[should_panic(expected = "no user \"eve\"")]
async fn an_unknown_user_is_a_mistake() {
    MockTenant::start().await.sign_in("eve").await;
}

#[tokio::test]
#[should_panic(expected = "the API has no such scope")]
async fn an_unknown_scope_is_a_mistake() {
    let api = Api::new("https://a.example.com").scope("a:read");
    MockTenant::builder().api(api).start().await.sign_in("alice").scope("a:write").await;
}

#[tokio::test]
#[should_panic(expected = "there are two of the user \"bob\"")]
async fn a_tenant_does_not_start_with_mistakes() {
    let mut config = monocloud_testkit::TenantConfig::default();
    config.users = vec![User::new("bob"), User::new("bob")];
    MockTenant::builder().config(config).start().await;
}
