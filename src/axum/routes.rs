//! A router beside a document: who may call each of its handlers is settled when the API starts.
//!
//! axum's router does not list its routes. So a gate is put before each of its handlers, and probes
//! are sent: requests that a gate answers itself, saying at which route it stands. To the answer
//! for a method that nobody handles, axum adds the methods that somebody does (`Allow`). With what
//! was learnt so, every gate is told what the document says. A gate that no probe has come to stays
//! shut, and the API does not start. Later, a request finds its guard without looking for it, and
//! the router may be nested.

use std::{
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
    pin::pin,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    task::{Context, Poll, Waker},
};

use ::axum::{
    Router,
    body::Body,
    extract::{MatchedPath, Request},
    http::{Method, StatusCode, header::ALLOW},
    response::{IntoResponse, Response},
    routing::Route,
};
use tower_layer::Layer;
use tower_service::Service;

use super::{Answer, guarded};
use crate::{
    error::{Error, Internal},
    openapi::{
        Declaration, Routes,
        operations::{Dialect, Place},
    },
    protect::Guard,
    refusal::{Realm, Refusal},
};

/// What is routed is guarded; what is added to the router afterwards is not.
impl Routes for Router {
    type Guarded = Self;

    fn guard(self, declaration: &Declaration<'_>) -> (Self, Vec<String>) {
        // A handler that waits for its state would get another gate with each request.
        let router = self.with_state(());
        if !router.has_routes() {
            return (router, declaration.operations([], DIALECT).problems());
        }
        let gates = Gates::default();
        let paths = paths(&router, declaration);
        let router = router.route_layer(gates.clone());
        let (routes, mut problems) = explore(router.clone(), paths);

        let operations = declaration.operations(routes.keys().cloned(), DIALECT);
        problems.extend(operations.problems());
        problems.extend(operations.undocumented());
        for ((path, method), gate) in &routes {
            let Ok(method) = Method::from_bytes(method.as_bytes()) else { continue };
            match operations.at(path, &method) {
                Place::Operation(_, access) if !access.is_public() => {
                    gate.settle(Entry::Guarded(declaration.protect.guard(access.clone())));
                }
                Place::Operation(..) => gate.settle(Entry::Open),
                Place::Hidden if operations.is_listed(path, &method) => gate.settle(Entry::Open),
                // The problems say so, and nothing is served.
                Place::Hidden | Place::Unclear => {}
            }
        }
        if problems.is_empty() && gates.is_any_shut() {
            problems.push("a handler is routed where no request for its path arrives".to_owned());
        }
        (router, problems)
    }
}

const DIALECT: Dialect = Dialect { is_route, lists_route };

/// axum writes `{id}` and `{*rest}` where a document writes `{id}`, and `{{` for a literal brace.
fn is_route(documented: &str, routed: &str) -> bool {
    let is_parameter = |segment: &str| segment.starts_with('{') && !segment.starts_with("{{");
    let is_same = |documented: &str, routed: &str| {
        documented == routed || (is_parameter(documented) && is_parameter(routed))
    };
    documented.split('/').count() == routed.split('/').count()
        && documented.split('/').zip(routed.split('/')).all(|(one, other)| is_same(one, other))
}

fn lists_route(written: &str, routed: &str) -> bool {
    written == routed || is_route(written, routed)
}

/// axum routes the methods of RFC 9110 alone.
const NOBODYS_METHOD: &str = "PROBE";

/// Every path that may be routed. Those that nobody declared are found in what the router shows
/// when it is debugged, and the problems can name them; should axum show less one day, their gates
/// stay shut all the same.
fn paths(router: &Router, declaration: &Declaration<'_>) -> BTreeSet<String> {
    let shown = format!("{router:?}");
    let shown = shown.split('"').filter(|part| part.starts_with('/'));
    shown.chain(declaration.paths()).map(str::to_owned).collect()
}

