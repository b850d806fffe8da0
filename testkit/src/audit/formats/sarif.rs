//! SARIF 2.1.0.

use serde_json::{Value, json};

use crate::audit::{
    finding::Finding,
    report::{Report, Verdict},
    rule::{Grade, Rule},
};

pub(super) fn report(report: &Report) -> String {
    let results: Vec<Value> = report.findings.iter().map(result).collect();
    let notifications = report
        .inconclusive
        .iter()
        .map(|inconclusive| json!({ "level": "warning", "message": { "text": inconclusive.to_string() } }));
    let object = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "mock-tenant audit",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": Rule::ALL.iter().map(rule).collect::<Value>(),
            } },
            "invocations": [{
                "executionSuccessful": report.verdict() != Verdict::Inconclusive,
                "toolExecutionNotifications": notifications.collect::<Value>(),
            }],
            "results": results,
        }],
    });
    format!("{object:#}\n")
}

fn rule(rule: &Rule) -> Value {
    json!({
        "id": rule.id,
        "shortDescription": { "text": rule.title },
        "fullDescription": { "text": format!("{} ({})", rule.title, rule.source) },
        "help": { "text": rule.page(), "markdown": rule.page() },
        "defaultConfiguration": { "level": level(rule.grade) },
    })
}

fn result(finding: &Finding) -> Value {
    json!({
        "ruleId": finding.rule.id,
        "level": level(finding.grade),
        "message": { "text": format!("{}: {}\n{}", finding.rule.title, finding.detail, finding.curl) },
        "locations": [{ "logicalLocations": [{ "fullyQualifiedName": finding.operation, "kind": "resource" }] }],
        // What stays the same from run to run.
        "partialFingerprints": { "finding/v1": finding.key() },
    })
}

const fn level(grade: Grade) -> &'static str {
    match grade {
        Grade::Finding => "error",
        Grade::Advice => "note",
    }
}
