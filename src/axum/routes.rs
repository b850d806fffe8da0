//! A router beside a document.
//!
//! axum's router does not list its routes. So a gate is put before each of its handlers, and probes
//! are sent: requests that a gate answers itself, saying at which route it stands. To the answer
//! for a method without a handler, axum adds the methods that have one (`Allow`). With these routes
//! known, every gate is told what the document says. Where a gate was reached by no probe,
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

use super::gates::{Gate, Gates, Passage, Probe, Reached};
use crate::openapi::{
    Declaration, Routes,
    operations::{Dialect, Entry},
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
        problems.extend(operations.problems());
        for ((path, method), gate) in &routes {
            let Ok(method) = Method::from_bytes(method.as_bytes()) else { continue };
            match operations.entry(path, &method) {
                Entry::Public => gate.settle(Passage::Everyone),
                Entry::Guarded(guard) => {
                    gate.settle(Passage::Guarded(guard));
                }
                // A gate that is not settled stays shut.
                Entry::Rejected => {}
            }
        }
        if problems.is_empty() && gates.is_any_shut() {
            problems.push(
                "a handler is routed where no request for its path arrives; look for white space and other characters that are percent-encoded in requests"
                    .to_owned(),
            );
        }
        (router, problems)
    }
}

const DIALECT: Dialect = Dialect {
    is_route,
    lists_route: is_route,
    declare: |scheme| {
        format!(
            "write `security((\"{scheme}\" = []))` in its `#[utoipa::path(…)]`, or `security` in a document of your own"
        )
    },
    scopes_by_type: None,
    hidden: "it is routed, and the document does not have it",
};

/// axum writes `{id}` and `{*rest}` where a document writes `{id}`, and `{{` for a brace.
fn is_route(documented: &str, routed: &str) -> bool {
    let is_parameter = |segment: &str| segment.starts_with('{') && !segment.starts_with("{{");
    let is_same = |documented: &str, routed: &str| {
        documented == routed || (is_parameter(documented) && is_parameter(routed))
    };
    agree(documented, routed, is_same)
}

/// Every path that may be routed. Undeclared ones are read from what the router prints
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
const UNUSED_METHOD: &str = "PROBE";

/// Finds the gates at these paths, and what prevents the API from starting already.
fn explore(router: Router, paths: BTreeSet<String>) -> (GatesByRoute, Vec<String>) {
    // No probe may come to the application's own fallback.
    let mut router = router.reset_fallback();
    let mut routes = BTreeMap::new();
    let mut every_method = BTreeSet::new();
    for path in paths {
        let Some((reached, methods)) = probe(&mut router, UNUSED_METHOD, &path) else { continue };
        let Some(route) = reached.route else { continue };
        let route = route.as_str();
        if methods.is_empty() {
            every_method.insert(route.to_owned());
            continue;
        }
        reached.gate.settle(Passage::NoMethod);
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
    (routes, take_every_method(&every_method))
}

/// What to write instead of routes that take every method. A nested service is routed at its path
/// with and without a slash at the end.
fn take_every_method(routes: &BTreeSet<String>) -> Vec<String> {
    let is_service = |route: &str| routes.contains(&format!("{route}/"));
    let is_rest = |route: &str| route.strip_suffix('/').is_some_and(|route| routes.contains(route));
    let problem = |route: &String| {
        if is_service(route) {
            format!(
                "ANY {route}: `nest_service` takes every method and every path below, which no document lists; nest it in the router that `routes` returns: `.nest_service({route:?}, protect.require(POLICY).layer(service))`"
            )
        } else {
            format!(
                "ANY {route}: `any` and `route_service` take every method, and a document lists each; write `get(…)` (a WebSocket opens with GET), `post(…)` or `get_service(…)`, or route it in the router that `routes` returns, behind `protect.require(POLICY)`"
            )
        }
    };
    routes.iter().filter(|route| !is_rest(route)).map(problem).collect()
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

#[cfg(test)]
mod tests {
    use ::axum::routing::get;

    use super::*;
    use crate::openapi::{UNCLEAR_PATHS, unclear_api};

    #[tokio::test]
    async fn what_is_not_clear_rejects_every_request() {
        let paths = ["/silent", "/malformed", "/foreign", "/shared/{id}", "/hidden"];
        let router = paths
            .into_iter()
            .fold(Router::new(), |router, path| router.route(path, get(|| async { "in" })));
        let (mut router, problems) = unclear_api().guard(router);
        assert_eq!(problems.len(), 6, "{problems:#?}");
        for path in UNCLEAR_PATHS {
            let request = Request::builder().uri(path).body(Body::empty()).unwrap();
            assert_eq!(router.call(request).await.unwrap().status(), 500, "{path}");
        }
    }
    #[test]
    fn a_parameter_is_another_parameter_and_no_text() {
        assert!(is_route("/posts/{id}", "/posts/{post}"));
        assert!(is_route("/posts/{{id}}", "/posts/{{id}}"));
        for (documented, routed) in [
            ("/posts/{id}", "/posts/mine"),
            ("/posts/mine", "/posts/{id}"),
            ("/posts/{id}", "/posts/{{id}}"),
        ] {
            assert!(!is_route(documented, routed), "{documented} {routed}");
        }
    }
}
