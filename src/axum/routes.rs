//! A router beside a document.
//!
//! axum's router does not list its routes. So a gate is put before each of its handlers, and probes
//! are sent: requests that a gate answers itself, saying at which route it stands. To the answer
//! for a method that nobody handles, axum adds the methods that somebody does (`Allow`). With what
//! was learnt so, every gate is told what the document says. Where a gate was reached by no probe,
//! the API does not start.

use std::{
    collections::{BTreeMap, BTreeSet},
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use ::axum::{
    Router,
    body::Body,
    extract::Request,
    http::{Method, header::ALLOW},
};
use tower_service::Service;

use super::gates::{Entry, Gate, Gates, Probe, Reached};
use crate::openapi::{
    Declaration, Routes,
    operations::{Dialect, Place},
    plan::agree,
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
        let paths = paths(&router, declaration);
        let gates = Gates::default();
        let router = router.route_layer(gates.clone());
        let (routes, mut problems) = explore(router.clone(), paths);
        let operations = declaration.operations(routes.keys().cloned(), DIALECT);
        problems.extend(operations.differences());
        for ((path, method), gate) in &routes {
            let Ok(method) = Method::from_bytes(method.as_bytes()) else { continue };
            match operations.at(path, &method) {
                Place::Operation(_, access) if !access.is_public() => {
                    gate.settle(Entry::Guarded(declaration.protect.guard(access.clone())));
                }
                Place::Operation(..) => gate.settle(Entry::Everybody),
                Place::Hidden if operations.is_listed(path, &method) => {
                    gate.settle(Entry::Everybody);
                }
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

const DIALECT: Dialect = Dialect { is_route, lists_route: is_route };

/// axum writes `{id}` and `{*rest}` where a document writes `{id}`, and `{{` for a brace.
fn is_route(documented: &str, routed: &str) -> bool {
    let is_parameter = |segment: &str| segment.starts_with('{') && !segment.starts_with("{{");
    let is_same = |documented: &str, routed: &str| {
        documented == routed || (is_parameter(documented) && is_parameter(routed))
    };
    agree(documented, routed, is_same)
}

/// Every path that may be routed. Those that nobody declared are read from what the router prints
/// of itself, so that the problems can name them; should axum print less one day, their gates stay
/// shut all the same.
fn paths(router: &Router, declaration: &Declaration<'_>) -> BTreeSet<String> {
    let printed = format!("{router:?}");
    let printed = printed.split('"').filter(|part| part.starts_with('/'));
    printed.chain(declaration.paths()).map(str::to_owned).collect()
}

/// Gates by path and method.
type GatesByRoute = BTreeMap<(String, String), Arc<Gate>>;

/// axum routes none but the methods of RFC 9110 and PATCH.
const NOBODYS_METHOD: &str = "PROBE";

/// Finds the gates at these paths, and what speaks against starting already.
fn explore(router: Router, paths: BTreeSet<String>) -> (GatesByRoute, Vec<String>) {
    // No probe may come to the application's own fallback.
    let mut router = router.reset_fallback();
    let mut routes = BTreeMap::new();
    let mut problems = BTreeSet::new();
    for path in paths {
        let Some((reached, methods)) = probe(&mut router, NOBODYS_METHOD, &path) else { continue };
        let Some(route) = reached.route else { continue };
        let route = route.as_str();
        if methods.is_empty() {
            problems.insert(format!(
                "ANY {route}: it takes every method, which no document says; route each by name, or add it to the router that is returned"
            ));
            continue;
        }
        reached.gate.settle(Entry::NoMethod);
        let mut gates = BTreeMap::new();
        for method in methods {
            let reached = probe(&mut router, &method, &path);
            gates.extend(reached.map(|(reached, _)| (method, reached.gate)));
        }
        // What handles GET takes HEAD as well, and is one operation.
        if let (Some(head), Some(get)) = (gates.get("HEAD"), gates.get("GET"))
            && Arc::ptr_eq(head, get)
        {
            gates.remove("HEAD");
        }
        routes.extend(gates.into_iter().map(|(method, gate)| ((route.to_owned(), method), gate)));
    }
    (routes, problems.into_iter().collect())
}

/// Sends a probe: where it comes to, and which methods are routed there if its own is not. There is
/// nothing to wait for, as no handler sees it.
fn probe(router: &mut Router, method: &str, path: &str) -> Option<(Reached, Vec<String>)> {
    let path = path.replace("{{", "{").replace("}}", "}");
    let request = Request::builder().method(method).uri(path).extension(Probe).body(Body::empty());
    let answer = pin!(router.call(request.ok()?));
    let Poll::Ready(Ok(response)) = answer.poll(&mut Context::from_waker(Waker::noop())) else {
        return None;
    };
    let reached = response.extensions().get::<Reached>()?.clone();
    let allowed = response.headers().get(ALLOW).and_then(|methods| methods.to_str().ok());
    let methods = allowed.into_iter().flat_map(|methods| methods.split(','));
    Some((reached, methods.filter(|it| !it.is_empty()).map(str::to_owned).collect()))
}
