//! [`McpGuard`] as a middleware.

use ::poem::{Body, Endpoint, Error, IntoResponse, Middleware, Request, Response, Result};

use super::{peer_certificate, refused, response};
use crate::{
    mcp::{McpGuard, McpRejection, body::read_body, is_event_stream},
    protect::{Caller, RequestHead},
};

/// An endpoint behind an [`McpGuard`].
#[derive(Clone, Debug)]
pub struct McpGuarded<E> {
    guard: McpGuard,
    endpoint: E,
}

impl<E: Endpoint> Middleware<E> for McpGuard {
    type Output = McpGuarded<E>;

    fn transform(&self, endpoint: E) -> McpGuarded<E> {
        McpGuarded { guard: self.clone(), endpoint }
    }
}

impl<E: Endpoint> Endpoint for McpGuarded<E> {
    type Output = Response;

    async fn call(&self, mut request: Request) -> Result<Response> {
        let body = read_body(request.take_body().into_bytes_stream(), self.guard.body_limit());
        let peer = peer_certificate(&request);
        let head = RequestHead::new(request.method(), request.original_uri(), request.headers())
            .peer(peer.as_ref());
        let admitted = self.guard.check(head, body).await.map_err(rejected)?;
        request.set_body(admitted.body);
        request.set_data(admitted.caller.clone());
        let answer = self.endpoint.call(request).await.map(IntoResponse::into_response);
        complete(admitted.caller, answer)
    }
}

fn rejected(rejection: McpRejection) -> Error {
    match rejection.refusal() {
        Some(refusal) => refused(refusal.clone()),
        None => Error::from_response(response(rejection.response())),
    }
}

/// The answer of the server, whose events end with the token.
fn complete(caller: Caller, answer: Result<Response>) -> Result<Response> {
    let mut answer = super::complete(&caller, answer);
    if let (Ok(response), Some(authenticated)) = (&mut answer, caller.authenticated())
        && is_event_stream(response.headers())
    {
        let events = authenticated.until_expiry(response.take_body().into_bytes_stream());
        response.set_body(Body::from_bytes_stream(events));
    }
    answer
}