/// The gates by path and method, and what speaks against starting already.
fn explore(
    router: Router,
    paths: BTreeSet<String>,
) -> (BTreeMap<(String, String), Arc<Gate>>, Vec<String>) {
    // No probe may come to the application's own fallback.
    let mut router = router.reset_fallback();
    let mut routes = BTreeMap::new();
    let mut problems = BTreeSet::new();
    for path in paths {
        let reached = probe(&mut router, NOBODYS_METHOD, &path);
        let Some(Reached { gate, route: Some(route), methods }) = reached else { continue };
        if methods.is_empty() {
            problems.insert(format!(
                "ANY {route}: it takes every method, which no document says; route each by name, or add it to the router that is returned"
            ));
            continue;
        }
        gate.settle(Entry::NoMethod);
        let mut gates = BTreeMap::new();
        for method in methods {
            let reached = probe(&mut router, &method, &path);
            gates.extend(reached.map(|reached| (method, reached.gate)));
        }
        // The handler of GET takes HEAD too, and is judged as what it is.
        if let (Some(head), Some(get)) = (gates.get("HEAD"), gates.get("GET"))
            && Arc::ptr_eq(head, get)
        {
            gates.remove("HEAD");
        }
        routes.extend(gates.into_iter().map(|(method, gate)| ((route.clone(), method), gate)));
    }
    (routes, problems.into_iter().collect())
}

/// Where a probe has come to.
#[derive(Clone)]
struct Reached {
    gate: Arc<Gate>,
    /// As the router writes it; nothing within a nested service.
    route: Option<String>,
    /// Those that are routed here, if the probe's is not.
    methods: Vec<String>,
}

/// Marks a request that the gates answer.
#[derive(Clone)]
struct Probe;

/// Sends a probe. No handler sees it, so it is answered at once.
fn probe(router: &mut Router, method: &str, path: &str) -> Option<Reached> {
    let path = path.replace("{{", "{").replace("}}", "}");
    let request = Request::builder().method(method).uri(path).extension(Probe).body(Body::empty());
    let answer = pin!(router.call(request.ok()?));
    let Poll::Ready(Ok(response)) = answer.poll(&mut Context::from_waker(Waker::noop())) else {
        return None;
    };
    let allowed = response.headers().get(ALLOW).and_then(|methods| methods.to_str().ok());
    let methods = allowed.into_iter().flat_map(|methods| methods.split(','));
    let methods = methods.filter(|method| !method.is_empty()).map(str::to_owned).collect();
    let reached = response.extensions().get::<Reached>()?;
    Some(Reached { methods, ..reached.clone() })
}

/// The gates of a router, as they are put up.
#[derive(Clone, Default)]
struct Gates(Arc<Mutex<Vec<Arc<Gate>>>>);

impl Gates {
    fn is_any_shut(&self) -> bool {
        let gates = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        gates.iter().any(|gate| gate.entry.get().is_none())
    }
}

impl Layer<Route> for Gates {
    type Service = Gated;

    fn layer(&self, handler: Route) -> Gated {
        let gate = Arc::new(Gate::default());
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&gate));
        Gated { gate, handler }
    }
}

/// Who comes to a handler; nobody, until it is settled.
#[derive(Default)]
struct Gate {
    entry: OnceLock<Entry>,
}

enum Entry {
    Guarded(Guard),
    /// It is public.
    Open,
    /// Nothing is routed there for the request's method.
    NoMethod,
}

impl Gate {
    /// The first word counts.
    fn settle(&self, entry: Entry) {
        let _ = self.entry.set(entry);
    }
}

/// A handler behind its gate.
#[derive(Clone)]
struct Gated {
    gate: Arc<Gate>,
    handler: Route,
}

impl Service<Request> for Gated {
    type Response = Response;
    type Error = Infallible;
    type Future = Answer<Infallible>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Service::<Request>::poll_ready(&mut self.handler, context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let Self { gate, mut handler } = self.clone();
        Box::pin(async move {
            if request.extensions().get::<Probe>().is_some() {
                return Ok(reached(gate, &request));
            }
            match gate.entry.get() {
                Some(Entry::Guarded(guard)) => guarded(guard, handler, request).await,
                Some(Entry::Open) => handler.call(request).await,
                // A preflight is for the application, wherever it answers it.
                Some(Entry::NoMethod) if request.method() == Method::OPTIONS => {
                    handler.call(request).await
                }
                Some(Entry::NoMethod) => Ok(StatusCode::METHOD_NOT_ALLOWED.into_response()),
                None => Ok(shut(&request)),
            }
        })
    }
}

fn reached(gate: Arc<Gate>, request: &Request) -> Response {
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let mut response = Response::default();
    response.extensions_mut().insert(Reached { gate, route, methods: Vec::new() });
    response
}

fn shut(request: &Request) -> Response {
    let error = Error::Internal(Internal::Unprotected);
    tracing::error!(
        method = %request.method(),
        path = request.uri().path(),
        "the document does not know this route: {error}, see the crate documentation"
    );
    Refusal::new(error, &Realm::new("")).into_response()
}
