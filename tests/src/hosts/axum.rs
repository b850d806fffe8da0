//! axum: a guard on the methods of each route, or a document for the policy.

use std::{convert::Infallible, net::TcpListener};

use axum::{
    Json, Router,
    body::Body,
    extract::Request,
    http::{
        HeaderValue, Method, StatusCode,
        header::{
            ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_REQUEST_METHOD, CONTENT_TYPE, ORIGIN,
        },
    },
    middleware::{Next, from_fn, map_response},
    response::Response,
    routing::{MethodRouter, any as any_method, get, post},
};
use futures_util::{StreamExt, stream};
use monocloud_backend::{
    Authenticated, Bearer, Caller, Claims, Error, Guard, Policy, ProtectApi, axum::TlsAcceptor,
    certificate::ServerTls, mcp::McpGuard, openapi::DocumentEndpoint, policy::AnyToken,
    resource::ResourceMetadata,
};
use serde_json::Value;
use utoipa::OpenApi;

use super::LISTEN;
use crate::support::{ADMIN, BOTH, GROUPS, Profile, READ, SCOPE_AND_GROUP, WRITE};

pub(super) fn serve(protect: &ProtectApi, listener: TcpListener, tls: Option<ServerTls>) {
    run(router(protect, |methods, guard| methods.route_layer(guard)), listener, tls);
}

pub(super) fn serve_documented(
    protect: &ProtectApi,
    listener: TcpListener,
    tls: Option<ServerTls>,
) {
    let router = router(protect, |methods, _| methods);
    let protect =
        protect.clone().describe_scope("posts:read", "Read").describe_scope("posts:write", "Write");
    let api = protect.document(&Api::openapi().to_json().unwrap()).unwrap();
    let api = api.public("GET", "/health").public("GET", "/unguarded");
    let (router, _) = api.routes(router).unwrap();
    run(router, listener, tls);
}

pub(super) fn serve_metadata(metadata: ResourceMetadata, listener: TcpListener) {
    let route = |app: Router, path| app.route(path, get(metadata.clone()));
    run(metadata.paths().fold(Router::new(), route), listener, None);
}

pub(super) fn serve_document(document: DocumentEndpoint, listener: TcpListener) {
    run(Router::new().route("/openapi", get(document)), listener, None);
}

pub(super) fn serve_mcp(guard: McpGuard, listener: TcpListener) {
    run(Router::new().route("/mcp", any_method(mcp).layer(guard)), listener, None);
}

async fn mcp(caller: Authenticated, _: Bearer, method: Method, body: String) -> Response {
    let subject = caller.claims().subject().unwrap_or_default().to_owned();
    let response = Response::builder().header("subject", subject);
    if body.contains(LISTEN) {
        let events = stream::iter([Ok::<_, Infallible>("a\n")]).chain(stream::pending());
        let response = response.header(CONTENT_TYPE, "text/event-stream");
        return response.body(Body::from_stream(events)).unwrap();
    }
    response.body(format!("{method} {body}").into()).unwrap()
}

fn router(protect: &ProtectApi, guarded: fn(MethodRouter, Guard) -> MethodRouter) -> Router {
    let requiring = |policy, methods| guarded(methods, protect.require(policy));
    Router::new()
        .route("/health", get(health))
        .route("/any", requiring(Policy::ANY_TOKEN, get(any)))
        .route("/read", requiring(READ, get(read)))
        .route("/write", requiring(WRITE, post(write)))
        .route("/admin", requiring(ADMIN, get(admin)))
        .route("/both", requiring(BOTH, get(both)))
        .route("/groups", requiring(GROUPS, get(groups)))
        .route("/scope-and-group", requiring(SCOPE_AND_GROUP, get(scope_and_group)))
        .route("/optional", guarded(get(optional), protect.optional()))
        .route("/profile", requiring(Policy::ANY_TOKEN, get(profile)))
        .route("/unguarded", get(unguarded))
}

