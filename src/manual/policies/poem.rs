use std::error::Error;

use monocloud_backend::{ProtectApi, poem::Handlers, policy::PolicyBuf};
use poem::{Route, handler};

const DOCUMENT: &str = r#"
openapi: 3.1.0
info: { title: Posts, version: "1.0" }
paths:
  /posts:
    get: # Alternatives: readers and admins.
      security: [MonoCloud: ["posts:read"], MonoCloud: []]
      x-monocloud-alternatives:
        - {}
        - x-monocloud-groups: { any: [admin] }
      responses: { "200": { description: All posts } }
  /publish:
    post: # Step-up.
      security: [MonoCloud: ["posts:write"]]
      x-monocloud-acr-values: ["urn:example:mfa"]
      x-monocloud-max-age: 300
      responses: { "200": { description: The posts are published } }
  /export:
    get: # A claim by value.
      security: [MonoCloud: []]
      x-monocloud-claims: { plan: pro }
      responses: { "200": { description: The posts } }
  /key:
    post: # A token that is bound to its sender.
      security: [MonoCloud: []]
      x-monocloud-sender-constrained: true
      responses: { "200": { description: The key is replaced } }
  /operations/reindex:
    post:
      responses: { "200": { description: The posts are indexed } }
components:
  securitySchemes:
    MonoCloud:
      type: oauth2
      flows:
        authorizationCode:
          authorizationUrl: https://tenant.example/authorize
          tokenUrl: https://tenant.example/token
          scopes:
            "posts:read": Read posts
            "posts:write": Write posts
            "posts:admin": Administer posts
      x-monocloud-implies:
        "posts:admin": ["posts:read", "posts:write"]
"#;

#[handler]
fn list() {}

#[handler]
fn publish() {}

#[handler]
fn export() {}

#[handler]
fn replace_key() {}

#[handler]
fn reindex() {}

fn app(protect: ProtectApi, operators: &str) -> Result<Route, Box<dyn Error>> {
    let operators = PolicyBuf::any_token().any_group(operators.split_whitespace())?;
    let handlers = Handlers::new()
        .get("/posts", list)
        .post("/publish", publish)
        .get("/export", export)
        .post("/key", replace_key)
        .post("/operations/reindex", reindex);
    let (api, document) = protect
        .document(DOCUMENT)?
        .by_default_under("/operations", operators)
        .routes(handlers)?;
    Ok(Route::new().nest("/", api).at("/openapi.json", document.json()))
}
