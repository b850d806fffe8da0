//! Authorization requests: which are refused, and how.

use monocloud_testkit::{Endpoint, GrantType, MockTenant, OAuthClient};

use crate::client::{
    Pairs, REDIRECT_URI, VERIFIER, authorization, authorize, challenge, get, post, started, with,
};

async fn tenant() -> MockTenant {
    let exact = OAuthClient::public("exact").redirect_uri("https://app.example.com/callback");
    let other = OAuthClient::public("device").grant_type(GrantType::DeviceCode);
    let other = other.any_loopback_redirect();
    started(MockTenant::builder().oauth_client(exact).oauth_client(other)).await
}

#[tokio::test]
async fn an_unknown_client_or_redirect_uri_never_redirects() {
    let tenant = tenant().await;
    let challenge = challenge(VERIFIER);
    let valid = || authorization(&challenge);
    let twice = |name, value| [valid(), vec![(name, value)]].concat();
    for pairs in [
        with(valid(), "client_id", ""),
        with(valid(), "client_id", "unknown"),
        with(valid(), "redirect_uri", ""),
        with(valid(), "redirect_uri", "https://app.example.com/callback"),
        with(valid(), "redirect_uri", "http://127.0.0.1:1@evil.example/"),
        with(valid(), "redirect_uri", "http://127.0.0.1/#fragment"),
        with(valid(), "redirect_uri", "javascript:alert(1)"),
        with(with(valid(), "client_id", "exact"), "redirect_uri", REDIRECT_URI),
        with(
            with(valid(), "client_id", "exact"),
            "redirect_uri",
            "https://app.example.com/callback/more",
        ),
        twice("client_id", "web"),
        twice("redirect_uri", REDIRECT_URI),
        Pairs::new(),
    ] {
        let seen = authorize(&tenant, &pairs).await;
        assert_eq!((seen.status, seen.header("location")), (400, ""), "{pairs:?}");
        let seen = post(&tenant, Endpoint::Authorize, &pairs).await;
        assert_eq!((seen.status, seen.header("location")), (400, ""), "{pairs:?}");
    }
}

#[tokio::test]
async fn other_errors_are_told_to_the_client_with_its_state() {
    let tenant = tenant().await;
    let challenge = challenge(VERIFIER);
    let valid = || authorization(&challenge);
    for (name, value, error) in [
        ("response_type", "", "invalid_request"),
        ("response_type", "token", "unsupported_response_type"),
        ("response_type", "code id_token", "unsupported_response_type"),
        ("response_mode", "fragment", "invalid_request"),
        ("code_challenge", "", "invalid_request"),
        ("code_challenge", "short", "invalid_request"),
        ("code_challenge_method", "plain", "invalid_request"),
        ("code_challenge_method", "", "invalid_request"),
        ("scope", "a\"b", "invalid_scope"),
        ("scope", "a\\b", "invalid_scope"),
        ("resource", "https://other.example.com", "invalid_target"),
        ("prompt", "none login", "invalid_request"),
        ("prompt", "create", "invalid_request"),
        ("max_age", "-1", "invalid_request"),
        ("max_age", "soon", "invalid_request"),
        ("dpop_jkt", "short", "invalid_request"),
        ("request", "eyJhbGciOiJub25lIn0.e30.", "request_not_supported"),
        ("request_uri", "https://a.example/r", "request_uri_not_supported"),
        ("client_id", "device", "unauthorized_client"),
    ] {
        let seen = authorize(&tenant, &with(valid(), name, value)).await;
        assert!(seen.header("location").starts_with(REDIRECT_URI), "{seen:?}");
        let answer = seen.redirected();
        assert_eq!(answer["error"], error, "{name}={value}");
        assert_eq!(answer["state"], "MjAyNiA+/=&é");
        assert_eq!(answer["iss"], tenant.issuer());
        assert!(!answer.contains_key("code") && !answer["error_description"].is_empty());
    }
    let without_pkce = with(with(valid(), "code_challenge", ""), "code_challenge_method", "");
    let answer = authorize(&tenant, &without_pkce).await.redirected();
    assert_eq!(answer["error"], "invalid_request", "a public client without PKCE");
}

#[tokio::test]
async fn a_repeated_parameter_is_an_invalid_request() {
    let tenant = tenant().await;
    let challenge = challenge(VERIFIER);
    let pairs = [authorization(&challenge), vec![("scope", "openid")]].concat();
    assert_eq!(authorize(&tenant, &pairs).await.redirected()["error"], "invalid_request");
    // Which state is meant is not known.
    let pairs = [authorization(&challenge), vec![("state", "other")]].concat();
    let answer = authorize(&tenant, &pairs).await.redirected();
    assert_eq!((&*answer["error"], answer.get("state")), ("invalid_request", None));
}

#[tokio::test]
async fn a_malformed_encoding_is_an_invalid_request() {
    let tenant = tenant().await;
    let challenge = challenge(VERIFIER);
    let query = crate::client::encoded(&authorization(&challenge));
    let url = format!("{}?{query}&login_hint=%zz", tenant.url(Endpoint::Authorize));
    assert_eq!(get(&url).await.redirected()["error"], "invalid_request");
}

