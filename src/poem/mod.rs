//! poem: [`Guard`] is a middleware, [`Authenticated`] and [`Caller`] are extractors.
//!
//! Put the guard on the handler, not on the route: then unknown paths stay 404, other methods 405,
//! and a CORS preflight passes.
//!
//! ```
//! use monocloud_backend::{Authenticated, Policy, ProtectApi};
//! use poem::{EndpointExt, Route, get, handler};
//!
//! const READ: Policy = Policy::ANY_TOKEN.scopes(&["posts:read"]);
//!
//! #[handler]
//! fn list(caller: Authenticated) -> String {
//!     format!("posts of {}", caller.claims().subject().unwrap_or("nobody"))
//! }
//!
//! fn app(protect: &ProtectApi) -> Route {
//!     Route::new().at("/posts", get(list.with(protect.require(READ))))
//! }
//! ```
//!
//! Where there is a document, it is the policy: [`Handlers`] are routes that can be compared with one
//! (see [`ProtectApi::document`](crate::ProtectApi::document)). [`TlsListener`] serves TLS,
//! for tokens that are bound to the caller's certificate, under poem-openapi too.
//!
//! [`problem_details`](crate::ProtectApiBuilder::problem_details) and
//! [`error_body`](crate::ProtectApiBuilder::error_body) choose the body of refusals, in the document
//! too. A refusal is a [`poem::Error`], so it can be caught as well, unknown to the document.
//!
//! ```
//! # use monocloud_backend::Refusal;
//! # use poem::{EndpointExt, IntoResponse, Response, Route};
//! # fn app(route: Route) -> impl poem::Endpoint {
//! route.catch_error(|refusal: Refusal| async move {
//!     let mut response = poem::error::ResponseError::as_response(&refusal);
//!     response.set_body("please log in");
//!     response
//! })
//! # }
//! ```

#[cfg(feature = "tls")]
mod address;
#[cfg(feature = "openapi")]
mod handlers;
#[cfg(feature = "openapi")]
pub(crate) mod head;
#[cfg(feature = "tls")]
mod listener;
#[cfg(feature = "mcp")]
mod mcp;

use ::poem::{
    Body, Endpoint, FromRequest, IntoResponse, Middleware, Request, RequestBody, Response,
    ResponseParts, Result,
    error::ResponseError,
    http::{HeaderMap, StatusCode},
};

use crate::{
    certificate::PeerCertificate,
    protect::{
        Authenticated, Caller, Guard, RequestHead, refusal::Refusal, resource::ResourceMetadata,
    },
    token::typed::FromClaims,
};

#[cfg(feature = "openapi")]
pub use handlers::Handlers;
#[cfg(feature = "tls")]
pub use listener::{TlsAcceptor, TlsListener};
#[cfg(feature = "mcp")]
pub use mcp::McpGuarded;

/// An endpoint behind a [`Guard`].
#[derive(Clone, Debug)]
pub struct Guarded<E> {
    guard: Guard,
    endpoint: E,
}

impl<E: Endpoint> Middleware<E> for Guard {
    type Output = Guarded<E>;

    fn transform(&self, endpoint: E) -> Guarded<E> {
        Guarded { guard: self.clone(), endpoint }
    }
}

impl<E: Endpoint> Endpoint for Guarded<E> {
    type Output = Response;

    async fn call(&self, mut request: Request) -> Result<Response> {
        let peer = peer_certificate(&request);
        let head = RequestHead::new(request.method(), request.original_uri(), request.headers())
            .peer(peer.as_ref());
        let caller = self.guard.check(head).await.map_err(refused)?;
        request.set_data(caller.clone());
        let answer = self.endpoint.call(request).await.map(IntoResponse::into_response);
        complete(&caller, answer)
    }
}

/// The answer of an endpoint to a caller, with what belongs to it.
fn complete(caller: &Caller, mut answer: Result<Response>) -> Result<Response> {
    let (status, reason) = match &answer {
        Ok(response) => (response.status(), response.data().cloned()),
        Err(error) => (error.status(), error.data().cloned()),
    };
    if caller.completes(status) {
        answer = with_headers(answer, |it| caller.complete_headers(status, reason.as_ref(), it));
    }
    // poem gives the response of an error the data of that error.
    match &mut answer {
        Ok(response) => response.set_data(caller.clone()),
        Err(error) => error.set_data(caller.clone()),
    }
    answer
}

/// Changes the headers of an answer, which stays an error if it is one.
fn with_headers(answer: Result<Response>, change: impl FnOnce(&mut HeaderMap)) -> Result<Response> {
    let is_error = answer.is_err();
    let mut response = answer.unwrap_or_else(::poem::Error::into_response);
    change(response.headers_mut());
    if is_error { Err(::poem::Error::from_response(response)) } else { Ok(response) }
}

