//! A client of the tenant that is made of reqwest alone.

use std::collections::HashMap;

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use monocloud_testkit::{Endpoint, MockTenant, MockTenantBuilder};
use reqwest::{Client, Response, redirect::Policy};
use serde_json::Value;

pub(crate) const REDIRECT_URI: &str = "http://127.0.0.1:51004/callback";
pub(crate) const VERIFIER: &str = "a-verifier-of-at-least-forty-three-characters-0";
pub(crate) const ORIGIN: &str = "http://localhost:3000";

pub(crate) type Pairs<'a> = Vec<(&'a str, &'a str)>;

/// What a client that follows no redirects sees.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) status: u16,
    pub(crate) headers: http::HeaderMap,
    pub(crate) text: String,
}

impl Seen {
    pub(crate) async fn of(response: Response) -> Self {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Self { status, headers, text: response.text().await.expect("the body arrives") }
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("not JSON: {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    /// The parameters of a redirect to the client.
    #[track_caller]
    pub(crate) fn redirected(&self) -> HashMap<String, String> {
        let location = self.header("location");
        assert!(matches!(self.status, 302 | 303), "no redirect: {self:?}");
        let (_, query) = location.split_once('?').expect("a query");
        form_urlencoded::parse(query.as_bytes()).into_owned().collect()
    }

    /// Checks that it is an error of RFC 6749 §5.2.
    #[track_caller]
    pub(crate) fn refused(&self, error: &str) {
        let status = if error == "invalid_client" { 401 } else { 400 };
        let body = self.json();
        assert_eq!((self.status, body["error"].as_str()), (status, Some(error)), "{self:?}");
        assert!(body["error_description"].is_string(), "{self:?}");
        assert_eq!(self.header("cache-control"), "no-store");
    }
}

pub(crate) async fn started(builder: MockTenantBuilder) -> MockTenant {
    builder.auto_login("alice").start().await
}

/// Follows no redirects.
pub(crate) fn http() -> Client {
    let client = Client::builder().tls_certs_only([]).no_proxy().redirect(Policy::none());
    client.build().expect("a client")
}

pub(crate) fn encoded(pairs: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

pub(crate) fn challenge(verifier: &str) -> String {
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, verifier.as_bytes());
    URL_SAFE_NO_PAD.encode(hash)
}

/// A valid authorization request of `web`.
pub(crate) fn authorization(challenge: &str) -> Pairs<'_> {
    vec![
        ("response_type", "code"),
        ("client_id", "web"),
        ("redirect_uri", REDIRECT_URI),
        ("scope", "openid profile offline_access posts:read"),
        ("state", "MjAyNiA+/=&é"),
        ("nonce", "n-0S6"),
        ("code_challenge", challenge),
        ("code_challenge_method", "S256"),
    ]
}

/// The pairs with this one in place of the one of that name; without it if the value is empty.
pub(crate) fn with<'a>(mut pairs: Pairs<'a>, name: &'a str, value: &'a str) -> Pairs<'a> {
    pairs.retain(|(other, _)| *other != name);
    if !value.is_empty() {
        pairs.push((name, value));
    }
    pairs
}

pub(crate) async fn get(url: &str) -> Seen {
    Seen::of(http().get(url).send().await.expect("the tenant answers")).await
}

pub(crate) async fn authorize(tenant: &MockTenant, pairs: &[(&str, &str)]) -> Seen {
    get(&format!("{}?{}", tenant.url(Endpoint::Authorize), encoded(pairs))).await
}

/// A form to an endpoint, with more headers.
pub(crate) async fn post_with(
    tenant: &MockTenant,
    endpoint: Endpoint,
    pairs: &[(&str, &str)],
    headers: &[(&str, &str)],
) -> Seen {
    let mut request = http()
        .post(tenant.url(endpoint))
        .header("Content-Type", "application/x-www-form-urlencoded")
        .header("Origin", ORIGIN)
        .body(encoded(pairs));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Seen::of(request.send().await.expect("the tenant answers")).await
}

pub(crate) async fn post(tenant: &MockTenant, endpoint: Endpoint, pairs: &[(&str, &str)]) -> Seen {
    post_with(tenant, endpoint, pairs, &[]).await
}

/// A code for `web`, by an automatic login.
pub(crate) async fn code(tenant: &MockTenant) -> String {
    let challenge = challenge(VERIFIER);
    let seen = authorize(tenant, &authorization(&challenge)).await;
    seen.redirected().remove("code").unwrap_or_else(|| panic!("no code: {seen:?}"))
}

/// A valid token request for this code.
pub(crate) fn redemption(code: &str) -> Pairs<'_> {
    vec![
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", REDIRECT_URI),
        ("client_id", "web"),
        ("client_secret", ""),
        ("code_verifier", VERIFIER),
    ]
}

/// The response to a token request.
#[track_caller]
pub(crate) fn issued(seen: &Seen) -> Value {
    assert_eq!(seen.status, 200, "{seen:?}");
    assert_eq!(seen.header("cache-control"), "no-store");
    seen.json()
}

/// The tokens of `web` after a code flow.
pub(crate) async fn tokens(tenant: &MockTenant) -> Value {
    let code = code(tenant).await;
    issued(&post(tenant, Endpoint::Token, &redemption(&code)).await)
}

pub(crate) fn basic(id: &str, secret: &str) -> String {
    let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    format!("Basic {}", STANDARD.encode(format!("{}:{}", encoded(id), encoded(secret))))
}

/// The claims of a JWT, unverified.
#[track_caller]
pub(crate) fn claims(token: &Value) -> Value {
    let payload = token.as_str().and_then(|token| token.split('.').nth(1)).expect("a JWT");
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

/// Whether introspection, as the client `service`, calls the token active.
pub(crate) async fn is_active(tenant: &MockTenant, token: &Value) -> bool {
    let form = [("token", token.as_str().expect("a token"))];
    let authorization = basic("service", "secret");
    let headers = [("Authorization", &*authorization)];
    let seen = post_with(tenant, Endpoint::Introspection, &form, &headers).await;
    assert_eq!(seen.status, 200, "{seen:?}");
    seen.json()["active"] == true
}
