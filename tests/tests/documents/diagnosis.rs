//! What the doctor says of the tenant and the operations of a document.

use harness::support::{frozen_tenant, protect};
use monocloud_backend::{
    diagnosis::{FindingKind, Severity},
    poem::Handlers,
};
use poem::handler;
use serde_json::json;

#[handler]
fn up() {}

#[tokio::test]
async fn acr_values_that_operations_demand_are_compared_with_those_that_the_tenant_lists() {
    let tenant = frozen_tenant().await;
    let strong = |acr: &[&str]| json!({ "security": [{ "MonoCloud": [] }], "x-monocloud-acr-values": acr, "responses": {} });
    let document = json!({
        "openapi": "3.1.0",
        "info": { "title": "Posts", "version": "1.0" },
        "paths": {
            "/posts": { "delete": strong(&["phr"]), "post": strong(&["mfa", "phr"]) },
            "/me": { "get": { "security": [{ "MonoCloud": [] }], "responses": {} } }
        }
    });
    let api = protect(&tenant).build().unwrap().document(&document.to_string()).unwrap();
    let routes = Handlers::new().delete("/posts", up).post("/posts", up).get("/me", up);
    let (_, document) = api.routes(routes).unwrap();
    let mut metadata = tenant.metadata();
    for (supported, expected) in [
        (json!(null), &[][..]),
        (json!("mfa"), &[]),
        (json!(["mfa", "phr", "pwd"]), &[]),
        (json!(["mfa"]), &["\"phr\", which is demanded by DELETE /posts, POST /posts"]),
        (json!(["phr"]), &["\"mfa\", which is demanded by POST /posts"]),
    ] {
        metadata["acr_values_supported"] = supported.clone();
        tenant.serve_metadata(metadata.clone());
        let diagnosis = document.diagnose(None).await;
        let found = diagnosis.findings().iter();
        let found: Vec<_> = found
            .filter(|it| it.kind == FindingKind::AcrUnsupported)
            .map(|it| (it.severity, it.message.clone()))
            .collect();
        let message = "the tenant's acr_values_supported does not list";
        let expected: Vec<_> =
            expected.iter().map(|it| (Severity::Warning, format!("{message} {it}"))).collect();
        assert_eq!(found, expected, "{supported}");
    }
}
