//! The answer to a request that the guard of an MCP server does not let pass.

use bytes::Bytes;
use http::{
    HeaderValue, Response, StatusCode,
    header::{ALLOW, CONTENT_TYPE},
};
use serde_json::{Value, json};

use super::message::{INVALID_REQUEST, Malformed};
use crate::protect::{presentation::Presentation, refusal::Refusal};

/// A request that is rejected: by its token, or as no message that an MCP server reads.
#[derive(Clone, Debug)]
pub struct McpRejection(Answer);

#[derive(Clone, Debug)]
enum Answer {
    Refused(Refusal),
    Error(Box<ErrorAnswer>),
}

/// A JSON-RPC error.
#[derive(Clone, Debug)]
struct ErrorAnswer {
    status: StatusCode,
    code: i32,
    problem: &'static str,
    /// Of the request, if that could be read.
    id: Option<Value>,
    presentation: Presentation,
}

/// `HeaderMismatch` of revision 2026-07-28.
const HEADER_MISMATCH: i32 = -32020;

impl McpRejection {
    pub(super) fn origin() -> Self {
        Self::error(StatusCode::FORBIDDEN, INVALID_REQUEST, "the origin is not allowed")
    }

    pub(super) fn method() -> Self {
        Self::error(StatusCode::METHOD_NOT_ALLOWED, INVALID_REQUEST, "the method is not allowed")
    }

    pub(super) fn media_type(problem: &'static str) -> Self {
        Self::error(StatusCode::UNSUPPORTED_MEDIA_TYPE, INVALID_REQUEST, problem)
    }

    pub(super) fn too_large() -> Self {
        Self::error(StatusCode::PAYLOAD_TOO_LARGE, INVALID_REQUEST, "the body is too large")
    }

    pub(super) fn incomplete() -> Self {
        Self::error(StatusCode::BAD_REQUEST, INVALID_REQUEST, "the body is incomplete")
    }

    pub(super) fn malformed(Malformed { id, code, problem }: Malformed) -> Self {
        Self::error(StatusCode::BAD_REQUEST, code, problem).with(|error| error.id = id)
    }

    pub(super) fn header_mismatch(id: Option<Value>, problem: &'static str) -> Self {
        Self::error(StatusCode::BAD_REQUEST, HEADER_MISMATCH, problem).with(|error| error.id = id)
    }

    fn error(status: StatusCode, code: i32, problem: &'static str) -> Self {
        let presentation = Presentation::default();
        Self(Answer::Error(Box::new(ErrorAnswer { status, code, problem, id: None, presentation })))
    }

    fn with(mut self, change: impl FnOnce(&mut ErrorAnswer)) -> Self {
        if let Answer::Error(error) = &mut self.0 {
            change(error);
        }
        self
    }

    /// To an authenticated request that presented its token in this way.
    pub(super) fn to(self, presentation: &Presentation) -> Self {
        self.with(|error| error.presentation = presentation.clone())
    }

    /// The refusal, if the request was rejected by its token.
    #[must_use]
    pub const fn refusal(&self) -> Option<&Refusal> {
        match &self.0 {
            Answer::Refused(refusal) => Some(refusal),
            Answer::Error(_) => None,
        }
    }

    /// The whole response.
    #[must_use]
    pub fn response(&self) -> Response<Bytes> {
        match &self.0 {
            Answer::Refused(refusal) => refusal.response(),
            Answer::Error(error) => error.response(),
        }
    }
}

impl ErrorAnswer {
    fn response(&self) -> Response<Bytes> {
        let error = json!({ "code": self.code, "message": self.problem });
        let body = match &self.id {
            Some(id) => json!({ "jsonrpc": "2.0", "id": id, "error": error }),
            None => json!({ "jsonrpc": "2.0", "error": error }),
        };
        let mut response = Response::new(body.to_string().into());
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if self.status == StatusCode::METHOD_NOT_ALLOWED {
            headers.insert(ALLOW, HeaderValue::from_static("POST, GET, DELETE"));
        }
        self.presentation.provide_nonce(headers);
        response
    }
}

impl From<Refusal> for McpRejection {
    fn from(refusal: Refusal) -> Self {
        Self(Answer::Refused(refusal))
    }
}
