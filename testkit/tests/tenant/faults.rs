use std::time::Duration;

use monocloud_testkit::{ClientAuth, Endpoint, Fault, FaultGuard, MockTenant};
use reqwest::Response;
use serde_json::{Value, json};

use crate::{
    asker::{Asker, frozen_tenant},
    reader::{fetch, get, plain_client},
};

const ENDPOINTS: [Endpoint; 4] =
    [Endpoint::Discovery, Endpoint::Jwks, Endpoint::Introspection, Endpoint::Canary];
const SECOND: Duration = Duration::from_secs(1);

async fn answer(tenant: &MockTenant, endpoint: Endpoint, fault: Fault) -> Response {
    let _guard = tenant.fault(endpoint, fault);
    get(&tenant.url(endpoint)).await
}

fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    response.headers().get(name).map(|value| value.to_str().unwrap())
}

#[tokio::test]
async fn every_endpoint_can_answer_with_a_status_and_a_retry_after() {
    let tenant = frozen_tenant().await;
    for endpoint in ENDPOINTS {
        let response = answer(&tenant, endpoint, Fault::Status(418)).await;
        assert_eq!((response.status().as_u16(), header(&response, "retry-after")), (418, None));
        let asked = Duration::from_millis(1500);
        let response =
            answer(&tenant, endpoint, Fault::RetryAfter { status: 429, after: asked }).await;
        assert_eq!(
            (response.status().as_u16(), header(&response, "retry-after")),
            (429, Some("2"))
        );
        let fault = Fault::RetryAfter { status: 503, after: 7 * SECOND };
        let response = answer(&tenant, endpoint, fault).await;
        assert_eq!(
            (response.status().as_u16(), header(&response, "retry-after")),
            (503, Some("7"))
        );
        // The challenge of the right answer is gone too.
        assert_eq!(header(&response, "www-authenticate"), None);
        assert_eq!(tenant.requests(endpoint), 3);
    }
}

#[tokio::test]
async fn faults_change_documents_and_keep_their_headers() {
    let tenant = frozen_tenant().await;
    let right = get(&tenant.url(Endpoint::Discovery)).await.text().await.unwrap();
    let half = &right[..right.len() / 2];
    for (fault, body) in [
        (Fault::Empty, ""),
        (Fault::Malformed, half),
        (Fault::ContentType("text/html"), right.as_str()),
    ] {
        let response = answer(&tenant, Endpoint::Discovery, fault.clone()).await;
        assert_eq!(response.status(), 200, "{fault:?}");
        let is_json = header(&response, "content-type") == Some("application/json");
        assert_eq!(is_json, !matches!(fault, Fault::ContentType(_)), "{fault:?}");
        assert_eq!(header(&response, "access-control-allow-origin"), Some("*"));
        assert_eq!(header(&response, "content-length").unwrap(), body.len().to_string());
        assert_eq!(response.text().await.unwrap(), body, "{fault:?}");
    }
    assert!(serde_json::from_str::<Value>(half).is_err());
}

#[tokio::test]
async fn members_of_documents_are_changed_and_removed() {
    let tenant = frozen_tenant().await;
    let mut expected = tenant.metadata();
    expected["issuer"] = json!("https://attacker.example.com");
    let fault = Fault::WrongIssuer("https://attacker.example.com".into());
    let response = answer(&tenant, Endpoint::Discovery, fault.clone()).await;
    assert_eq!(json_of(response).await, expected);

    let mut expected = tenant.metadata();
    expected.as_object_mut().unwrap().remove("jwks_uri");
    let response = answer(&tenant, Endpoint::Discovery, Fault::MissingField("jwks_uri")).await;
    assert_eq!(json_of(response).await, expected);
    let response = answer(&tenant, Endpoint::Jwks, Fault::MissingField("keys")).await;
    assert_eq!(json_of(response).await, json!({}));

    let asker = Asker::new(&tenant, ClientAuth::SecretBasic);
    let token = tenant.opaque_token().mint();
    let (_, mut right) = asker.ask(&token).send().await;
    let guard = tenant.fault(Endpoint::Introspection, fault);
    right["iss"] = json!("https://attacker.example.com");
    assert_eq!(asker.ask(&token).send().await, (200, right.clone()));
    drop(guard);
    let _guard = tenant.fault(Endpoint::Introspection, Fault::MissingField("active"));
    right.as_object_mut().unwrap().remove("active");
    right["iss"] = json!(tenant.issuer());
    assert_eq!(asker.ask(&token).send().await, (200, right));
}

#[tokio::test]
async fn a_document_can_be_deeper_than_any_stack() {
    let tenant = MockTenant::start().await;
    let response = answer(&tenant, Endpoint::Jwks, Fault::DeepJson(3)).await;
    let mut expected = tenant.jwks();
    expected["deep"] = json!([[[]]]);
    assert_eq!(json_of(response).await, expected);

    let response = answer(&tenant, Endpoint::Jwks, Fault::DeepJson(100_000)).await;
    let body = response.text().await.unwrap();
    assert!(body.contains(&"[".repeat(100_000)));
    assert!(serde_json::from_str::<Value>(&body).unwrap_err().to_string().contains("recursion"));
}

