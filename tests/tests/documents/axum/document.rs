//! The document that is served, and the page that shows it.

use axum::{Router, routing::get};
use harness::given::{
    promises::{
        assert_incomplete_while_the_tenant_is_down, assert_swagger_ui_is_found, assert_yaml_is,
        json,
    },
    world::{Client, World, assert_refusals_are_described, guarded, needs},
};
use monocloud_backend::ProtectApi;
use serde_json::json;
use utoipa::OpenApi;

#[derive(OpenApi)]
#[openapi(paths(list, remove))]
struct Posts;

/// All posts
#[utoipa::path(get, path = "/posts", security(("MonoCloud" = ["posts:read"])), responses((status = 200, description = "")))]
async fn list() {}

#[utoipa::path(
    delete,
    path = "/posts/{id}",
    params(("id" = u64, Path)),
    extensions(("x-monocloud-groups" = json!({ "any": ["admin"] })), ("x-own" = json!([1]))),
    security(("MonoCloud" = [])),
    responses((status = 204, description = ""))
)]
async fn remove() {}

fn app(protect: &ProtectApi) -> Router {
    let router = Router::new()
        .route("/posts", get(list))
        .route("/posts/{id}", axum::routing::delete(remove));
    let api = protect.document(&Posts::openapi().to_json().unwrap()).unwrap();
    let (api, document) = api.routes(router).unwrap();
    api.route("/openapi.json", get(document.json())).route("/openapi.yaml", get(document.yaml()))
}

#[tokio::test]
async fn a_document_of_utoipa_is_enforced_and_served_with_the_tenants_endpoints() {
    let world = World::new().await;
    let client = Client::new(app(&world.protect)).await;
    assert_eq!(client.status("GET /posts", &world.token("posts:read")).await, 200);
    assert_eq!(client.status("DELETE /posts/7", &world.token("posts:write")).await, 403);
    let admin = world.tenant.token().groups(["admin"]).mint();
    assert_eq!(client.status("DELETE /posts/7", &admin).await, 200);
    assert_eq!(client.status("GET /posts", &admin).await, 403);

    let document = json(&client, "GET /openapi.json").await;
    let scheme = &document["components"]["securitySchemes"]["MonoCloud"];
    let flow = &scheme["flows"]["authorizationCode"];
    assert_eq!(flow["tokenUrl"], format!("{}/connect/token", world.tenant.issuer()));
    assert_eq!(flow["scopes"], json!({ "posts:read": "Read posts", "posts:write": "Write posts" }));
    let list = &document["paths"]["/posts"]["get"];
    assert_eq!(list["summary"], "All posts");
    assert_eq!(list["description"], "Requires `posts:read`.");
    assert_refusals_are_described(&document, list);
    let remove = &document["paths"]["/posts/{id}"]["delete"];
    assert_eq!(remove["x-monocloud-groups"], json!({ "any": ["admin"] }));
    assert!(remove["description"].as_str().unwrap().ends_with("the group `admin`."));
    assert_eq!(remove["x-own"], json!([1]));
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
    let (api, document) = guarded(&world.protect, &paths, Router::new().route("/posts", get(list)));
    let docs = Router::new().nest_service("/docs", document.swagger_ui("/openapi.json"));
    let client = Client::new(api.merge(docs.clone()).nest("/v1", docs)).await;
    assert_swagger_ui_is_found(&client).await;
}
