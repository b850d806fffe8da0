//! A supplied document is the policy, and an API whose routes differ from it does not start.

use harness::given::alternatives::assert_every_alternative;
use monocloud_backend::{ApiDocument, Authenticated, Caller, Policy, poem::Handlers};
use poem::{Route, handler, http::Method, web::Json};
use serde_json::{Value, json};

use crate::world::{Client, World, offline};

#[handler]
fn whose(caller: Caller) -> String {
    let subject = caller.claims().and_then(|claims| claims.subject().map(str::to_owned));
    subject.unwrap_or_else(|| "anonymous".to_owned())
}

#[handler]
fn up() -> &'static str {
    "up"
}

#[handler]
fn title(Json(post): Json<Value>) -> String {
    post["title"].to_string()
}

#[handler]
fn asks(_caller: Authenticated) -> &'static str {
    "asked"
}

fn document(rest: &str) -> String {
    format!("openapi: 3.1.0\ninfo: {{ title: Posts, version: '1' }}\n{rest}")
}

fn served(world: &World, rest: &str, handlers: Handlers) -> (Client, ApiDocument) {
    let api = world.protect.document(&document(rest)).unwrap();
    let api = if rest.contains("Key") { api.application_scheme("Key") } else { api };
    let (route, document) = api.routes(handlers).unwrap();
    (Client::new(Route::new().nest("/", route)), document)
}

fn start_error(rest: &str, handlers: Handlers) -> String {
    let api = offline().document(&document(rest)).unwrap();
    api.routes(handlers).err().expect("the API must not start").to_string()
}

#[tokio::test]
async fn every_operation_needs_what_the_document_declares() {
    let world = World::new().await;
    let rest = "
security: [MonoCloud: []]
components: { securitySchemes: { Key: { type: apiKey, name: X-Key, in: header } } }
paths:
  /root: { get: {} }
  /public: { get: { security: [] } }
  /optional: { get: { security: [{}, MonoCloud: [posts:read]] } }
  /either: { get: { security: [MonoCloud: [posts:read], MonoCloud: [posts:write]] } }
  /both: { get: { security: [MonoCloud: ['posts:read', 'posts:write']] } }
  /admin: { get: { x-monocloud-groups: [admin] } }
  /other: { get: { security: [Key: []] } }
  /beside: { get: { security: [Key: [], MonoCloud: [posts:read]] } }
  /posts/{id}: { delete: { security: [MonoCloud: [posts:write]] } }
";
    let mut handlers = Handlers::new().delete("/posts/:id", up);
    for path in ["/root", "/public", "/optional", "/either", "/both", "/admin", "/other", "/beside"]
    {
        handlers = handlers.get(path, up);
    }
    let (client, _) = served(&world, rest, handlers);
    let (any, read, write) =
        (world.token(""), world.token("posts:read"), world.token("posts:write"));
    let (both, admin, expired) =
        (world.token("posts:read posts:write"), world.member(["admin"]), world.expired());
    for (request, answers) in [
        ("GET /root", [("", 401), (&any, 200), (&expired, 401)].as_slice()),
        ("HEAD /root", &[("", 401), (&any, 200)]),
        ("GET /public", &[("", 200), (&expired, 200)]),
        ("GET /optional", &[("", 200), (&any, 403), (&read, 200), (&expired, 401)]),
        ("GET /either", &[("", 401), (&any, 403), (&read, 200), (&write, 200)]),
        ("GET /both", &[(&read, 403), (&write, 403), (&both, 200)]),
        ("GET /admin", &[("", 401), (&any, 403), (&admin, 200)]),
        ("GET /other", &[("", 200), (&expired, 200)]),
        ("GET /beside", &[("", 200), (&any, 403), (&read, 200), (&expired, 401)]),
        ("DELETE /posts/7", &[("", 401), (&read, 403), (&write, 200)]),
        ("DELETE /posts", &[("", 404)]),
        ("OPTIONS /root", &[("", 405)]),
        ("POST /root", &[("", 405)]),
    ] {
        for (token, status) in answers {
            assert_eq!(client.status(request, token).await, *status, "{request} {token:.20}");
        }
    }
}

#[tokio::test]
async fn what_an_operation_needs_follows_from_every_alternative() {
    assert_every_alternative(async |api, token| {
        let handlers = Handlers::new().get("/posts", up);
        let (route, _) = api.routes(handlers).map_err(|error| error.to_string())?;
        Ok(Client::new(route).status("GET /posts", token).await)
    })
    .await;
}

