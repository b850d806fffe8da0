//! [`McpGuard`] as a layer.

use std::{
    mem,
    task::{Context, Poll},
};

use ::axum::{
    body::Body,
    extract::Request,
    response::{IntoResponse, Response},
};
use tower_layer::Layer;
use tower_service::Service;

use super::{Answer, full_uri};
use crate::{
    certificate::PeerCertificate,
    mcp::{Admitted, McpGuard, McpRejection, body::read_body, is_event_stream},
    protect::{Caller, RequestHead, bearer::Accepted},
};

/// A service behind an [`McpGuard`].
#[derive(Clone, Debug)]
pub struct McpGuarded<S> {
    guard: McpGuard,
    service: S,
}

impl<S> Layer<S> for McpGuard {
    type Service = McpGuarded<S>;

    fn layer(&self, service: S) -> McpGuarded<S> {
        McpGuarded { guard: self.clone(), service }
    }
}

impl<S> Service<Request> for McpGuarded<S>
where
    S: Service<Request, Response: IntoResponse, Future: Send> + Clone + Send + 'static,
{
    type Response = Response;
    type Error = S::Error;
    type Future = Answer<S::Error>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.service.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        // The service that is ready goes, its clone stays.
        let clone = self.service.clone();
        let mut service = mem::replace(&mut self.service, clone);
        let guard = self.guard.clone();
        Box::pin(async move {
            let (mut parts, body) = request.into_parts();
            let peer = parts.extensions.get::<PeerCertificate>();
            let uri = full_uri(&parts.extensions, &parts.uri);
            let body = read_body(body.into_data_stream(), guard.body_limit());
            let head = RequestHead::new(&parts.method, uri, &parts.headers).peer(peer);
            let admitted = match guard.check(head, body).await {
                Ok(admitted) => admitted,
                Err(rejection) => return Ok(rejection.into_response()),
            };
            let Admitted { caller, body, guard } = admitted;
            parts.extensions.insert(Accepted { guard, caller: caller.clone() });
            parts.extensions.insert(caller.clone());
            let request = Request::from_parts(parts, body.into());
            let response = service.call(request).await?.into_response();
            Ok(completed(caller, response))
        })
    }
}

impl IntoResponse for McpRejection {
    fn into_response(self) -> Response {
        self.response().map(Body::from)
    }
}

/// The response of the server, whose events end with the token.
fn completed(caller: Caller, mut response: Response) -> Response {
    caller.complete(&mut response);
    if let (Some(authenticated), true) =
        (caller.authenticated(), is_event_stream(response.headers()))
    {
        let until_expiry =
            |body: Body| Body::from_stream(authenticated.until_expiry(body.into_data_stream()));
        response = response.map(until_expiry);
    }
    response.extensions_mut().insert(caller);
    response
}
