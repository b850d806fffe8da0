//! The document that is served, and the page that shows it.

use std::time::Duration;

use axum::{Router, routing::get};
use monocloud_backend::ProtectApi;
use monocloud_testkit::{Clock, Endpoint, MockTenant};
use serde_json::{Value, json};
use utoipa::OpenApi;

use crate::world::{Client, World, described, guarded, needs};

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
    let api = protect.from_document(&Posts::openapi().to_json().unwrap()).unwrap();
    let (api, document) = api.routes(router).unwrap();
    api.route("/openapi.json", get(document.json())).route("/openapi.yaml", get(document.yaml()))
}

async fn json(client: &Client, request: &str) -> Value {
    serde_json::from_str(&client.text(request, "").await).unwrap()
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
    assert!(list["responses"]["401"]["headers"]["WWW-Authenticate"].is_object());
    let remove = &document["paths"]["/posts/{id}"]["delete"];
    assert_eq!(remove["x-monocloud-groups"], json!({ "any": ["admin"] }));
    assert_eq!(remove["x-own"], json!([1]));

    let yaml = client.send("GET /openapi.yaml", "").await;
    assert_eq!(yaml.headers()["content-type"], "application/yaml");
    let yaml: Value = serde_saphyr::from_str(&yaml.text().await.unwrap()).unwrap();
    assert_eq!(yaml, document);
}

#[tokio::test]
async fn it_is_incomplete_while_the_tenant_is_down() {
    let clock = Clock::frozen();
    let tenant = MockTenant::builder().clock(clock.clone()).start().await;
    let protect = ProtectApi::builder().vars(tenant.vars()).clock(clock.reading()).build();
    let client = Client::new(app(&described(protect.unwrap()))).await;
    let scheme = async || {
        json(&client, "GET /openapi.json").await["components"]["securitySchemes"]["MonoCloud"]
            .take()
    };
    tenant.fail(Endpoint::Discovery, 503);
    assert_eq!(scheme().await["x-monocloud-incomplete"], true);
    assert_eq!(client.status("GET /posts", "").await, 401);
    tenant.recover(Endpoint::Discovery);
    clock.advance(Duration::from_secs(2));
    assert_eq!(scheme().await["type"], "oauth2");
}

#[tokio::test]
async fn swagger_ui_finds_its_assets_wherever_it_is_nested() {
    let world = World::new().await;
    let paths = json!({ "/posts": { "get": needs(&[]) } });
    let (api, document) = guarded(&world.protect, &paths, Router::new().route("/posts", get(list)));
    let docs = Router::new().nest_service("/docs", document.swagger_ui("/openapi.json"));
    let client = Client::new(api.merge(docs.clone()).nest("/v1", docs)).await;
    for (path, base) in
        [("/docs", "docs/"), ("/docs/", "./"), ("/v1/docs", "docs/"), ("/v1/docs/", "./")]
    {
        let page = client.text(&format!("GET {path}"), "").await;
        assert!(page.contains(&format!(r#"<base href="{base}">"#)), "{path}");
        let asset = format!("GET {}/swagger-ui.css", path.trim_end_matches('/'));
        let asset = client.send(&asset, "").await;
        assert_eq!(asset.status(), 200, "{path}");
        assert_eq!(asset.headers()["content-type"], "text/css", "{path}");
    }
}
