//! What an audit amounts to.

use std::fmt;

use crate::audit::{finding::Finding, rule::Grade};

/// The result of an audit.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Report {
    /// The API's base URL.
    pub base_url: String,
    /// The issuer of the audit's tenant.
    pub tenant: String,
    /// What was found, the gravest first, without what the baseline has.
    pub findings: Vec<Finding>,
    /// What is inconclusive, and why.
    pub inconclusive: Vec<Inconclusive>,
    /// The names of the operations that were called.
    pub operations: Vec<String>,
    /// How many requests were sent.
    pub requests: usize,
    /// How many findings the baseline has.
    pub accepted: usize,
}

/// An operation, or the API as a whole, that could not be checked.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Inconclusive {
    /// The operation, such as `GET /posts/{id}`; `None` for the API as a whole.
    pub operation: Option<String>,
    /// Why, and what to do.
    pub reason: String,
}

/// The outcome of an audit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Verdict {
    /// Every operation was checked, and no rule is broken.
    Passed,
    /// A rule is broken.
    Failed,
    /// No rule was seen broken, and not everything could be checked.
    Inconclusive,
}

impl Report {
    /// The outcome: advice alone passes.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        if self.findings.iter().any(|finding| finding.grade == Grade::Finding) {
            Verdict::Failed
        } else if self.inconclusive.is_empty() {
            Verdict::Passed
        } else {
            Verdict::Inconclusive
        }
    }

    /// Checks that the audit passed.
    ///
    /// # Panics
    ///
    /// If it did not, with all findings.
    #[track_caller]
    pub fn assert_passed(&self) {
        assert!(self.verdict() == Verdict::Passed, "{self}");
    }
}

impl Verdict {
    /// `passed`, `failed` or `inconclusive`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Inconclusive => "inconclusive",
        }
    }

    /// The exit code of `mock-tenant audit`: 0, 1 or 2.
    #[must_use]
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Passed => 0,
            Self::Failed => 1,
            Self::Inconclusive => 2,
        }
    }
}

impl Inconclusive {
    pub(super) fn operation(name: &str, reason: impl Into<String>) -> Self {
        Self { operation: Some(name.to_owned()), reason: reason.into() }
    }

    pub(super) fn api(reason: impl Into<String>) -> Self {
        Self { operation: None, reason: reason.into() }
    }
}

impl fmt::Display for Inconclusive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.operation.as_deref().unwrap_or("the API"), self.reason)
    }
}

/// For readers.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.findings {
            writeln!(f, "{finding}")?;
        }
        for inconclusive in &self.inconclusive {
            writeln!(f, "inconclusive: {inconclusive}")?;
        }
        let of = |grade| self.findings.iter().filter(|finding| finding.grade == grade).count();
        let (findings, advice) = (of(Grade::Finding), of(Grade::Advice));
        write!(
            f,
            "{}: {} operations, {} requests",
            self.verdict().name(),
            self.operations.len(),
            self.requests
        )?;
        write!(f, ", {findings} findings, {advice} pieces of advice")?;
        match self.accepted {
            0 => writeln!(f),
            accepted => writeln!(f, ", {accepted} in the baseline"),
        }
    }
}
