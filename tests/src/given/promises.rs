//! What every host whose router takes a document guarantees.

use std::time::Duration;

use monocloud_backend::{Policy, ProtectApi, openapi::DeclaredApi};
use monocloud_testkit::{Clock, Endpoint, Fault, MockTenant};
use serde_json::{Value, json};

use super::world::{App, Client, World, declared, described, needs, offline, public, why_not};

/// A request; its status without a token, with any token, for a reader and for a writer; and the
/// body that the reader gets, blank where hosts differ.
pub type Row<'r> = (&'r str, [u16; 4], &'r str);

/// What the operations of [`assert_rows`] need.
fn paths() -> Value {
    json!({
        "/posts": { "get": needs(&["posts:read"]), "post": needs(&["posts:read", "posts:write"]) },
        "/posts/{id}": { "get": needs(&["posts:read"]) },
        "/files/{rest}": { "get": needs(&["posts:read"]) },
        "/v1/posts/{id}": { "get": needs(&["posts:write"]) },
        "/default": { "get": {} },
        "/below/{id}": { "get": {} },
        "/health": { "get": public() },
    })
}

/// An API with these paths, and what it says beside them.
pub fn api(world: &World) -> DeclaredApi {
    declared(&world.protect, &paths())
        .by_default(Policy::ANY_TOKEN)
        .by_default_under("/below", Policy::ANY_TOKEN.scopes(&["posts:write"]))
        .public("GET", "/listed")
        .hidden("GET", "/hidden", Policy::ANY_TOKEN.scopes(&["posts:read"]))
        .hidden("POST", "/hidden", Policy::ANY_TOKEN.scopes(&["posts:write"]))
}

/// The rows of every host, and then its own.
pub async fn assert_rows(world: &World, client: &Client, own: &[Row<'_>]) {
    let (any, read, write) =
        (world.token(""), world.token("posts:read"), world.token("posts:write"));
    let rows: [Row<'_>; 16] = [
        ("GET /posts", [401, 403, 200, 403], "all"),
        ("HEAD /posts", [401, 403, 200, 403], ""),
        ("GET /posts/7", [401, 403, 200, 403], "7"),
        ("GET /files/a/b", [401, 403, 200, 403], "a/b"),
        ("GET /v1/posts/7", [401, 403, 403, 200], ""),
        ("GET /default", [401, 200, 200, 200], "alice"),
        ("GET /health", [200, 200, 200, 200], "up"),
        ("GET /listed", [200, 200, 200, 200], "listed"),
        ("GET /below/7", [401, 403, 403, 200], ""),
        ("GET /hidden", [401, 403, 200, 403], "hidden"),
        ("HEAD /hidden", [401, 403, 200, 403], ""),
        // The body is not read for those who may not send it.
        ("POST /posts", [401, 403, 403, 403], ""),
        ("PUT /posts", [405, 405, 405, 405], ""),
        ("POST /files/a", [405, 405, 405, 405], ""),
        ("GET /none", [404, 404, 404, 404], ""),
        ("GET /v1", [404, 404, 404, 404], ""),
    ];
    for (request, [anonymous, any_token, reader, writer], says) in rows.iter().chain(own) {
        assert_eq!(client.status(request, "").await, *anonymous, "{request}");
        assert_eq!(client.status(request, &any).await, *any_token, "{request}");
        assert_eq!(client.status(request, &write).await, *writer, "{request}");
        let answer = client.send(request, &read).await;
        assert_eq!(answer.status(), *reader, "{request}");
        if !says.is_empty() {
            assert_eq!(answer.text().await.unwrap(), *says, "{request}");
        }
    }
}

/// The document of `app`, at `/openapi.json`, names the tenant's endpoints as soon as they are known.
pub async fn assert_incomplete_while_the_tenant_is_down<R: App>(app: fn(&ProtectApi) -> R) {
    let clock = Clock::frozen();
    let tenant = MockTenant::builder().clock(clock.clone()).start().await;
    let protect = ProtectApi::builder().vars(tenant.vars()).clock(clock.reading()).build();
    let client = Client::new(app(&described(protect.unwrap()))).await;
    let scheme = async || {
        json(&client, "GET /openapi.json").await["components"]["securitySchemes"]["MonoCloud"]
            .take()
    };
    tenant.fault(Endpoint::Discovery, Fault::Status(503)).until_recovered();
    assert_eq!(scheme().await["x-monocloud-incomplete"], true);
    assert_eq!(client.status("GET /posts", "").await, 401);
    tenant.recover(Endpoint::Discovery);
    clock.advance(Duration::from_secs(2));
    assert_eq!(scheme().await["type"], "oauth2");
}

/// The YAML at `/openapi.yaml` says the same as the JSON that was served.
pub async fn assert_yaml_is(client: &Client, document: &Value) {
    let yaml = client.send("GET /openapi.yaml", "").await;
    assert_eq!(yaml.headers()["content-type"], "application/yaml");
    let yaml: Value = serde_saphyr::from_str(&yaml.text().await.unwrap()).unwrap();
    assert_eq!(yaml, *document);
}

/// Swagger UI is at `/docs` and at `/v1/docs`, with its assets.
pub async fn assert_swagger_ui_is_found(client: &Client) {
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

/// The answer to a request without a token, as JSON.
pub async fn json(client: &Client, request: &str) -> Value {
    serde_json::from_str(&client.text(request, "").await).unwrap()
}

/// A HEAD operation without a route is authorized as the GET whose handler answers it. `router` has
/// a GET route at `/posts`.
pub async fn assert_head_is_authorized_as_get<R: App>(router: fn() -> R) {
    let world = World::new().await;
    let paths =
        json!({ "/posts": { "get": needs(&["posts:read"]), "head": needs(&["posts:read"]) } });
    let client = world.serve(&paths, router()).await;
    for (token, status) in [("", 401), (&*world.token(""), 403), (&world.token("posts:read"), 200)]
    {
        assert_eq!(client.status("HEAD /posts", token).await, status);
    }
    let paths = json!({ "/posts": { "get": needs(&["posts:read"]), "head": public() } });
    let problem = why_not(declared(&world.protect, &paths), router());
    assert!(
        problem.contains("HEAD /posts: HEAD is answered by the handler of GET /posts"),
        "{problem}"
    );
}

/// Why an API does not start, or nothing, whose document has QUERY and COPY at `/posts`.
pub fn start_with_methods_of_openapi_32(router: impl App) -> Vec<String> {
    let document = json!({
        "openapi": "3.2.0",
        "info": { "title": "Posts", "version": "1.0" },
        "paths": { "/posts": {
            "query": needs(&["posts:read"]),
            "additionalOperations": { "COPY": needs(&["posts:read"]) },
        } },
    });
    let api = offline().document(&document.to_string()).unwrap();
    api.routes(router).err().map(|error| error.problems().to_vec()).unwrap_or_default()
}
