use std::error::Error;

use axum::{Router, routing::get};
use monocloud_backend::{Authenticated, Caller, Policy, ProtectApi};
use utoipa::OpenApi;

#[derive(OpenApi)]
#[openapi(paths(me, list, clear, health, greet))]
struct Posts;

#[utoipa::path(get, path = "/me", security(("MonoCloud" = [])), responses((status = 200)))]
async fn me(caller: Authenticated) -> String {
    caller.claims().subject().unwrap_or("an application").to_owned()
}

#[utoipa::path(
    get,
    path = "/posts",
    security(("MonoCloud" = ["posts:read"])),
    responses((status = 200))
)]
async fn list() {}

#[utoipa::path(
    delete,
    path = "/posts",
    security(("MonoCloud" = [])),
    extensions(("x-monocloud-groups" = json!({ "any": ["admin"] }))),
    responses((status = 200))
)]
async fn clear() {}

#[utoipa::path(get, path = "/health", responses((status = 200)))]
async fn health() {}

#[utoipa::path(
    get,
    path = "/greeting",
    security((), ("MonoCloud" = [])),
    responses((status = 200))
)]
async fn greet(caller: Caller) -> String {
    let name = caller.claims().and_then(|claims| claims.subject());
    format!("hello, {}", name.unwrap_or("stranger"))
}

fn app(protect: ProtectApi) -> Result<Router, Box<dyn Error>> {
    let router = Router::new()
        .route("/me", get(me))
        .route("/posts", get(list).delete(clear))
        .route("/health", get(health))
        .route("/greeting", get(greet));
    let (api, document) = protect
        .describe_scope("posts:read", "Read posts")
        .document(&Posts::openapi().to_json()?)?
        .by_default(Policy::ANY_TOKEN)
        .public("GET", "/health")
        .routes(router)?;
    Ok(api.route("/openapi.json", get(document.json())))
}
