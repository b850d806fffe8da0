//! The stream that the script of the start page follows.

use reqwest::{Method, Response};
use serde_json::Value;

use crate::browser::{controlled_tenant, get, request};

/// The data of the event with this path.
async fn event(stream: &mut Response, path: &str) -> Value {
    let mut text = String::new();
    loop {
        let mut events = text.split_inclusive("\n\n").filter(|event| event.ends_with("\n\n"));
        if let Some(event) = events.find(|event| event.contains(path)) {
            let (_, data) = event.trim_end().split_once("event: request\ndata: ").unwrap();
            return serde_json::from_str(data).unwrap();
        }
        let part = stream.chunk().await.unwrap().expect("the stream goes on");
        text.push_str(str::from_utf8(&part).unwrap());
    }
}

#[tokio::test]
async fn the_script_follows_a_stream_that_delivers_new_requests() {
    let tenant = controlled_tenant().await;
    let page = get(tenant.issuer()).await;
    let script = page.document().one("script").text.clone();
    let (_, rest) = script.split_once("new EventSource(\"").unwrap();
    let (address, _) = rest.split_once('"').unwrap();
    let url = format!("{}/{address}", tenant.issuer());
    let stream = request(Method::GET, &url).header("accept", "text/event-stream");
    let mut stream = stream.header("sec-fetch-site", "same-origin").send().await.unwrap();
    assert_eq!(stream.headers()["content-type"], "text/event-stream");

    get(&format!("{}/new?client_id=web", tenant.issuer())).await;
    let event = event(&mut stream, "/new").await;
    // What the script reads of it.
    for (member, value) in [("method", "GET"), ("path", "/new"), ("client_id", "web")] {
        assert_eq!(event[member], value, "{event}");
    }
    assert_eq!(event["status"], 404);
    assert!(event["time"].is_number());
}

#[tokio::test]
async fn a_reader_of_an_earlier_tenant_misses_nothing() {
    let tenant = controlled_tenant().await;
    get(&format!("{}/first", tenant.issuer())).await;
    let url = format!("{}/_control/requests", tenant.issuer());
    let stream = request(Method::GET, &url).header("accept", "text/event-stream");
    let mut stream = stream.header("last-event-id", "1000").send().await.unwrap();
    assert_eq!(event(&mut stream, "/first").await["id"], 1);
}

#[tokio::test]
async fn the_page_itself_is_not_among_the_requests() {
    let tenant = controlled_tenant().await;
    get(tenant.issuer()).await;
    let document = get(tenant.issuer()).await.document();
    assert!(document.one("tbody").text.contains("There were no requests yet."));
}
