//! What every host whose router takes a document guarantees.

use std::time::Duration;

use monocloud_backend::{Policy, ProtectApi, openapi::DeclaredApi};
use monocloud_testkit::{Clock, Endpoint, Fault, MockTenant};
use serde_json::{Value, json};

use super::world::{
    App, Client, World, assert_rejections_are_described, declared, described, needs, offline,
    public, start_error,
};

/// A request; its status without a token, with any token, for a reader and for a writer; and the
/// body that the reader gets, empty where hosts differ.
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

/// An API with these paths, its default and its listings.
pub fn api(world: &World) -> DeclaredApi {
    declared(&world.protect, &paths())
        .by_default(Policy::ANY_TOKEN)
        .by_default_under("/below", Policy::ANY_TOKEN.scopes(&["posts:write"]))
        .public("GET", "/listed")
        .hidden("GET", "/hidden", Policy::ANY_TOKEN.scopes(&["posts:read"]))
        .hidden("POST", "/hidden", Policy::ANY_TOKEN.scopes(&["posts:write"]))
}

/// Checks the rows that apply to every host, and then this host's own.
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

/// The document of `app`, at `/openapi.json`, has the tenant's endpoints as soon as they are known.
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

/// A caller may use another scheme than a token. `router` has two GET routes. At `/either` it
/// answers `token` or `key`, or 401 with the challenge `ApiKey`. At `/optional` it rejects callers
/// without a token.
pub async fn assert_another_scheme_is_possible(router: impl App) {
    let world = World::new().await;
    let paths = json!({
        "/either": { "get": { "security": [{ "Key": [] }, { "MonoCloud": ["posts:read"] }] } },
        "/optional": { "get": { "security": [{}, { "MonoCloud": [] }] } },
    });
    let client = world.serve(&paths, router).await;
    let realm = r#"Bearer realm="https://api.example.com""#;
    let naming_the_scope = format!(r#"{realm}, scope="posts:read""#);
    assert_eq!(client.challenges("GET /either", "").await, ["ApiKey", naming_the_scope.as_str()]);
    assert_eq!(client.challenges("GET /optional", "").await, [realm]);
    let with_key = client.request("GET /either", "").header("x-api-key", "k");
    assert_eq!(with_key.send().await.unwrap().text().await.unwrap(), "key");
    assert_eq!(client.text("GET /either", &world.token("posts:read")).await, "token");
    // A token that is present is validated, and its failure is the answer.
    let with_both = client.request("GET /either", &world.token("")).header("x-api-key", "k");
    assert_eq!(with_both.send().await.unwrap().status(), 403);
}

/// The document at `/openapi.json`, and the same as YAML, has the tenant's endpoints and scopes,
/// and describes the operation `GET /posts` and how it rejects requests.
pub async fn assert_document_is_served(world: &World, client: &Client) -> Value {
    let document = json(client, "GET /openapi.json").await;
    let flow =
        &document["components"]["securitySchemes"]["MonoCloud"]["flows"]["authorizationCode"];
    assert_eq!(flow["tokenUrl"], format!("{}/connect/token", world.tenant.issuer()));
    assert_eq!(flow["scopes"], json!({ "posts:read": "Read posts", "posts:write": "Write posts" }));
    let list = &document["paths"]["/posts"]["get"];
    assert_eq!(list["summary"], "All posts");
    assert_eq!(list["description"], "Requires `posts:read`.");
    assert_rejections_are_described(&document, list);

    let yaml = client.send("GET /openapi.yaml", "").await;
    assert_eq!(yaml.headers()["content-type"], "application/yaml");
    let yaml: Value = serde_saphyr::from_str(&yaml.text().await.unwrap()).unwrap();
    assert_eq!(yaml, document);
    document
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
    let problem = start_error(declared(&world.protect, &paths), router());
    assert!(
        problem.contains("HEAD /posts: HEAD is answered by the handler of GET /posts"),
        "{problem}"
    );
}

/// The problems of an API whose document has QUERY and COPY at `/posts`.
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
