//! axum: [`Guard`] is a layer, [`Authenticated`] and [`Caller`] are extractors, and a [`Router`]
//! can take a document for its policy.
//!
//! # By document
//!
//! The document states what each operation needs, in the words of utoipa for instance:
//!
//! ```
//! use std::error::Error;
//!
//! use axum::{Router, routing::get};
//! use monocloud_backend::{Authenticated, Policy, ProtectApi};
//! use utoipa::OpenApi;
//!
//! #[derive(OpenApi)]
//! #[openapi(paths(list))]
//! struct Posts;
//!
//! #[utoipa::path(
//!     get,
//!     path = "/posts",
//!     security(("MonoCloud" = ["posts:read"])),
//!     responses((status = 200, description = "All posts", body = str))
//! )]
//! async fn list(caller: Authenticated) -> String {
//!     format!("posts of {}", caller.claims().subject().unwrap_or("nobody"))
//! }
//!
//! fn app(protect: ProtectApi) -> Result<Router, Box<dyn Error>> {
//!     let (api, document) = protect
//!         .describe_scope("posts:read", "Read posts")
//!         .document(&Posts::openapi().to_json()?)?
//!         .by_default(Policy::ANY_TOKEN)
//!         .routes(Router::new().route("/posts", get(list)))?;
//!     Ok(api.route("/openapi.json", get(document.json())))
//! }
//! # let vars = [("MONOCLOUD_BACKEND_TENANT_DOMAIN", "acme.us.monocloud.com"), ("MONOCLOUD_BACKEND_AUDIENCE", "api")];
//! # app(ProtectApi::from_vars(vars).unwrap()).unwrap();
//! ```
//!
//! With the feature `swagger-ui` its page is a service:
//! `api.nest_service("/docs", document.swagger_ui("/openapi.json"))`.
//!
//! The router needs its state (`with_state`) and routes by method: `any`, `route_service` and
//! `nest_service` take every method, which no document lists, and the API does not start. Add them to
//! the router that is returned, behind a guard. What is added to that router is not guarded, nor are
//! the fallbacks of the router for unknown paths; the fallback of a route answers `OPTIONS` only.
//!
//! **CORS, logs and other layers that concern refusals belong on the router that is returned.** Layers
//! that the router has before are inside the guards: a 401 would have no CORS header. The manual has an
//! [example](https://docs.rs/monocloud-backend/latest/monocloud_backend/manual/middleware/).
//!
//! # By guard
//!
//! A guard goes on the methods of a route. There other methods stay 405 and a CORS preflight passes;
//! on a whole router it would answer these, and unknown paths too.
//!
//! ```
//! use axum::{Router, routing::get};
//! use monocloud_backend::{Authenticated, Policy, ProtectApi};
//!
//! const READ: Policy = Policy::ANY_TOKEN.scopes(&["posts:read"]);
//!
//! async fn list(caller: Authenticated) -> String {
//!     format!("posts of {}", caller.claims().subject().unwrap_or("nobody"))
//! }
//!
//! fn app(protect: &ProtectApi) -> Router {
//!     Router::new().route("/posts", get(list).route_layer(protect.require(READ)))
//! }
//! ```
//!
//! It fits any tower service: `guard.layer(service)`.
//!
//! # A refusal in your own words
//!
//! [`problem_details`](crate::ProtectApiBuilder::problem_details) and
//! [`error_body`](crate::ProtectApiBuilder::error_body) choose the body, in the document too. A refusal
//! is a response with the [`Error`](crate::Error) in its extensions, so a layer can change it as well, unknown to the
//! document.
//!
//! ```
//! use axum::{Router, body::Body, middleware::map_response, response::Response};
//! use monocloud_backend::Error;
//!
//! # fn app(router: Router) -> Router {
//! router.layer(map_response(|mut response: Response| async {
//!     if response.extensions().get::<Error>().is_some() {
//!         *response.body_mut() = Body::from("please log in");
//!     }
//!     response
//! }))
//! # }
//! ```
//!
//! [`Router`]: ::axum::Router

mod gates;
#[cfg(feature = "mcp")]
mod mcp;
mod routes;
#[cfg(feature = "axum-server")]
mod tls;

use std::{
    mem,
    pin::Pin,
    task::{Context, Poll},
};

use ::axum::{
    body::Body,
    extract::{FromRequestParts, OriginalUri, Request},
    handler::Handler,
    http::{Extensions, Uri, request::Parts},
    response::{IntoResponse, Response},
};
use tower_layer::Layer;
use tower_service::Service;

use crate::{
    certificate::PeerCertificate,
    openapi::DocumentEndpoint,
    policy::Require,
    protect::{
        Authenticated, Caller, Guard, RequestHead,
        bearer::{Accepted, Bearer, MaybeBearer},
        refusal::Refusal,
        resource::ResourceMetadata,
    },
    token::typed::FromClaims,
};

#[cfg(feature = "mcp")]
pub use mcp::McpGuarded;
#[cfg(feature = "axum-server")]
pub use tls::{TlsAcceptor, WithPeerCertificate};

/// A service behind a [`Guard`].
#[derive(Clone, Debug)]
pub struct Guarded<S> {
    guard: Guard,
    service: S,
}

impl<S> Layer<S> for Guard {
    type Service = Guarded<S>;

    fn layer(&self, service: S) -> Guarded<S> {
        Guarded { guard: self.clone(), service }
    }
}

