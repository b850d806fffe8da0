//! salvo: a guard before each handler.

use std::net;

use monocloud_backend::{Authenticated, Caller, Claims, Error, Policy, ProtectApi, ServerTls};
use salvo::{
    conn::tcp::TcpAcceptor,
    cors::{self, Cors},
    oapi::extract::JsonBody,
    prelude::*,
};
use serde_json::Value;

use super::{ADMIN, BOTH, GROUPS, READ, SCOPE_AND_GROUP, WRITE};

pub(super) fn serve(protect: &ProtectApi, listener: net::TcpListener, tls: Option<ServerTls>) {
    let branded = Router::with_path("branded").hoop(branded).push(api(protect));
    run(Router::new().push(branded).push(api(protect)), listener, tls);
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

/// Replaces the bodies of refusals, by the error that rides in the response's extensions.
#[handler]
async fn branded(
    request: &mut Request,
    depot: &mut Depot,
    response: &mut Response,
    ctrl: &mut FlowCtrl,
) {
    ctrl.call_next(request, depot, response).await;
    let refusal = response.extensions.get::<Error>().map(|error| format!("sorry: {error}"));
    if let Some(text) = refusal {
        response.body(text);
    }
}

fn api(protect: &ProtectApi) -> Router {
    let any = Policy::ANY_TOKEN;
    Router::new()
        .push(get("health", Say("up")))
        .push(get("any", claims).hoop(protect.require(any)))
        .push(get("read", Say("read")).hoop(protect.require(READ)))
        .push(Router::with_path("write").hoop(protect.require(WRITE)).post(write))
        .push(get("admin", Say("admin")).hoop(protect.require(ADMIN)))
        .push(get("both", Say("both")).hoop(protect.require(BOTH)))
        .push(get("groups", Say("groups")).hoop(protect.require(GROUPS)))
        .push(get("scope-and-group", Say("scope and group")).hoop(protect.require(SCOPE_AND_GROUP)))
        .push(get("optional", whoever).hoop(protect.optional()))
        .push(get("unguarded", claims))
}

/// A handler for GET, and for HEAD, which salvo leaves to whoever wants it.
fn get(path: &str, handler: impl Handler) -> Router {
    let handler = handler.arc();
    Router::with_path(path).get(handler.clone()).head(handler)
}

struct Say(&'static str);

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
    let title = post["title"].as_str();
    Ok(title.ok_or_else(StatusError::bad_request)?.to_owned())
}

#[handler]
async fn whoever(caller: Caller) -> String {
    caller.claims().and_then(Claims::subject).unwrap_or("anonymous").to_owned()
}
