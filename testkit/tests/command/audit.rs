use std::fs;

use serde_json::Value;

use crate::process::{Running, run};

const DOCUMENT: &str = r#"
openapi: 3.1.0
info: { title: Posts, version: "1" }
components: { securitySchemes: { login: { type: http, scheme: bearer } } }
paths:
  /posts:
    get: { security: [{ login: [] }], responses: {} }
    delete: { security: [{ login: [] }], responses: {} }
"#;

#[test]
fn a_dry_run_prints_the_plan_and_needs_no_api() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("openapi.yaml");
    fs::write(&file, DOCUMENT).unwrap();
    let base = ["audit", "--base-url", "http://127.0.0.1:1", "--dry-run", "--openapi"];
    let plan = run(&[&base[..], &[file.to_str().unwrap()]].concat()).success();
    for part in [
        "GET /posts\n  a token with what alternative 1 documents\n  no token\n",
        "DELETE /posts\n  inconclusive: its request cannot be made invalid: run with --allow-unsafe\n",
        "2 operations, ",
    ] {
        assert!(plan.contains(part), "{plan}");
    }
    let only = [&base[..], &[file.to_str().unwrap(), "--only", "no-token,nothing"]].concat();
    let error = run(&only).usage_error();
    assert!(error.contains("\"nothing\" is not a class"), "{error}");
}

#[test]
fn a_finding_is_explained() {
    let page = run(&["audit", "--explain", "key-flood"]).success();
    assert!(page.starts_with("key-flood (finding, ") && page.contains("How to fix it"), "{page}");
    let error = run(&["audit", "--explain", "nothing"]).usage_error();
    assert!(error.contains("no finding has the id \"nothing\"; there are no-token, "), "{error}");
}

#[test]
fn a_document_of_another_host_is_not_fetched() {
    let args = ["audit", "--base-url", "http://127.0.0.1:1", "--dry-run", "--openapi"];
    let error = run(&[&args[..], &["http://127.0.0.1:2/openapi.json"]].concat()).usage_error();
    assert!(error.contains("the audit calls no other host"), "{error}");
}

/// Another tenant stands for an API that trusts another issuer.
#[test]
fn in_a_pipe_there_are_the_report_and_the_settings_and_no_progress() {
    let api = Running::start(&[]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("openapi.yaml");
    fs::write(&file, DOCUMENT.replace("/posts", "/connect/userinfo")).unwrap();
    let args = ["audit", "--base-url", api.issuer(), "--listen", "127.0.0.1:0", "--openapi"];
    for document in [file.to_str().unwrap(), &format!("{}/none.json", api.issuer())] {
        let outcome = run(&[&args[..], &[document, "--format", "json"]].concat());
        assert_eq!(outcome.code, 2, "{outcome:?}");
        let report: Value = serde_json::from_str(&outcome.out).unwrap();
        assert_eq!(report["verdict"], "inconclusive", "{report}");
        assert_eq!(report["inconclusive"][0]["operation"], Value::Null, "{report}");
        let mut lines = outcome.err.lines();
        assert!(lines.next().unwrap().starts_with("tenant of the audit  http://"), "{outcome:?}");
        assert_eq!(lines.next_back(), Some(&*format!("auditing {}", api.issuer())), "{outcome:?}");
        assert!(lines.all(|line| line.starts_with("export ")), "{outcome:?}");
    }
}