#[tokio::test]
async fn a_handler_of_a_public_operation_gets_an_anonymous_caller() {
    let world = World::new().await;
    let rest = "paths: { /public: { get: { security: [] } }, /optional: { get: { security: [MonoCloud: [], {}] } } }";
    let handlers = Handlers::new().get("/public", asks).get("/optional", whose);
    let (client, _) = served(&world, rest, handlers);
    assert_eq!(client.status("GET /public", &world.token("")).await, 500);
    let answer = client.send("GET /optional", "").await;
    answer.assert_text("anonymous").await;
}

#[tokio::test]
async fn the_default_applies_to_operations_without_security_and_the_document_shows_it() {
    let world = World::new().await;
    let api = world
        .protect
        .document(&document(
            "paths: { /posts: { get: {} }, /health: { get: {} }, /admin/posts: { get: {} } }",
        ))
        .unwrap()
        .by_default(Policy::ANY_TOKEN.scopes(&["posts:read"]))
        .by_default_under("/admin", Policy::ANY_TOKEN.scopes(&["posts:write"]))
        .public("get", "/health")
        .public("GET", "/metrics")
        .hidden("POST", "/internal/:id", Policy::ANY_TOKEN.any_group(&["admin"]));
    let handlers = Handlers::new()
        .get("/posts", up)
        .get("/admin/posts", up)
        .get("/health", up)
        .get("/metrics", up)
        .post("/internal/:id", title);
    let (route, document) = api.routes(handlers).unwrap();
    let client = Client::new(Route::new().nest("/", route));
    for (request, token, status) in [
        ("GET /posts", "", 401),
        ("GET /posts", &*world.token(""), 403),
        ("GET /posts", &world.token("posts:read"), 200),
        ("GET /health", "", 200),
        ("GET /metrics", "", 200),
        ("GET /admin/posts", &world.token("posts:read"), 403),
        ("GET /admin/posts", &world.token("posts:write"), 200),
        // The body is not read before that.
        ("POST /internal/7", "", 401),
        ("POST /internal/7", &world.token("posts:read"), 403),
        ("POST /internal/7", &world.member(["admin"]), 415),
    ] {
        assert_eq!(client.status(request, token).await, status, "{request}");
    }
    let document = document.render().await;
    let security = |path: &str| document["paths"][path]["get"]["security"].clone();
    assert_eq!(security("/posts"), json!([{ "MonoCloud": ["posts:read"] }]));
    assert_eq!(security("/admin/posts"), json!([{ "MonoCloud": ["posts:write"] }]));
    assert_eq!(security("/health"), Value::Null);
    assert_eq!(document["paths"]["/internal/{id}"], Value::Null);
}

#[tokio::test]
async fn a_scope_is_described_by_the_document_or_in_code() {
    let rest = "
components: { securitySchemes: { MonoCloud: { type: oauth2, flows: { clientCredentials: {
  tokenUrl: 'https://x.test', scopes: { 'posts:read': Overruled, 'posts:purge': Purge posts } } } } } }
paths: { /posts: { delete: { security: [MonoCloud: ['posts:read', 'posts:purge']] } } }
";
    let world = World::new().await;
    let (_, document) = served(&world, rest, Handlers::new().delete("/posts", up));
    let document = document.render().await;
    let flow =
        &document["components"]["securitySchemes"]["MonoCloud"]["flows"]["authorizationCode"];
    assert_eq!(
        flow["scopes"],
        json!({ "posts:purge": "Purge posts", "posts:read": "Read posts", "posts:write": "Write posts" })
    );
}

