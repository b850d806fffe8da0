//! What salvo's OpenAPI support is told of our types, and what is served of them as handlers.

use ::salvo_core::{Depot, FlowCtrl, Handler, Request, Response, async_trait};
use salvo_oapi::{Components, EndpointArgRegister, EndpointOutRegister, Operation};

use super::write;
use crate::{
    openapi::DocumentEndpoint,
    protect::{Authenticated, Caller, refusal::Refusal, resource::ResourceMetadata},
};

/// Registers nothing: it takes the caller that the guard accepted, whatever the operation declares.
impl<C> EndpointArgRegister for Authenticated<C> {
    fn register(_components: &mut Components, _operation: &mut Operation, _arg: &str) {}
}

/// Registers nothing, as [`Authenticated`].
impl EndpointArgRegister for Caller {
    fn register(_components: &mut Components, _operation: &mut Operation, _arg: &str) {}
}

/// Registers nothing: the document that is served describes refusals where there can be one.
impl EndpointOutRegister for Refusal {
    fn register(_components: &mut Components, _operation: &mut Operation) {}
}

/// To be mounted at its [paths](Self::paths).
#[async_trait]
impl Handler for ResourceMetadata {
    async fn handle(
        &self,
        _request: &mut Request,
        _depot: &mut Depot,
        response: &mut Response,
        _ctrl: &mut FlowCtrl,
    ) {
        write(self.respond(), response);
    }
}

#[async_trait]
impl Handler for DocumentEndpoint {
    async fn handle(
        &self,
        request: &mut Request,
        _depot: &mut Depot,
        response: &mut Response,
        _ctrl: &mut FlowCtrl,
    ) {
        write(self.respond(request.headers()).await, response);
    }
}

/// To be mounted with the rest of the path: `Router::with_path("docs/{**rest}").get(…)`.
#[cfg(feature = "swagger-ui")]
#[async_trait]
impl Handler for crate::openapi::SwaggerUi {
    async fn handle(
        &self,
        request: &mut Request,
        _depot: &mut Depot,
        response: &mut Response,
        _ctrl: &mut FlowCtrl,
    ) {
        let path = request.params().tail().unwrap_or_default();
        write(self.respond(path, request.uri().path()), response);
    }
}
