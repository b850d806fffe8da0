//! Plain poem: a guard before each handler.

use std::{io, net::TcpListener};

use futures_util::{StreamExt, stream};

use monocloud_backend::{
    Authenticated, Caller, Claims, Error, Policy, ProtectApi,
    certificate::ServerTls,
    mcp::McpGuard,
    openapi::DocumentEndpoint,
    poem::{Handlers, TlsAcceptor},
    resource::ResourceMetadata,
};
use poem::{
    Body, Endpoint, EndpointExt, Response, Route, Server, get, handler,
    http::{Method, StatusCode},
    listener::TcpAcceptor,
    middleware::Cors,
    post,
    web::Json,
};
use serde_json::Value;

use super::LISTEN;
use crate::support::{ADMIN, BOTH, GROUPS, Profile, READ, SCOPE_AND_GROUP, WRITE};

pub(super) fn serve(protect: &ProtectApi, listener: TcpListener, tls: Option<ServerTls>) {
    let app = Route::new().nest("/", api(protect)).nest("/branded", branded(api(protect)));
    run(app.with(Cors::new()), listener, tls);
}

/// The same API by a document, which requires what the guards require.
pub(super) fn serve_documented(
    protect: &ProtectApi,
    listener: TcpListener,
    tls: Option<ServerTls>,
) {
    let protect =
        protect.clone().describe_scope("posts:read", "Read").describe_scope("posts:write", "Write");
    let api = || {
        let handlers = Handlers::new()
            .get("/health", say("up"))
            .get("/any", claims)
            .get("/read", say("read"))
            .post("/write", write)
            .get("/admin", say("admin"))
            .get("/both", say("both"))
            .get("/groups", say("groups"))
            .get("/scope-and-group", say("scope and group"))
            .get("/optional", subject_or_anonymous)
            .get("/profile", profile)
            .get("/unguarded", claims);
        let (route, _) = protect.document(DOCUMENT).unwrap().routes(handlers).unwrap();
        route
    };
    let app = Route::new().nest("/", api()).nest("/branded", branded(api()));
    run(app.with(Cors::new()), listener, tls);
}

const DOCUMENT: &str = r#"
openapi: 3.1.0
info: { title: Posts, version: "1.0" }
security: [MonoCloud: []]
paths:
  /health: { get: { security: [] } }
  /any: { get: {} }
  /read: { get: { security: [MonoCloud: [posts:read]] } }
  /write: { post: { security: [MonoCloud: [posts:read, posts:write]] } }
  /admin: { get: { x-monocloud-groups: { any: [admin] } } }
  /both: { get: { x-monocloud-groups: { all: [a, b] } } }
  /groups: { get: { x-monocloud-groups: [a, b] } }
  /scope-and-group:
    get: { security: [MonoCloud: [posts:read]], x-monocloud-groups: { any: [admin] } }
  /optional: { get: { security: [MonoCloud: [], {}] } }
  /profile: { get: {} }
  /unguarded: { get: { security: [] } }
"#;

pub(super) fn serve_metadata(metadata: ResourceMetadata, listener: TcpListener) {
    let route = |app: Route, path| app.at(path, get(metadata.clone()));
    run(metadata.paths().fold(Route::new(), route), listener, None);
}

pub(super) fn serve_mcp(guard: McpGuard, listener: TcpListener) {
    run(Route::new().at("/mcp", mcp.with(guard)).with(Cors::new()), listener, None);
}

#[handler]
fn mcp(caller: Authenticated, method: Method, body: String) -> Response {
    let subject = caller.claims().subject().unwrap_or_default();
    let response = Response::builder().header("subject", subject);
    if body.contains(LISTEN) {
        let events = stream::iter([Ok::<_, io::Error>("a\n")]).chain(stream::pending());
        return response.content_type("text/event-stream").body(Body::from_bytes_stream(events));
    }
    response.body(format!("{method} {body}"))
}

pub(super) fn serve_document(document: DocumentEndpoint, listener: TcpListener) {
    run(Route::new().at("/openapi", document), listener, None);
}

pub(super) fn run(app: impl Endpoint + 'static, listener: TcpListener, tls: Option<ServerTls>) {
    let acceptor = TcpAcceptor::from_std(listener).unwrap();
    tokio::spawn(async move {
        match tls {
            None => Server::new_with_acceptor(acceptor).run(app).await,
            Some(tls) => {
                let acceptor = TlsAcceptor::new(acceptor, tls)?;
                Server::new_with_acceptor(acceptor).run(app).await
            }
        }
    });
}

/// Replaces the bodies of rejections, using the error in the response's extensions.
pub(super) fn branded(app: impl Endpoint + 'static) -> impl Endpoint {
    app.around(|app, request| async move {
        let mut response: Response = app.get_response(request).await;
        let text = response.extensions().get::<Error>().map(|error| format!("sorry: {error}"));
        if let Some(text) = text {
            response.set_body(text);
        }
        Ok(response)
    })
}

fn api(protect: &ProtectApi) -> Route {
    Route::new()
        .at("/health", get(say("up")))
        .at("/any", get(claims.with(protect.require(Policy::ANY_TOKEN))))
        .at("/read", get(say("read").with(protect.require(READ))))
        .at("/write", post(write.with(protect.require(WRITE))))
        .at("/admin", get(say("admin").with(protect.require(ADMIN))))
        .at("/both", get(say("both").with(protect.require(BOTH))))
        .at("/groups", get(say("groups").with(protect.require(GROUPS))))
        .at("/scope-and-group", get(say("scope and group").with(protect.require(SCOPE_AND_GROUP))))
        .at("/optional", get(subject_or_anonymous.with(protect.optional())))
        .at("/profile", get(profile.with(protect.require(Policy::ANY_TOKEN))))
        .at("/unguarded", get(claims))
}

fn say(text: &'static str) -> impl Endpoint {
    poem::endpoint::make_sync(move |_| text)
}

#[handler]
fn claims(caller: Authenticated) -> Json<Claims> {
    Json(caller.claims().clone())
}

#[handler]
fn write(Json(post): Json<Value>) -> poem::Result<String> {
    let title = post["title"].as_str();
    Ok(title.ok_or(StatusCode::BAD_REQUEST)?.to_owned())
}

#[handler]
fn subject_or_anonymous(caller: Caller) -> String {
    caller.claims().and_then(Claims::subject).unwrap_or("anonymous").to_owned()
}

#[handler]
fn profile(caller: Authenticated<Profile>) -> String {
    caller.claims().text(caller.token_claims())
}
