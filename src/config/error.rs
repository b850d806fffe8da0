//! What is wrong with a configuration: every problem at once.

use std::fmt;

/// The configuration is invalid. The error lists every problem, in the order of the documentation.
///
/// `Display` is made for a terminal: a heading, then one line per problem that begins with its
/// source. It never contains a secret.
#[derive(Clone)]
pub struct ConfigError {
    problems: Vec<ConfigProblem>,
}

impl ConfigError {
    pub(super) fn new(problems: Vec<ConfigProblem>) -> Self {
        Self { problems }
    }

    /// One problem that shows only when a setting is put to use.
    pub(crate) fn of(source: &str, message: impl fmt::Display) -> Self {
        Self::new(vec![ConfigProblem::new(source, message.to_string())])
    }

    /// Each problem.
    #[must_use]
    pub fn problems(&self) -> &[ConfigProblem] {
        &self.problems
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.problems.len() {
            1 => f.write_str("invalid configuration:")?,
            count => write!(f, "invalid configuration ({count} problems):")?,
        }
        self.problems.iter().try_for_each(|problem| write!(f, "\n{problem}"))
    }
}

/// As `Display`: this is what a `main` prints that returns the error.
impl fmt::Debug for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for ConfigError {}

/// One problem of a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConfigProblem {
    source: String,
    message: String,
}

impl ConfigProblem {
    pub(super) fn new(source: impl Into<String>, message: impl Into<String>) -> Self {
        Self { source: source.into(), message: message.into() }
    }

    /// Where the problem is: `MONOCLOUD_BACKEND_CLOCK_SKEW`, `monocloud.toml: clock_skew`, or
    /// `builder: clock_skew`.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The rule that is broken, what to write instead and, unless it is a secret, the value.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for ConfigProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.source, self.message)
    }
}
