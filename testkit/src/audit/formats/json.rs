//! One object.

use serde_json::{Value, json};

use crate::audit::report::Report;

pub(super) fn report(report: &Report) -> String {
    let findings = report.findings.iter().map(|finding| {
        json!({
            "id": finding.rule.id,
            "grade": finding.grade.name(),
            "title": finding.rule.title,
            "source": finding.rule.source,
            "operation": finding.operation,
            "detail": finding.detail,
            "curl": finding.curl,
        })
    });
    let inconclusive = report.inconclusive.iter();
    let inconclusive =
        inconclusive.map(|it| json!({ "operation": it.operation, "reason": it.reason }));
    let object = json!({
        "verdict": report.verdict().name(),
        "base_url": report.base_url,
        "tenant": report.tenant,
        "operations": report.operations,
        "requests": report.requests,
        "accepted": report.accepted,
        "findings": findings.collect::<Value>(),
        "inconclusive": inconclusive.collect::<Value>(),
    });
    format!("{object:#}\n")
}
