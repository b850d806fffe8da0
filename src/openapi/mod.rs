//! OpenAPI documents, whatever framework they come from: what they require, and how they end.
//!
//! - `declared`: an API whose document is given
//! - `document`: a document as JSON, and the operations in it
//! - `read`: the text of a given document, parsed strictly
//! - `references`: local references, followed
//! - `check`: what a given document may not say
//! - `order`: the order in which a document is written
//! - `operations`: which documented operation a route is, and what a request to it needs
//! - `problems`: what prevents an API from starting
//! - `nearest`: what was probably meant by a name that does not exist
//! - `plan`: defaults, public and hidden operations
//! - `security`: an operation's requirement, read and written
//! - `finish`: the document that is served, with the tenant's own endpoints in it
//! - `requirement_text`, `refusals`: what it says of an operation that can refuse
//! - `serve`: the document as a response
//! - `swagger_ui`: the page that shows it
//!
//! What a document says an operation needs is all there is: the same text is enforced and shown.

mod check;
mod declared;
pub(crate) mod document;
mod finish;
mod nearest;
pub(crate) mod operations;
pub(crate) mod order;
pub(crate) mod plan;
mod problems;
mod read;
mod references;
mod refusals;
mod requirement_text;
pub(crate) mod security;
mod serve;
#[cfg(feature = "swagger-ui")]
mod swagger_ui;

use std::fmt;

pub(crate) use self::declared::Declaration;
#[cfg(test)]
pub(crate) use self::declared::{UNCLEAR_PATHS, unclear_api};
#[cfg(feature = "swagger-ui")]
pub use self::swagger_ui::SwaggerUi;
pub use self::{
    declared::{DeclaredApi, Routes},
    serve::{ApiDocument, DocumentEndpoint},
};

/// Why an API and its document cannot be served together; every reason at once.
///
/// `Display` is made for a terminal: a heading, then one line a reason that begins with its place,
/// such as the method and the path of an operation.
#[derive(Clone)]
pub struct DocumentError {
    heading: &'static str,
    problems: Vec<String>,
}

impl DocumentError {
    /// The routes of an API differ from its document.
    pub(crate) fn new(problems: Vec<String>) -> Self {
        Self { heading: "the API and its document do not agree:", problems }
    }

    /// A document cannot be parsed.
    fn unreadable(problem: String) -> Self {
        Self { heading: "the document cannot be read:", problems: vec![problem] }
    }

    /// A document says what cannot be enforced.
    fn unusable(problems: Vec<String>) -> Self {
        Self { heading: "the document cannot be enforced:", problems }
    }

    /// Each reason.
    #[must_use]
    pub fn problems(&self) -> &[String] {
        &self.problems
    }
}

impl fmt::Display for DocumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.heading)?;
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