#[test]
fn every_difference_between_routes_and_document_is_reported_at_once() {
    let rest = "
paths:
  /documented: { get: {} }
  /posts: { get: { security: [MonoCloud: [posts:purge]] }, put: {} }
  /posts/{id}: { get: {} }
  /misspelt: { get: { security: [Monocloud: []] } }
  /malformed: { get: { security: { MonoCloud: [] } } }
  /groups: { get: { x-monocloud-groups: [admin] } }
  /silent: { get: {} }
  /slash/: { get: { security: [MonoCloud: []] } }
  /prefix/{id}: { get: { security: [MonoCloud: []] } }
  /v1/cut: { get: { security: [MonoCloud: []] } }
";
    let handlers = Handlers::new()
        .get("/posts", up)
        .post("/posts", up)
        .get("/posts/:one", up)
        .get("/posts/<\\d+>", up)
        .get("/misspelt", up)
        .get("/malformed", up)
        .get("/groups", up)
        .get("/silent", up)
        .get("/slash", up)
        .get("/v1/prefix/:id", up)
        .get("/cut", up)
        .at(Method::TRACE, "/routed", up);
    insta::assert_snapshot!(start_error(rest, handlers), @r#"
    the API and its document do not agree:
    GET /documented: it does not declare what it needs: write `security: [{MonoCloud: []}]` in the document, set a default with `.by_default(Policy::ANY_TOKEN)`, or list it with `.public("GET", "/documented")`
    GET /documented: it is documented, and nothing is routed there; route it, or remove it from the document
    GET /groups: it says what a token must carry, and requires no token; give it `security: [{MonoCloud: []}]`
    GET /malformed: its security is not a list; write `security: [{MonoCloud: []}]`
    GET /misspelt: its security names the scheme "Monocloud", which nothing enforces; if it is meant to be this library's, configure `ProtectApi::builder().scheme_name("Monocloud")`; if the application enforces it, call `.application_scheme("Monocloud")`; did you mean "MonoCloud"?
    GET /posts: it needs the scope "posts:purge", which is not described; describe it with `.describe_scope("posts:purge", "…")`
    POST /posts: it is routed, and the document does not have it; declare what it needs with `.hidden("POST", "/posts", POLICY)`, list it with `.public("POST", "/posts")`, or document it
    PUT /posts: it does not declare what it needs: write `security: [{MonoCloud: []}]` in the document, set a default with `.by_default(Policy::ANY_TOKEN)`, or list it with `.public("PUT", "/posts")`
    PUT /posts: it is documented, and nothing is routed there; route it, or remove it from the document
    GET /posts/{id}: it could be any of the routes /posts/:one and /posts/<\d+>; rename or remove one of them
    GET /posts/{id}: it does not declare what it needs: write `security: [{MonoCloud: []}]` in the document, set a default with `.by_default(Policy::ANY_TOKEN)`, or list it with `.public("GET", "/posts/{id}")`
    GET /prefix/{id}: it is documented, and routed as /v1/prefix/:id; the document lacks the prefix; write both alike
    TRACE /routed: it is routed, and the document does not have it; declare what it needs with `.hidden("TRACE", "/routed", POLICY)`, list it with `.public("TRACE", "/routed")`, or document it
    GET /silent: it does not declare what it needs: write `security: [{MonoCloud: []}]` in the document, set a default with `.by_default(Policy::ANY_TOKEN)`, or list it with `.public("GET", "/silent")`
    GET /slash/: it is documented, and routed as /slash; the two differ in the slash at the end; write both alike
    GET /v1/cut: it is documented, and routed as /cut; the route lacks the prefix; write both alike
    "#);
}

#[test]
fn schemes_defaults_and_groups_that_match_nothing_are_errors() {
    let text = document(
        "
security: [Foreign: []]
components: { securitySchemes: { ApiKey: { type: apiKey, name: X-Key, in: header } } }
paths:
  /key: { get: { security: [ApiKey: []] } }
  /undescribed: { get: { security: [Undescribed: []] } }
  /inherits: { get: {} }
  /inherits/{id}: { get: {} }
  /groups: { get: { security: [{}], x-monocloud-groups: [admin] } }
  /scope: { get: { security: [MonoCloud: ['post:read']] } }
",
    );
    let paths = ["/key", "/undescribed", "/inherits", "/inherits/:id", "/groups", "/scope"];
    let handlers = paths.iter().fold(Handlers::new(), |handlers, path| handlers.get(path, up));
    let api = (offline().document(&text).unwrap())
        .application_scheme("ApiKey")
        .application_scheme("Undescribed")
        .application_scheme("ApiKy")
        .application_scheme("MonoCloud")
        .by_default_under("/grups", Policy::ANY_TOKEN)
        .by_default_under("/groups", Policy::ANY_TOKEN.any_group(&["staff"]));
    let problems = api.routes(handlers).err().expect("the API must not start").to_string();
    insta::assert_snapshot!(problems, @r#"
    the API and its document do not agree:
    the root security names the scheme "Foreign", which nothing enforces; if it is meant to be this library's, configure `ProtectApi::builder().scheme_name("Foreign")`; if the application enforces it, call `.application_scheme("Foreign")`
    application_scheme("ApiKy"): no security requirement names it; the nearest is "ApiKey"
    application_scheme("MonoCloud"): that is the name of this library's own scheme
    by_default_under("/grups"): no documented operation lies under it; the nearest is "/groups"
    GET /groups: it names groups, and so does the policy that applies to it besides; write each once
    GET /scope: it needs the scope "post:read", which is not described; did you mean "posts:read"?
    GET /undescribed: its security names the scheme "Undescribed", which the document does not describe; add it to `components.securitySchemes`
    "#);
}

#[test]
fn groups_that_are_neither_a_list_nor_any_or_all_of_one_are_errors() {
    for groups in [
        "[]",
        "[1]",
        "admin",
        "{}",
        "{ any: [] }",
        "{ all: admin }",
        "{ some: [admin] }",
        "{ any: [admin], all: [owner] }",
        "{ any: [admin], some: [owner] }",
    ] {
        let operation = format!("security: [MonoCloud: []], x-monocloud-groups: {groups}");
        let rest = format!("paths: {{ /a: {{ get: {{ {operation} }} }} }}");
        let problem = start_error(&rest, Handlers::new().get("/a", up));
        let expected = "GET /a: its groups are neither a list nor an object with `any` or `all`";
        assert!(problem.contains(expected), "{groups}: {problem}");
    }
}

#[test]
fn text_that_is_not_a_document_is_rejected_with_the_reason() {
    for (text, reason) in [
        ("", "it is empty"),
        ("{", "not valid JSON"),
        ("a: b: c", "not valid YAML"),
        ("- openapi: 3.1.0", "not an object"),
        ("swagger: '2.0'", "Swagger 2.0"),
        ("openapi: 3", "quote the version"),
        (r#"{"openapi": "3.1.0"}"#, "it has no `paths`"),
        ("openapi: 3.1.0\npaths: {}\npaths: {}", "not valid YAML"),
    ] {
        let error = offline().document(text).unwrap_err();
        assert!(error.to_string().contains(reason), "{text}: {error}");
        assert_eq!(format!("{error:?}"), error.to_string());
    }
}

#[tokio::test]
async fn a_served_document_is_unchanged_if_it_is_supplied_and_served_again() {
    let world = World::new().await;
    let rest = "
security: [MonoCloud: []]
components:
  responses:
    MonoCloudForbidden: { description: Our own words }
    LogIn: { description: Please log in }
paths:
  /root: { get: { description: Everything } }
  /read: { get: { description: Reads, security: [MonoCloud: [posts:read]] } }
  /admin: { get: { x-monocloud-groups: { any: [admin, owner] } } }
  /own: { get: { responses: { '401': { $ref: '#/components/responses/LogIn' } } } }
";
    let handlers = || {
        let paths = ["/root", "/read", "/admin", "/own"];
        paths.into_iter().fold(Handlers::new(), |handlers, path| handlers.get(path, up))
    };
    let (_, document) = served(&world, rest, handlers());
    let once = document.render().await;
    let operation = |path: &str| once["paths"][path]["get"].clone();
    assert_eq!(operation("/root")["description"], "Everything");
    assert_eq!(operation("/read")["description"], "Reads\n\nRequires `posts:read`.");
    assert_eq!(
        operation("/admin")["description"],
        "Requires one of the groups `admin` or `owner`."
    );
    let forbidden = operation("/read")["responses"]["403"].clone();
    assert_eq!(forbidden["$ref"], "#/components/responses/MonoCloudForbidden2");
    assert_eq!(
        forbidden["description"],
        "The access token does not permit this operation. Requires `posts:read`.",
    );
    let responses = &once["components"]["responses"];
    assert_eq!(responses["MonoCloudForbidden"], json!({ "description": "Our own words" }));
    assert_eq!(responses["LogIn"]["description"], "Please log in");
    assert!(responses["LogIn"]["headers"]["WWW-Authenticate"].is_object());

    for text in [once.to_string(), serde_saphyr::to_string(&once).unwrap()] {
        let api = world.protect.document(&text).unwrap();
        let (_, again) = api.routes(handlers()).unwrap();
        assert_eq!(again.render().await, once);
    }
    let mut stale = once.clone();
    stale["paths"]["/read"]["get"]["responses"]["403"]["description"] = json!("Says nothing");
    let api = world.protect.document(&stale.to_string()).unwrap();
    assert_eq!(api.routes(handlers()).unwrap().1.render().await, once);
    // With another body the components change, and there is still one of each.
    let builder = monocloud_backend::ProtectApi::builder().vars(world.tenant.vars());
    let protect = builder.problem_details().build().unwrap();
    let (_, again) = protect.document(&once.to_string()).unwrap().routes(handlers()).unwrap();
    let again = again.render().await;
    let responses = again["components"]["responses"].as_object().unwrap();
    assert_eq!(responses.len(), 4);
    let content = &responses["MonoCloudForbidden2"]["content"];
    assert!(content["application/problem+json"].is_object(), "{content}");
}
