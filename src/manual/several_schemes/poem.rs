use monocloud_backend::{Caller, DocumentError, ProtectApi, poem::Handlers};
use poem::{Request, Result, Route, handler, http::StatusCode};

const DOCUMENT: &str = r#"
openapi: 3.1.0
info: { title: Posts, version: "1.0" }
components:
  securitySchemes:
    ApiKey: { type: apiKey, in: header, name: X-Api-Key }
paths:
  /posts:
    get:
      security: [MonoCloud: [], ApiKey: []]
      responses: { "200": { description: All posts } }
"#;

/// Takes a token, or else the key.
#[handler]
fn list(caller: Caller, request: &Request) -> Result<&'static str> {
    let has_key = request.header("X-Api-Key") == Some("open sesame");
    if caller.authenticated().is_some() || has_key {
        return Ok("all posts");
    }
    Err(StatusCode::UNAUTHORIZED.into())
}

fn app(protect: ProtectApi) -> Result<Route, DocumentError> {
    let (api, _) = protect
        .document(DOCUMENT)?
        .application_scheme("ApiKey")
        .routes(Handlers::new().get("/posts", list))?;
    Ok(api)
}
