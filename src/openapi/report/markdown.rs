//! The report as a table: a line an operation, so that a diff shows which one changed.

use std::{collections::BTreeMap, fmt, time::Duration};

use super::value::{OperationPolicy, PolicyReport, RequiredGroups, TokenPolicy};
use crate::{
    openapi::requirement_text::{clause, code, list},
    policy::{GroupMatch, Requirement},
};

impl PolicyReport {
    /// The report as Markdown: a table with a line an operation, and the implied scopes. It ends with
    /// a line end.
    #[must_use]
    pub fn to_markdown(&self) -> String {
        self.to_string()
    }
}

/// As Markdown.
impl fmt::Display for PolicyReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("| operation | needs |\n|---|---|\n")?;
        for operation in &self.operations {
            let deprecated = if operation.deprecated { ", deprecated" } else { "" };
            let place = format!("{}{deprecated}", code(&operation.place()));
            writeln!(f, "| {} | {} |", cell(&place), cell(&needs(operation)))?;
        }
        if !self.implied_scopes.is_empty() {
            f.write_str("\nImplied scopes:\n\n")?;
        }
        for (scope, implied) in &self.implied_scopes {
            let implied: Vec<_> = implied.iter().cloned().collect();
            writeln!(f, "- {} implies {}", code(scope), list(&implied, "and"))?;
        }
        Ok(())
    }
}

/// What a token must carry, in words.
pub(super) fn token(policy: &TokenPolicy) -> String {
    let clause = clause(&requirement(policy), GroupMatch::Any);
    let clause = clause.unwrap_or_else(|| "any token".to_owned());
    match policy.other_schemes.is_empty() {
        true => clause,
        false => format!("{clause} and {}", schemes(&policy.other_schemes)),
    }
}

/// Schemes that the application verifies, in words.
pub(super) fn schemes(schemes: &BTreeMap<String, Vec<String>>) -> String {
    let named = |(name, scopes): (&String, &Vec<String>)| match scopes.as_slice() {
        [] => code(name),
        scopes => format!("{} with {}", code(name), list(scopes, "and")),
    };
    let named: Vec<_> = schemes.iter().map(named).collect();
    format!("the scheme {}", named.join(" and the scheme "))
}

fn needs(operation: &OperationPolicy) -> String {
    if operation.is_public() {
        return "nothing: public".to_owned();
    }
    let tokens = operation.tokens.iter().map(token);
    let others = operation.other_credentials.iter().map(schemes);
    let anonymous = operation.anonymous.then(|| "no credentials".to_owned());
    tokens.chain(others).chain(anonymous).collect::<Vec<_>>().join(", or ")
}

fn requirement(policy: &TokenPolicy) -> Requirement {
    let (groups, group_match) = match &policy.groups {
        None => (Vec::new(), None),
        Some(RequiredGroups::Any(groups)) => (groups.clone(), Some(GroupMatch::Any)),
        Some(RequiredGroups::All(groups)) => (groups.clone(), Some(GroupMatch::All)),
    };
    Requirement {
        scopes: policy.scopes.clone(),
        groups,
        group_match,
        acr_values: policy.acr_values.clone(),
        max_age: policy.max_age.map(Duration::from_secs),
        is_sender_constrained: policy.sender_constrained,
        claims: policy.claims.clone(),
    }
}

/// A pipe ends a cell, in a code span too, unless a backslash precedes it. Line ends are blanks in a
/// code span.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}