#[tokio::test]
async fn a_document_is_padded_to_the_given_length() {
    let tenant = MockTenant::start().await;
    for length in [100_000, 5_000_001] {
        let response = answer(&tenant, Endpoint::Jwks, Fault::Huge(length)).await;
        assert_eq!(header(&response, "content-length").unwrap(), length.to_string());
        let body = response.text().await.unwrap();
        assert_eq!(body.len(), length);
        assert_eq!(serde_json::from_str::<Value>(&body).unwrap(), tenant.jwks());
    }
    // It is never shorter than the document.
    let response = answer(&tenant, Endpoint::Jwks, Fault::Huge(1)).await;
    assert_eq!(json_of(response).await, tenant.jwks());

    // More than fits in memory: it is generated while it is sent.
    let mut response = answer(&tenant, Endpoint::Jwks, Fault::Huge(1 << 50)).await;
    assert!(response.chunk().await.unwrap().is_some());
}

#[tokio::test]
async fn a_client_that_follows_a_redirect_repeats_the_whole_request() {
    let tenant = frozen_tenant().await;
    let other = frozen_tenant().await;
    let url = other.url(Endpoint::Introspection);
    let _guard = tenant.fault(Endpoint::Introspection, Fault::Redirect(url.clone()));
    let request = plain_client().post(tenant.url(Endpoint::Introspection)).body("token=secret");
    request.send().await.unwrap();
    assert_eq!(tenant.introspections()[0].token, "secret");
    assert_eq!(other.introspections()[0].token, "secret");
}

#[tokio::test]
async fn a_fault_holds_until_its_guard_is_dropped_and_the_latest_is_met() {
    let tenant = MockTenant::start().await;
    let status = async || get(&tenant.url(Endpoint::Jwks)).await.status().as_u16();
    tenant.fault(Endpoint::Jwks, Fault::Status(500)).until_recovered();
    let first = tenant.fault(Endpoint::Jwks, Fault::Status(501));
    let second = tenant.fault(Endpoint::Jwks, Fault::Status(502));
    assert_eq!([status().await, status().await], [502, 502]);
    assert_eq!(get(&tenant.url(Endpoint::Discovery)).await.status(), 200);
    drop(second);
    assert_eq!(status().await, 501);

    let third = tenant.fault(Endpoint::Jwks, Fault::Status(503));
    drop(first);
    assert_eq!(status().await, 503);
    drop(third);
    assert_eq!(status().await, 500);

    let fourth = tenant.fault(Endpoint::Jwks, Fault::Status(504));
    tenant.fault(Endpoint::Jwks, Fault::Status(505)).until_recovered();
    assert_eq!(status().await, 505);
    drop(fourth);
    assert_eq!(status().await, 505);
    tenant.recover(Endpoint::Jwks);
    assert_eq!(status().await, 200);
}

#[tokio::test]
async fn a_fault_ends_after_a_number_of_requests() {
    let tenant = MockTenant::start().await;
    let status = async || get(&tenant.url(Endpoint::Jwks)).await.status().as_u16();
    tenant.fault(Endpoint::Jwks, Fault::Status(500)).times(2);
    tenant.fault(Endpoint::Jwks, Fault::Status(501)).times(1);
    tenant.fault(Endpoint::Jwks, Fault::Status(502)).times(0);
    // A later fault does not use up the earlier ones.
    let above = tenant.fault(Endpoint::Jwks, Fault::Status(503));
    assert_eq!(status().await, 503);
    drop(above);
    assert_eq!(
        [status().await, status().await, status().await, status().await],
        [501, 500, 500, 200]
    );
}

#[tokio::test]
async fn an_endpoint_that_recovers_has_no_fault_left() {
    let tenant = MockTenant::start().await;
    let guard = tenant.fault(Endpoint::Jwks, Fault::Status(500));
    tenant.fault(Endpoint::Jwks, Fault::Status(501)).times(5);
    tenant.recover(Endpoint::Jwks);
    fetch(&tenant.url(Endpoint::Jwks)).await;
    let _later = tenant.fault(Endpoint::Jwks, Fault::Status(502));
    drop(guard);
    assert_eq!(get(&tenant.url(Endpoint::Jwks)).await.status(), 502);
}

#[tokio::test]
async fn a_guard_may_be_sent_anywhere_and_outlive_its_tenant() {
    const fn check<T: Send + Sync + std::fmt::Debug + 'static>() {}
    check::<FaultGuard>();
    let guard = MockTenant::start().await.fault(Endpoint::Jwks, Fault::NeverAnswer);
    tokio::spawn(async move { drop(guard) }).await.unwrap();
}

#[tokio::test]
#[should_panic(expected = "no answer of Jwks names an issuer")]
async fn a_key_set_has_no_issuer() {
    let _guard = frozen_tenant().await.fault(Endpoint::Jwks, Fault::WrongIssuer("x".into()));
}

#[tokio::test]
#[should_panic(expected = "the tenant was built without TLS")]
async fn a_tenant_without_tls_cannot_break_it() {
    let _guard = frozen_tenant().await.fault(Endpoint::Jwks, Fault::BrokenTls);
}

#[tokio::test]
#[should_panic(expected = "no answer has the status 101")]
async fn an_informational_status_is_rejected() {
    frozen_tenant().await.fault(Endpoint::Jwks, Fault::Status(101)).until_recovered();
}

async fn json_of(response: Response) -> Value {
    assert_eq!(response.status(), 200);
    serde_json::from_str(&response.text().await.unwrap()).unwrap()
}
