//! The document over HTTP: cached until the metadata changes, and not sent to clients that have it.

use std::time::Duration;

use harness::{
    hosts::Host,
    support::{frozen_tenant, get, head, protect},
};
use monocloud_backend::{ApiDocument, ProtectApi, openapi::DocumentEndpoint};
use monocloud_testkit::{Clock, Endpoint, Fault, MockTenant};
use serde_json::Value;

on_every_host! {
    a_client_that_has_the_document_gets_304_without_a_body,
}

fn document(protect: &ProtectApi) -> ApiDocument {
    let text = "
openapi: 3.1.0
info: { title: Posts, version: '1.0' }
paths:
  /posts: { get: { security: [MonoCloud: []], responses: {} } }
";
    let handlers = monocloud_backend::poem::Handlers::new().get("/posts", poem::get(posts));
    protect.document(text).unwrap().routes(handlers).unwrap().1
}

#[poem::handler]
fn posts() {}

async fn a_client_that_has_the_document_gets_304_without_a_body(host: Host) {
    let tenant = frozen_tenant().await;
    let document = document(&protect(&tenant).build().unwrap());
    let mut etags = Vec::new();
    for endpoint in [document.json(), document.yaml()] {
        let api = host.serve_document(endpoint);
        let first = api.send(get("/openapi")).await;
        assert_eq!(first.status, 200);
        let etag = first.header("etag").unwrap().to_owned();
        assert!(etag.starts_with('"') && etag.ends_with('"'), "strong: {etag}");

        for known in [&etag, &format!("W/{etag}"), &format!("\"x\", {etag}"), &"*".to_owned()] {
            let answer = api.send(get("/openapi").header("if-none-match", known)).await;
            assert_eq!(answer.status, 304, "{known}");
            assert_eq!(answer.body, "");
            assert_eq!(answer.header("etag"), Some(&*etag));
            assert_eq!(answer.header("cache-control"), Some("no-cache"));
            assert_eq!(answer.header("content-type"), None);
        }
        for other in ["\"x\"", "", &etag[1..]] {
            let answer = api.send(get("/openapi").header("if-none-match", other)).await;
            assert_eq!((answer.status, &answer.body), (200, &first.body), "{other}");
        }
        let heading = api.send(head("/openapi")).await;
        assert_eq!((heading.status, &*heading.body), (200, ""));
        assert_eq!(heading.header("etag"), Some(&*etag));
        etags.push(etag);
    }
    assert_ne!(etags[0], etags[1]);
}

#[tokio::test]
async fn the_cached_document_follows_the_current_metadata() {
    let clock = Clock::frozen();
    let tenant = MockTenant::builder().clock(clock.clone()).start().await;
    let api = document(&protect(&tenant).build().unwrap()).json();
    let seen = async |endpoint: &DocumentEndpoint| {
        let response = endpoint.respond(&http::HeaderMap::new()).await;
        let etag = response.headers()["etag"].clone();
        let document: Value = serde_json::from_slice(response.body()).unwrap();
        (etag, document["components"]["securitySchemes"]["MonoCloud"].clone())
    };
    tenant.fault(Endpoint::Discovery, Fault::Status(503)).until_recovered();
    let (incomplete, scheme) = seen(&api).await;
    assert_eq!(scheme["x-monocloud-incomplete"], true);
    assert_eq!(seen(&api).await.0, incomplete);

    tenant.recover(Endpoint::Discovery);
    clock.advance(Duration::from_secs(2));
    let (complete, scheme) = seen(&api).await;
    assert_eq!(scheme["type"], "oauth2");
    assert_ne!(complete, incomplete);

    // The document changes only if the fetched endpoints change.
    clock.advance(Duration::from_secs(301));
    assert_eq!(seen(&api).await.0, complete);
    let mut metadata = tenant.metadata();
    metadata["token_endpoint"] = format!("{}/elsewhere", tenant.issuer()).into();
    tenant.serve_metadata(metadata);
    clock.advance(Duration::from_secs(301));
    let (changed, scheme) = seen(&api).await;
    assert_ne!(changed, complete);
    let token_url = &scheme["flows"]["authorizationCode"]["tokenUrl"];
    assert!(token_url.as_str().unwrap().ends_with("/elsewhere"));
}

#[tokio::test]
async fn two_processes_give_the_same_document_the_same_etag() {
    let tenant = frozen_tenant().await;
    let tag = async || {
        let endpoint = document(&protect(&tenant).build().unwrap()).json();
        endpoint.respond(&http::HeaderMap::new()).await.headers()["etag"].clone()
    };
    assert_eq!(tag().await, tag().await);
}
