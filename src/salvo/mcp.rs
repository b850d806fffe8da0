//! [`McpGuard`] as a hoop.

use ::salvo_core::{Depot, FlowCtrl, Handler, Request, Response, async_trait, http::ReqBody};
use futures_util::TryStreamExt as _;

use super::{complete, peer_certificate, write};
use crate::{
    mcp::{Admitted, McpGuard, body::read_body, is_event_stream},
    protect::{RequestHead, bearer::Accepted},
};

#[async_trait]
impl Handler for McpGuard {
    async fn handle(
        &self,
        request: &mut Request,
        depot: &mut Depot,
        response: &mut Response,
        ctrl: &mut FlowCtrl,
    ) {
        // Trailers carry no data.
        let body = request.take_body().map_ok(|frame| frame.into_data().unwrap_or_default());
        let body = read_body(body, self.body_limit());
        let peer = peer_certificate(request);
        let head = RequestHead::new(request.method(), request.uri(), request.headers())
            .peer(peer.as_ref());
        let admitted = match self.check(head, body).await {
            Ok(admitted) => admitted,
            Err(rejection) => {
                write(rejection.response(), response);
                return ctrl.skip_rest();
            }
        };
        let Admitted { caller, body, guard } = admitted;
        request.replace_body(ReqBody::Once(body));
        request.extensions_mut().insert(Accepted { guard, caller: caller.clone() });
        ctrl.call_next(request, depot, response).await;
        complete(caller.clone(), response);
        if let Some(authenticated) = caller.authenticated()
            && is_event_stream(response.headers())
        {
            let body = response.take_body().map_ok(|frame| frame.into_data().unwrap_or_default());
            response.stream(authenticated.until_expiry(body));
        }
    }
}
