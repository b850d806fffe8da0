use monocloud_backend::{Authenticated, Caller, DocumentError, Policy, ProtectApi, poem::Handlers};
use poem::{Route, handler};

const DOCUMENT: &str = r#"
openapi: 3.1.0
info: { title: Posts, version: "1.0" }
paths:
  /me:
    get:
      security: [MonoCloud: []]
      responses: { "200": { description: The subject } }
  /posts:
    get:
      security: [MonoCloud: ["posts:read"]]
      responses: { "200": { description: All posts } }
    delete:
      security: [MonoCloud: []]
      x-monocloud-groups: { any: [admin] }
      responses: { "200": { description: All posts are deleted } }
  /health:
    get:
      security: []
      responses: { "200": { description: The API is up } }
  /greeting:
    get:
      security: [MonoCloud: [], {}]
      responses: { "200": { description: A greeting } }
"#;

#[handler]
fn me(caller: Authenticated) -> String {
    caller.claims().subject().unwrap_or("an application").to_owned()
}

#[handler]
fn list() {}

#[handler]
fn clear() {}

#[handler]
fn health() {}

#[handler]
fn greet(caller: Caller) -> String {
    let name = caller.claims().and_then(|claims| claims.subject());
    format!("hello, {}", name.unwrap_or("stranger"))
}

fn app(protect: ProtectApi) -> Result<Route, DocumentError> {
    let handlers = Handlers::new()
        .get("/me", me)
        .get("/posts", list)
        .delete("/posts", clear)
        .get("/health", health)
        .get("/greeting", greet);
    let (api, document) = protect
        .describe_scope("posts:read", "Read posts")
        .document(DOCUMENT)?
        .by_default(Policy::ANY_TOKEN)
        .routes(handlers)?;
    Ok(Route::new().nest("/", api).at("/openapi.json", document.json()))
}
