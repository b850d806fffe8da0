//! A gate before each handler of a router. Its policy is set once, when the API starts; until then it
//! rejects every request.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    task::{Context, Poll},
};

use ::axum::{
    extract::{MatchedPath, Request},
    http::{Method, StatusCode},
    response::{IntoResponse, Response},
    routing::Route,
};
use tower_layer::Layer;
use tower_service::Service;

use super::{Answer, full_path, guarded};
use crate::{
    openapi::operations::UNCLEAR,
    protect::{Guard, refusal::Refusal},
};

/// A layer that puts a gate before each handler, and knows them all.
#[derive(Clone, Default)]
pub(super) struct Gates(Arc<Mutex<Vec<Arc<Gate>>>>);

impl Gates {
    /// Whether a gate has not been settled.
    pub(super) fn is_any_shut(&self) -> bool {
        let gates = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        gates.iter().any(|gate| gate.0.get().is_none())
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

/// Who comes to a handler.
#[derive(Default)]
pub(super) struct Gate(OnceLock<Passage>);

/// Which requests pass a gate.
pub(super) enum Passage {
    /// Each: the handler is public.
    Everyone,
    /// Those that a guard lets pass.
    Guarded(Guard),
    /// None: the handler answers the methods that are not routed.
    NoMethod,
}

impl Gate {
    /// Settles it; the first word counts.
    pub(super) fn settle(&self, passage: Passage) {
        let _ = self.0.set(passage);
    }
}

/// Marks a request that a gate answers, and no handler sees.
#[derive(Clone)]
pub(super) struct Probe;

/// Where a probe has come to, as an extension of the answer.
#[derive(Clone)]
pub(super) struct Reached {
    pub(super) gate: Arc<Gate>,
    /// As the router writes it; nothing below a nested service.
    pub(super) route: Option<MatchedPath>,
}

/// A handler behind its gate.
#[derive(Clone)]
pub(super) struct Gated {
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
            match gate.0.get() {
                Some(Passage::Everyone) => handler.call(request).await,
                Some(Passage::Guarded(guard)) => guarded(guard, handler, request).await,
                // A preflight is for the application, and a CORS layer of its own may be in there.
                Some(Passage::NoMethod) if request.method() == Method::OPTIONS => {
                    handler.call(request).await
                }
                Some(Passage::NoMethod) => Ok(StatusCode::METHOD_NOT_ALLOWED.into_response()),
                None => Ok(shut(&request)),
            }
        })
    }
}

fn reached(gate: Arc<Gate>, request: &Request) -> Response {
    let route = request.extensions().get::<MatchedPath>().cloned();
    let mut response = Response::default();
    response.extensions_mut().insert(Reached { gate, route });
    response
}

fn shut(request: &Request) -> Response {
    let path = full_path(request.extensions(), request.uri());
    Refusal::unprotected(request.method(), path, UNCLEAR).into_response()
}

#[cfg(test)]
mod tests {
    use ::axum::{Router, body::Body, routing::get};

    use super::*;

    #[tokio::test]
    async fn a_gate_that_was_not_settled_rejects_every_request() {
        let gates = Gates::default();
        let mut router =
            Router::new().route("/", get(|| async { "in" })).route_layer(gates.clone());
        assert!(gates.is_any_shut());
        for method in [Method::GET, Method::HEAD, Method::OPTIONS, Method::POST] {
            let request = Request::builder().method(&method).body(Body::empty()).unwrap();
            let answer = router.call(request).await.unwrap();
            assert_eq!(answer.status(), 500, "{method}");
        }
    }
}
