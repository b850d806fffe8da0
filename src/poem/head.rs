//! `HEAD` by the handler of `GET`, as poem does it, but with the guard before the method is changed: a
//! DPoP proof is for the method that the client sent.

use std::sync::Arc;

use ::poem::{Endpoint, Request, Response, Result, endpoint::BoxEndpoint, http::Method};

/// Answers as an endpoint for `GET` does, without the body (RFC 9110 §9.3.2).
pub(crate) struct AnswerHead(Arc<BoxEndpoint<'static>>);

/// An endpoint for `GET`, shared with one for `HEAD`.
pub(crate) fn share_with_head(
    get: BoxEndpoint<'static>,
) -> (Arc<BoxEndpoint<'static>>, AnswerHead) {
    let get = Arc::new(get);
    (Arc::clone(&get), AnswerHead(get))
}

impl Endpoint for AnswerHead {
    type Output = Response;

    async fn call(&self, mut request: Request) -> Result<Response> {
        request.set_method(Method::GET);
        let mut response = self.0.call(request).await?;
        response.set_body(());
        Ok(response)
    }
}
