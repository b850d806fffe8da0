//! The manual's example of a decision point, unchanged, against an endpoint of OpenID's
//! Authorization API 1.0.

#[allow(unreachable_pub, reason = "applications export it")]
#[path = "../../../src/manual/decisions/authzen.rs"]
mod example;

use std::time::Duration;

use harness::support::{
    Api, Expected, Log, at_once, frozen_tenant, get, internal, missing_group, ok, protect, serve,
};
use monocloud_testkit::MockTenant;
use serde_json::{Value, json};
use wiremock::{
    Mock, MockServer, ResponseTemplate,
    matchers::{header, method, path},
};

use example::DecisionPoint;

/// An endpoint that answers every question with this.
async fn answering(response: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    let question = Mock::given(method("POST"))
        .and(path("/access/v1/evaluation"))
        .and(header("content-type", "application/json"));
    server.register(question.respond_with(response)).await;
    server
}

fn protected(tenant: &MockTenant, base_url: &str) -> Api {
    let decision_point = DecisionPoint::at(base_url).unwrap();
    serve(&decision_point.decides_for(protect(tenant)).build().unwrap())
}

fn answer(body: &str) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_raw(body, "application/json")
}

#[tokio::test]
async fn only_the_word_of_the_decision_point_lets_a_request_pass() {
    let tenant = frozen_tenant().await;
    for (response, expected) in [
        (answer(r#"{"decision": true}"#), ok()),
        (answer(r#"{"decision": true, "context": {"id": "0"}}"#), ok()),
        (answer(r#"{"decision": false}"#), missing_group()),
        (answer(r#"{"decision": false, "context": {"reason": "late"}}"#), missing_group()),
        (answer(r#"{"decision": "true"}"#), internal()),
        (answer(r#"{"decision": 1}"#), internal()),
        (answer(r#"{"decision": null}"#), internal()),
        (answer(r#"{"Decision": true}"#), internal()),
        (answer(r#"{"decision": true, "decision": true}"#), internal()),
        (answer("{}"), internal()),
        (answer("true"), internal()),
        (answer("<html>"), internal()),
        (answer(""), internal()),
        (ResponseTemplate::new(500), internal()),
        (ResponseTemplate::new(500).set_body_string(r#"{"decision": true}"#), internal()),
        (ResponseTemplate::new(403).set_body_string(r#"{"decision": true}"#), internal()),
        (ResponseTemplate::new(202).set_body_string(r#"{"decision": true}"#), internal()),
        (ResponseTemplate::new(307).insert_header("location", "/elsewhere"), internal()),
    ] {
        let case = format!("{response:?}");
        let server = answering(response).await;
        // Where a redirect leads.
        let elsewhere = Mock::given(path("/elsewhere"));
        server.register(elsewhere.respond_with(answer(r#"{"decision": true}"#))).await;
        assert_answer(&tenant, &server.uri(), &case, &expected).await;
    }
}

#[tokio::test]
async fn a_decision_point_that_is_down_lets_nothing_pass() {
    let tenant = frozen_tenant().await;
    // Its listener is dropped, so that the port is closed.
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let base_url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    assert_answer(&tenant, &base_url, "down", &internal()).await;
}

async fn assert_answer(tenant: &MockTenant, base_url: &str, case: &str, expected: &Expected) {
    let api = protected(tenant, base_url);
    api.check(case, get("/any").bearer(&tenant.token().mint()), expected).await;
}

#[tokio::test]
async fn a_decision_point_that_does_not_answer_is_not_waited_for() {
    let tenant = frozen_tenant().await;
    let server = answering(answer(r#"{"decision": true}"#).set_delay(Duration::MAX / 2)).await;
    let api = protected(&tenant, &server.uri());
    let call = get("/any").bearer(&tenant.token().mint());
    let log = Log::capture();
    let answered = tokio::spawn(async move { api.send(call).await });
    at_once(async {
        while server.received_requests().await.unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert!(!answered.is_finished());
    tenant.clock().advance(Duration::from_secs(2));
    at_once(answered).await.unwrap().assert("too late", &internal());
    assert!(log.count("it took longer than 2s") > 0);
}

#[tokio::test]
async fn the_decision_point_is_asked_who_does_what_to_what() {
    let tenant = frozen_tenant().await;
    let server = answering(answer(r#"{"decision": true}"#)).await;
    let api = protected(&tenant, &server.uri());
    let user = tenant.token().subject("alice").claim("client_id", "web");
    let client = tenant.token().without("sub").claim("client_id", "service");
    let neither = tenant.token().without("sub").without("client_id");
    for (token, kind, id, client_id) in
        [(user, "user", "alice", "web"), (client, "client", "service", "service")]
    {
        api.check(kind, get("/any").bearer(&token.mint()), &ok()).await;
        let asked = server.received_requests().await.unwrap().pop().unwrap();
        let properties = json!({ "issuer": tenant.issuer(), "client_id": client_id });
        assert_eq!(
            serde_json::from_slice::<Value>(&asked.body).unwrap(),
            json!({
                "subject": { "type": kind, "id": id, "properties": properties },
                "action": { "name": "GET" },
                "resource": {
                    "type": "path",
                    "id": "/any",
                    "properties": { "template": null, "operation": null },
                },
            }),
        );
    }
    api.check("neither", get("/any").bearer(&neither.mint()), &missing_group()).await;
    assert_eq!(server.received_requests().await.unwrap().len(), 2);
}
