//! Mocks in addition to, and instead of, what the tenant serves.

use std::io::{Error, ErrorKind};

use monocloud_testkit::{
    Endpoint, Fault, MockTenant,
    wiremock::{
        Mock, Request, ResponseTemplate,
        matchers::{any, bearer_token, body_string, header, method, path, query_param},
    },
};
use serde_json::json;

use crate::{
    reader::{client_trusting, fetch, get, plain_client},
    serving::use_up_budget,
};

const TENANT_API: &str = "/api/users/alice";

fn tenant_api(token: &str) -> Mock {
    let profile = ResponseTemplate::new(200).set_body_json(json!({ "sub": "alice" }));
    Mock::given(method("GET")).and(path(TENANT_API)).and(bearer_token(token)).respond_with(profile)
}

fn answer(status: u16) -> ResponseTemplate {
    ResponseTemplate::new(status)
}

#[tokio::test]
async fn a_mock_answers_what_the_tenant_does_not_model() {
    let tenant = MockTenant::start().await;
    let url = format!("{}{TENANT_API}", tenant.issuer());
    let token = tenant.token().subject("alice").mint();
    assert_eq!(get(&url).await.status(), 404);

    tenant.mount(tenant_api(&token).expect(1)).await;
    let response = plain_client().get(&url).bearer_auth(&token).send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "application/json");
    assert_eq!(response.text().await.unwrap(), r#"{"sub":"alice"}"#);
    // Without the token nothing matches, and the tenant answers.
    assert_eq!(get(&url).await.status(), 404);
}

