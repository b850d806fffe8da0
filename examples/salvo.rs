//! A posts API on salvo: what the endpoints declare is the document, and is enforced.
//!
//! `cargo run --example salvo --features salvo` serves it against a mock tenant; log in at `/docs`.

use std::{
    error::Error,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use monocloud_backend::{
    ApiDocument, Authenticated, Bearer, Policy, ProtectApi, Require, policy::AnyToken,
};
use salvo::{
    oapi::{
        ToSchema,
        extract::{JsonBody, PathParam},
    },
    prelude::*,
};
use serde::{Deserialize, Serialize};

struct Admins;

impl Require for Admins {
    const POLICY: Policy = Policy::ANY_TOKEN.any_group(&["admin"]);
}

struct ReadersAndAdmins;

impl Require for ReadersAndAdmins {
    const POLICY: Policy =
        Policy::any_of(&[Policy::ANY_TOKEN.scopes(&["posts:read"]), Admins::POLICY]);
}

/// The user may write posts, and has logged in with a second factor within five minutes.
struct Publishers;

impl Require for Publishers {
    const POLICY: Policy = Policy::ANY_TOKEN
        .scopes(&["posts:write"])
        .acr_values(&["urn:example:mfa"])
        .max_age(Duration::from_secs(300));
}

#[derive(Clone, Serialize, ToSchema)]
#[salvo(schema(name = "Post"))]
struct Post {
    id: u64,
    title: String,
}

#[derive(Deserialize, ToSchema)]
#[salvo(schema(name = "NewPost"))]
struct NewPost {
    title: String,
}

#[derive(Serialize, ToSchema)]
#[salvo(schema(name = "PostId"))]
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
#[salvo(schema(name = "Profile"))]
struct Profile {
    subject: Option<String>,
    email: String,
    plan: Option<String>,
}

static POSTS: Mutex<Vec<Post>> = Mutex::new(Vec::new());

/// Liveness
#[endpoint(operation_id = "health")]
async fn health() -> &'static str {
    "ok"
}

/// The caller's claims
#[endpoint(
    operation_id = "me",
    responses((status_code = 200, description = "The claims of the token", body = serde_json::Value))
)]
async fn me(caller: Authenticated, res: &mut Response) {
    res.render(Json(caller.claims()));
}

/// The caller's profile
#[endpoint(operation_id = "profile")]
async fn profile(caller: Bearer<AnyToken, Member>) -> Json<Profile> {
    let Member { email, plan } = caller.claims();
    let subject = caller.token_claims().subject().map(str::to_owned);
    Json(Profile { subject, email: email.clone(), plan: plan.clone() })
}

/// List posts
#[endpoint(operation_id = "list", security(("MonoCloud" = ["posts:read"])))]
async fn list() -> Json<Vec<Post>> {
    Json(POSTS.lock().unwrap_or_else(PoisonError::into_inner).clone())
}

/// Create a post
#[endpoint(
    operation_id = "create",
    security(("MonoCloud" = ["posts:read", "posts:write"])),
    responses(
        (status_code = 201, description = "The new post", body = Post),
        (status_code = 400, description = "The body is not valid")
    )
)]
async fn create(new: JsonBody<NewPost>, res: &mut Response) {
    let mut posts = POSTS.lock().unwrap_or_else(PoisonError::into_inner);
    let id = posts.last().map_or(1, |post| post.id + 1);
    let post = Post { id, title: new.into_inner().title };
    posts.push(post.clone());
    res.status_code(StatusCode::CREATED).render(Json(post));
}

/// Read a post
#[endpoint(operation_id = "read")]
async fn read(_caller: Bearer<ReadersAndAdmins>, id: PathParam<u64>) -> Json<PostId> {
    Json(PostId { id: *id })
}

/// Publish a post
#[endpoint(operation_id = "publish")]
async fn publish(_caller: Bearer<Publishers>, id: PathParam<u64>) -> Json<PostId> {
    Json(PostId { id: *id })
}

/// Delete a post
#[endpoint(
    operation_id = "remove",
    responses((status_code = 204, description = "The post is deleted"))
)]
async fn remove(_caller: Bearer<Admins>, id: PathParam<u64>, res: &mut Response) {
    POSTS.lock().unwrap_or_else(PoisonError::into_inner).retain(|post| post.id != *id);
    res.status_code(StatusCode::NO_CONTENT);
}

/// A readiness probe. It is for the orchestrator, so the document does not have it.
struct Ready(ProtectApi);

#[handler]
impl Ready {
    async fn handle(&self, res: &mut Response) {
        let report = self.0.health();
        let status = if report.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        res.status_code(status).render(Json(report));
    }
}

/// The application, and its document as it is served.
pub(crate) fn app(protect: ProtectApi) -> Result<(Router, ApiDocument), Box<dyn Error>> {
    let routes = Router::new()
        .push(Router::with_path("health").get(health))
        .push(Router::with_path("api/me").get(me))
        .push(Router::with_path("api/profile").get(profile))
        .push(Router::with_path("api/posts").get(list).post(create))
        .push(Router::with_path("api/posts/{id}").get(read).delete(remove))
        .push(Router::with_path("api/posts/{id}/publish").post(publish));
    let ready = Ready(protect.clone());
    let (api, document) = protect
        .describe_scope("posts:read", "Read posts")
        .describe_scope("posts:write", "Write posts")
        .describe_scope("posts:admin", "Administer posts")
        .implies("posts:admin", &["posts:read", "posts:write"])
        .document(&OpenApi::new("Posts", "1.0").merge_router(&routes).to_json()?)?
        .by_default(Policy::ANY_TOKEN)
        .public("GET", "/health")
        .routes(routes)?;
    let mut app = Router::new()
        .push(api)
        .push(Router::with_path("ready").get(ready))
        .push(Router::with_path("openapi.json").get(document.json()))
        .push(Router::with_path("docs/{**rest}").get(document.swagger_ui("/openapi.json")));
    // Unless the audience is an https URL, or RESOURCE is set, the API has no URL to publish.
    if let Ok(metadata) = document.serve_resource_metadata() {
        for path in metadata.paths() {
            app = app.push(Router::with_path(path).get(metadata.clone()));
        }
    }
    Ok((app, document))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (app, _) = app(ProtectApi::from_env()?)?;
    Server::new(TcpListener::new("127.0.0.1:3000").bind().await).serve(app).await;
    Ok(())
}
