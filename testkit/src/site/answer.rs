//! An answer of the tenant: an HTTP response whose body is complete.

use http::{HeaderValue, Response, StatusCode, header::CONTENT_TYPE};
use hyper::body::Bytes;
use serde_json::Value;

pub(crate) type Answer = Response<Bytes>;

/// An answer without a body.
pub(crate) fn empty(status: StatusCode) -> Answer {
    let mut answer = Answer::default();
    *answer.status_mut() = status;
    answer
}

/// An answer with this document.
pub(crate) fn json_answer(status: StatusCode, document: &Value) -> Answer {
    let json = HeaderValue::from_static("application/json");
    answer_of(status, json, document.to_string())
}

/// An answer with this body.
pub(crate) fn answer_of(
    status: StatusCode,
    content_type: HeaderValue,
    body: impl Into<Bytes>,
) -> Answer {
    let mut answer = empty(status).map(|_| body.into());
    answer.headers_mut().insert(CONTENT_TYPE, content_type);
    answer
}
