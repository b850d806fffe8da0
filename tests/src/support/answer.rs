//! Answers, compared exactly.

use monocloud_backend::error::InvalidToken;
use reqwest::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER, WWW_AUTHENTICATE};

/// What an API answered.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: String,
}

impl Answer {
    /// The value of a header, which must not be repeated.
    pub fn header(&self, name: impl reqwest::header::AsHeaderName) -> Option<&str> {
        let mut values = self.headers.get_all(name).iter();
        let value = values.next()?.to_str().unwrap();
        assert!(values.next().is_none(), "repeated: {self:?}");
        Some(value)
    }

    pub fn retry_after(&self) -> Option<u64> {
        self.header(RETRY_AFTER).map(|seconds| seconds.parse().unwrap())
    }

    /// Compares the answer with `expected`, and checks what is common to all answers of its status.
    #[track_caller]
    pub fn assert(&self, case: &str, expected: &Expected) {
        let seen = Expected {
            status: self.status,
            challenge: self.header(WWW_AUTHENTICATE).map(str::to_owned),
            body: expected.body.is_some().then(|| self.body.clone()),
        };
        assert_eq!(seen, *expected, "{case}\n{self:?}");
        if expected.is_rejection() {
            assert_eq!(self.header(CONTENT_TYPE), Some("application/json"), "{case}");
        }
        match (self.status, self.retry_after()) {
            (503, Some(1..=300)) | (..503 | 504.., None) => {}
            (_, retry_after) => panic!("{case}: Retry-After {retry_after:?}\n{self:?}"),
        }
    }
}

/// The expected answer; without a body where the handler decides it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Expected {
    pub status: u16,
    pub challenge: Option<String>,
    pub body: Option<String>,
}

impl Expected {
    /// A 401 of an operation that needs these scopes names them.
    #[must_use]
    pub fn naming(mut self, scopes: &str) -> Self {
        let challenge = self.challenge.as_mut().expect("it has a challenge");
        challenge.push_str(&format!(r#", scope="{scopes}""#));
        self
    }

    fn is_rejection(&self) -> bool {
        self.body.as_ref().is_some_and(|body| body.starts_with(r#"{"message":"#))
    }
}

/// The audience of the mock tenant, which is the realm unless one is set.
const REALM: &str = "https://api.example.com";

/// The handler was reached.
pub fn ok() -> Expected {
    Expected { status: 200, challenge: None, body: None }
}

/// The handler was reached and answered with this body.
pub fn says(body: &str) -> Expected {
    Expected { body: Some(body.to_owned()), ..ok() }
}

/// No token.
pub fn missing() -> Expected {
    challenged(401, "", "unauthorized")
}

pub fn invalid_request() -> Expected {
    challenged(400, r#", error="invalid_request""#, "bad request")
}

pub fn invalid_token(reason: InvalidToken) -> Expected {
    let claim = match reason {
        InvalidToken::Claim(name) => format!(" ({name})"),
        _ => String::new(),
    };
    let parameters = format!(r#", error="invalid_token", error_description="{reason}{claim}""#);
    challenged(401, &parameters, "unauthorized")
}

/// A scope is missing; these are all that the operation needs.
pub fn missing_scope(scopes: &str) -> Expected {
    forbidden(&format!(r#", scope="{scopes}""#))
}

pub fn missing_group() -> Expected {
    forbidden("")
}

fn forbidden(parameters: &str) -> Expected {
    challenged(403, &format!(r#", error="insufficient_scope"{parameters}"#), "forbidden")
}

pub fn unavailable() -> Expected {
    rejected(503, None, "service unavailable")
}

pub fn internal() -> Expected {
    rejected(500, None, "internal server error")
}

fn challenged(status: u16, parameters: &str, message: &str) -> Expected {
    rejected(status, Some(format!(r#"Bearer realm="{REALM}"{parameters}"#)), message)
}

fn rejected(status: u16, challenge: Option<String>, message: &str) -> Expected {
    Expected { status, challenge, body: Some(format!(r#"{{"message":"{message}"}}"#)) }
}
