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
//! A refusal is a [`poem::Error`]: catch it to answer with a body of your own.
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

use ::poem::{
    Body, Endpoint, FromRequest, Middleware, Request, RequestBody, Response, Result,
    error::ResponseError, http::StatusCode,
};

use crate::{
    error::{Error, Internal},
    protect::{Authenticated, Caller, Guard},
    refusal::{Realm, Refusal},
};

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
    type Output = E::Output;

    async fn call(&self, mut request: Request) -> Result<E::Output> {
        let caller = self.guard.check(request.headers()).await.map_err(refused)?;
        request.set_data(caller);
        self.endpoint.call(request).await
    }
}

impl<'a> FromRequest<'a> for Authenticated {
    async fn from_request(request: &'a Request, _body: &mut RequestBody) -> Result<Self> {
        let caller = caller(request)?;
        Ok(caller.authenticated().ok_or_else(|| unprotected(request))?.clone())
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
        let (parts, body) = self.response().into_parts();
        Response::from_parts(
            ::poem::ResponseParts {
                status: parts.status,
                version: parts.version,
                headers: parts.headers,
                extensions: parts.extensions,
            },
            Body::from(body),
        )
    }
}

/// A refusal on its way out. poem gives the response the extensions of its own error and no other,
/// so the reason rides there.
pub(crate) fn refused(refusal: Refusal) -> ::poem::Error {
    let reason = refusal.error().clone();
    let mut error = ::poem::Error::from(refusal);
    error.set_data(reason);
    error
}

/// Whom a guard let pass. Without a guard nobody was judged, so nobody passes.
pub(crate) fn caller(request: &Request) -> Result<&Caller> {
    request.data::<Caller>().ok_or_else(|| unprotected(request))
}

pub(crate) fn unprotected(request: &Request) -> ::poem::Error {
    let error = Error::Internal(Internal::Unprotected);
    tracing::error!(
        method = %request.method(),
        path = request.original_uri().path(),
        "a handler asks for the caller and no guard stands before it: {error}, see the crate documentation"
    );
    refused(Refusal::new(error, &Realm::new("")))
}
