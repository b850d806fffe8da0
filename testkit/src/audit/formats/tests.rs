use serde_json::Value;

use crate::audit::{Finding, Format, Grade, Inconclusive, Report, Rule, Verdict};

fn report() -> Report {
    let finding = |id: &str, operation: &str| {
        let rule = Rule::of(id).unwrap();
        Finding {
            rule,
            grade: rule.grade,
            operation: operation.to_owned(),
            detail: "a token <b> & \"more\" is answered with 200".to_owned(),
            curl: "curl http://127.0.0.1:3000/".to_owned(),
        }
    };
    Report {
        base_url: "http://127.0.0.1:3000".to_owned(),
        tenant: "http://127.0.0.1:4444".to_owned(),
        findings: vec![finding("issuer", "GET /a"), finding("scheme-case", "GET /b")],
        inconclusive: vec![Inconclusive::operation("GET /c", "it is busy")],
        operations: ["GET /a", "GET /b"].map(str::to_owned).to_vec(),
        requests: 7,
        accepted: 1,
    }
}

#[test]
fn advice_alone_passes_and_what_is_inconclusive_does_not() {
    let mut report = report();
    assert_eq!((report.verdict(), report.verdict().exit_code()), (Verdict::Failed, 1));
    report.findings.retain(|finding| finding.grade == Grade::Advice);
    assert_eq!((report.verdict(), report.verdict().exit_code()), (Verdict::Inconclusive, 2));
    report.inconclusive.clear();
    assert_eq!((report.verdict(), report.verdict().exit_code()), (Verdict::Passed, 0));
}

#[test]
fn text_has_the_rule_the_operation_and_the_request() {
    let text = report().format(Format::Text);
    for part in [
        "[issuer]",
        "GET /a: ",
        "rule: RFC 9068 §4",
        "repeat: curl ",
        "inconclusive: GET /c: it is busy",
    ] {
        assert!(text.contains(part), "{text}");
    }
    let last =
        "failed: 2 operations, 7 requests, 1 findings, 1 pieces of advice, 1 in the baseline\n";
    assert!(text.ends_with(last), "{text}");
}

#[test]
fn json_has_everything() {
    let json: Value = serde_json::from_str(&report().format(Format::Json)).unwrap();
    assert_eq!(json["verdict"], "failed");
    assert_eq!(json["findings"][0]["id"], "issuer");
    assert_eq!(json["findings"][1]["grade"], "advice");
    assert_eq!(json["inconclusive"][0]["operation"], "GET /c");
    assert_eq!((json["requests"].as_u64(), json["accepted"].as_u64()), (Some(7), Some(1)));
}

#[test]
fn junit_has_a_case_per_operation() {
    let xml = report().format(Format::Junit);
    assert!(xml.contains(r#"tests="3" failures="1" errors="0" skipped="1""#), "{xml}");
    assert_eq!(xml.matches("<testcase ").count(), 3, "{xml}");
    assert!(
        xml.contains(r#"<failure type="issuer""#) && xml.contains("&lt;b&gt; &amp; &quot;more"),
        "{xml}"
    );
    assert!(!xml.contains("scheme-case"), "advice fails nothing: {xml}");
}

/// The members that the schema of SARIF 2.1.0 requires, with their types.
#[test]
fn sarif_has_what_its_schema_requires() {
    let sarif: Value = serde_json::from_str(&report().format(Format::Sarif)).unwrap();
    assert_eq!(sarif["version"], "2.1.0");
    let [run] = sarif["runs"].as_array().unwrap().as_slice() else { panic!("{sarif}") };
    let driver = &run["tool"]["driver"];
    assert!(driver["name"].is_string(), "{driver}");
    let rules: Vec<_> =
        driver["rules"].as_array().unwrap().iter().map(|rule| &rule["id"]).collect();
    assert!(rules.iter().all(|id| id.is_string()));
    let results = run["results"].as_array().unwrap();
    assert_eq!(results.len(), 2);
    for result in results {
        assert!(result["message"]["text"].is_string(), "{result}");
        assert!(rules.contains(&&result["ruleId"]), "{result}");
        let level = result["level"].as_str().unwrap();
        assert!(["none", "note", "warning", "error"].contains(&level), "{result}");
        let place = &result["locations"][0]["logicalLocations"][0];
        assert!(place["fullyQualifiedName"].is_string(), "{result}");
        let fingerprints = result["partialFingerprints"].as_object().unwrap();
        assert!(fingerprints.values().all(Value::is_string), "{result}");
    }
    let [invocation] = run["invocations"].as_array().unwrap().as_slice() else { panic!("{run}") };
    assert!(invocation["executionSuccessful"].is_boolean(), "{invocation}");
    for notification in invocation["toolExecutionNotifications"].as_array().unwrap() {
        assert!(notification["message"]["text"].is_string(), "{notification}");
    }
}
