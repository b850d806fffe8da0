//! Bodies of rejections that the application chooses.

use harness::{
    hosts::Host,
    support::{Api, Call, frozen_tenant, get, head, protect},
};
use monocloud_backend::{ProtectApi, ProtectApiBuilder};
use monocloud_testkit::{Endpoint, Fault, MockTenant};
use serde_json::{Value, json};

on_every_host! {
    problem_details_replace_only_the_body,
    a_function_can_write_any_other_body,
    a_rejection_of_head_has_no_body_in_any_format,
}

/// A request for each status that a rejection can have, with its reason and the challenge's phrase.
async fn rejections(
    serve: impl Fn(ProtectApiBuilder) -> Api,
) -> Vec<(Api, Call, u16, &'static str, Option<&'static str>)> {
    let tenant: &'static MockTenant = Box::leak(Box::new(frozen_tenant().await));
    let down: &'static MockTenant = Box::leak(Box::new(frozen_tenant().await));
    down.fault(Endpoint::Jwks, Fault::Status(503)).until_recovered();
    let strange: &'static MockTenant = Box::leak(Box::new(frozen_tenant().await));
    let mut metadata = strange.metadata();
    metadata["issuer"] = "https://evil.example.com".into();
    strange.serve_metadata(metadata);

    let api = serve(protect(tenant));
    let expired = tenant.token().expires_in(-3600).mint();
    vec![
        (api.clone(), get("/read"), 401, "missing_token", None),
        (api.clone(), get("/read").bearer(&expired), 401, "expired", Some("the token has expired")),
        (api.clone(), get("/read").bearer("a b"), 400, "malformed_token", None),
        (api, get("/read").bearer(&tenant.token().mint()), 403, "scopes", None),
        (
            serve(protect(down)),
            get("/read").bearer(&down.token().mint()),
            503,
            "tenant_status",
            None,
        ),
        (
            serve(protect(strange)),
            get("/read").bearer(&strange.token().mint()),
            500,
            "tenant_issuer",
            None,
        ),
    ]
}

async fn problem_details_replace_only_the_body(host: Host) {
    let plain = rejections(|builder| host.serve(&builder.build().unwrap())).await;
    let problems =
        rejections(|builder| host.serve(&builder.problem_details().build().unwrap())).await;
    for ((api, call, ..), (with_problem, same_call, status, code, detail)) in
        plain.into_iter().zip(problems)
    {
        let (plain, answer) = (api.send(call).await, with_problem.send(same_call).await);
        let case = code;
        assert_eq!((answer.status, plain.status), (status, status), "{case}");
        let challenge = "www-authenticate";
        assert_eq!(answer.header(challenge), plain.header(challenge), "{case}");
        assert_eq!(answer.retry_after().is_some(), status == 503, "{case}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{case}");
        let title = http::StatusCode::from_u16(status).unwrap().canonical_reason();
        let mut expected =
            json!({ "type": "about:blank", "title": title, "status": status, "code": code });
        if let Some(detail) = detail {
            expected["detail"] = detail.into();
        }
        assert_eq!(serde_json::from_str::<Value>(&answer.body).unwrap(), expected, "{case}");
    }
}

async fn a_function_can_write_any_other_body(host: Host) {
    let rejections = rejections(|builder| {
        let builder = builder.error_body("text/plain", json!({"type": "string"}), |rejection| {
            format!("{} {}", rejection.status().as_u16(), rejection.error().reason())
        });
        host.serve(&builder.build().unwrap())
    });
    for (api, call, status, code, _) in rejections.await {
        let answer = api.send(call).await;
        assert_eq!(answer.status, status, "{code}");
        assert_eq!(answer.header("content-type"), Some("text/plain"));
        assert_eq!(answer.body, format!("{status} {code}"));
    }
}

async fn a_rejection_of_head_has_no_body_in_any_format(host: Host) {
    let tenant = frozen_tenant().await;
    let api = host.serve(&protect(&tenant).problem_details().build().unwrap());
    let answer = api.send(head("/read")).await;
    assert_eq!((answer.status, &*answer.body), (401, ""));
}

#[test]
fn a_body_that_cannot_be_described_is_a_configuration_error() {
    for (content_type, schema, rule) in [
        ("", json!({}), "media type"),
        ("json", json!({}), "media type"),
        ("/json", json!({}), "media type"),
        ("application/", json!({}), "media type"),
        ("text/\n", json!({}), "ASCII"),
        ("text/plain", json!([]), "JSON object"),
    ] {
        let builder = ProtectApi::builder().tenant_domain("acme.us.monocloud.com").audience("api");
        let built = builder.error_body(content_type, schema, |_| String::new()).build();
        let error = built.unwrap_err().to_string();
        assert!(error.contains("error_body") && error.contains(rule), "{error}");
    }
}
