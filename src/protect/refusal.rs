//! The answer to a request that is rejected (RFC 6750 §3): status, challenge, body.
//!
//! | cause | status | challenge |
//! |---|---|---|
//! | no token | 401 | no error |
//! | malformed request | 400 | `error="invalid_request"` |
//! | a token that is not accepted | 401 | `error="invalid_token"`, `error_description` |
//! | a DPoP proof that is not accepted | 401 | `error="invalid_dpop_proof"`, `error_description` |
//! | a DPoP proof without a nonce | 401 | `error="use_dpop_nonce"`, `error_description`; the nonce is in `DPoP-Nonce` |
//! | the user must authenticate again | 401 | `error="insufficient_user_authentication"`, `error_description`, `acr_values`, `max_age` |
//! | a scope, a group or a claim is missing | 403 | `error="insufficient_scope"`, `scope` if scopes are the matter |
//! | the tenant or the record of proofs is unavailable | 503 | none, but `Retry-After` |
//! | this API is at fault | 500 | none |
//!
//! Every 401 names the scopes that the operation needs, so that a client knows what to ask for. There is
//! one challenge for each scheme that the API accepts.

use std::{
    error::Error as StdError,
    fmt,
    sync::{Arc, OnceLock},
};

use bytes::Bytes;
use http::{
    HeaderValue, Method, Response, StatusCode,
    header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE},
};

use serde::Serialize;
use serde_json::{Value, json};

use super::{
    challenge::{ProtectionSpace, description},
    presentation::Presentation,
};
use crate::{
    config::DpopMode,
    error::{Error, Internal},
};

/// A rejected request: the [`Error`], and what is needed to answer it. That includes the client's next
/// nonce, if DPoP proofs must contain one.
///
/// Every host turns it into its own response through [`response`](Self::response). The error is in
/// the response's extensions, so that an application can log it.
#[derive(Clone, Debug)]
pub struct Refusal {
    error: Error,
    api: Arc<Answering>,
    /// Every scope that the operation needs, blank-separated.
    scope: Option<Arc<str>>,
    presentation: Presentation,
}

/// How an API answers the requests that it rejects.
#[derive(Debug)]
pub(crate) struct Answering {
    /// The protection space a challenge names (RFC 9110 §11.5).
    pub(crate) realm: String,
    pub(crate) body: ErrorBody,
    /// Where the metadata of this API is (RFC 9728 §5.1), once the application serves it.
    pub(crate) metadata: OnceLock<Arc<str>>,
    /// Which schemes it accepts.
    pub(crate) dpop: DpopMode,
}

impl Answering {
    /// With the usual body.
    pub(crate) fn in_realm(realm: &str) -> Arc<Self> {
        Arc::new(Self {
            realm: realm.to_owned(),
            body: ErrorBody::Message,
            metadata: OnceLock::new(),
            dpop: DpopMode::Disabled,
        })
    }

    fn protection_space(&self) -> ProtectionSpace<'_> {
        let metadata = self.metadata.get().map(|url| &**url);
        ProtectionSpace { realm: &self.realm, dpop: self.dpop, metadata }
    }
}

impl Refusal {
    pub(crate) fn new(error: Error, api: Arc<Answering>) -> Self {
        Self { error, api, scope: None, presentation: Presentation::default() }
    }

    /// Rejects a request that no guard has checked. The log says why and what to write instead; the
    /// response does not.
    pub(crate) fn unprotected(method: &Method, path: &str, remedy: &str) -> Self {
        let cause = Internal::Unprotected;
        tracing::error!(name: "request.unprotected", %method, path, "{cause}; {remedy}");
        Self::new(Error::Internal(cause), Answering::in_realm(""))
    }

    pub(crate) fn with_scope(self, scope: Option<Arc<str>>) -> Self {
        Self { scope, ..self }
    }

    /// To a request that presented its token in this way.
    pub(crate) fn to(self, presentation: &Presentation) -> Self {
        Self { presentation: presentation.clone(), ..self }
    }

    /// Why the request was rejected.
    #[must_use]
    pub const fn error(&self) -> &Error {
        &self.error
    }

    /// The status of the answer.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        match self.error {
            Error::InsufficientScope(_) => StatusCode::FORBIDDEN,
            Error::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
            Error::InvalidRequest(_) => StatusCode::BAD_REQUEST,
            Error::InsufficientUserAuthentication(_)
            | Error::InvalidProof(_)
            | Error::InvalidToken(_)
            | Error::MissingToken
            | Error::UseNonce(_) => StatusCode::UNAUTHORIZED,
            Error::Overloaded { .. } | Error::Unavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The values of the `WWW-Authenticate` header, one for each scheme that the API accepts
    /// (RFC 6750 §3, RFC 9449 §7.1); none where it is not the caller's fault.
    pub fn challenges(&self) -> impl Iterator<Item = HeaderValue> {
        let used = self.presentation.scheme;
        self.api.protection_space().challenges(&self.error, self.scope.as_deref(), used).into_iter()
    }

    /// The phrase of the challenge's `error_description` (RFC 6750 §3), if it has one: fixed text
    /// that contains no value of the token.
    #[must_use]
    pub fn description(&self) -> Option<String> {
        description(&self.error)
    }

    /// The whole response. Its body is a JSON object with one member, `message`, unless the
    /// application [replaces](crate::ProtectApiBuilder::error_body) it.
    #[must_use]
    pub fn response(&self) -> Response<Bytes> {
        let mut response = Response::new(self.api.body.write(self));
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, self.api.body.content_type());
        for challenge in self.challenges() {
            headers.append(WWW_AUTHENTICATE, challenge);
        }
        self.presentation.provide_nonce(headers);
        if let Error::Overloaded { retry_after, .. } | Error::Unavailable { retry_after, .. } =
            self.error
        {
            headers.insert(RETRY_AFTER, whole_seconds(retry_after).into());
        }
        response.extensions_mut().insert(self.error.clone());
        response
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.error, f)
    }
}

impl StdError for Refusal {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&self.error)
    }
}

fn whole_seconds(duration: std::time::Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

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
        Error::InsufficientUserAuthentication(_)
        | Error::InvalidProof(_)
        | Error::InvalidToken(_)
        | Error::MissingToken
        | Error::UseNonce(_) => r#"{"message":"unauthorized"}"#,
        Error::Overloaded { .. } | Error::Unavailable { .. } => {
            r#"{"message":"service unavailable"}"#
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal() -> Refusal {
        Refusal::new(Error::MissingToken, Answering::in_realm("api"))
    }

    #[test]
    fn a_refusal_reads_as_its_error_which_is_its_source() {
        let message = Error::MissingToken.to_string();
        assert_eq!(refusal().to_string(), message);
        assert_eq!(refusal().source().map(ToString::to_string), Some(message));
    }

    #[test]
    fn debug_shows_how_the_application_describes_its_body() {
        let body = ErrorBody::custom("text/plain", json!({}), |_| String::new()).unwrap();
        let realm = "api".to_owned();
        let (metadata, dpop) = (OnceLock::new(), DpopMode::Disabled);
        let api = Arc::new(Answering { realm, body, metadata, dpop });
        let shown = format!("{:?}", Refusal::new(Error::MissingToken, api));
        let expected = r#"CustomBody { content_type: "text/plain", schema: Object {}, .. }"#;
        assert!(shown.contains(expected), "{shown}");
    }
}
