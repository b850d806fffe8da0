//! Arguments whose policies have alternatives and step-up.

use std::time::Duration;

use harness::{
    given::world::{Client, described},
    support::{frozen_tenant, protect},
};
use monocloud_backend::{Bearer, Policy, Require};
use monocloud_testkit::{Insufficient, StepUp};
use salvo::prelude::*;
use serde_json::{Value, json};

struct Publisher;

impl Require for Publisher {
    const POLICY: Policy = Policy::ANY_TOKEN
        .scopes(&["posts:write"])
        .acr_values(&["urn:example:mfa", "urn:example:passkey"])
        .max_age(Duration::from_secs(300));
}

struct ReaderOrAdmin;

impl Require for ReaderOrAdmin {
    const POLICY: Policy = Policy::any_of(&[
        Policy::ANY_TOKEN.scopes(&["posts:read"]),
        Policy::ANY_TOKEN.any_group(&["admin"]).claim("plan", "pro"),
    ]);
}

#[endpoint]
async fn publish(_caller: Bearer<Publisher>) {}

#[endpoint]
async fn either(_caller: Bearer<ReaderOrAdmin>) {}

#[tokio::test]
async fn an_argument_documents_and_enforces_alternatives_and_step_up() {
    let tenant = frozen_tenant().await;
    let protect = described(protect(&tenant).build().unwrap());
    let api = Router::new()
        .push(Router::with_path("publish").get(publish))
        .push(Router::with_path("either").get(either));
    let document = OpenApi::new("Posts", "1.0").merge_router(&api).to_json().unwrap();
    let (api, document) = protect.document(&document).unwrap().routes(api).unwrap();
    let app = Router::new().push(api).push(Router::with_path("openapi.json").get(document.json()));
    let client = Client::new(app).await;

    let served: Value = serde_json::from_str(&client.text("GET /openapi.json", "").await).unwrap();
    let operation = &served["paths"]["/publish"]["get"];
    assert_eq!(operation["security"], json!([{ "MonoCloud": ["posts:write"] }]));
    let values = json!(["urn:example:mfa", "urn:example:passkey"]);
    assert_eq!(operation["x-monocloud-acr-values"], values);
    assert_eq!(operation["x-monocloud-max-age"], 300);
    let operation = &served["paths"]["/either"]["get"];
    let security = json!([{ "MonoCloud": ["posts:read"] }, { "MonoCloud": [] }]);
    assert_eq!(operation["security"], security);
    assert_eq!(
        operation["x-monocloud-alternatives"],
        json!([
            {},
            { "x-monocloud-groups": { "any": ["admin"] }, "x-monocloud-claims": { "plan": "pro" } },
        ])
    );

    let demanded =
        StepUp::new().acr_values(["urn:example:mfa", "urn:example:passkey"]).max_age(300);
    let writer = tenant.token().scope("posts:write");
    for insufficient in Insufficient::all(&writer, &demanded) {
        let status = client.status("GET /publish", &insufficient.token).await;
        let challenges = client.challenges("GET /publish", &insufficient.token).await;
        insufficient.assert_refused(status, challenges.first().map(String::as_str));
    }
    for control in demanded.controls(&writer) {
        assert_eq!(client.status("GET /publish", &control.token).await, 200, "{}", control.name);
    }
    let token = || tenant.token();
    for (request, token, status) in [
        ("GET /publish", demanded.satisfied_by(token()).mint(), 403),
        ("GET /either", token().scope("posts:read").mint(), 200),
        ("GET /either", token().groups(["admin"]).claim("plan", "pro").mint(), 200),
        ("GET /either", token().groups(["admin"]).mint(), 403),
        ("GET /either", token().claim("plan", "pro").mint(), 403),
        ("GET /either", token().mint(), 403),
        ("GET /either", String::new(), 401),
    ] {
        assert_eq!(client.status(request, &token).await, status, "{request}");
    }
}
