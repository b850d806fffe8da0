//! OpenAPI documents, whatever framework they come from: what they require, and how they end.
//!
//! - `declared`: an API whose document is given
//! - `document`: a document as JSON, and the operations in it
//! - `operations`: which documented operation a route is
//! - `plan`: what holds for operations without a requirement of their own
//! - `security`: an operation's requirement, read and written
//! - `finish`: the document that is served, with the tenant's own endpoints in it
//! - `requirement_text`, `refusals`: what it says of an operation that can refuse
//! - `serve`: the document as a response
//! - `swagger_ui`: the page that shows it
//!
//! What a document says an operation needs is all there is: the same text is enforced and shown.

mod declared;
pub(crate) mod document;
mod finish;
pub(crate) mod operations;
pub(crate) mod plan;
mod refusals;
mod requirement_text;
pub(crate) mod security;
mod serve;
#[cfg(feature = "swagger-ui")]
mod swagger_ui;

use std::fmt;

pub(crate) use self::declared::Declaration;
#[cfg(feature = "swagger-ui")]
pub use self::swagger_ui::SwaggerUi;
pub use self::{
    declared::{DeclaredApi, Routes},
    serve::{ApiDocument, DocumentEndpoint},
};

/// Why an API and its document cannot be served together; every reason at once.
///
/// `Display` is made for a terminal: a heading, then one line a reason that begins with the method
/// and the path of the operation.
#[derive(Clone)]
pub struct DocumentError {
    problems: Vec<String>,
}

impl DocumentError {
    pub(crate) fn new(problems: Vec<String>) -> Self {
        Self { problems }
    }

    /// Each reason.
    #[must_use]
    pub fn problems(&self) -> &[String] {
        &self.problems
    }
}

impl fmt::Display for DocumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the API and its document do not agree:")?;
        self.problems.iter().try_for_each(|problem| write!(f, "\n{problem}"))
    }
}

/// As `Display`: this is what a `main` prints that returns the error.
impl fmt::Debug for DocumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for DocumentError {}
