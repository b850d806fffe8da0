//! What is wrong with a request to the control API.

use http::{
    StatusCode,
    header::{ALLOW, HeaderValue},
};
use serde_json::json;

use crate::site::answer::{Answer, json_answer};
#[cfg(feature = "pages")]
use crate::site::pages::Page;

/// A request that cannot be fulfilled, and why.
#[derive(Debug)]
pub(crate) struct Mistake {
    status: StatusCode,
    message: String,
    /// The names that are valid in place of a wrong one.
    valid: Vec<String>,
    allow: Option<HeaderValue>,
}

impl Mistake {
    /// Something that is wrong with the body.
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self::with_status(StatusCode::BAD_REQUEST, message)
    }

    /// A name that does not exist, and those that do.
    pub(super) fn unknown(
        what: &str,
        name: &str,
        valid: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        let valid: Vec<_> = valid.into_iter().map(Into::into).collect();
        let listed = if valid.len() <= 32 {
            format!("; valid: {}", valid.join(", "))
        } else {
            String::new()
        };
        Self { valid, ..Self::new(format!("there is no {what} {name:?}{listed}")) }
    }

    pub(super) fn unknown_path(path: &str, valid: impl IntoIterator<Item = &'static str>) -> Self {
        let mut valid: Vec<_> = valid.into_iter().map(|path| format!("/_control/{path}")).collect();
        valid.dedup();
        let message = format!("there is no /_control/{path}; valid: {}", valid.join(", "));
        Self { valid, ..Self::with_status(StatusCode::NOT_FOUND, message) }
    }

    pub(super) fn wrong_method(allowed: &[&str]) -> Self {
        let allowed = allowed.join(", ");
        let message = format!("the methods of this path are {allowed}");
        let allow = HeaderValue::from_str(&allowed).ok();
        Self { allow, ..Self::with_status(StatusCode::METHOD_NOT_ALLOWED, message) }
    }

    pub(super) fn foreign_origin() -> Self {
        Self::with_status(
            StatusCode::FORBIDDEN,
            "the Origin is not the tenant's own: web pages of other origins cannot control it",
        )
    }

    pub(super) fn not_json_type() -> Self {
        Self::with_status(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "the body needs the header Content-Type: application/json, so that no web page can \
             send it; with curl, use --json",
        )
    }

    pub(super) fn too_large() -> Self {
        let message = "the body is incomplete or larger than 64 KiB";
        Self::with_status(StatusCode::PAYLOAD_TOO_LARGE, message)
    }

    pub(super) fn too_many_faults() -> Self {
        let message = "the endpoint has too many faults: lift them with DELETE /_control/faults";
        Self::with_status(StatusCode::CONFLICT, message)
    }

    pub(super) fn too_many_followers() -> Self {
        let message = "too many clients follow the requests";
        Self::with_status(StatusCode::SERVICE_UNAVAILABLE, message)
    }

    #[cfg(feature = "pages")]
    pub(super) fn message(&self) -> &str {
        &self.message
    }

    pub(super) fn answer(self) -> Answer {
        let mut body = json!({ "error": self.message });
        if !self.valid.is_empty() {
            body["valid"] = self.valid.iter().map(String::as_str).collect();
        }
        self.with_allow(json_answer(self.status, &body))
    }

    /// The answer to a browser.
    #[cfg(feature = "pages")]
    pub(super) fn page(self) -> Answer {
        let main = maud::html! { p role="alert" { (self.message) } };
        let page = Page::new("This request cannot be answered", main);
        self.with_allow(Page { status: self.status, ..page }.answer())
    }

    fn with_allow(&self, mut answer: Answer) -> Answer {
        let allow = self.allow.clone();
        answer.headers_mut().extend(allow.map(|allow| (ALLOW, allow)));
        answer
    }

    fn with_status(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), valid: Vec::new(), allow: None }
    }
}
