use std::{error::Error, time::Duration};

use axum::{
    Router,
    routing::{get, post},
};
use monocloud_backend::{Policy, ProtectApi, policy::PolicyBuf};
use utoipa::OpenApi;

#[derive(OpenApi)]
#[openapi(paths(list, publish, export, replace_key, reindex))]
struct Posts;

const RECENT_MFA: Policy =
    Policy::ANY_TOKEN.acr_values(&["urn:example:mfa"]).max_age(Duration::from_secs(300));

// Alternatives: readers and admins.
#[utoipa::path(
    get,
    path = "/posts",
    security(("MonoCloud" = ["posts:read"]), ("MonoCloud" = [])),
    extensions(("x-monocloud-alternatives" = json!([
        {},
        { "x-monocloud-groups": { "any": ["admin"] } }
    ]))),
    responses((status = 200))
)]
async fn list() {}

// Step-up, by `require` below.
#[utoipa::path(
    post,
    path = "/publish",
    security(("MonoCloud" = ["posts:write"])),
    responses((status = 200))
)]
async fn publish() {}

// A claim by value.
#[utoipa::path(
    get,
    path = "/export",
    security(("MonoCloud" = [])),
    extensions(("x-monocloud-claims" = json!({ "plan": "pro" }))),
    responses((status = 200))
)]
async fn export() {}

// A token that is bound to its sender.
#[utoipa::path(
    post,
    path = "/key",
    security(("MonoCloud" = [])),
    extensions(("x-monocloud-sender-constrained" = json!(true))),
    responses((status = 200))
)]
async fn replace_key() {}

#[utoipa::path(post, path = "/operations/reindex", responses((status = 200)))]
async fn reindex() {}

fn app(protect: ProtectApi, operators: &str) -> Result<Router, Box<dyn Error>> {
    let operators = PolicyBuf::any_token().any_group(operators.split_whitespace())?;
    let router = Router::new()
        .route("/posts", get(list))
        .route("/publish", post(publish))
        .route("/export", get(export))
        .route("/key", post(replace_key))
        .route("/operations/reindex", post(reindex));
    let (api, document) = protect
        .describe_scope("posts:read", "Read posts")
        .describe_scope("posts:write", "Write posts")
        .describe_scope("posts:admin", "Administer posts")
        .implies("posts:admin", &["posts:read", "posts:write"])
        .document(&Posts::openapi().to_json()?)?
        .require("POST", "/publish", RECENT_MFA)
        .by_default_under("/operations", operators)
        .routes(router)?;
    Ok(api.route("/openapi.json", get(document.json())))
}