fn run(api: Router, listener: TcpListener, tls: Option<ServerTls>) {
    let branded = api.clone().layer(map_response(branded));
    let app = api.nest("/branded", branded).layer(from_fn(cors));
    tokio::spawn(async move {
        match tls {
            None => {
                let listener = tokio::net::TcpListener::from_std(listener)?;
                axum::serve(listener, app).await
            }
            Some(tls) => {
                let server = axum_server::from_tcp(listener)?.acceptor(TlsAcceptor::new(tls)?);
                server.serve(app.into_make_service()).await
            }
        }
    });
}

/// Replaces the bodies of rejections, using the error in the response's extensions.
async fn branded(mut response: Response) -> Response {
    let text = response.extensions().get::<Error>().map(|error| format!("sorry: {error}"));
    if let Some(text) = text {
        *response.body_mut() = Body::from(text);
    }
    response
}

/// Answers preflights, and lets every origin read the answers to the rest.
async fn cors(request: Request, next: Next) -> Response {
    let is_preflight = request.method() == Method::OPTIONS
        && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    let has_origin = request.headers().contains_key(ORIGIN);
    let mut response = if is_preflight { Response::default() } else { next.run(request).await };
    if has_origin {
        let any_origin = HeaderValue::from_static("*");
        response.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, any_origin);
    }
    response
}

#[derive(OpenApi)]
#[openapi(paths(
    health,
    any,
    read,
    write,
    admin,
    both,
    groups,
    scope_and_group,
    optional,
    profile,
    unguarded
))]
struct Api;

#[utoipa::path(get, path = "/health", responses((status = 200, description = "")))]
async fn health() -> &'static str {
    "up"
}

#[utoipa::path(get, path = "/any", security(("MonoCloud" = [])), responses((status = 200, description = "")))]
async fn any(caller: Authenticated) -> Json<Claims> {
    Json(caller.claims().clone())
}

#[utoipa::path(get, path = "/read", security(("MonoCloud" = ["posts:read"])), responses((status = 200, description = "")))]
async fn read() -> &'static str {
    "read"
}

#[utoipa::path(
    post,
    path = "/write",
    security(("MonoCloud" = ["posts:read", "posts:write"])),
    responses((status = 200, description = ""))
)]
async fn write(Json(post): Json<Value>) -> Result<String, StatusCode> {
    post["title"].as_str().map(str::to_owned).ok_or(StatusCode::BAD_REQUEST)
}

#[utoipa::path(
    get,
    path = "/admin",
    security(("MonoCloud" = [])),
    extensions(("x-monocloud-groups" = json!({ "any": ["admin"] }))),
    responses((status = 200, description = ""))
)]
async fn admin() -> &'static str {
    "admin"
}

#[utoipa::path(
    get,
    path = "/both",
    security(("MonoCloud" = [])),
    extensions(("x-monocloud-groups" = json!({ "all": ["a", "b"] }))),
    responses((status = 200, description = ""))
)]
async fn both() -> &'static str {
    "both"
}

#[utoipa::path(
    get,
    path = "/groups",
    security(("MonoCloud" = [])),
    extensions(("x-monocloud-groups" = json!(["a", "b"]))),
    responses((status = 200, description = ""))
)]
async fn groups() -> &'static str {
    "groups"
}

#[utoipa::path(
    get,
    path = "/scope-and-group",
    security(("MonoCloud" = ["posts:read"])),
    extensions(("x-monocloud-groups" = json!({ "any": ["admin"] }))),
    responses((status = 200, description = ""))
)]
async fn scope_and_group() -> &'static str {
    "scope and group"
}

#[utoipa::path(get, path = "/optional", security((), ("MonoCloud" = [])), responses((status = 200, description = "")))]
async fn optional(caller: Caller) -> String {
    caller.claims().and_then(Claims::subject).unwrap_or("anonymous").to_owned()
}

#[utoipa::path(get, path = "/profile", security(("MonoCloud" = [])), responses((status = 200, description = "")))]
async fn profile(caller: Authenticated<Profile>, _: Bearer<AnyToken, Profile>) -> String {
    caller.claims().text(caller.token_claims())
}

#[utoipa::path(get, path = "/unguarded", responses((status = 200, description = "")))]
async fn unguarded(caller: Authenticated) -> Json<Claims> {
    Json(caller.claims().clone())
}
