//! `mock-tenant policy report`.

use std::{collections::BTreeMap, fmt::Write as _};

use monocloud_testkit::document::{Document, Groups, Operation, Requirement};
use serde_json::{Value, json};

use super::{callers::Implications, source, warnings, words};
use crate::{
    args::{ReportArgs, ReportFormat},
    failure::Failure,
    terminal::{FAINT, HEADING, print},
};

pub(crate) fn report(args: &ReportArgs) -> Result<(), Failure> {
    let document = source::read(&args.document, args.groups_match_all)?;
    let report = Report::of(&document);
    print(&match args.format {
        ReportFormat::Text => report.text(),
        ReportFormat::Markdown => report.markdown(),
        ReportFormat::Json => report.json(),
    })
}

struct Report<'d> {
    document: &'d Document,
    /// By path and method.
    operations: Vec<&'d Operation>,
    /// What each scheme is, and what its scopes imply.
    notes: Vec<String>,
    warnings: Vec<String>,
}

impl<'d> Report<'d> {
    fn of(document: &'d Document) -> Self {
        let mut operations: Vec<_> = document.operations.iter().collect();
        operations.sort_by(|one, other| one.path.cmp(&other.path));
        let implied = Implications::of(document);
        let mut notes = Vec::new();
        for (name, scheme) in &document.schemes {
            notes.push(words::clean(&format!("{name}: {}", scheme.kind)));
            let implied = implied.pairs(name).into_iter();
            notes.extend(implied.map(|(scope, other)| {
                words::clean(&format!("{name}: scope {scope} implies {other}"))
            }));
        }
        Self { document, operations, notes, warnings: warnings::of(document) }
    }

    fn text(&self) -> String {
        let rows: Vec<_> = self.operations.iter().map(|it| row(it)).collect();
        let width = |column: &dyn Fn(&[String; 3]) -> &str, heading: &str| {
            let lengths = rows.iter().map(|row| column(row).chars().count());
            lengths.max().unwrap_or_default().max(heading.len())
        };
        let method = width(&|[method, ..]| method, "method");
        let path = width(&|[_, path, _]| path, "path");
        let mut text = format!(
            "{HEADING}{:<method$}  {:<path$}  who may call it{HEADING:#}\n",
            "method", "path"
        );
        for [a, b, c] in &rows {
            let _ = writeln!(text, "{a:<method$}  {b:<path$}  {c}");
        }
        for (heading, lines) in [("schemes", &self.notes), ("warnings", &self.warnings)] {
            if !lines.is_empty() {
                let _ = writeln!(text, "\n{HEADING}{heading}{HEADING:#}");
            }
            for line in lines {
                let _ = writeln!(text, "  {FAINT}{line}{FAINT:#}");
            }
        }
        text
    }

    fn markdown(&self) -> String {
        let mut text = "| method | path | who may call it |\n|---|---|---|\n".to_owned();
        for operation in &self.operations {
            let [method, path, callers] = row(operation).map(|text| code(&text));
            let _ = writeln!(text, "| {method} | {path} | {callers} |");
        }
        for (heading, lines) in [("Schemes", &self.notes), ("Warnings", &self.warnings)] {
            if !lines.is_empty() {
                let _ = write!(text, "\n{heading}:\n\n");
            }
            for line in lines {
                let _ = writeln!(text, "- {}", code(line));
            }
        }
        text
    }

    fn json(&self) -> String {
        let operations = self.operations.iter().map(|it| {
            json!({
                "method": it.method.as_str(),
                "path": it.path,
                "operation_id": it.id,
                "summary": it.summary,
                "deprecated": it.deprecated,
                "public": it.security.alternatives().iter().all(|one| one.schemes.is_empty()),
                "optional": it.security.permits_anonymous(),
                "alternatives": it.security.alternatives().iter().map(alternative).collect::<Vec<_>>(),
            })
        });
        let schemes: BTreeMap<_, _> = self
            .document
            .schemes
            .iter()
            .map(|(name, it)| (name, json!({ "kind": it.kind.to_string(), "implies": it.implies })))
            .collect();
        let report = json!({
            "title": self.document.title,
            "operations": operations.collect::<Vec<_>>(),
            "schemes": schemes,
            "warnings": self.warnings,
        });
        format!("{report:#}\n")
    }
}

fn row(operation: &Operation) -> [String; 3] {
    let deprecated = if operation.deprecated { " (deprecated)" } else { "" };
    [
        operation.method.to_string(),
        words::clean(&operation.path) + deprecated,
        words::security(&operation.security),
    ]
}

fn alternative(one: &Requirement) -> Value {
    let groups = |groups: &Groups| match groups.all {
        Some(true) => json!({ "all": groups.names }),
        _ => json!({ "any": groups.names }),
    };
    json!({
        "schemes": one.schemes,
        "groups": one.groups.as_ref().map(groups),
        "acr_values": one.acr_values,
        "max_age": one.max_age,
        "sender_constrained": one.sender_constrained,
        "claims": one.claims,
    })
}

/// A code span in a cell of a table, where a pipe would end the cell.
fn code(text: &str) -> String {
    let longest = text.split(|letter| letter != '`').map(str::len).max().unwrap_or_default();
    let fence = "`".repeat(longest + 1);
    let gap = if longest > 0 { " " } else { "" };
    format!("{fence}{gap}{}{gap}{fence}", text.replace('|', "\\|"))
}