#[tokio::test]
async fn any_port_on_loopback_is_accepted_and_others_are_compared_exactly() {
    let tenant = tenant().await;
    let challenge = challenge(VERIFIER);
    for uri in ["http://localhost:3000/docs/oauth2-redirect.html", "http://[::1]:7/cb?a=b"] {
        let seen = authorize(&tenant, &with(authorization(&challenge), "redirect_uri", uri)).await;
        assert!(seen.header("location").starts_with(uri), "{seen:?}");
        assert!(seen.redirected().contains_key("code"));
    }
    let uri = "https://app.example.com/callback";
    for pairs in [with(authorization(&challenge), "redirect_uri", uri), {
        // RFC 6749 §3.1.2.3: the only one that is registered need not be named.
        with(authorization(&challenge), "redirect_uri", "")
    }] {
        let seen = authorize(&tenant, &with(pairs, "client_id", "exact")).await;
        assert!(seen.header("location").starts_with(&format!("{uri}?code=")), "{seen:?}");
    }
}

#[tokio::test]
async fn a_request_may_be_posted() {
    let tenant = tenant().await;
    let challenge = challenge(VERIFIER);
    let seen = post(&tenant, Endpoint::Authorize, &authorization(&challenge)).await;
    assert_eq!(seen.status, 303, "the browser goes on with GET");
    assert!(seen.redirected().contains_key("code"));
}

#[tokio::test]
async fn a_confidential_client_may_do_without_pkce() {
    let service = OAuthClient::confidential("app", "secret").redirect_uri(REDIRECT_URI);
    let tenant = started(MockTenant::builder().oauth_client(service)).await;
    let pairs = [("response_type", "code"), ("client_id", "app")];
    let code = authorize(&tenant, &pairs).await.redirected().remove("code").unwrap();
    let form = [
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("client_id", "app"),
        ("client_secret", "secret"),
    ];
    let downgraded = [form.to_vec(), vec![("code_verifier", VERIFIER)]].concat();
    post(&tenant, Endpoint::Token, &downgraded).await.refused("invalid_grant");
    assert_eq!(post(&tenant, Endpoint::Token, &form).await.status, 200);
}

#[tokio::test]
async fn form_post_sends_a_form_to_the_client() {
    let tenant = tenant().await;
    let challenge = challenge(VERIFIER);
    let state = "\"><script>alert(1)</script>";
    let pairs = with(authorization(&challenge), "response_mode", "form_post");
    let seen = authorize(&tenant, &with(pairs, "state", state)).await;
    assert_eq!((seen.status, seen.header("content-type")), (200, "text/html; charset=utf-8"));
    assert!(seen.text.contains(&format!(r#"action="{REDIRECT_URI}""#)), "{}", seen.text);
    for name in ["code", "state", "iss"] {
        assert!(seen.text.contains(&format!(r#"name="{name}""#)), "{}", seen.text);
    }
    assert!(!seen.text.contains("<script>alert"), "{}", seen.text);
    let pairs = with(authorization(&challenge), "response_mode", "query");
    assert!(authorize(&tenant, &pairs).await.redirected().contains_key("code"));
}

#[tokio::test]
async fn the_resource_becomes_the_audience() {
    use crate::client::{claims, issued, redemption};
    use monocloud_testkit::Api;

    let apis = MockTenant::builder()
        .api(Api::new("https://a.example.com/mcp"))
        .api(Api::new("https://b.example.com").scope("b:read").opaque().lifetime(60));
    let tenant = started(apis).await;
    let challenge = challenge(VERIFIER);
    let issue = async |resources: &[&str], scope| {
        let pairs = with(authorization(&challenge), "scope", scope);
        let resources = resources.iter().map(|resource| ("resource", *resource));
        let pairs: Vec<_> = pairs.into_iter().chain(resources).collect();
        let code = authorize(&tenant, &pairs).await.redirected().remove("code").unwrap();
        issued(&post(&tenant, Endpoint::Token, &redemption(&code)).await)
    };
    let default = issue(&[], "anything").await;
    assert_eq!(claims(&default["access_token"])["aud"], "https://a.example.com/mcp");
    let both = ["https://a.example.com/mcp", "https://b.example.com"];
    let tokens = issue(&both, "b:read").await;
    assert_eq!(claims(&tokens["access_token"])["aud"], serde_json::json!(both));
    // A URL parser adds the slash.
    let opaque = issue(&["https://b.example.com/"], "b:read").await;
    assert!(!opaque["access_token"].as_str().unwrap().contains('.'));
    assert_eq!(opaque["expires_in"], 60);

    let pairs = with(authorization(&challenge), "resource", "https://b.example.com");
    let seen = authorize(&tenant, &with(pairs, "scope", "b:write")).await;
    assert_eq!(seen.redirected()["error"], "invalid_scope");
}

#[tokio::test]
async fn a_token_request_may_name_some_of_the_granted_resources() {
    use crate::client::{claims, issued, redemption};
    use monocloud_testkit::Api;

    let apis = ["https://a.example.com", "https://b.example.com", "https://c.example.com"];
    let builder = MockTenant::builder().api(Api::new(apis[0])).api(Api::new(apis[1]));
    let tenant = started(builder.api(Api::new(apis[2]))).await;
    let challenge = challenge(VERIFIER);
    let granted = [("resource", apis[0]), ("resource", apis[1])];
    let pairs = [&authorization(&challenge)[..], &granted[..]].concat();
    let code = authorize(&tenant, &pairs).await.redirected().remove("code").unwrap();
    let redeem = async |resource| {
        let form = with(redemption(&code), "resource", resource);
        post(&tenant, Endpoint::Token, &form).await
    };
    redeem(apis[2]).await.refused("invalid_target");
    let tokens = issued(&redeem(apis[1]).await);
    assert_eq!(claims(&tokens["access_token"])["aud"], apis[1]);
}
