use monocloud_testkit::{Endpoint, Fault, MockTenant};
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::caller::{accepted, client, controlled_tenant, request, sent};

async fn log(tenant: &MockTenant) -> Vec<Value> {
    let log = accepted(sent(request(tenant, Method::GET, "requests")).await);
    log.as_array().unwrap().clone()
}

#[tokio::test]
async fn requests_are_listed_with_the_newest_last() {
    let tenant = controlled_tenant().await;
    client().get(tenant.url(Endpoint::Jwks)).send().await.unwrap();
    client().get(format!("{}/nothing?a=b", tenant.issuer())).send().await.unwrap();
    let log = log(&tenant).await;
    let now = tenant.clock().now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64();
    let expected = |id: u64, path: &str, endpoint: Value, status: u16| {
        json!({
            "id": id, "time": now, "method": "GET", "path": path, "endpoint": endpoint,
            "status": status, "client_id": null,
        })
    };
    assert_eq!(
        log,
        [
            expected(1, "/.well-known/openid-configuration/jwks", json!("jwks"), 200),
            expected(2, "/nothing", Value::Null, 404),
        ]
    );
}

#[tokio::test]
async fn the_log_has_no_secrets_and_no_tokens() {
    let tenant = controlled_tenant().await;
    let token = tenant.opaque_token().mint();
    let url = format!("{}?token={token}", tenant.url(Endpoint::Introspection));
    let body = format!("token={token}&client_id=service&client_secret=s3cr3t");
    let form = "application/x-www-form-urlencoded";
    client().post(url).header("content-type", form).body(body).send().await.unwrap();
    let log = log(&tenant).await;
    assert_eq!(log[0]["client_id"], "service");
    let text = json!(log).to_string();
    assert!(!text.contains(&token) && !text.contains("s3cr3t"), "{text}");
}

#[tokio::test]
async fn a_request_that_is_not_answered_is_listed_without_a_status() {
    let tenant = controlled_tenant().await;
    tenant.fault(Endpoint::Jwks, Fault::Reset).times(1);
    client().get(tenant.url(Endpoint::Jwks)).send().await.unwrap_err();
    assert_eq!(log(&tenant).await[0]["status"], Value::Null);
}

/// Reads events until one has this path.
async fn read_until(stream: &mut Response, path: &str) -> String {
    let mut text = String::new();
    while !text.contains(path) {
        let part = stream.chunk().await.unwrap().expect("the stream goes on");
        text.push_str(str::from_utf8(&part).unwrap());
    }
    text
}

#[tokio::test]
async fn requests_are_streamed_as_they_are_answered() {
    let tenant = controlled_tenant().await;
    let get = async |path: &str| {
        client().get(format!("{}{path}", tenant.issuer())).send().await.unwrap();
    };
    get("/before").await;
    let stream = request(&tenant, Method::GET, "requests").header("accept", "text/event-stream");
    let mut stream = stream.send().await.unwrap();
    assert_eq!(stream.status(), 200);
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    read_until(&mut stream, "/before").await;
    get("/during").await;
    let events = read_until(&mut stream, "/during").await;
    let event = events.strip_prefix("id: 2\nevent: request\ndata: ").unwrap();
    let event: Value = serde_json::from_str(event.trim()).unwrap();
    assert_eq!(event, log(&tenant).await[1]);

    // Another reader goes on where it has left.
    let later = request(&tenant, Method::GET, "requests").header("last-event-id", "1");
    let mut later = later.header("accept", "text/event-stream").send().await.unwrap();
    let events = read_until(&mut later, "/during").await;
    assert!(!events.contains("/before"), "{events}");
}

#[tokio::test]
async fn a_stream_ends_with_the_tenant() {
    let tenant = controlled_tenant().await;
    let stream = request(&tenant, Method::GET, "requests").header("accept", "text/event-stream");
    let mut stream = stream.send().await.unwrap();
    drop(tenant);
    while let Ok(Some(_)) = stream.chunk().await {}
}
