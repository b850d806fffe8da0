//! Why an API does not start.

use std::fmt;

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
    pub(super) fn unreadable(problem: String) -> Self {
        Self { heading: "the document cannot be read:", problems: vec![problem] }
    }

    /// A document says what cannot be enforced.
    pub(super) fn unusable(problems: Vec<String>) -> Self {
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
