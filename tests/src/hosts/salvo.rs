//! salvo: a guard before each handler, or a document for the policy.

use std::{convert::Infallible, net};

use futures_util::{StreamExt, stream};

use monocloud_backend::{
    Authenticated, Bearer, Caller, Claims, Error, MaybeBearer, Policy, ProtectApi, Require,
    certificate::ServerTls, mcp::McpGuard, openapi::DocumentEndpoint, policy::AnyToken,
    resource::ResourceMetadata,
};
use salvo::{
    conn::tcp::TcpAcceptor,
    cors::{self, Cors},
    oapi::{OpenApi, endpoint, extract::JsonBody},
    prelude::*,
};
use serde_json::Value;

use super::LISTEN;
use crate::support::{ADMIN, BOTH, GROUPS, Profile, READ, SCOPE_AND_GROUP, WRITE};

pub(super) fn serve(protect: &ProtectApi, listener: net::TcpListener, tls: Option<ServerTls>) {
    let api = || guarded(protect);
    run(app(api), listener, tls);
}

/// The same API by a document, which salvo generates from its endpoints.
pub(super) fn serve_documented(
    protect: &ProtectApi,
    listener: net::TcpListener,
    tls: Option<ServerTls>,
) {
    let protect =
        protect.clone().describe_scope("posts:read", "Read").describe_scope("posts:write", "Write");
    let api = || {
        let api = documented::api();
        let document = OpenApi::new("Posts", "1.0").merge_router(&api).to_json().unwrap();
        let declared = protect.document(&document).unwrap();
        let declared = declared.public("GET", "/health").public("GET", "/unguarded");
        declared.routes(api).unwrap().0
    };
    run(app(api), listener, tls);
}

pub(super) fn serve_metadata(metadata: ResourceMetadata, listener: net::TcpListener) {
    let route = |path| Router::with_path(path).get(metadata.clone());
    run(metadata.paths().fold(Router::new(), |app, path| app.push(route(path))), listener, None);
}

pub(super) fn serve_mcp(guard: McpGuard, listener: net::TcpListener) {
    run(Router::with_path("mcp").hoop(guard).goal(mcp), listener, None);
}

#[handler]
async fn mcp(
    caller: Authenticated,
    _bearer: Bearer,
    request: &mut Request,
    response: &mut Response,
) {
    let subject = caller.claims().subject().unwrap_or_default().to_owned();
    response.add_header("subject", subject, true).unwrap();
    let body = String::from_utf8(request.payload().await.unwrap().to_vec()).unwrap();
    if body.contains(LISTEN) {
        let events = stream::iter([Ok::<_, Infallible>("a\n")]).chain(stream::pending());
        response.add_header("content-type", "text/event-stream", true).unwrap();
        return response.stream(events);
    }
    response.render(format!("{} {body}", request.method()));
}

fn app(api: impl Fn() -> Router) -> Router {
    Router::new().push(Router::with_path("branded").hoop(branded).push(api())).push(api())
}

pub(super) fn serve_document(document: DocumentEndpoint, listener: net::TcpListener) {
    run(Router::with_path("openapi").goal(document), listener, None);
}

fn run(router: Router, listener: net::TcpListener, tls: Option<ServerTls>) {
    let cors = Cors::new().allow_origin("*").allow_methods(cors::Any).into_handler();
    let service = Service::new(router).hoop(preflight).hoop(cors);
    tokio::spawn(async move {
        match tls {
            None => Server::new(Bound(listener).bind().await).serve(service).await,
            Some(tls) => {
                let listener = RustlsListener::new(tls, Bound(listener));
                Server::new(listener.bind().await).serve(service).await;
            }
        }
    });
}

/// Answers a preflight with 200, as the other hosts do; salvo's own answer is 204.
#[handler]
async fn preflight(
    request: &mut Request,
    depot: &mut Depot,
    response: &mut Response,
    ctrl: &mut FlowCtrl,
) {
    ctrl.call_next(request, depot, response).await;
    if request.method() == "OPTIONS" && response.status_code == Some(StatusCode::NO_CONTENT) {
        response.status_code(StatusCode::OK);
    }
}

/// A listener that is bound already.
struct Bound(net::TcpListener);

impl Listener for Bound {
    type Acceptor = TcpAcceptor;

    async fn try_bind(self) -> salvo::Result<TcpAcceptor> {
        Ok(tokio::net::TcpListener::from_std(self.0)?.try_into()?)
    }
}

/// Replaces the bodies of rejections, using the error in the response's extensions.
#[handler]
async fn branded(
    request: &mut Request,
    depot: &mut Depot,
    response: &mut Response,
    ctrl: &mut FlowCtrl,
) {
    ctrl.call_next(request, depot, response).await;
    let text = response.extensions.get::<Error>().map(|error| format!("sorry: {error}"));
    if let Some(text) = text {
        response.body(text);
    }
}

