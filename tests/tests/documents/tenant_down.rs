//! The document while the tenant is unavailable.

use std::time::Duration;

use monocloud_backend::{Bearer, ProtectApi};
use monocloud_testkit::{Clock, Endpoint, Fault, MockTenant};
use poem_openapi::OpenApi;
use serde_json::{Value, json};

use crate::world::{Scope, described, serve};

struct Api;

#[OpenApi]
impl Api {
    #[oai(path = "/posts", method = "get")]
    async fn list(&self, #[oai(scope = "Scope::Read")] _caller: Bearer) {}
}

fn scheme(document: &Value) -> &Value {
    &document["components"]["securitySchemes"]["MonoCloud"]
}

#[tokio::test]
async fn the_document_is_marked_as_incomplete_until_the_tenant_answers() {
    let clock = Clock::frozen();
    let tenant = MockTenant::builder().clock(clock.clone()).start().await;
    let protect = ProtectApi::builder().vars(tenant.vars()).clock(clock.reading()).build();
    let (client, document) = serve(protect.unwrap().describe_scopes::<Scope>().secure(Api));

    tenant.fault(Endpoint::Discovery, Fault::Status(503)).until_recovered();
    let incomplete = document.render().await;
    assert_eq!(scheme(&incomplete)["type"], "http");
    assert_eq!(scheme(&incomplete)["scheme"], "bearer");
    assert_eq!(scheme(&incomplete)["x-monocloud-incomplete"], true);
    assert_eq!(scheme(&incomplete)["flows"], Value::Null);
    // An http scheme has no scopes; the rejections are described anyway.
    let operation = &incomplete["paths"]["/posts"]["get"];
    assert_eq!(operation["security"], json!([{ "MonoCloud": [] }]));
    assert!(described(&incomplete, operation, "401")["headers"]["WWW-Authenticate"].is_object());
    // What the incomplete document does not have is still enforced.
    assert_eq!(client.status("GET /posts", "").await, 401);

    tenant.recover(Endpoint::Discovery);
    assert_eq!(scheme(&document.render().await)["type"], "http", "the pause is not over yet");
    clock.advance(Duration::from_secs(2));
    let complete = document.render().await;
    assert_eq!(scheme(&complete)["type"], "oauth2");
    assert_eq!(scheme(&complete)["x-monocloud-incomplete"], Value::Null);
    assert_eq!(
        complete["paths"]["/posts"]["get"]["security"],
        json!([{ "MonoCloud": ["posts:read"] }]),
    );
}

#[tokio::test]
async fn metadata_of_another_issuer_is_not_used() {
    let tenant = MockTenant::start().await;
    let mut metadata = tenant.metadata();
    metadata["issuer"] = "https://evil.example.com".into();
    metadata["authorization_endpoint"] = "https://evil.example.com/authorize".into();
    tenant.serve_metadata(metadata);
    let protect = ProtectApi::from_vars(tenant.vars()).unwrap().describe_scopes::<Scope>();
    let (_, document) = serve(protect.secure(Api));
    let document = document.render().await;
    assert_eq!(scheme(&document)["type"], "http");
    assert!(!document.to_string().contains("evil"));
}

#[tokio::test]
async fn with_metadata_without_a_login_the_document_stays_incomplete() {
    let tenant = MockTenant::start().await;
    let mut metadata = tenant.metadata();
    metadata.as_object_mut().unwrap().remove("authorization_endpoint");
    tenant.serve_metadata(metadata);
    let protect = ProtectApi::from_vars(tenant.vars()).unwrap().describe_scopes::<Scope>();
    let (_, document) = serve(protect.secure(Api));
    assert_eq!(scheme(&document.render().await)["x-monocloud-incomplete"], true);
}
