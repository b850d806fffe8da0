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
pub struct McpRejection {
    answer: Answer,
    presentation: Presentation,
}

#[derive(Clone, Debug)]
enum Answer {
    Refused(Refusal),
    /// A JSON-RPC error, which names the request if that could be read.
    Error {
        status: StatusCode,
        code: i32,
        problem: &'static str,
        id: Option<Value>,
    },
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
        Self::error(StatusCode::BAD_REQUEST, code, problem).with_id(id)
    }

    pub(super) fn header_mismatch(id: Option<Value>, problem: &'static str) -> Self {
        Self::error(StatusCode::BAD_REQUEST, HEADER_MISMATCH, problem).with_id(id)
    }

    fn error(status: StatusCode, code: i32, problem: &'static str) -> Self {
        let answer = Answer::Error { status, code, problem, id: None };
        Self { answer, presentation: Presentation::default() }
    }

    fn with_id(mut self, of_request: Option<Value>) -> Self {
        if let Answer::Error { id, .. } = &mut self.answer {
            *id = of_request;
        }
        self
    }

    /// To an authenticated request that presented its token in this way.
    pub(super) fn to(self, presentation: &Presentation) -> Self {
        Self { presentation: presentation.clone(), ..self }
    }

    /// The refusal, if the request was rejected by its token.
    #[must_use]
    pub const fn refusal(&self) -> Option<&Refusal> {
        match &self.answer {
            Answer::Refused(refusal) => Some(refusal),
            Answer::Error { .. } => None,
        }
    }

    /// The whole response.
    #[must_use]
    pub fn response(&self) -> Response<Bytes> {
        let (status, code, problem, id) = match &self.answer {
            Answer::Refused(refusal) => return refusal.response(),
            Answer::Error { status, code, problem, id } => (*status, code, problem, id),
        };
        let mut body = json!({ "jsonrpc": "2.0", "error": { "code": code, "message": problem } });
        if let (Some(id), Value::Object(members)) = (id, &mut body) {
            members.insert("id".to_owned(), id.clone());
        }
        let mut response = Response::new(body.to_string().into());
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if status == StatusCode::METHOD_NOT_ALLOWED {
            headers.insert(ALLOW, HeaderValue::from_static("POST, GET, DELETE"));
        }
        self.presentation.provide_nonce(headers);
        response
    }
}

impl From<Refusal> for McpRejection {
    fn from(refusal: Refusal) -> Self {
        Self { answer: Answer::Refused(refusal), presentation: Presentation::default() }
    }
}
