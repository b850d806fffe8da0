//! A posts API on axum: its utoipa document is its policy.
//!
//! `cargo run --example axum --features axum` serves it against a mock tenant; log in at `/docs`.

use std::{
    error::Error,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    Json, Router,
    extract::{Path, State, rejection::JsonRejection},
    http::StatusCode,
    routing::{get, post},
};
use monocloud_backend::{ApiDocument, Authenticated, Claims, Policy, ProtectApi, health::Health};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use utoipa::{OpenApi, ToSchema};

#[derive(OpenApi)]
#[openapi(
    info(title = "Posts", version = "1.0"),
    paths(health, me, profile, list, create, read, publish, remove)
)]
struct PostsApi;

/// The user has logged in with a second factor, within five minutes.
const RECENT_MFA: Policy =
    Policy::ANY_TOKEN.acr_values(&["urn:example:mfa"]).max_age(Duration::from_secs(300));

#[derive(Clone, Serialize, ToSchema)]
struct Post {
    id: u64,
    title: String,
}

#[derive(Deserialize, ToSchema)]
struct NewPost {
    title: String,
}

#[derive(Serialize, ToSchema)]
struct PostId {
    id: u64,
}

/// What `profile` reads of a token.
#[derive(Deserialize)]
struct Member {
    email: String,
    plan: Option<String>,
}

#[derive(Serialize, ToSchema)]
struct Profile {
    subject: Option<String>,
    email: String,
    plan: Option<String>,
}

type Posts = Arc<Mutex<Vec<Post>>>;

/// Liveness
#[utoipa::path(get, path = "/health", responses((status = 200, description = "The API is up", body = str)))]
async fn health() -> &'static str {
    "ok"
}

/// The caller's claims
#[utoipa::path(get, path = "/api/me", responses((status = 200, description = "The claims of the token", body = serde_json::Value)))]
async fn me(caller: Authenticated) -> Json<Claims> {
    Json(caller.claims().clone())
}

/// The caller's profile
#[utoipa::path(get, path = "/api/profile", responses((status = 200, description = "The profile", body = Profile)))]
async fn profile(caller: Authenticated<Member>) -> Json<Profile> {
    let Member { email, plan } = caller.claims();
    let subject = caller.token_claims().subject().map(str::to_owned);
    Json(Profile { subject, email: email.clone(), plan: plan.clone() })
}

/// List posts
#[utoipa::path(
    get,
    path = "/api/posts",
    security(("MonoCloud" = ["posts:read"])),
    responses((status = 200, description = "All posts", body = Vec<Post>))
)]
async fn list(State(posts): State<Posts>) -> Json<Vec<Post>> {
    Json(posts.lock().unwrap_or_else(PoisonError::into_inner).clone())
}

/// Create a post
#[utoipa::path(
    post,
    path = "/api/posts",
    security(("MonoCloud" = ["posts:read", "posts:write"])),
    request_body = NewPost,
    responses(
        (status = 201, description = "The new post", body = Post),
        (status = 400, description = "The body is not valid", body = str)
    )
)]
async fn create(
    State(posts): State<Posts>,
    new: Result<Json<NewPost>, JsonRejection>,
) -> Result<(StatusCode, Json<Post>), (StatusCode, String)> {
    let Json(new) = new.map_err(|rejection| (StatusCode::BAD_REQUEST, rejection.body_text()))?;
    let mut posts = posts.lock().unwrap_or_else(PoisonError::into_inner);
    let id = posts.last().map_or(1, |post| post.id + 1);
    let post = Post { id, title: new.title };
    posts.push(post.clone());
    Ok((StatusCode::CREATED, Json(post)))
}

/// Read a post
#[utoipa::path(
    get,
    path = "/api/posts/{id}",
    params(("id" = u64, Path)),
    security(("MonoCloud" = ["posts:read"]), ("MonoCloud" = [])),
    extensions(("x-monocloud-alternatives" = json!([
        {},
        { "x-monocloud-groups": { "any": ["admin"] } }
    ]))),
    responses((status = 200, description = "The post", body = PostId))
)]
async fn read(Path(id): Path<u64>) -> Json<PostId> {
    Json(PostId { id })
}

/// Publish a post
#[utoipa::path(
    post,
    path = "/api/posts/{id}/publish",
    params(("id" = u64, Path)),
    security(("MonoCloud" = ["posts:write"])),
    responses((status = 200, description = "The post is published", body = PostId))
)]
async fn publish(Path(id): Path<u64>) -> Json<PostId> {
    Json(PostId { id })
}

/// Delete a post
#[utoipa::path(
    delete,
    path = "/api/posts/{id}",
    params(("id" = u64, Path)),
    security(("MonoCloud" = [])),
    extensions(("x-monocloud-groups" = json!({ "any": ["admin"] }))),
    responses((status = 204, description = "The post is deleted"))
)]
async fn remove(State(posts): State<Posts>, Path(id): Path<u64>) -> StatusCode {
    posts.lock().unwrap_or_else(PoisonError::into_inner).retain(|post| post.id != id);
    StatusCode::NO_CONTENT
}

/// A readiness probe. It is for the orchestrator, so the document does not have it.
async fn ready(State(protect): State<ProtectApi>) -> (StatusCode, Json<Health>) {
    let report = protect.health();
    let status = if report.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(report))
}

/// The application, and its document as it is served.
pub(crate) fn app(protect: ProtectApi) -> Result<(Router, ApiDocument), Box<dyn Error>> {
    let routes = Router::new()
        .route("/health", get(health))
        .route("/api/me", get(me))
        .route("/api/profile", get(profile))
        .route("/api/posts", get(list).post(create))
        .route("/api/posts/{id}", get(read).delete(remove))
        .route("/api/posts/{id}/publish", post(publish))
        .with_state(Posts::default());
    let readiness = get(ready).with_state(protect.clone());
    let (api, document) = protect
        .describe_scope("posts:read", "Read posts")
        .describe_scope("posts:write", "Write posts")
        .describe_scope("posts:admin", "Administer posts")
        .implies("posts:admin", &["posts:read", "posts:write"])
        .document(&PostsApi::openapi().to_json()?)?
        .by_default(Policy::ANY_TOKEN)
        .public("GET", "/health")
        .require("POST", "/api/posts/{id}/publish", RECENT_MFA)
        .routes(routes)?;
    let mut app = api
        .route("/ready", readiness)
        .route("/openapi.json", get(document.json()))
        .nest_service("/docs", document.swagger_ui("/openapi.json"));
    // Unless the audience is an https URL, or RESOURCE is set, the API has no URL to publish.
    if let Ok(metadata) = document.serve_resource_metadata() {
        app = metadata.paths().fold(app, |app, path| app.route(path, get(metadata.clone())));
    }
    Ok((app, document))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (app, _) = app(ProtectApi::from_env()?)?;
    let listener = TcpListener::bind("127.0.0.1:3000").await?;
    axum::serve(listener, app).await?;
    Ok(())
}
