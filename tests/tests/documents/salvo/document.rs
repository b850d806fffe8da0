//! The document that is served, and the page that shows it.

use harness::given::{
    promises::{
        assert_incomplete_while_the_tenant_is_down, assert_swagger_ui_is_found, assert_yaml_is,
        json,
    },
    world::{Client, World, assert_refusals_are_described, guarded, needs},
};
use monocloud_backend::{Bearer, ProtectApi};
use salvo::{oapi::extract::PathParam, prelude::*};
use serde_json::json;

use super::endpoints::Admins;

/// All posts
#[endpoint(security(("MonoCloud" = ["posts:read"])))]
async fn list() -> &'static str {
    "all"
}

#[endpoint]
async fn remove(_caller: Bearer<Admins>, _id: PathParam<u64>) {}

#[endpoint]
async fn file() {}

fn app(protect: &ProtectApi) -> Router {
    let api = Router::new()
        .push(Router::with_path("posts").get(list))
        .push(Router::with_path("posts/{id:num}").delete(remove))
        .push(Router::with_path("files/{**rest}").get(file));
    let mut document = OpenApi::new("Posts", "1.0").merge_router(&api);
    document.extensions.insert("x-own".to_owned(), json!([1]));
    let declared = protect.document(&document.to_json().unwrap()).unwrap();
    let declared = declared.public("GET", "/files/{**rest}");
    let (api, document) = declared.routes(api).unwrap();
    Router::new()
        .push(api)
        .push(Router::with_path("openapi.json").get(document.json()))
        .push(Router::with_path("openapi.yaml").get(document.yaml()))
}

#[tokio::test]
async fn a_document_of_salvo_is_served_with_the_tenants_endpoints() {
    let world = World::new().await;
    let client = Client::new(app(&world.protect)).await;
    let document = json(&client, "GET /openapi.json").await;
    let scheme = &document["components"]["securitySchemes"]["MonoCloud"];
    let flow = &scheme["flows"]["authorizationCode"];
    assert_eq!(flow["tokenUrl"], format!("{}/connect/token", world.tenant.issuer()));
    assert_eq!(flow["scopes"], json!({ "posts:read": "Read posts", "posts:write": "Write posts" }));
    assert_eq!(document["x-own"], json!([1]));
    let listing = &document["paths"]["/posts"]["get"];
    assert_eq!(listing["summary"], "All posts");
    assert_eq!(listing["description"], "Requires `posts:read`.");
    assert_refusals_are_described(&document, listing);
    let removal = &document["paths"]["/posts/{id}"]["delete"];
    assert_eq!(removal["x-monocloud-groups"], json!({ "any": ["admin"] }));
    // No parameter of a document is called `**rest`.
    assert!(document["paths"]["/files/{rest}"]["get"].is_object());
    assert_yaml_is(&client, &document).await;
}

#[tokio::test]
async fn it_is_incomplete_while_the_tenant_is_down() {
    assert_incomplete_while_the_tenant_is_down(app).await;
}

#[tokio::test]
async fn swagger_ui_finds_its_assets_wherever_it_is_nested() {
    let world = World::new().await;
    let paths = json!({ "/posts": { "get": needs(&[]) } });
    let (api, document) = guarded(&world.protect, &paths, Router::with_path("posts").get(list));
    let docs = || Router::with_path("docs/{**rest}").get(document.swagger_ui("/openapi.json"));
    let app = Router::new().push(api).push(docs()).push(Router::with_path("v1").push(docs()));
    let client = Client::new(app).await;
    assert_swagger_ui_is_found(&client).await;
}
