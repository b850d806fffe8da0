//! What the audit found.

use std::fmt;

use crate::audit::rule::{Grade, Rule};

/// A rule that an operation breaks.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Finding {
    /// The rule.
    pub rule: &'static Rule,
    /// The grade, which may be less than the rule's.
    pub grade: Grade,
    /// The operation, such as `GET /posts/{id}`.
    pub operation: String,
    /// What was sent and what came back.
    pub detail: String,
    /// A command that repeats the request.
    pub curl: String,
}

impl Finding {
    /// Its name in a [baseline](crate::Audit::baseline): the id of the rule and the operation.
    #[must_use]
    pub fn key(&self) -> String {
        format!("{} {}", self.rule.id, self.operation)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rule, grade, operation, detail, curl } = self;
        writeln!(f, "{}: {} [{}]", grade.name(), rule.title, rule.id)?;
        writeln!(f, "  {operation}: {detail}")?;
        writeln!(f, "  rule: {}", rule.source)?;
        writeln!(f, "  repeat: {curl}")
    }
}