#[tokio::test]
async fn a_mock_takes_precedence_over_the_tenant() {
    let tenant = MockTenant::start().await;
    let discovery = tenant.url(Endpoint::Discovery);
    let right = fetch(&discovery).await;
    let other = Mock::given(path("/.well-known/openid-configuration"))
        .respond_with(answer(200).set_body_json(json!({ "issuer": "other" })))
        .up_to_n_times(1);
    tenant.mount(other).await;

    let response = get(&discovery).await;
    // The answer is only the mock's.
    assert!(!response.headers().contains_key("access-control-allow-origin"));
    assert_eq!(response.text().await.unwrap(), r#"{"issuer":"other"}"#);
    // The mock is used up.
    assert_eq!(fetch(&discovery).await, right);
    assert_eq!(fetch(&tenant.url(Endpoint::Jwks)).await, tenant.jwks());
    assert_eq!(tenant.requests(Endpoint::Discovery), 3);
}

#[tokio::test]
async fn a_mock_may_answer_404() {
    let tenant = MockTenant::start().await;
    tenant.mount(Mock::given(query_param("hidden", "yes")).respond_with(answer(404))).await;
    let url = tenant.url(Endpoint::Jwks);
    assert_eq!(get(&format!("{url}?hidden=yes")).await.status(), 404);
    assert_eq!(get(&format!("{url}?hidden=no")).await.status(), 200);
}

#[tokio::test]
async fn the_tenants_private_header_has_no_effect_in_a_request() {
    let tenant = MockTenant::start().await;
    tenant.mount(Mock::given(path("/mocked")).respond_with(answer(418))).await;
    for (url, status) in
        [(tenant.url(Endpoint::Jwks), 200), (format!("{}/mocked", tenant.issuer()), 418)]
    {
        let request = plain_client().get(url).header("x-testkit-request", "999");
        assert_eq!(request.send().await.unwrap().status(), status);
    }
}

#[tokio::test]
async fn mocks_are_tried_by_their_priority() {
    let tenant = MockTenant::start().await;
    tenant.mount(Mock::given(any()).respond_with(answer(503)).with_priority(254)).await;
    tenant.mount(Mock::given(any()).respond_with(answer(418))).await;
    tenant.mount(Mock::given(path("/first")).respond_with(answer(201)).with_priority(1)).await;
    assert_eq!(get(&format!("{}/first", tenant.issuer())).await.status(), 201);
    assert_eq!(get(&tenant.url(Endpoint::Jwks)).await.status(), 418);
}

#[tokio::test]
async fn a_mock_sees_the_request_as_it_was_sent() {
    let tenant = MockTenant::builder().path("/acme").start().await;
    let echo = |request: &Request| {
        ResponseTemplate::new(200)
            .set_body_bytes(request.body.clone())
            .insert_header("x-url", request.url.path())
    };
    let mock = Mock::given(method("PUT"))
        .and(path("/acme/any"))
        .and(query_param("a", "1"))
        .and(header("x-test", "yes"))
        .and(body_string("hello"));
    tenant.mount(mock.respond_with(echo)).await;

    let url = format!("{}/any?a=1", tenant.issuer());
    let request = plain_client().put(url).header("x-test", "yes").body("hello");
    let response = request.send().await.unwrap();
    assert_eq!(response.headers()["x-url"], "/acme/any");
    assert_eq!(response.text().await.unwrap(), "hello");
}

#[tokio::test]
async fn mocks_answer_over_tls_on_every_port() {
    let tenant = MockTenant::builder().mutual_tls().start().await;
    let client = client_trusting(&tenant.authority().certificate_pem()).build().unwrap();
    let token = tenant.token().mint();
    tenant.mount(tenant_api(&token).expect(2)).await;
    let alias = tenant.metadata()["mtls_endpoint_aliases"]["token_endpoint"].clone();
    let alias = alias.as_str().unwrap().replace("/connect/token", TENANT_API);
    for url in [format!("{}{TENANT_API}", tenant.issuer()), alias] {
        let response = client.get(&url).bearer_auth(&token).send().await.unwrap();
        assert_eq!(response.text().await.unwrap(), r#"{"sub":"alice"}"#, "{url}");
    }
}

#[tokio::test]
async fn faults_apply_to_the_answers_of_mocks() {
    let tenant = MockTenant::start().await;
    let mock = Mock::given(any()).respond_with(answer(200).set_body_string("mocked"));
    tenant.mount(mock).await;
    let guard = tenant.fault(Endpoint::Jwks, Fault::Malformed);
    assert_eq!(get(&tenant.url(Endpoint::Jwks)).await.text().await.unwrap(), "moc");
    drop(guard);
    assert_eq!(get(&tenant.url(Endpoint::Jwks)).await.text().await.unwrap(), "mocked");
}

#[tokio::test]
async fn a_mock_may_close_the_connection() {
    let tenant = MockTenant::start().await;
    let reset = |_: &Request| Error::from(ErrorKind::ConnectionReset);
    tenant.mount(Mock::given(any()).respond_with_err(reset)).await;
    let error = plain_client().get(tenant.url(Endpoint::Jwks)).send().await.unwrap_err();
    assert!(error.is_request(), "{error:?}");
}

#[tokio::test]
#[should_panic(expected = "the API")]
async fn the_expectation_of_a_mock_is_verified_when_the_tenant_is_dropped() {
    let tenant = MockTenant::start().await;
    tenant.mount(tenant_api("token").expect(1).named("the API")).await;
    drop(tenant);
}

#[tokio::test]
#[should_panic(expected = "the API")]
async fn the_expectation_of_a_mock_is_verified_on_demand() {
    let tenant = MockTenant::start().await;
    tenant.mount(tenant_api("token").expect(1).named("the API")).await;
    tenant.verify();
}

#[tokio::test]
#[should_panic(expected = "the test's own panic")]
async fn an_expectation_does_not_hide_the_panic_of_a_test() {
    let tenant = MockTenant::start().await;
    tenant.mount(tenant_api("token").expect(1)).await;
    panic!("the test's own panic");
}

#[tokio::test]
async fn a_tenant_with_mocks_can_be_dropped_by_a_task_with_no_budget_left() {
    let tenant = MockTenant::start().await;
    tenant.mount(tenant_api("token").expect(0)).await;
    use_up_budget().await;
    drop(tenant);
}

#[tokio::test]
async fn mocks_can_be_mounted_at_the_same_time() {
    let tenant = MockTenant::start().await;
    let mock = |name: &str, status| Mock::given(path(name)).respond_with(answer(status)).expect(1);
    tokio::join!(tenant.mount(mock("/a", 201)), tenant.mount(mock("/b", 202)));
    assert_eq!(get(&format!("{}/a", tenant.issuer())).await.status(), 201);
    assert_eq!(get(&format!("{}/b", tenant.issuer())).await.status(), 202);
}
