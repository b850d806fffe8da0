//! A posts API on axum: what its utoipa document says is what is enforced.

use std::{
    error::Error,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Json, Router,
    extract::{Path, State, rejection::JsonRejection},
    http::StatusCode,
    routing::{delete, get},
};
use monocloud_backend::{ApiDocument, Authenticated, Claims, Health, Policy, ProtectApi};
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};

#[derive(OpenApi)]
#[openapi(info(title = "Posts", version = "1.0"), paths(health, me, list, create, remove))]
struct PostsApi;

#[derive(Clone, Serialize, ToSchema)]
struct Post {
    id: u64,
    title: String,
}

#[derive(Deserialize, ToSchema)]
struct NewPost {
    title: String,
}

type Posts = Arc<Mutex<Vec<Post>>>;

/// Whether the API is up
#[utoipa::path(get, path = "/health", responses((status = 200, description = "It is", body = str)))]
async fn health() -> &'static str {
    "ok"
}

/// Who is calling
#[utoipa::path(get, path = "/api/me", responses((status = 200, description = "What the token says", body = serde_json::Value)))]
async fn me(caller: Authenticated) -> Json<Claims> {
    Json(caller.claims().clone())
}

/// All posts
#[utoipa::path(
    get,
    path = "/api/posts",
    security(("MonoCloud" = ["posts:read"])),
    responses((status = 200, description = "All posts", body = Vec<Post>))
)]
async fn list(State(posts): State<Posts>) -> Json<Vec<Post>> {
    Json(posts.lock().unwrap_or_else(PoisonError::into_inner).clone())
}

/// A new post
#[utoipa::path(
    post,
    path = "/api/posts",
    security(("MonoCloud" = ["posts:read", "posts:write"])),
    request_body = NewPost,
    responses(
        (status = 201, description = "The post", body = Post),
        (status = 400, description = "The body is no post", body = str)
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

/// One post less
#[utoipa::path(
    delete,
    path = "/api/posts/{id}",
    params(("id" = u64, Path)),
    security(("MonoCloud" = [])),
    extensions(("x-monocloud-groups" = json!({ "any": ["admin"] }))),
    responses((status = 204, description = "It is gone"))
)]
async fn remove(State(posts): State<Posts>, Path(id): Path<u64>) -> StatusCode {
    posts.lock().unwrap_or_else(PoisonError::into_inner).retain(|post| post.id != id);
    StatusCode::NO_CONTENT
}

/// Whether tokens can be judged, and what stands in the way. For the orchestrator alone, so it is
/// no operation of the document.
async fn ready(State(protect): State<ProtectApi>) -> (StatusCode, Json<Health>) {
    let report = protect.health();
    let status = if report.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(report))
}

/// The application, and its document for whoever wants it without a server.
pub(crate) fn app(protect: ProtectApi) -> Result<(Router, ApiDocument), Box<dyn Error>> {
    let routes = Router::new()
        .route("/health", get(health))
        .route("/api/me", get(me))
        .route("/api/posts", get(list).post(create))
        .route("/api/posts/{id}", delete(remove))
        .with_state(Posts::default());
    let readiness = get(ready).with_state(protect.clone());
    let (api, document) = protect
        .scope("posts:read", "Read posts")
        .scope("posts:write", "Write posts")
        .from_document(&PostsApi::openapi().to_json()?)?
        .by_default(Policy::ANY_TOKEN)
        .public("GET", "/health")
        .routes(routes)?;
    let mut app = api
        .route("/ready", readiness)
        .route("/openapi.json", get(document.json()))
        .nest_service("/docs", document.swagger_ui("/openapi.json"));
    // Only where the API has a URL of its own.
    if let Ok(metadata) = document.resource_metadata() {
        app = app.route(metadata.path(), get(metadata.clone()));
    }
    Ok((app, document))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let start = quickstart::start().await;
    let (app, _) = app(start.protect)?;
    let listener = tokio::net::TcpListener::from_std(start.listener)?;
    axum::serve(listener, app).await?;
    Ok(())
}
