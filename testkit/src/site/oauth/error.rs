//! Errors of the authorization server.

use http::{
    HeaderValue, StatusCode,
    header::{CACHE_CONTROL, WWW_AUTHENTICATE},
};
use serde_json::{Value, json};

use crate::site::{
    answer::{Answer, json_answer},
    refusal::Refusal,
};

/// An error: its code, and what is wrong (RFC 6749 §4.1.2.1 and §5.2).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct OAuthError {
    pub(crate) code: &'static str,
    pub(crate) description: Refusal,
}

impl OAuthError {
    pub(crate) const fn new(code: &'static str, description: Refusal) -> Self {
        Self { code, description }
    }

    pub(crate) const fn request(description: Refusal) -> Self {
        Self::new("invalid_request", description)
    }

    pub(crate) const fn grant(description: Refusal) -> Self {
        Self::new("invalid_grant", description)
    }

    pub(crate) const fn client(description: Refusal) -> Self {
        Self::new("invalid_client", description)
    }

    /// RFC 6749 §5.2.
    pub(crate) fn answer(self) -> Answer {
        let is_client = self.code == "invalid_client";
        let status = if is_client { StatusCode::UNAUTHORIZED } else { StatusCode::BAD_REQUEST };
        let body = json!({ "error": self.code, "error_description": self.description });
        let mut answer = private_json(status, &body);
        if is_client {
            let challenge = HeaderValue::from_static(r#"Basic realm="tenant""#);
            answer.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
        answer
    }
}

/// An answer with this document, which no cache keeps (RFC 6749 §5.1).
pub(crate) fn private_json(status: StatusCode, document: &Value) -> Answer {
    private(json_answer(status, document))
}

/// The answer, which no cache keeps.
pub(crate) fn private(mut answer: Answer) -> Answer {
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}
