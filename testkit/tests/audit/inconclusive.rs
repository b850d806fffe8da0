//! What cannot be checked does not pass.

use std::time::Duration;

use monocloud_testkit::{Audit, Clock, Grade, MockTenant, Report, Verdict};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use crate::{OPENAPI, api::Api, defect::Defect};

/// The one reason for which nothing was checked.
fn reason(report: &Report) -> &str {
    assert_eq!(report.verdict(), Verdict::Inconclusive, "{report}");
    let [inconclusive] = report.inconclusive.as_slice() else { panic!("{report}") };
    assert_eq!(inconclusive.operation, None, "{report}");
    &inconclusive.reason
}

/// A server that answers every request with these bytes, or holds it if there are none.
async fn answering(bytes: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut request = [0; 4096];
                let _ = stream.read(&mut request).await;
                if bytes.is_empty() {
                    std::future::pending::<()>().await;
                }
                let _ = stream.write_all(bytes).await;
            });
        }
    });
    url
}

async fn audited(url: &str) -> Report {
    let tenant = MockTenant::builder().clock(Clock::frozen()).start().await;
    let audit = Audit::of(OPENAPI).against(url).allow_unsafe().rate(10_000);
    audit.timeout(Duration::from_millis(200)).run(&tenant).await
}

#[tokio::test]
async fn an_api_that_is_down() {
    let report = audited("http://127.0.0.1:1").await;
    assert!(
        reason(&report).starts_with("no API answers at http://127.0.0.1:1: start it"),
        "{report}"
    );
}

#[tokio::test]
async fn an_api_that_never_answers() {
    let report = audited(&answering(b"").await).await;
    assert!(reason(&report).contains("does not answer in time"), "{report}");
}

#[tokio::test]
async fn an_api_that_answers_everything_with_401() {
    let url = answering(b"HTTP/1.1 401 No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await;
    let report = audited(&url).await;
    assert!(reason(&report).contains("never asked the audit's tenant for its keys"), "{report}");
    assert!(reason(&report).contains(&report.tenant), "{report}");
}

#[tokio::test]
async fn an_api_that_answers_everything_with_200() {
    let url = answering(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await;
    let report = audited(&url).await;
    assert!(reason(&report).contains("answers everything with success"), "{report}");
}

#[tokio::test]
async fn an_api_that_trusts_another_audience() {
    let tenant = MockTenant::builder().clock(Clock::frozen()).start().await;
    let api = Api::start(&tenant, Defect::TrustsAnotherAudience).await;
    let report = Audit::of(OPENAPI).against(&*api.url).rate(10_000).run(&tenant).await;
    assert!(reason(&report).contains("is its audience https://api.example.com"), "{report}");
}

#[tokio::test]
async fn documents_without_anything_to_check() {
    let tenant = MockTenant::start().await;
    for (openapi, expected) in [
        ("", "the OpenAPI document cannot be read"),
        ("openapi: 3.1.0\npaths: {}", "the document has no operations"),
        ("openapi: 3.1.0\npaths: { /a: { get: {} } }", "the document secures no operation"),
    ] {
        let report = Audit::of(openapi).against("http://127.0.0.1:1").run(&tenant).await;
        assert!(reason(&report).contains(expected), "{report}");
    }
    let report = Audit::of(OPENAPI).against("127.0.0.1:1").run(&tenant).await;
    assert!(reason(&report).contains("is not an http or https URL"), "{report}");
    let report =
        Audit::of(OPENAPI).against("http://127.0.0.1:1").scheme("other").run(&tenant).await;
    assert!(reason(&report).contains("no security scheme \"other\"; it has login"), "{report}");
}

/// Nothing that could succeed is sent: the API counts what changed it.
#[tokio::test]
async fn without_permission_no_unsafe_request_succeeds() {
    for (defect, operation) in [
        (Defect::None, ""),
        (Defect::AcceptsAnyText, "POST /posts"),
        (Defect::IgnoresScope, "POST /posts"),
        (Defect::OpensUnsafeMethod, "DELETE /posts/{id}"),
        (Defect::OverridesMethodAfterGuard, "POST /posts"),
    ] {
        let tenant = MockTenant::builder().clock(Clock::frozen()).start().await;
        let api = Api::start(&tenant, defect).await;
        let audit = Audit::of(OPENAPI).against(&*api.url).rate(10_000);
        let report = audit.key_refresh(Duration::ZERO).run(&tenant).await;
        assert_eq!(api.changes(), 0, "{defect:?}");
        let grave = report.findings.iter().filter(|it| it.grade == Grade::Finding);
        let places: Vec<_> = grave.map(|it| it.operation.as_str()).collect();
        assert_eq!(places.is_empty(), defect == Defect::None, "{report}");
        let is_found = operation.is_empty() || places.contains(&operation);
        assert!(is_found, "an invalid request tells as much: {report}");
    }
}

/// An invalid parameter leads to no operation, with a token and without.
#[tokio::test]
async fn an_operation_that_an_invalid_request_does_not_reach() {
    let tenant = MockTenant::builder().clock(Clock::frozen()).start().await;
    let api = Api::start(&tenant, Defect::RoutesByParameter).await;
    let audit = Audit::of(OPENAPI).against(&*api.url).rate(10_000).only(["no-token"]);
    let report = audit.clone().run(&tenant).await;
    assert_eq!((report.verdict(), report.findings.len()), (Verdict::Inconclusive, 0), "{report}");
    let text = report.to_string();
    assert!(text.contains("DELETE /posts/{id}: the right token is answered with 404"), "{text}");
    assert!(text.contains(": run with --allow-unsafe"), "{text}");
    audit.allow_unsafe().run(&tenant).await.assert_passed();
}

#[tokio::test]
async fn a_baseline_accepts_what_is_known() {
    let tenant = MockTenant::builder().clock(Clock::frozen()).start().await;
    let api = Api::start(&tenant, Defect::ForgotOneOperation).await;
    let audit =
        Audit::of(OPENAPI).against(&*api.url).allow_unsafe().rate(10_000).only(["no-token"]);
    let report = audit.clone().run(&tenant).await;
    assert_eq!(report.verdict(), Verdict::Failed);
    let report = audit.baseline("# known\nno-token GET /me\n").run(&tenant).await;
    assert_eq!((report.verdict(), report.accepted), (Verdict::Passed, 1), "{report}");
}
