use monocloud_testkit::{Endpoint, MockTenant};
use reqwest::Method;
use serde_json::{Value, json};

use crate::caller::{accepted, client, controlled_tenant, post, rejected, request, sent};

/// One order of each fault.
fn orders() -> Vec<Value> {
    [
        json!({ "fault": "status", "status": 503 }),
        json!({ "fault": "retry_after", "status": 429, "after": 1.5 }),
        json!({ "fault": "answer", "status": 200, "content_type": "text/plain", "body": "hi" }),
        json!({ "fault": "latency", "latency": 5 }),
        json!({ "fault": "never_answer" }),
        json!({ "fault": "empty" }),
        json!({ "fault": "malformed" }),
        json!({ "fault": "content_type", "content_type": "text/html" }),
        json!({ "fault": "huge", "huge": 100_000 }),
        json!({ "fault": "deep_json", "deep_json": 1000 }),
        json!({ "fault": "redirect", "redirect": "https://other.example.com" }),
        json!({ "fault": "truncated", "after": 10 }),
        json!({ "fault": "slow_drip", "chunk": 10, "every": 0.5 }),
        json!({ "fault": "reset" }),
        json!({ "fault": "close_before_answer" }),
        json!({ "fault": "broken_tls" }),
        json!({ "fault": "wrong_issuer", "wrong_issuer": "https://other.example.com" }),
        json!({ "fault": "missing_field", "missing_field": "issuer" }),
    ]
    .into_iter()
    .map(|mut order| {
        order["endpoint"] = "discovery".into();
        order
    })
    .collect()
}

async fn status(tenant: &MockTenant, endpoint: Endpoint) -> u16 {
    client().get(tenant.url(endpoint)).send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn every_fault_can_be_set() {
    let tenant = MockTenant::builder().tls().control().start().await;
    let plain = controlled_tenant().await;
    let authority = reqwest::Certificate::from_pem(tenant.authority().certificate_pem().as_bytes());
    let client = reqwest::Client::builder().tls_certs_only([authority.unwrap()]).no_proxy();
    let client = client.build().unwrap();
    for order in orders() {
        let url = format!("{}/_control/faults", tenant.issuer());
        let request = client.post(url).header("content-type", "application/json");
        assert_eq!(sent(request.body(order.to_string())).await, (200, json!({})), "{order}");
        let (status, answer) = post(&plain, "faults", order.clone()).await;
        if order["fault"] == "broken_tls" {
            assert_eq!(status, 400);
            assert_eq!(answer["error"], "the tenant was built without TLS");
        } else {
            assert_eq!(status, 200, "{order}: {answer}");
        }
    }
}

#[tokio::test]
async fn a_fault_lasts_for_a_number_of_requests_or_until_it_is_lifted() {
    let tenant = controlled_tenant().await;
    let fault = json!({ "endpoint": "jwks", "fault": "status", "status": 503, "times": 1 });
    accepted(post(&tenant, "faults", fault).await);
    assert_eq!(
        [status(&tenant, Endpoint::Jwks).await, status(&tenant, Endpoint::Jwks).await],
        [503, 200]
    );
    for endpoint in ["jwks", "canary"] {
        let fault = json!({ "endpoint": endpoint, "fault": "status", "status": 418 });
        accepted(post(&tenant, "faults", fault).await);
    }
    assert_eq!(status(&tenant, Endpoint::Canary).await, 418);
    assert_eq!(sent(request(&tenant, Method::DELETE, "faults")).await, (200, json!({})));
    assert_eq!(status(&tenant, Endpoint::Jwks).await, 200);
    assert_eq!(status(&tenant, Endpoint::Canary).await, 200);
}

#[tokio::test]
async fn faults_are_given_with_their_members() {
    let tenant = controlled_tenant().await;
    let fault = json!({
        "endpoint": "jwks", "fault": "answer", "status": 299, "content_type": "text/x", "body": "b"
    });
    accepted(post(&tenant, "faults", fault).await);
    let response = client().get(tenant.url(Endpoint::Jwks)).send().await.unwrap();
    assert_eq!(response.status(), 299);
    assert_eq!(response.headers()["content-type"], "text/x");
    assert_eq!(response.text().await.unwrap(), "b");

    for (order, expected) in [
        (json!({ "endpoint": "keys", "fault": "reset" }), "no endpoint \"keys\"; valid: discovery"),
        (json!({ "endpoint": "jwks", "fault": "resett" }), "no fault \"resett\"; valid: status"),
        (json!({ "endpoint": "jwks" }), "missing field `fault`"),
        (json!({ "endpoint": "jwks", "fault": "status" }), "needs the member `status`"),
        (json!({ "endpoint": "jwks", "fault": "reset", "status": 1 }), "fault reset \"status\""),
        (json!({ "endpoint": "jwks", "fault": "status", "status": 99 }), "the status 99"),
        (json!({ "endpoint": "jwks", "fault": "status", "status": 70000 }), "a whole number"),
        (json!({ "endpoint": "jwks", "fault": "status", "status": "503" }), "a whole number"),
        (json!({ "endpoint": "jwks", "fault": "latency", "latency": -1 }), "number of seconds"),
        (json!({ "endpoint": "jwks", "fault": "latency", "latency": 1e300 }), "number of seconds"),
        (json!({ "endpoint": "jwks", "fault": "redirect", "redirect": "a\nb" }), "in a header"),
        (json!({ "endpoint": "jwks", "fault": "wrong_issuer", "wrong_issuer": "a" }), "an issuer"),
        (json!({ "endpoint": "jwks", "fault": "slow_drip", "chunk": 0, "every": 1 }), "one byte"),
        (json!({ "endpoint": "jwks", "fault": "deep_json", "deep_json": 1_u64 << 40 }), "at most"),
        (json!({ "endpoint": "jwks", "fault": "reset", "times": 0 }), "from 1 on"),
    ] {
        let error = rejected(post(&tenant, "faults", order.clone()).await);
        assert!(error.contains(expected), "{order}: {error}");
    }
}

#[tokio::test]
async fn the_number_of_faults_is_limited() {
    let tenant = controlled_tenant().await;
    let fault = json!({ "endpoint": "jwks", "fault": "empty" });
    for _ in 0..100 {
        accepted(post(&tenant, "faults", fault.clone()).await);
    }
    let (status, answer) = post(&tenant, "faults", fault).await;
    assert_eq!(status, 409, "{answer}");
}

#[tokio::test]
async fn every_endpoint_can_fail() {
    let tenant = controlled_tenant().await;
    let (_, answer) = post(&tenant, "faults", json!({ "endpoint": "x", "fault": "reset" })).await;
    let names = answer["valid"].as_array().unwrap();
    assert!(names.len() > 10, "{names:?}");
    for name in names {
        let fault = json!({ "endpoint": name, "fault": "empty" });
        accepted(post(&tenant, "faults", fault).await);
    }
}
