//! A posts API on poem-openapi: what the operations declare is the document, and is enforced.
//!
//! `cargo run --example poem_openapi` serves it against a mock tenant; log in at `/docs`.

use std::{
    error::Error,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use monocloud_backend::{
    ApiDocument, Bearer, DocumentError, Policy, ProtectApi, Require, health::Health,
    policy::AnyToken,
};
use poem::{
    EndpointExt, Route, Server, get, handler, http::StatusCode, listener::TcpListener, web,
};
use poem_openapi::{
    ApiResponse, OAuthScopes, Object, OpenApi, OpenApiService,
    param::Path,
    payload::{Json, PlainText},
};
use serde::Deserialize;

#[derive(OAuthScopes)]
enum Scope {
    /// Read posts
    #[oai(rename = "posts:read")]
    Read,
    /// Write posts
    #[oai(rename = "posts:write")]
    Write,
    /// Administer posts
    #[oai(rename = "posts:admin")]
    Admin,
}

struct Admins;

impl Require for Admins {
    const POLICY: Policy = Policy::ANY_TOKEN.any_group(&["admin"]);
}

struct ReadersAndAdmins;

impl Require for ReadersAndAdmins {
    const POLICY: Policy =
        Policy::any_of(&[Policy::ANY_TOKEN.scopes(&["posts:read"]), Admins::POLICY]);
}

/// The user has logged in with a second factor, within five minutes.
struct RecentMfa;

impl Require for RecentMfa {
    const POLICY: Policy =
        Policy::ANY_TOKEN.acr_values(&["urn:example:mfa"]).max_age(Duration::from_secs(300));
}

#[derive(Clone, Object)]
struct Post {
    id: u64,
    title: String,
}

#[derive(Object)]
struct NewPost {
    title: String,
}

#[derive(Object)]
struct PostId {
    id: u64,
}

/// What `profile` reads of a token.
#[derive(Deserialize)]
struct Member {
    email: String,
    plan: Option<String>,
}

#[derive(Object)]
struct Profile {
    subject: Option<String>,
    email: String,
    plan: Option<String>,
}

#[derive(ApiResponse)]
enum Created {
    #[oai(status = 201)]
    Post(Json<Post>),
}

#[derive(ApiResponse)]
enum Deleted {
    #[oai(status = 204)]
    Gone,
}

#[derive(Default)]
struct PostsApi {
    posts: Mutex<Vec<Post>>,
}

#[OpenApi]
impl PostsApi {
    /// Liveness
    #[oai(path = "/health", method = "get")]
    async fn health(&self) -> PlainText<&'static str> {
        PlainText("ok")
    }

    /// The caller's claims
    #[oai(path = "/api/me", method = "get")]
    async fn me(&self, caller: Bearer) -> poem::Result<Json<serde_json::Value>> {
        let claims = serde_json::to_value(caller.claims());
        Ok(Json(claims.map_err(poem::error::InternalServerError)?))
    }

    /// The caller's profile
    #[oai(path = "/api/profile", method = "get")]
    async fn profile(&self, caller: Bearer<AnyToken, Member>) -> Json<Profile> {
        let Member { email, plan } = caller.claims();
        let subject = caller.token_claims().subject().map(str::to_owned);
        Json(Profile { subject, email: email.clone(), plan: plan.clone() })
    }

    /// List posts
    #[oai(path = "/api/posts", method = "get")]
    async fn list(&self, #[oai(scope = "Scope::Read")] _caller: Bearer) -> Json<Vec<Post>> {
        Json(self.posts.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    /// Create a post
    #[oai(path = "/api/posts", method = "post")]
    async fn create(
        &self,
        #[oai(scope = "Scope::Read", scope = "Scope::Write")] _caller: Bearer,
        Json(new): Json<NewPost>,
    ) -> Created {
        let mut posts = self.posts.lock().unwrap_or_else(PoisonError::into_inner);
        let id = posts.last().map_or(1, |post| post.id + 1);
        let post = Post { id, title: new.title };
        posts.push(post.clone());
        Created::Post(Json(post))
    }

    /// Read a post
    #[oai(path = "/api/posts/:id", method = "get")]
    async fn read(&self, _caller: Bearer<ReadersAndAdmins>, Path(id): Path<u64>) -> Json<PostId> {
        Json(PostId { id })
    }

    /// Publish a post
    #[oai(path = "/api/posts/:id/publish", method = "post")]
    async fn publish(
        &self,
        #[oai(scope = "Scope::Write")] _caller: Bearer<RecentMfa>,
        Path(id): Path<u64>,
    ) -> Json<PostId> {
        Json(PostId { id })
    }

    /// Delete a post
    #[oai(path = "/api/posts/:id", method = "delete")]
    async fn delete(&self, _caller: Bearer<Admins>, Path(id): Path<u64>) -> Deleted {
        self.posts.lock().unwrap_or_else(PoisonError::into_inner).retain(|post| post.id != id);
        Deleted::Gone
    }
}

/// A readiness probe. It is for the orchestrator, so the document does not have it.
#[handler]
fn ready(protect: web::Data<&ProtectApi>) -> (StatusCode, web::Json<Health>) {
    let report = protect.health();
    let status = if report.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, web::Json(report))
}

/// The application, and its document as it is served.
pub(crate) fn app(protect: ProtectApi) -> Result<(Route, ApiDocument), DocumentError> {
    let readiness = get(ready.data(protect.clone()));
    let (service, document) = protect
        .describe_scopes::<Scope>()
        .implies("posts:admin", &["posts:read", "posts:write"])
        .secure(PostsApi::default())
        .by_default(Policy::ANY_TOKEN)
        .public("GET", "/health")
        .into_service(|api| OpenApiService::new(api, "Posts", "1.0"))?;
    let mut app = Route::new()
        .nest("/", service)
        .at("/ready", readiness)
        .at("/openapi.json", document.json())
        .nest("/docs", document.swagger_ui("/openapi.json"));
    // Unless the audience is an https URL, or RESOURCE is set, the API has no URL to publish.
    if let Ok(metadata) = document.serve_resource_metadata() {
        app = metadata.paths().fold(app, |app, path| app.at(path, metadata.clone()));
    }
    Ok((app, document))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (app, _) = app(ProtectApi::from_env()?)?;
    Server::new(TcpListener::bind("127.0.0.1:3000")).run(app).await?;
    Ok(())
}
