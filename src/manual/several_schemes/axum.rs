use std::error::Error;

use axum::{
    Router,
    http::{HeaderMap, StatusCode},
    routing::get,
};
use monocloud_backend::{Caller, ProtectApi};
use utoipa::{
    Modify, OpenApi,
    openapi::security::{ApiKey, ApiKeyValue, SecurityScheme},
};

#[derive(OpenApi)]
#[openapi(paths(list), modifiers(&Schemes))]
struct Posts;

struct Schemes;

impl Modify for Schemes {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let key = SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::new("X-Api-Key")));
        document.components.get_or_insert_default().add_security_scheme("ApiKey", key);
    }
}

/// Takes a token, or else the key.
#[utoipa::path(
    get,
    path = "/posts",
    security(("MonoCloud" = []), ("ApiKey" = [])),
    responses((status = 200))
)]
async fn list(caller: Caller, headers: HeaderMap) -> Result<&'static str, StatusCode> {
    let has_key = headers.get("X-Api-Key").is_some_and(|key| key == "open sesame");
    if caller.authenticated().is_some() || has_key {
        return Ok("all posts");
    }
    Err(StatusCode::UNAUTHORIZED)
}

fn app(protect: ProtectApi) -> Result<Router, Box<dyn Error>> {
    let (api, _) = protect
        .document(&Posts::openapi().to_json()?)?
        .application_scheme("ApiKey")
        .routes(Router::new().route("/posts", get(list)))?;
    Ok(api)
}
