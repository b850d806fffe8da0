//! `by_default` and `by_default_under`, and the operations they do not apply to.

use monocloud_backend::{Bearer, Policy};
use poem_openapi::{OpenApi, SecurityScheme, auth::ApiKey, param::Path};
use serde_json::{Value, json};

use crate::world::{Scope, World, offline, serve, start_error};

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

const READERS: Policy = Policy::ANY_TOKEN.scopes(&["posts:read"]);
const WRITERS: Policy = Policy::ANY_TOKEN.scopes(&["posts:write"]).any_group(&["staff"]);

#[tokio::test]
async fn an_operation_without_a_declaration_gets_the_default_which_is_documented_and_enforced() {
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
async fn a_declared_token_replaces_the_default_and_another_scheme_is_needed_in_addition() {
    let world = World::new().await;
    let (client, document) = serve(world.protect.secure(Api).by_default(WRITERS));
    let document = document.render_with(&world.tenant.metadata()).unwrap();
    let paths = &document["paths"];
    assert_eq!(paths["/posts"]["get"]["security"], json!([{ "MonoCloud": ["posts:read"] }]));
    assert_eq!(paths["/posts"]["get"]["x-monocloud-groups"], Value::Null);
    assert_eq!(client.status("GET /posts", &world.token("posts:read")).await, 200);

    // The default applies in addition to what the application enforces.
    assert_eq!(
        paths["/key"]["get"]["security"],
        json!([{ "Key": [], "MonoCloud": ["posts:write"] }])
    );
    let staff = world.tenant.token().scope("posts:write").groups(["staff"]).mint();
    let with_key = async |token: &str| {
        let request = client.http().get("/key").header("X-Api-Key", "k");
        let request = match token {
            "" => request,
            token => request.header("Authorization", format!("Bearer {token}")),
        };
        request.send().await.0.status().as_u16()
    };
    assert_eq!(with_key("").await, 401);
    assert_eq!(with_key(&world.token("posts:write")).await, 403);
    assert_eq!(with_key(&staff).await, 200);
    assert_eq!(client.status("GET /key", &staff).await, 401);
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

#[tokio::test]
async fn a_default_applies_below_its_path_and_the_longest_path_counts() {
    let world = World::new().await;
    let api = (world.protect.secure((Api, Prefixed)))
        .by_default(Policy::ANY_TOKEN)
        .by_default_under("/posts", READERS)
        .by_default_under("/posts/:id", WRITERS)
        .by_default_under("/:tenant", READERS)
        .public("GET", "/health");
    let (client, document) = serve(api);
    let document = document.render_with(&world.tenant.metadata()).unwrap();
    let staff = world.tenant.token().scope("posts:write").groups(["staff"]).mint();
    let reader = world.token("posts:read");
    for (request, path, scopes, answers) in [
        ("GET /posts/7", "/posts/{id}", json!(["posts:write"]), [401, 403, 403, 200]),
        // Declared by the operation itself.
        ("GET /posts", "/posts", json!(["posts:read"]), [401, 403, 200, 403]),
        (
            "GET /a/y/status/7",
            "/:tenant/y/status/{id}",
            json!(["posts:read"]),
            [401, 403, 200, 403],
        ),
    ] {
        let security = &document["paths"][path]["get"]["security"];
        assert_eq!(*security, json!([{ "MonoCloud": scopes }]), "{request}");
        for (token, status) in ["", &world.token(""), &reader, &staff].into_iter().zip(answers) {
            assert_eq!(client.status(request, token).await, status, "{request}");
        }
    }
    let key = &document["paths"]["/key"]["get"]["security"];
    assert_eq!(*key, json!([{ "Key": [], "MonoCloud": [] }]));
    assert_eq!(client.status("GET /health", "").await, 200);
}

#[test]
fn a_default_for_a_path_without_operations_or_with_another_default_is_an_error() {
    for (paths, problem) in [
        (
            ["/postz", "/health"],
            r#"by_default_under("/postz"): no documented operation lies under it; the nearest is "/posts""#,
        ),
        (
            ["posts", "/health"],
            r#"by_default_under("posts"): no documented operation lies under it; the nearest is "/posts""#,
        ),
        (
            ["/pos", "/health"],
            r#"by_default_under("/pos"): no documented operation lies under it; the nearest is "/posts""#,
        ),
        (
            ["/posts/:id", "/posts/{id}/"],
            r#"by_default_under("/posts/{id}/"): this path has another default already"#,
        ),
    ] {
        let api = offline().secure(Api).by_default(Policy::ANY_TOKEN);
        let api = paths.into_iter().fold(api, |api, path| api.by_default_under(path, READERS));
        let problems = start_error(api);
        let lines: Vec<_> = problems.lines().collect();
        assert_eq!(lines, ["the API and its document do not agree:", problem], "{problems}");
    }
}

#[test]
fn an_operation_that_is_listed_as_public_must_exist_and_must_not_be_secured() {
    for (method, path, problem) in [
        ("GET", "/helth", "GET /helth: it is listed as public, and there is no such operation"),
        ("POST", "/health", "POST /health: it is listed as public, and there is no such operation"),
        ("", "/health", " /health: it is listed as public, and there is no such operation"),
        ("GET", "/posts/:other", "GET /posts/:other: it is listed as public, and there is no such"),
        ("get", "/posts", "GET /posts: it is listed as public, and declares that it needs a token"),
    ] {
        let api = offline().secure(Api).by_default(Policy::ANY_TOKEN).public(method, path);
        let problems = start_error(api);
        let lines: Vec<_> = problems.lines().collect();
        assert_eq!(lines.len(), 2, "{problems}");
        assert!(lines[1].starts_with(problem), "{problems}");
    }
}