impl<B, S> Service<::http::Request<B>> for Guarded<S>
where
    B: Send + 'static,
    S: Service<::http::Request<B>, Response: IntoResponse, Future: Send> + Clone + Send + 'static,
{
    type Response = Response;
    type Error = S::Error;
    type Future = Answer<S::Error>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.service.poll_ready(context)
    }

    fn call(&mut self, request: ::http::Request<B>) -> Self::Future {
        // The service that is ready goes, its clone stays.
        let clone = self.service.clone();
        let service = mem::replace(&mut self.service, clone);
        let guard = self.guard.clone();
        Box::pin(async move { guarded(&guard, service, request).await })
    }
}

type Answer<E> = Pin<Box<dyn Future<Output = Result<Response, E>> + Send>>;

/// What a service answers to a request that a guard lets pass, or else the guard's refusal.
async fn guarded<B, S>(
    guard: &Guard,
    mut service: S,
    mut request: ::http::Request<B>,
) -> Result<Response, S::Error>
where
    S: Service<::http::Request<B>, Response: IntoResponse>,
{
    let peer = request.extensions().get::<PeerCertificate>().cloned();
    let uri = full_uri(request.extensions(), request.uri());
    let head = RequestHead::new(request.method(), uri, request.headers()).peer(peer.as_ref());
    let caller = match guard.check(head).await {
        Ok(caller) => caller,
        Err(refusal) => return Ok(refusal.into_response()),
    };
    request.extensions_mut().insert(Accepted { guard: guard.clone(), caller: caller.clone() });
    request.extensions_mut().insert(caller.clone());
    let mut response = service.call(request).await?.into_response();
    caller.complete(&mut response);
    response.extensions_mut().insert(caller);
    Ok(response)
}

impl<S: Sync, C: FromClaims> FromRequestParts<S> for Authenticated<C> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Refusal> {
        caller(parts)?.require()?.typed()
    }
}

impl<S: Sync, P: Require, C: FromClaims> FromRequestParts<S> for Bearer<P, C> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Refusal> {
        Self::of(parts.extensions.get().ok_or_else(|| unprotected(parts))?)
    }
}

impl<S: Sync> FromRequestParts<S> for MaybeBearer {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Refusal> {
        caller(parts).cloned().map(Self::from)
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Refusal> {
        caller(parts).cloned()
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        self.response().map(Body::from)
    }
}

impl<S> Handler<(), S> for ResourceMetadata {
    type Future = std::future::Ready<Response>;

    fn call(self, _request: Request, _state: S) -> Self::Future {
        std::future::ready(self.respond().map(Body::from))
    }
}

impl<S> Handler<(), S> for DocumentEndpoint {
    type Future = Pin<Box<dyn Future<Output = Response> + Send>>;

    fn call(self, request: Request, _state: S) -> Self::Future {
        Box::pin(async move { self.respond(request.headers()).await.map(Body::from) })
    }
}

#[cfg(feature = "swagger-ui")]
impl<B> Service<::http::Request<B>> for crate::openapi::SwaggerUi {
    type Response = Response;
    type Error = std::convert::Infallible;
    type Future = std::future::Ready<Result<Response, Self::Error>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: ::http::Request<B>) -> Self::Future {
        let full_path = full_path(request.extensions(), request.uri());
        std::future::ready(Ok(self.respond(request.uri().path(), full_path).map(Body::from)))
    }
}

/// What to write where a handler takes the caller without a guard.
const REMEDY: &str = "add `.route_layer(protect.require(POLICY))` to the handler's route, or, where \
    a document is the policy, give its operation a `security`";

/// The caller that a guard accepted; without a guard the request is rejected.
fn caller(parts: &Parts) -> Result<&Caller, Refusal> {
    parts.extensions.get().ok_or_else(|| unprotected(parts))
}

fn unprotected(parts: &Parts) -> Refusal {
    Refusal::unprotected(&parts.method, full_path(&parts.extensions, &parts.uri), REMEDY)
}

/// The path as the client wrote it; what is nested sees the rest of it in the URI.
fn full_path<'r>(extensions: &'r Extensions, uri: &'r Uri) -> &'r str {
    full_uri(extensions, uri).path()
}

fn full_uri<'r>(extensions: &'r Extensions, uri: &'r Uri) -> &'r Uri {
    extensions.get::<OriginalUri>().map_or(uri, |OriginalUri(whole)| whole)
}

#[cfg(test)]
mod tests {
    use std::{convert::Infallible, future::Ready, task::Waker};

    use super::*;
    use crate::{policy::Policy, protect::ProtectApi};

    /// A service that is never ready.
    #[derive(Clone)]
    pub(super) struct Busy;

    impl Service<Request> for Busy {
        type Response = Response;
        type Error = Infallible;
        type Future = Ready<Result<Response, Infallible>>;

        fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            Poll::Pending
        }

        fn call(&mut self, _request: Request) -> Self::Future {
            std::future::ready(Ok(Response::default()))
        }
    }

    pub(super) fn is_ready(service: &mut impl Service<Request>) -> bool {
        service.poll_ready(&mut Context::from_waker(Waker::noop())).is_ready()
    }

    #[test]
    fn a_guarded_service_is_ready_when_the_service_is() {
        let builder = ProtectApi::builder().tenant_domain("acme.us.monocloud.com").audience("api");
        let guard = builder.build().unwrap().require(Policy::ANY_TOKEN);
        assert!(!is_ready(&mut guard.layer(Busy)));
    }
}