impl<'a, C: FromClaims> FromRequest<'a> for Authenticated<C> {
    async fn from_request(request: &'a Request, _body: &mut RequestBody) -> Result<Self> {
        caller(request)?.require().and_then(Authenticated::typed).map_err(refused)
    }
}

impl<'a> FromRequest<'a> for Caller {
    async fn from_request(request: &'a Request, _body: &mut RequestBody) -> Result<Self> {
        Ok(caller(request)?.clone())
    }
}

impl ResponseError for Refusal {
    fn status(&self) -> StatusCode {
        Self::status(self)
    }

    fn as_response(&self) -> Response {
        response(self.response())
    }
}

impl Endpoint for ResourceMetadata {
    type Output = Response;

    async fn call(&self, _request: Request) -> Result<Response> {
        Ok(response(self.respond()))
    }
}

#[cfg(feature = "openapi")]
impl Endpoint for crate::openapi::DocumentEndpoint {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        Ok(response(self.respond(request.headers()).await))
    }
}

#[cfg(feature = "swagger-ui")]
impl Endpoint for crate::openapi::SwaggerUi {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        Ok(response(self.respond(request.uri().path(), request.original_uri().path())))
    }
}

/// The certificate that the caller of a request has proved to have: from the request's extensions,
/// or from its connection if that is one of a `TlsListener`.
#[must_use]
pub fn peer_certificate(request: &Request) -> Option<PeerCertificate> {
    let given = request.data::<PeerCertificate>().cloned();
    #[cfg(feature = "tls")]
    let given = given.or_else(|| address::certificate_in(request));
    given
}

/// A refusal on its way out. poem gives the response the extensions of its own error and no other,
/// so the reason rides there.
pub(crate) fn refused(refusal: Refusal) -> ::poem::Error {
    let reason = refusal.error().clone();
    let mut error = ::poem::Error::from(refusal);
    error.set_data(reason);
    error
}

/// What to write where a handler takes the caller without a guard.
const REMEDY: &str = "wrap the handler, `get(handler.with(protect.require(POLICY)))`; with \
    poem-openapi, make the service by `protect.secure(api).into_service(…)` and take `Bearer` or \
    `MaybeBearer`; where a document is the policy, give the operation a `security`";

/// The caller that a guard accepted; without a guard the request is rejected.
pub(crate) fn caller(request: &Request) -> Result<&Caller> {
    request.data::<Caller>().ok_or_else(|| unprotected(request))
}

/// Rejects a request that no guard has checked, and logs what to write instead.
pub(crate) fn unprotected(request: &Request) -> ::poem::Error {
    refused_as(request, REMEDY)
}

/// An endpoint that rejects every request: what its route needs is not clear.
#[cfg(feature = "openapi")]
pub(crate) fn closed() -> impl Endpoint<Output = Response> {
    let reject = |request: Request| async move {
        Err::<Response, _>(refused_as(&request, crate::openapi::operations::UNCLEAR))
    };
    ::poem::EndpointExt::map_to_response(::poem::endpoint::make(reject))
}

fn refused_as(request: &Request, remedy: &str) -> ::poem::Error {
    let path = request.original_uri().path();
    refused(Refusal::unprotected(request.method(), path, remedy))
}

fn response(response: ::http::Response<impl Into<Body>>) -> Response {
    let (parts, body) = response.into_parts();
    let parts = ResponseParts {
        status: parts.status,
        version: parts.version,
        headers: parts.headers,
        extensions: parts.extensions,
    };
    Response::from_parts(parts, body.into())
}

#[cfg(test)]
mod tests {
    use ::poem::http::{HeaderValue, header::WWW_AUTHENTICATE};

    use super::*;

    #[test]
    fn an_answer_with_other_headers_is_an_error_if_it_was_one() {
        let response = Response::builder().status(StatusCode::UNAUTHORIZED).finish();
        let error = ::poem::Error::from_status(StatusCode::UNAUTHORIZED);
        for answer in [Ok(response), Err(error)] {
            let is_error = answer.is_err();
            let answer = with_headers(answer, |headers| {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            });
            assert_eq!(answer.is_err(), is_error);
            let response = answer.unwrap_or_else(::poem::Error::into_response);
            assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
            assert_eq!(response.headers()[WWW_AUTHENTICATE], "Bearer");
        }
    }

    #[test]
    fn the_error_of_a_refusal_has_its_status() {
        let refusal = Refusal::unprotected(&::poem::http::Method::GET, "/", "");
        assert_eq!(refused(refusal).status(), StatusCode::INTERNAL_SERVER_ERROR);
    }
}
