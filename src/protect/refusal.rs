//! The answer to a request that is refused (RFC 6750 §3): status, challenge, body.
//!
//! | cause | status | challenge |
//! |---|---|---|
//! | no token | 401 | the realm alone |
//! | malformed request | 400 | `error="invalid_request"` |
//! | a token that is not accepted | 401 | `error="invalid_token"`, `error_description` |
//! | a scope or a group is missing | 403 | `error="insufficient_scope"`, `scope` if scopes are the matter |
//! | the tenant is unavailable | 503 | none, but `Retry-After` |
//! | this API is at fault | 500 | none |

use std::{error::Error as StdError, fmt, fmt::Write as _, sync::Arc};

use bytes::Bytes;
use http::{
    HeaderValue, Method, Response, StatusCode,
    header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE},
};

use crate::{
    error::{Denial, Error, Internal, InvalidToken},
    protect::error_body::ErrorBody,
};

/// A refused request: the [`Error`], and what is needed to answer it.
///
/// Every host turns it into its own response through [`response`](Self::response). The error is in
/// the response's extensions, so that an application can log it.
#[derive(Clone, Debug)]
pub struct Refusal {
    error: Error,
    realm: Realm,
    /// Where the metadata of this API is (RFC 9728 §5.1).
    metadata: Option<Arc<str>>,
    body: ErrorBody,
}

impl Refusal {
    pub(crate) fn new(error: Error, realm: &Realm) -> Self {
        Self { error, realm: realm.clone(), metadata: None, body: ErrorBody::Message }
    }

    /// Refuses a request that no guard has checked. The log says why and what to write instead; the
    /// response does not.
    pub(crate) fn unprotected(method: &Method, path: &str, remedy: &str) -> Self {
        let cause = Internal::Unprotected;
        tracing::error!(name: "request.unprotected", %method, path, "{cause}; {remedy}");
        Self::new(Error::Internal(cause), &Realm::new(""))
    }

    pub(crate) fn with_metadata_at(mut self, url: Option<&Arc<str>>) -> Self {
        self.metadata = url.cloned();
        self
    }

    pub(crate) fn with_body(mut self, body: &ErrorBody) -> Self {
        self.body = body.clone();
        self
    }

    /// Why the request was refused.
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
            Error::InvalidToken(_) | Error::MissingToken => StatusCode::UNAUTHORIZED,
            Error::Unavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The `WWW-Authenticate` header (RFC 6750 §3); none where it is not the caller's fault.
    #[must_use]
    pub fn challenge(&self) -> Option<HeaderValue> {
        let mut challenge = Challenge::new(&self.realm);
        match &self.error {
            Error::MissingToken => {}
            Error::InvalidRequest(_) => challenge.parameter("error", "invalid_request"),
            Error::InvalidToken(reason) => {
                challenge.parameter("error", "invalid_token");
                challenge.parameter("error_description", &description(*reason));
            }
            Error::InsufficientScope(denial) => {
                challenge.parameter("error", "insufficient_scope");
                if let Denial::Scopes { required } = denial {
                    challenge.parameter("scope", required);
                }
            }
            Error::Internal(_) | Error::Unavailable { .. } => return None,
        }
        if let Some(url) = &self.metadata {
            challenge.parameter("resource_metadata", url);
        }
        challenge.into_header()
    }

    /// The phrase of the challenge's `error_description` (RFC 6750 §3), if it has one: fixed text
    /// that contains no value of the token.
    #[must_use]
    pub fn description(&self) -> Option<String> {
        match self.error {
            Error::InvalidToken(reason) => Some(description(reason)),
            _ => None,
        }
    }

    /// The whole response. Its body is a JSON object with one member, `message`, unless the
    /// application [replaces](crate::ProtectApiBuilder::error_body) it.
    #[must_use]
    pub fn response(&self) -> Response<Bytes> {
        let mut response = Response::new(self.body.write(self));
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, self.body.content_type());
        if let Some(challenge) = self.challenge() {
            headers.insert(WWW_AUTHENTICATE, challenge);
        }
        if let Error::Unavailable { retry_after, .. } = self.error {
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

/// The protection space a challenge names (RFC 9110 §11.5).
#[derive(Clone, Debug)]
pub(crate) struct Realm(Arc<str>);

impl Realm {
    pub(crate) fn new(realm: &str) -> Self {
        Self(realm.into())
    }
}

/// A `WWW-Authenticate` value in the making.
struct Challenge(String);

impl Challenge {
    fn new(realm: &Realm) -> Self {
        let mut challenge = Self(String::from("Bearer"));
        challenge.write(" realm", &realm.0);
        challenge
    }

    fn parameter(&mut self, name: &str, value: &str) {
        self.0.push_str(", ");
        self.write(name, value);
    }

    /// Writes a quoted string (RFC 9110 §5.6.4) of printable ASCII; whatever else the value holds
    /// becomes a question mark.
    fn write(&mut self, name: &str, value: &str) {
        self.0.push_str(name);
        self.0.push_str("=\"");
        for char in value.chars() {
            match char {
                '"' | '\\' => self.0.extend(['\\', char]),
                ' '..='~' => self.0.push(char),
                _ => self.0.push('?'),
            }
        }
        self.0.push('"');
    }

    fn into_header(self) -> Option<HeaderValue> {
        HeaderValue::try_from(self.0).ok()
    }
}

/// A fixed phrase a reason, with the name of the claim that is meant.
fn description(reason: InvalidToken) -> String {
    let mut phrase = reason.to_string();
    if let InvalidToken::Claim(name) = reason {
        let _ = write!(phrase, " ({name})");
    }
    phrase
}

fn whole_seconds(duration: std::time::Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}
