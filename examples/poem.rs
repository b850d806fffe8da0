//! A posts API on plain poem: a policy is a constant, a guard stands before each handler.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
};

use monocloud_backend::{Authenticated, Claims, Policy, ProtectApi};
use poem::{
    Endpoint, EndpointExt, Route, Server, delete, get, handler,
    http::StatusCode,
    listener::TcpAcceptor,
    web::{Data, Json, Path},
};
use serde::{Deserialize, Serialize};

const READ: Policy = Policy::ANY_TOKEN.scopes(&["posts:read"]);
const WRITE: Policy = Policy::ANY_TOKEN.scopes(&["posts:read", "posts:write"]);
const ADMIN: Policy = Policy::ANY_TOKEN.any_group(&["admin"]);

#[derive(Clone, Serialize)]
struct Post {
    id: u64,
    title: String,
}

#[derive(Deserialize)]
struct NewPost {
    title: String,
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
fn remove(posts: Data<&Arc<Posts>>, Path(id): Path<u64>) -> StatusCode {
    posts.0.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|post| post.id != id);
    StatusCode::NO_CONTENT
}

fn app(protect: &ProtectApi) -> impl Endpoint + use<> {
    Route::new()
        .at("/health", get(health))
        .at("/api/me", get(me.with(protect.require(Policy::ANY_TOKEN))))
        .at(
            "/api/posts",
            get(list.with(protect.require(READ))).post(create.with(protect.require(WRITE))),
        )
        .at("/api/posts/:id", delete(remove.with(protect.require(ADMIN))))
        .data(Arc::new(Posts::default()))
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let start = quickstart::start().await;
    let acceptor = TcpAcceptor::from_std(start.listener)?;
    Server::new_with_acceptor(acceptor).run(app(&start.protect)).await
}