fn guarded(protect: &ProtectApi) -> Router {
    let requiring = |policy| protect.require(policy);
    Router::new()
        .push(get("health", Say("up")))
        .push(get("any", claims).hoop(requiring(Policy::ANY_TOKEN)))
        .push(get("read", Say("read")).hoop(requiring(READ)))
        .push(Router::with_path("write").hoop(requiring(WRITE)).post(write))
        .push(get("admin", Say("admin")).hoop(requiring(ADMIN)))
        .push(get("both", Say("both")).hoop(requiring(BOTH)))
        .push(get("groups", Say("groups")).hoop(requiring(GROUPS)))
        .push(get("scope-and-group", Say("scope and group")).hoop(requiring(SCOPE_AND_GROUP)))
        .push(get("optional", subject_or_anonymous).hoop(protect.optional()))
        .push(get("profile", profile).hoop(requiring(Policy::ANY_TOKEN)))
        .push(get("unguarded", claims))
}

/// A handler for GET, and for HEAD, which salvo does not route by itself.
fn get(path: &str, handler: impl Handler) -> Router {
    let handler = handler.arc();
    Router::with_path(path).get(handler.clone()).head(handler)
}

/// A handler that answers with this text.
pub struct Say(pub &'static str);

#[handler]
impl Say {
    async fn handle(&self) -> &'static str {
        self.0
    }
}

#[handler]
async fn claims(caller: Authenticated) -> Json<Claims> {
    Json(caller.claims().clone())
}

#[handler]
async fn write(post: JsonBody<Value>) -> Result<String, StatusError> {
    title(&post)
}

#[handler]
async fn subject_or_anonymous(caller: Caller) -> String {
    caller.claims().and_then(Claims::subject).unwrap_or("anonymous").to_owned()
}

#[handler]
async fn profile(caller: Authenticated<Profile>) -> String {
    caller.claims().text(caller.token_claims())
}

fn title(post: &Value) -> Result<String, StatusError> {
    post["title"].as_str().map(str::to_owned).ok_or_else(StatusError::bad_request)
}

/// Endpoints that declare what they need, by salvo's attribute or by the type of an argument.
mod documented {
    use super::*;

    pub(super) fn api() -> Router {
        let at = Router::with_path;
        // salvo finds an endpoint by its type, which `Arc` hides.
        Router::new()
            .push(at("health").get(health))
            .push(at("any").get(any))
            .push(at("read").get(read))
            .push(at("write").post(write))
            .push(at("admin").get(admin))
            .push(at("both").get(both))
            .push(at("groups").get(groups))
            .push(at("scope-and-group").get(scope_and_group))
            .push(at("optional").get(optional))
            .push(at("profile").get(profile))
            .push(at("unguarded").get(unguarded))
    }

    named_policies! {
        Admins = ADMIN;
        Both = BOTH;
        Groups = GROUPS;
        ReadingAdmins = SCOPE_AND_GROUP;
    }

    #[endpoint]
    async fn health() -> &'static str {
        "up"
    }

    #[endpoint]
    async fn any(caller: Bearer) -> Json<Value> {
        Json(serde_json::to_value(caller.claims()).unwrap())
    }

    #[endpoint(security(("MonoCloud" = ["posts:read"])))]
    async fn read() -> &'static str {
        "read"
    }

    #[endpoint(security(("MonoCloud" = ["posts:read", "posts:write"])))]
    async fn write(post: JsonBody<Value>) -> Result<String, StatusError> {
        title(&post)
    }

    #[endpoint]
    async fn admin(_caller: Bearer<Admins>) -> &'static str {
        "admin"
    }

    #[endpoint]
    async fn both(_caller: Bearer<Both>) -> &'static str {
        "both"
    }

    #[endpoint]
    async fn groups(_caller: Bearer<Groups>) -> &'static str {
        "groups"
    }

    #[endpoint]
    async fn scope_and_group(_caller: Bearer<ReadingAdmins>) -> &'static str {
        "scope and group"
    }

    #[endpoint]
    async fn optional(caller: MaybeBearer) -> String {
        caller.claims().and_then(Claims::subject).unwrap_or("anonymous").to_owned()
    }

    #[endpoint]
    async fn profile(caller: Bearer<AnyToken, Profile>, _same: Authenticated<Profile>) -> String {
        caller.claims().text(caller.token_claims())
    }

    #[endpoint]
    async fn unguarded(caller: Authenticated) -> Json<Value> {
        Json(serde_json::to_value(caller.claims()).unwrap())
    }
}
