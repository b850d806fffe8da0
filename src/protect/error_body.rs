//! The body of a refusal: what is written, and how a document describes it.
//!
//! Status and headers are the same whatever the body is.

use std::{fmt, sync::Arc};

use bytes::Bytes;
use http::HeaderValue;
use serde::Serialize;
use serde_json::{Value, json};

use crate::{error::Error, protect::refusal::Refusal};

/// How the body of a refusal is written.
#[derive(Clone, Debug, Default)]
pub(crate) enum ErrorBody {
    /// `{"message": "unauthorized"}`
    #[default]
    Message,
    /// RFC 9457.
    ProblemDetails,
    /// By a function of the application's.
    Custom(Arc<CustomBody>),
}

/// A body that the application writes.
pub(crate) struct CustomBody {
    content_type: HeaderValue,
    schema: Value,
    write: Box<WriteBody>,
}

type WriteBody = dyn Fn(&Refusal) -> String + Send + Sync;

impl ErrorBody {
    /// A body of the application's, or what is wrong with its description.
    pub(crate) fn custom(
        content_type: &str,
        schema: Value,
        write: impl Fn(&Refusal) -> String + Send + Sync + 'static,
    ) -> Result<Self, &'static str> {
        if !content_type
            .split_once('/')
            .is_some_and(|(kind, sub)| !kind.is_empty() && !sub.is_empty())
        {
            return Err("the content type must be a media type, such as `application/json`");
        }
        let content_type = HeaderValue::from_str(content_type)
            .map_err(|_| "the content type must be printable ASCII")?;
        if !schema.is_object() {
            return Err("the schema must be a JSON object, such as `{\"type\": \"object\"}`");
        }
        Ok(Self::Custom(Arc::new(CustomBody { content_type, schema, write: Box::new(write) })))
    }

    pub(crate) fn content_type(&self) -> HeaderValue {
        match self {
            Self::Message => HeaderValue::from_static("application/json"),
            Self::ProblemDetails => HeaderValue::from_static("application/problem+json"),
            Self::Custom(custom) => custom.content_type.clone(),
        }
    }

    pub(crate) fn write(&self, refusal: &Refusal) -> Bytes {
        match self {
            Self::Message => Bytes::from_static(message(refusal.error()).as_bytes()),
            Self::ProblemDetails => problem(refusal).into(),
            Self::Custom(custom) => (custom.write)(refusal).into(),
        }
    }

    /// The body as the `content` of a response object (OpenAPI 3.0 §4.7.17).
    pub(crate) fn describe(&self) -> Value {
        let content_type = self.content_type();
        let schema = match self {
            Self::Message => json!({
                "type": "object",
                "required": ["message"],
                "properties": { "message": { "type": "string" } },
            }),
            Self::ProblemDetails => json!({
                "type": "object",
                "required": ["type", "title", "status", "code"],
                "properties": {
                    "type": { "type": "string" },
                    "title": { "type": "string" },
                    "status": { "type": "integer" },
                    "code": { "type": "string", "description": "The reason, as a stable word" },
                    "detail": { "type": "string" },
                },
            }),
            Self::Custom(custom) => custom.schema.clone(),
        };
        // A header's value made of text is text.
        let content_type = content_type.to_str().unwrap_or_default();
        json!({ content_type: { "schema": schema } })
    }
}

impl fmt::Debug for CustomBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CustomBody")
            .field("content_type", &self.content_type)
            .field("schema", &self.schema)
            .finish_non_exhaustive()
    }
}

const fn message(error: &Error) -> &'static str {
    match error {
        Error::InsufficientScope(_) => r#"{"message":"forbidden"}"#,
        Error::Internal(_) => r#"{"message":"internal server error"}"#,
        Error::InvalidRequest(_) => r#"{"message":"bad request"}"#,
        Error::InvalidToken(_) | Error::MissingToken => r#"{"message":"unauthorized"}"#,
        Error::Unavailable { .. } => r#"{"message":"service unavailable"}"#,
    }
}

/// Problem details (RFC 9457 §3.1). Without a type of its own a problem's title is the phrase of
/// its status (§4.2.1).
#[derive(Serialize)]
struct Problem {
    #[serde(rename = "type")]
    kind: &'static str,
    title: Option<&'static str>,
    status: u16,
    code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

fn problem(refusal: &Refusal) -> String {
    let status = refusal.status();
    let problem = Problem {
        kind: "about:blank",
        title: status.canonical_reason(),
        status: status.as_u16(),
        code: refusal.error().reason(),
        detail: refusal.description(),
    };
    serde_json::to_string(&problem).unwrap_or_default()
}
