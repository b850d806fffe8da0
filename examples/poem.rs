//! A posts API on poem: a document that is written by hand is its policy.
//!
//! `cargo run --example poem --features poem` serves it against a mock tenant; log in at `/docs`.

use std::{
    error::Error,
    sync::{Arc, Mutex, PoisonError},
};

use monocloud_backend::{
    ApiDocument, Authenticated, Claims, DocumentError, ProtectApi, health::Health, poem::Handlers,
};
use poem::{
    Endpoint, EndpointExt, Route, Server, get, handler,
    http::StatusCode,
    listener::TcpListener,
    web::{Data, Json, Path},
};
use serde::{Deserialize, Serialize};

const DOCUMENT: &str = include_str!("../openapi/posts.yaml");

#[derive(Clone, Serialize)]
struct Post {
    id: u64,
    title: String,
}

#[derive(Deserialize)]
struct NewPost {
    title: String,
}

#[derive(Serialize)]
struct PostId {
    id: u64,
}

/// What `profile` reads of a token.
#[derive(Deserialize)]
struct Member {
    email: String,
    plan: Option<String>,
}

#[derive(Serialize)]
struct Profile {
    subject: Option<String>,
    email: String,
    plan: Option<String>,
}

#[derive(Default)]
struct Posts(Mutex<Vec<Post>>);

#[handler]
fn health() -> &'static str {
    "ok"
}

#[handler]
fn me(caller: Authenticated) -> Json<Claims> {
    Json(caller.claims().clone())
}

#[handler]
fn profile(caller: Authenticated<Member>) -> Json<Profile> {
    let Member { email, plan } = caller.claims();
    let subject = caller.token_claims().subject().map(str::to_owned);
    Json(Profile { subject, email: email.clone(), plan: plan.clone() })
}

#[handler]
fn list(posts: Data<&Arc<Posts>>) -> Json<Vec<Post>> {
    Json(posts.0.0.lock().unwrap_or_else(PoisonError::into_inner).clone())
}

#[handler]
fn create(posts: Data<&Arc<Posts>>, Json(new): Json<NewPost>) -> (StatusCode, Json<Post>) {
    let mut posts = posts.0.0.lock().unwrap_or_else(PoisonError::into_inner);
    let id = posts.last().map_or(1, |post| post.id + 1);
    let post = Post { id, title: new.title };
    posts.push(post.clone());
    (StatusCode::CREATED, Json(post))
}

#[handler]
fn read(Path(id): Path<u64>) -> Json<PostId> {
    Json(PostId { id })
}

#[handler]
fn publish(Path(id): Path<u64>) -> Json<PostId> {
    Json(PostId { id })
}

#[handler]
fn remove(posts: Data<&Arc<Posts>>, Path(id): Path<u64>) -> StatusCode {
    posts.0.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|post| post.id != id);
    StatusCode::NO_CONTENT
}

/// A readiness probe. It is for the orchestrator, so the document does not have it.
#[handler]
fn ready(protect: Data<&ProtectApi>) -> (StatusCode, Json<Health>) {
    let report = protect.health();
    let status = if report.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(report))
}

/// The application, and its document as it is served.
pub(crate) fn app(protect: ProtectApi) -> Result<(impl Endpoint, ApiDocument), DocumentError> {
    let handlers = Handlers::new()
        .get("/health", health)
        .get("/api/me", me)
        .get("/api/profile", profile)
        .get("/api/posts", list)
        .post("/api/posts", create)
        .get("/api/posts/:id", read)
        .post("/api/posts/:id/publish", publish)
        .delete("/api/posts/:id", remove);
    let (api, document) = protect.document(DOCUMENT)?.routes(handlers)?;
    let mut app = Route::new()
        .nest("/", api)
        .at("/ready", get(ready.data(protect)))
        .at("/openapi.json", document.json())
        .nest("/docs", document.swagger_ui("/openapi.json"));
    // Unless the audience is an https URL, or RESOURCE is set, the API has no URL to publish.
    if let Ok(metadata) = document.serve_resource_metadata() {
        app = metadata.paths().fold(app, |app, path| app.at(path, metadata.clone()));
    }
    Ok((app.data(Arc::new(Posts::default())), document))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (app, _) = app(ProtectApi::from_env()?)?;
    Server::new(TcpListener::bind("127.0.0.1:3000")).run(app).await?;
    Ok(())
}
