//! Reports for people and for machines.

mod json;
mod junit;
mod sarif;

use crate::audit::report::Report;

/// The form of a report.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Format {
    /// For people.
    Text,
    /// One object.
    Json,
    /// JUnit's XML: a test case per operation.
    Junit,
    /// SARIF 2.1.0.
    Sarif,
}

impl Report {
    /// The report in this form.
    #[must_use]
    pub fn format(&self, format: Format) -> String {
        match format {
            Format::Text => self.to_string(),
            Format::Json => json::report(self),
            Format::Junit => junit::report(self),
            Format::Sarif => sarif::report(self),
        }
    }
}

#[cfg(test)]
mod tests;
