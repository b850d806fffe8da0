//! JUnit's XML.

use std::fmt::Write as _;

use crate::audit::{finding::Finding, report::Report, rule::Grade};

/// A test case per operation: failed by findings, skipped where it is inconclusive.
pub(super) fn report(report: &Report) -> String {
    let mut names: Vec<&str> = report.operations.iter().map(String::as_str).collect();
    names.extend(report.findings.iter().map(|finding| finding.operation.as_str()));
    names.extend(report.inconclusive.iter().map(|it| it.operation.as_deref().unwrap_or("the API")));
    let mut cases: Vec<&str> = Vec::new();
    for name in names {
        if !cases.contains(&name) {
            cases.push(name);
        }
    }
    let grave = |name: &str| -> Vec<&Finding> {
        let findings = report.findings.iter();
        findings.filter(|it| it.operation == name && it.grade == Grade::Finding).collect()
    };
    let reasons = |name: &str| -> Vec<&str> {
        let inconclusive = report.inconclusive.iter();
        let here = inconclusive.filter(|it| it.operation.as_deref().unwrap_or("the API") == name);
        here.map(|it| it.reason.as_str()).collect()
    };
    let failures = cases.iter().filter(|name| !grave(name).is_empty()).count();
    let is_skipped = |name: &&&str| grave(name).is_empty() && !reasons(name).is_empty();
    let skipped = cases.iter().filter(is_skipped).count();
    let tests = cases.len();
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n  <testsuite name=\"mock-tenant audit\" \
         tests=\"{tests}\" failures=\"{failures}\" errors=\"0\" skipped=\"{skipped}\">\n"
    );
    for name in cases {
        let _ = writeln!(
            text,
            "    <testcase classname=\"{}\" name=\"{}\">",
            escaped(&report.base_url),
            escaped(name)
        );
        let findings = grave(name);
        if let [first, ..] = findings.as_slice() {
            let all: String = findings.iter().map(|finding| finding.to_string()).collect();
            let _ = writeln!(
                text,
                "      <failure type=\"{}\" message=\"{}\">{}</failure>",
                first.rule.id,
                escaped(first.rule.title),
                escaped(&all)
            );
        } else if let [first, ..] = reasons(name).as_slice() {
            let _ = writeln!(text, "      <skipped message=\"{}\"/>", escaped(first));
        }
        text.push_str("    </testcase>\n");
    }
    text.push_str("  </testsuite>\n</testsuites>\n");
    text
}

/// XML 1.0 §2.2 and §2.4.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' | '\t' => escaped.push(letter),
            letter if letter.is_control() || matches!(letter, '\u{fffe}' | '\u{ffff}') => {
                escaped.push('\u{fffd}')
            }
            letter => escaped.push(letter),
        }
    }
    escaped
}
