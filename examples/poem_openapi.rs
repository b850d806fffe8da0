//! A posts API on poem-openapi: what the document says is what is enforced.

use std::{
    error::Error,
    sync::{Mutex, PoisonError},
};

use monocloud_backend::{
    ApiDocument, DocumentError, Health, Policy, ProtectApi, Require, poem_openapi::Bearer,
};
use poem::{
    EndpointExt, Route, Server, get, handler, http::StatusCode, listener::TcpAcceptor, web,
};
use poem_openapi::{
    ApiResponse, OAuthScopes, Object, OpenApi, OpenApiService,
    param::Path,
    payload::{Json, PlainText},
};

#[derive(OAuthScopes)]
enum Scope {
    /// Read posts
    #[oai(rename = "posts:read")]
    Read,
    /// Write posts
    #[oai(rename = "posts:write")]
    Write,
}

struct Admins;

impl Require for Admins {
    const POLICY: Policy = Policy::ANY_TOKEN.any_group(&["admin"]);
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
    /// Whether the API is up
    #[oai(path = "/health", method = "get")]
    async fn health(&self) -> PlainText<&'static str> {
        PlainText("ok")
    }

    /// Who is calling
    #[oai(path = "/api/me", method = "get")]
    async fn me(&self, caller: Bearer) -> poem::Result<Json<serde_json::Value>> {
        let claims = serde_json::to_value(caller.claims());
        Ok(Json(claims.map_err(poem::error::InternalServerError)?))
    }

    /// All posts
    #[oai(path = "/api/posts", method = "get")]
    async fn list(&self, #[oai(scope = "Scope::Read")] _caller: Bearer) -> Json<Vec<Post>> {
        Json(self.posts.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    /// A new post
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

    /// One post less
    #[oai(path = "/api/posts/:id", method = "delete")]
    async fn delete(&self, _caller: Bearer<Admins>, Path(id): Path<u64>) -> Deleted {
        self.posts.lock().unwrap_or_else(PoisonError::into_inner).retain(|post| post.id != id);
        Deleted::Gone
    }
}

/// Whether tokens can be judged, and what stands in the way. For the orchestrator alone, so it is
/// no operation of the document.
#[handler]
fn ready(protect: web::Data<&ProtectApi>) -> (StatusCode, web::Json<Health>) {
    let report = protect.health();
    let status = if report.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, web::Json(report))
}

/// The application, and its document for whoever wants it without a server.
pub(crate) fn app(protect: ProtectApi) -> Result<(Route, ApiDocument), DocumentError> {
    let readiness = get(ready.data(protect.clone()));
    let (service, document) = protect
        .scopes::<Scope>()
        .secure(PostsApi::default())
        .by_default(Policy::ANY_TOKEN)
        .public("GET", "/health")
        .into_service(|api| OpenApiService::new(api, "Posts", "1.0"))?;
    let mut app = Route::new()
        .nest("/", service)
        .at("/ready", readiness)
        .at("/openapi.json", document.json())
        .nest("/docs", document.swagger_ui("/openapi.json"));
    // Only where the API has a URL of its own.
    if let Ok(metadata) = document.resource_metadata() {
        app = app.at(metadata.path(), metadata.clone());
    }
    Ok((app, document))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let start = quickstart::start().await;
    let (app, _) = app(start.protect)?;
    let acceptor = TcpAcceptor::from_std(start.listener)?;
    Server::new_with_acceptor(acceptor).run(app).await?;
    Ok(())
}
