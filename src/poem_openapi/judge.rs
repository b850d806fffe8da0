//! Who judges the caller of an operation: the guard before it, or its own argument.

use std::{
    future::{Future, pending, poll_fn},
    pin::pin,
    task::Poll,
};

use ::poem::{Endpoint, EndpointExt, Request, Response, Result, endpoint::BoxEndpoint};
use poem_openapi::OperationId;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use crate::{
    error::Error,
    poem::{caller, checked, refused, unprotected},
    policy::Access,
    protect::{Caller, ProtectApi},
    refusal::Refusal,
};

/// Puts an operation behind a guard.
pub(super) fn guarded(
    endpoint: BoxEndpoint<'static>,
    protect: &ProtectApi,
    access: Access,
    id: Option<&'static str>,
) -> BoxEndpoint<'static> {
    let guarded = endpoint.data(Judge::Guard).with(protect.guard(access));
    let Some(id) = id else {
        return guarded.boxed();
    };
    // poem-openapi names the operation in its own answers; in a refusal it would be missed.
    let named = guarded.after(move |answer: Result<Response>| async move {
        answer.map_err(|mut refusal| {
            refusal.set_data(OperationId(id));
            refusal
        })
    });
    named.boxed()
}

/// Lets an operation's argument judge its caller.
pub(super) fn judged_by_argument(
    endpoint: BoxEndpoint<'static>,
    protect: &ProtectApi,
) -> BoxEndpoint<'static> {
    JudgedByArgument { endpoint, protect: protect.clone() }.boxed()
}

/// The caller of an operation whose argument asks for `access`.
///
/// A caller that some other guard has let in, such as one before the whole application, is nobody
/// here: that guard knew nothing of what this operation needs.
pub(super) async fn judged(request: &Request, access: Access) -> Result<Caller> {
    match request.data::<Judge>() {
        None => Err(unprotected(request)),
        Some(Judge::Guard) => caller(request).cloned(),
        Some(Judge::Argument { protect, refuse }) => {
            match checked(&protect.guard(access), request).await {
                Err(refusal) if !matches!(refusal.error(), Error::MissingToken) => {
                    // Whoever asked might take an error for an anonymous caller (`#[oai(fallback)]`)
                    // or try another scheme. A refusal of a token is final.
                    let _ = refuse.send(refusal);
                    pending().await
                }
                caller => caller.map_err(refused),
            }
        }
    }
}

/// Rides in the request's extensions.
#[derive(Clone)]
enum Judge {
    Guard,
    Argument { protect: ProtectApi, refuse: UnboundedSender<Refusal> },
}

struct JudgedByArgument {
    endpoint: BoxEndpoint<'static>,
    protect: ProtectApi,
}

impl Endpoint for JudgedByArgument {
    type Output = Response;

    async fn call(&self, mut request: Request) -> Result<Response> {
        let (refuse, mut refusals) = unbounded_channel();
        request.set_data(Judge::Argument { protect: self.protect.clone(), refuse });
        let mut answer = pin!(self.endpoint.call(request));
        poll_fn(|context| {
            if let Poll::Ready(answer) = answer.as_mut().poll(context) {
                return Poll::Ready(answer);
            }
            match refusals.poll_recv(context) {
                Poll::Ready(Some(refusal)) => Poll::Ready(Err(refused(refusal))),
                Poll::Ready(None) | Poll::Pending => Poll::Pending,
            }
        })
        .await
    }
}
