//! The stream that the script of the start page follows.

use reqwest::{Method, Response};
use serde_json::Value;

use crate::browser::{controlled_tenant, get, request};

/// The data of the events up to the one with this path.
async fn events(stream: &mut Response, path: &str) -> Vec<Value> {
    let mut text = String::new();
    loop {
        let part = stream.chunk().await.unwrap().expect("the stream goes on");
        text.push_str(str::from_utf8(&part).unwrap());
        let complete = text.split_inclusive("\n\n").filter(|event| event.ends_with("\n\n"));
        let data = complete.filter_map(|event| event.split_once("event: request\ndata: "));
        let events = data.map(|(_, data)| serde_json::from_str::<Value>(data).unwrap());
        let events: Vec<_> = events.collect();
        if events.last().is_some_and(|event| event["path"] == path) {
            return events;
        }
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
    let events = events(&mut stream, "/new").await;
    let [event] = &events[..] else { panic!("{events:?}") };
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
    get(&format!("{}/second", tenant.issuer())).await;
    let events = events(&mut stream, "/second").await;
    assert_eq!(events.iter().map(|event| &event["id"]).collect::<Vec<_>>(), [1, 2]);
}

#[tokio::test]
async fn the_page_itself_is_not_among_the_requests() {
    let tenant = controlled_tenant().await;
    get(tenant.issuer()).await;
    let document = get(tenant.issuer()).await.document();
    assert!(document.one("tbody").text.contains("There were no requests yet."));
}
