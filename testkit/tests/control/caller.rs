//! A caller of the control API.

use monocloud_testkit::{Clock, MockTenant};
use reqwest::{Client, Method, RequestBuilder};
use serde_json::Value;

pub(crate) async fn controlled_tenant() -> MockTenant {
    MockTenant::builder().clock(Clock::frozen()).control().start().await
}

pub(crate) fn client() -> Client {
    Client::builder().tls_certs_only([]).no_proxy().build().unwrap()
}

/// A request to this path below `/_control/`.
pub(crate) fn request(tenant: &MockTenant, method: Method, path: &str) -> RequestBuilder {
    client().request(method, format!("{}/_control/{path}", tenant.issuer()))
}

/// The status and the JSON of the response.
pub(crate) async fn sent(request: RequestBuilder) -> (u16, Value) {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    (status, serde_json::from_str(&text).expect("an answer is JSON"))
}

/// Posts this JSON.
pub(crate) async fn post(tenant: &MockTenant, path: &str, body: Value) -> (u16, Value) {
    let request = request(tenant, Method::POST, path).header("content-type", "application/json");
    sent(request.body(body.to_string())).await
}

/// The answer to this JSON, which must be accepted.
#[track_caller]
pub(crate) fn accepted((status, answer): (u16, Value)) -> Value {
    assert_eq!(status, 200, "{answer}");
    answer
}

/// The error of a request that must be rejected with 400.
#[track_caller]
pub(crate) fn rejected((status, answer): (u16, Value)) -> String {
    assert_eq!(status, 400, "{answer}");
    answer["error"].as_str().unwrap().to_owned()
}

/// A token that this order mints.
pub(crate) async fn minted(tenant: &MockTenant, order: Value) -> String {
    accepted(post(tenant, "tokens", order).await)["token"].as_str().unwrap().to_owned()
}

/// A part of a JWT.
pub(crate) fn part(token: &str, place: usize) -> Value {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

    let part = token.split('.').nth(place).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}
