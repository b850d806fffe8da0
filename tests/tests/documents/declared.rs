//! A declaration is both in the document and enforced.

use monocloud_backend::Bearer;
use poem_openapi::{OpenApi, OpenApiService, param::Path, payload::PlainText};
use serde_json::{Value, json};

use crate::world::{Client, Scope, World, serve};

struct Posts;

#[OpenApi]
impl Posts {
    #[oai(path = "/posts", method = "get")]
    async fn list(&self, #[oai(scope = "Scope::Read")] caller: Bearer) -> PlainText<String> {
        PlainText(caller.claims().subject().unwrap_or_default().to_owned())
    }

    #[oai(path = "/posts", method = "post", method = "put")]
    async fn write(&self, #[oai(scope = "Scope::Read", scope = "Scope::Write")] _c: Bearer) {}

    #[oai(path = "/posts/:id/tags/:tag", method = "get")]
    async fn tag(
        &self,
        #[oai(scope = "Scope::Read")] _caller: Bearer,
        id: Path<u64>,
        tag: Path<String>,
    ) -> PlainText<String> {
        PlainText(format!("{} {}", id.0, tag.0))
    }

    #[oai(path = "/posts/:id/tags", method = "get")]
    async fn tags(&self, _id: Path<u64>) {}

    #[oai(path = "/orders/:id<\\d+>", method = "get")]
    async fn order(&self, #[oai(scope = "Scope::Read")] _caller: Bearer) {}

    #[oai(path = "/files/*rest", method = "get")]
    async fn file(&self, #[oai(scope = "Scope::Read")] _caller: Bearer) {}
}

/// Tested alone, because poem's router loses such a route when another one splits its prefix.
struct Numbers;

#[OpenApi]
impl Numbers {
    #[oai(path = "/numbers/<\\d+>", method = "get")]
    async fn number(&self, #[oai(scope = "Scope::Read")] _caller: Bearer) {}
}

struct Admin;

#[OpenApi(prefix_path = "/admin")]
impl Admin {
    #[oai(path = "/", method = "get")]
    async fn home(&self) {}

    #[oai(path = "/posts/:id", method = "delete")]
    async fn delete(&self, #[oai(scope = "Scope::Write")] _caller: Bearer, _id: Path<u64>) {}
}

struct Tenants;

#[OpenApi(prefix_path = "/:tenant/x")]
impl Tenants {
    #[oai(path = "/posts/:id", method = "get")]
    async fn read(&self, #[oai(scope = "Scope::Read")] _caller: Bearer, _id: Path<u64>) {}
}

/// Shares the path of `Posts`, and adds a method to it.
struct MorePosts;

#[OpenApi]
impl MorePosts {
    #[oai(path = "/posts", method = "delete")]
    async fn clear(&self, #[oai(scope = "Scope::Write")] _caller: Bearer) {}

    #[oai(path = "/posts", method = "patch")]
    async fn open(&self) {}
}

const READ: &[&str] = &["posts:read"];
const WRITE: &[&str] = &["posts:write"];
const BOTH: &[&str] = &["posts:read", "posts:write"];

/// A request, the path of its operation in the document, and the scopes that it needs.
const OPERATIONS: [(&str, &str, &[&str]); 8] = [
    ("GET /posts", "/posts", READ),
    ("POST /posts", "/posts", BOTH),
    ("PUT /posts", "/posts", BOTH),
    ("DELETE /posts", "/posts", WRITE),
    ("GET /posts/7/tags/rust", "/posts/{id}/tags/{tag}", READ),
    ("GET /orders/12", "/orders/{id<\\d+>}", READ),
    ("GET /files/a/b", "/files/*rest", READ),
    ("DELETE /admin/posts/7", "/admin/posts/{id}", WRITE),
];

const PUBLIC: [(&str, &str); 3] = [
    ("GET /posts/7/tags", "/posts/{id}/tags"),
    ("PATCH /posts", "/posts"),
    ("GET /admin", "/admin"),
];

#[tokio::test]
async fn every_operation_needs_exactly_what_its_document_declares() {
    let world = World::new().await;
    let (client, document) = serve(
        (world.protect.secure((Posts, Admin, Tenants, MorePosts)))
            .public("GET", "/posts/:id/tags")
            .public("PATCH", "/posts")
            .public("GET", "/admin"),
    );
    let document = document.render_with(&world.tenant.metadata()).unwrap();
    let tokens = ["", "posts:read", "posts:write", "posts:write posts:read"]
        .map(|scopes| (scopes, world.token(scopes)));

    for (request, path, needed) in OPERATIONS {
        let operation = operation(&document, request, path);
        assert_eq!(operation["security"], json!([{ "MonoCloud": needed }]), "{request}");
        assert_eq!(client.status(request, "").await, 401, "{request}");
        for (scopes, token) in &tokens {
            let suffices = needed.iter().all(|scope| scopes.contains(scope));
            let expected = if suffices { 200 } else { 403 };
            assert_eq!(client.status(request, token).await, expected, "{request} {scopes:?}");
        }
    }
    for (request, path) in PUBLIC {
        assert_eq!(operation(&document, request, path)["security"], Value::Null, "{request}");
        assert_eq!(client.status(request, "").await, 200, "{request}");
        assert_eq!(client.status(request, &world.expired()).await, 200, "{request}");
    }
}

#[tokio::test]
async fn a_prefix_with_a_parameter_is_enforced_like_any_other() {
    let world = World::new().await;
    let (client, document) = serve(world.protect.secure(Tenants));
    let document = document.render_with(&world.tenant.metadata()).unwrap();
    let operation = operation(&document, "GET", "/:tenant/x/posts/{id}");
    assert_eq!(operation["security"], json!([{ "MonoCloud": ["posts:read"] }]));
    assert_eq!(client.status("GET /acme/x/posts/7", "").await, 401);
    assert_eq!(client.status("GET /acme/x/posts/7", &world.token("posts:write")).await, 403);
    assert_eq!(client.status("GET /acme/x/posts/7", &world.token("posts:read")).await, 200);
}

#[tokio::test]
async fn a_segment_that_is_a_regular_expression_is_enforced_like_any_other() {
    let world = World::new().await;
    let (client, document) = serve(world.protect.secure(Numbers));
    let document = document.render_with(&world.tenant.metadata()).unwrap();
    let operation = operation(&document, "GET", "/numbers/<\\d+>");
    assert_eq!(operation["security"], json!([{ "MonoCloud": ["posts:read"] }]));
    assert_eq!(client.status("GET /numbers/12", "").await, 401);
    assert_eq!(client.status("GET /numbers/12", &world.token("posts:write")).await, 403);
    assert_eq!(client.status("GET /numbers/12", &world.token("posts:read")).await, 200);
    assert_eq!(client.status("GET /numbers/x", "").await, 404);
}

#[tokio::test]
async fn a_url_prefix_is_in_the_document_and_does_not_affect_authorization() {
    let world = World::new().await;
    let (service, document) = (world.protect.secure((Posts, Admin)))
        .by_default(monocloud_backend::Policy::ANY_TOKEN)
        .public("GET", "/posts/:id/tags")
        .into_service(|api| OpenApiService::new(api, "Posts", "1.0").url_prefix("/v1"))
        .unwrap();
    let client = Client::new(poem::Route::new().nest("/v1", service));
    let document = document.render_with(&world.tenant.metadata()).unwrap();

    let read = world.token("posts:read");
    for (request, path, security, status) in [
        ("GET /v1/posts", "/v1/posts", json!([{ "MonoCloud": ["posts:read"] }]), 401),
        ("GET /v1/admin", "/v1/admin", json!([{ "MonoCloud": [] }]), 401),
        ("GET /v1/posts/7/tags", "/v1/posts/{id}/tags", Value::Null, 200),
    ] {
        assert_eq!(operation(&document, request, path)["security"], security, "{request}");
        assert_eq!(client.status(request, "").await, status, "{request}");
        assert_eq!(client.status(request, &read).await, 200, "{request}");
    }
}

#[tokio::test]
async fn the_handler_gets_the_claims_and_the_parameters() {
    let world = World::new().await;
    let (client, _) = serve(world.protect.secure(Posts).public("GET", "/posts/:id/tags"));
    let token = world.tenant.token().subject("alice").scope("posts:read").mint();
    client.send("GET /posts", &token).await.assert_text("alice").await;
    client.send("GET /posts/7/tags/rust", &token).await.assert_text("7 rust").await;
}

fn operation<'d>(document: &'d Value, request: &str, path: &str) -> &'d Value {
    let method = request.split(' ').next().unwrap().to_ascii_lowercase();
    let operation = &document["paths"][path][&method];
    assert!(operation.is_object(), "{method} {path} is not in the document");
    operation
}
