//! `by_default`, and the operations it does not hold for.

use monocloud_backend::{Policy, poem_openapi::Bearer};
use poem_openapi::{OpenApi, SecurityScheme, auth::ApiKey, param::Path};
use serde_json::{Value, json};

use crate::world::{Scope, World, offline, refusal_to_start, serve};

#[derive(SecurityScheme)]
#[oai(ty = "api_key", key_name = "X-Api-Key", key_in = "header")]
struct Key(#[allow(dead_code)] ApiKey);

struct Api;

#[OpenApi]
impl Api {
    #[oai(path = "/health", method = "get")]
    async fn health(&self) {}

    #[oai(path = "/posts/:id", method = "get")]
    async fn post(&self, _id: Path<u64>) {}

    #[oai(path = "/posts/:id", method = "put")]
    async fn put(&self, _id: Path<u64>) {}

    #[oai(path = "/posts", method = "get")]
    async fn list(&self, #[oai(scope = "Scope::Read")] _caller: Bearer) {}

    #[oai(path = "/key", method = "get")]
    async fn key(&self, _key: Key) {}
}

struct Prefixed;

#[OpenApi(prefix_path = "/:tenant/y")]
impl Prefixed {
    #[oai(path = "/status/:id", method = "get")]
    async fn status(&self, _id: Path<u64>) {}
}

const WRITERS: Policy = Policy::ANY_TOKEN.scopes(&["posts:write"]).any_group(&["staff"]);

#[tokio::test]
async fn what_declares_nothing_gets_the_default_at_the_door_and_in_the_document() {
    let world = World::new().await;
    let api = world.protect.secure(Api).by_default(WRITERS).public("GET", "/health");
    let (client, document) = serve(api);
    let document = document.render_with(&world.tenant.metadata()).unwrap();

    let operation = &document["paths"]["/posts/{id}"]["put"];
    assert_eq!(operation["security"], json!([{ "MonoCloud": ["posts:write"] }]));
    assert_eq!(operation["x-monocloud-groups"], json!({ "any": ["staff"] }));
    assert!(operation["responses"]["401"].is_object() && operation["responses"]["403"].is_object());

    assert_eq!(client.status("PUT /posts/7", "").await, 401);
    assert_eq!(client.status("PUT /posts/7", &world.token("posts:write")).await, 403);
    let staff = world.tenant.token().scope("posts:write").groups(["staff"]).mint();
    assert_eq!(client.status("PUT /posts/7", &staff).await, 200);
}

#[tokio::test]
async fn a_declaration_of_its_own_wins_over_the_default() {
    let world = World::new().await;
    let (client, document) = serve(world.protect.secure(Api).by_default(WRITERS));
    let document = document.render_with(&world.tenant.metadata()).unwrap();
    let paths = &document["paths"];
    assert_eq!(paths["/posts"]["get"]["security"], json!([{ "MonoCloud": ["posts:read"] }]));
    assert_eq!(paths["/posts"]["get"]["x-monocloud-groups"], Value::Null);
    assert_eq!(client.status("GET /posts", &world.token("posts:read")).await, 200);

    // Another scheme is a declaration too, and for the application to judge.
    assert_eq!(paths["/key"]["get"]["security"], json!([{ "Key": [] }]));
    let with_key = client.http().get("/key").header("X-Api-Key", "k").send().await;
    with_key.assert_status_is_ok();
    assert_eq!(client.status("GET /key", &world.token("posts:write")).await, 401);
}

#[tokio::test]
async fn public_operations_are_written_as_declared_or_as_documented() {
    let world = World::new().await;
    for (method, path) in [("GET", "/posts/:id"), ("get", "/posts/{id}"), ("Get", "/posts/:id")] {
        let api = world.protect.secure(Api).by_default(WRITERS).public(method, path);
        let (client, document) = serve(api);
        let document = document.render_with(&world.tenant.metadata()).unwrap();
        let public = &document["paths"]["/posts/{id}"]["get"];
        assert_eq!(public["security"], Value::Null);
        assert_eq!(public["responses"]["401"], Value::Null);
        assert_eq!(client.status("GET /posts/7", "").await, 200, "{method} {path}");
        assert_eq!(client.status("PUT /posts/7", "").await, 401, "{method} {path}");
        assert_eq!(client.status("GET /health", "").await, 401, "{method} {path}");
    }
}

#[tokio::test]
async fn a_public_operation_may_have_a_prefix_with_a_parameter() {
    let world = World::new().await;
    for path in ["/:tenant/y/status/:id", "/:tenant/y/status/{id}"] {
        let api = world.protect.secure(Prefixed).by_default(WRITERS);
        let (client, _) = serve(api.public("GET", path));
        assert_eq!(client.status("GET /acme/y/status/7", "").await, 200, "{path}");
    }
}

#[test]
fn what_is_listed_as_public_must_exist_and_must_not_be_secured() {
    for (method, path, problem) in [
        ("GET", "/helth", "GET /helth: it is listed as public, and there is no such operation"),
        ("POST", "/health", "POST /health: it is listed as public, and there is no such operation"),
        ("", "/health", " /health: it is listed as public, and there is no such operation"),
        ("GET", "/posts/:other", "GET /posts/:other: it is listed as public, and there is no such"),
        ("get", "/posts", "GET /posts: it is listed as public, and declares that it needs a token"),
    ] {
        let api = offline().secure(Api).by_default(Policy::ANY_TOKEN).public(method, path);
        let problems = refusal_to_start(api);
        let lines: Vec<_> = problems.lines().collect();
        assert_eq!(lines.len(), 2, "{problems}");
        assert!(lines[1].starts_with(problem), "{problems}");
    }
}
