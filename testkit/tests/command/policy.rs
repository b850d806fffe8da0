use std::{fs, path::PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::process::{Outcome, Running, mock_tenant, run, run_with_input};

/// Files of a test.
struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, text: &str) -> String {
        let path: PathBuf = self.0.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

/// An API with every kind of scheme.
const OLD: &str = r##"
openapi: 3.0.3
info: { title: Posts }
security: [{ login: [] }]
components:
  parameters:
    id: { name: id, in: path, required: true }
  securitySchemes:
    login:
      type: oauth2
      flows: { clientCredentials: { tokenUrl: https://login.example.com/t, scopes: { "posts:read": "", "posts:write": "" } } }
      x-monocloud-implies: { "posts:write": ["posts:read"] }
    oidc: { type: openIdConnect, openIdConnectUrl: https://login.example.com }
    key: { type: apiKey, in: header, name: X-Key }
    basic: { type: http, scheme: basic }
paths:
  /health:
    get: { security: [] }
  /posts:
    get: { security: [{ login: ["posts:read"] }, { key: [] }] }
    post:
      security: [{ login: ["posts:write"], basic: [] }]
  /posts/{id}:
    parameters: [{ $ref: "#/components/parameters/id" }]
    get: { deprecated: true }
    delete:
      security: [{ oidc: ["posts:write"] }]
      x-monocloud-groups: { any: [admin, editor] }
      x-monocloud-acr-values: [mfa]
      x-monocloud-max-age: 300
      x-monocloud-sender-constrained: true
      x-monocloud-claims: { plan: pro }
"##;

#[test]
fn the_report_is_a_table_of_operations_and_their_callers() {
    let files = Files::new();
    let file = files.write("openapi.yaml", OLD);
    let text = run(&["policy", "report", &file]).success();
    insta::assert_snapshot!("report_text", text);
    assert_eq!(run_with_input(&["policy", "report", "-"], OLD.as_bytes()).success(), text);
    insta::assert_snapshot!(
        "report_markdown",
        run(&["policy", "report", &file, "--format", "markdown"]).success()
    );
    let json = run(&["policy", "report", &file, "--format", "json"]).success();
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["operations"].as_array().unwrap().len(), 5);
    assert_eq!(
        json["operations"][4],
        json!({
            "method": "DELETE",
            "path": "/posts/{id}",
            "operation_id": null,
            "summary": null,
            "deprecated": false,
            "public": false,
            "optional": false,
            "alternatives": [{
                "schemes": { "oidc": ["posts:write"] },
                "groups": { "any": ["admin", "editor"] },
                "acr_values": ["mfa"],
                "max_age": 300,
                "sender_constrained": true,
                "claims": { "plan": "pro" },
            }],
        })
    );
    assert_eq!(json["schemes"]["key"]["kind"], "API key in the header \"X-Key\"");
}

#[test]
fn the_report_warns_of_what_is_probably_not_meant() {
    let files = Files::new();
    let document = json!({
        "openapi": "3.1.0",
        "components": { "securitySchemes": {
            "unused": { "type": "http", "scheme": "bearer" },
            "login": { "type": "oauth2", "flows": { "x": { "scopes": { "a": "" } } } },
            "key": { "type": "apiKey", "in": "query", "name": "k" },
        } },
        "paths": { "/a": {
            "get": { "security": [{ "login": ["a"] }] },
            "put": { "security": [{ "login": ["b"] }, {}] },
            "post": {},
            "delete": { "security": [{ "missing": [] }] },
            "patch": { "security": [{ "key": [] }] },
            "options": {},
            "head": { "security": [{}] },
        } },
    });
    let file = files.write("openapi.json", &document.to_string());
    let json = run(&["policy", "report", &file, "--format", "json"]).success();
    let json: Value = serde_json::from_str(&json).unwrap();
    let expected = json!([
        "PUT /a: credentials are optional, by the alternative {}",
        "POST /a: public, and its method is not safe",
        "HEAD /a: public, by {} instead of an empty list",
        "scheme login: it does not declare the scope b",
        "scheme missing: operations need it, and it is not declared",
        "scheme key: keys in URLs end up in logs",
        "scheme unused: no operation needs it",
    ]);
    assert_eq!(json["warnings"], expected);
    let text = run(&["policy", "report", &file]).success();
    for warning in expected.as_array().unwrap() {
        assert!(text.contains(warning.as_str().unwrap()), "{warning}: {text}");
    }
}

#[test]
fn documents_are_read_from_urls() {
    let tenant = Running::start(&[]);
    let url = format!("{}/_control/openapi.json", tenant.issuer());
    let text = run(&["policy", "report", &url]).success();
    assert!(text.contains("POST    /_control/reset"), "{text}");
    let error = run(&["policy", "report", &format!("{}/none", tenant.issuer())]).usage_error();
    assert!(error.contains("/none cannot be read: the answer is 404"), "{error}");
    drop(tenant);
    let error = run(&["policy", "report", &url]).usage_error();
    assert!(error.contains("no answer"), "{error}");

    let tenant = Running::start(&["--tls"]);
    let url = format!("{}/_control/openapi.json", tenant.issuer());
    let error = run(&["policy", "report", &url]).usage_error();
    assert!(error.contains("is not trusted") && error.contains("download"), "{error}");
    let mut trusting = mock_tenant(&["policy", "report", &url]);
    let variable = "CA_CERTIFICATE_FILE";
    trusting.env(format!("MONOCLOUD_BACKEND_{variable}"), tenant.setting(variable).unwrap());
    assert_eq!(Outcome::of(trusting).success(), text);
}

#[test]
fn what_became_weaker_fails_until_it_is_accepted() {
    let files = Files::new();
    let old = files.write("old.yaml", OLD);
    let new = OLD
        .replace(
            "{ security: [{ login: [\"posts:read\"] }, { key: [] }] }",
            "{ security: [{ login: [] }] }",
        )
        .replace("max-age: 300", "max-age: 600")
        .replace("groups: { any: [admin, editor] }", "groups: { any: [admin] }")
        .replace("{id}", "{post}")
        .replace("/health:\n    get:", "/ready:\n    get:")
        + "  /new:\n    get: {}\n    put: { security: [{}, { login: [] }] }\n";
    let new = files.write("new.yaml", &new);
    let outcome = run(&["policy", "diff", &old, &new]);
    assert_eq!((outcome.code, outcome.err.as_str()), (1, ""), "{outcome:?}");
    insta::assert_snapshot!("diff_text", outcome.out);

    let lines = [
        "DELETE /posts/{post}: max age raised from 300 to 600 seconds",
        "GET /posts: scope posts:read removed",
        "GET /ready: new and public",
        "PUT /new: new, with optional credentials",
    ];
    let json = run(&["policy", "diff", &old, &new, "--format", "json"]);
    assert_eq!(json.code, 1);
    let json: Value = serde_json::from_str(&json.out).unwrap();
    let open: Vec<_> =
        lines.iter().map(|line| json!({ "line": line, "accepted": false })).collect();
    assert_eq!(json["weakened"], Value::from(open));

    let some = files.write("some.txt", &lines[1..].join("\n"));
    let outcome = run(&["policy", "diff", &old, &new, "--accept", &some]);
    assert_eq!(outcome.code, 1);
    assert!(outcome.out.contains("1 change lets in callers"), "{}", outcome.out);

    let all = format!("# Reviewed\n\n{}\nGET /gone: became public\n", lines.join("\r\n"));
    let all = files.write("all.txt", &all);
    let accepted = run(&["policy", "diff", &old, &new, "--accept", &all]).success();
    assert!(accepted.contains("Nothing became weaker that is not accepted."), "{accepted}");
    let stale = format!("{all}:7: nothing became weaker by this line: GET /gone: became public");
    assert!(accepted.contains(&stale), "{accepted}");
    let json = run(&["policy", "diff", &old, &new, "--accept", &all, "--format", "json"]).success();
    let json: Value = serde_json::from_str(&json).unwrap();
    let unused = json!([{ "number": 7, "line": "GET /gone: became public" }]);
    assert_eq!(json["unused_accept_lines"], unused);

    // The other way round, what had been removed is new.
    let back = run(&["policy", "diff", &new, &old]);
    assert!(back.out.contains("GET /health: new and public"), "{}", back.out);
}

#[test]
fn a_new_operation_is_compared_with_the_default() {
    let files = Files::new();
    let document = |operations: Value| {
        json!({ "openapi": "3.1.0", "security": [{ "login": ["admin"] }], "paths": { "/a": operations } })
            .to_string()
    };
    let old = files.write("old.json", &document(json!({})));
    let new = files.write(
        "new.json",
        &document(json!({ "get": {}, "put": { "security": [{ "login": ["a"] }] } })),
    );
    let outcome = run(&["policy", "diff", &old, &new]);
    assert_eq!(outcome.code, 1);
    for line in [
        "PUT /a: new, and weaker than the default: scope admin removed",
        "GET /a: new, needs login(admin)",
    ] {
        assert!(outcome.out.contains(line), "{}", outcome.out);
    }
}

#[test]
fn schemes_that_change_are_changes() {
    let files = Files::new();
    let old = files.write("old.yaml", OLD);
    for (from, to, line) in [
        (
            "in: header",
            "in: query",
            "scheme key: API key in the header \"X-Key\" became API key in the query \"X-Key\"",
        ),
        (
            "login.example.com/t",
            "other.example.com/t",
            "scheme login: issuer https://other.example.com accepted too",
        ),
        (
            "openIdConnectUrl: https://login",
            "openIdConnectUrl: https://other",
            "scheme oidc: issuer https://other.example.com accepted too",
        ),
        (
            "[\"posts:read\"] }\n    oidc",
            "[\"posts:read\"], \"a\": [\"posts:write\"] }\n    oidc",
            "scheme login: scope a now implies posts:write",
        ),
    ] {
        let text = OLD.replace(from, to);
        assert_ne!(text, OLD);
        let new = files.write("new.yaml", &text);
        let outcome = run(&["policy", "diff", &old, &new]);
        assert_eq!(outcome.code, 1, "{line}");
        assert!(outcome.out.contains(line), "{line}: {}", outcome.out);
    }
    let bound = |word: &str| {
        let member = format!("x-monocloud-dpop: {word}\n      x-monocloud-implies");
        files.write(&format!("{word}.yaml"), &OLD.replace("x-monocloud-implies", &member))
    };
    let (required, allowed) = (bound("required"), bound("allowed"));
    let line = "scheme login: x-monocloud-dpop changed from";
    let outcome = run(&["policy", "diff", &required, &allowed]);
    assert_eq!(outcome.code, 1);
    assert!(outcome.out.contains(&format!("{line} required to allowed")), "{}", outcome.out);
    let stronger = run(&["policy", "diff", &allowed, &required]).success();
    assert!(stronger.contains(&format!("{line} allowed to required")), "{stronger}");
    for file in [required, allowed] {
        let same = run(&["policy", "diff", &file, &file]).success();
        assert!(same.contains("Nothing became weaker."), "{same}");
    }
}

#[test]
fn a_list_of_groups_means_what_the_configuration_of_the_api_says() {
    let files = Files::new();
    let document = |groups: Value| {
        json!({ "openapi": "3.1.0", "paths": { "/a": { "get": {
            "security": [{ "login": [] }], "x-monocloud-groups": groups } } } })
        .to_string()
    };
    let one = files.write("one.json", &document(json!(["x"])));
    let two = files.write("two.json", &document(json!(["x", "y"])));
    assert_eq!(run(&["policy", "diff", &one, &two]).code, 1);
    assert_eq!(run(&["policy", "diff", &one, &two, "--groups-match-all"]).code, 0);
    assert_eq!(run(&["policy", "diff", &two, &one, "--groups-match-all"]).code, 1);
    let text = run(&["policy", "report", &two]).success();
    assert!(text.contains("login + any group of x, y"), "{text}");
    let text = run(&["policy", "report", &two, "--groups-match-all"]).success();
    assert!(text.contains("login + groups x, y"), "{text}");
}

#[test]
fn bad_input_is_a_usage_error_that_names_the_file_and_the_place() {
    let files = Files::new();
    let good = files.write("good.yaml", OLD);
    let bad = files.write("bad.yaml", &OLD.replace("#/components/parameters/id", "#/nothing"));
    let large = files.write("large.json", &" ".repeat(16 * 1024 * 1024 + 1));
    for (args, expected) in [
        (
            vec!["report", &bad],
            format!("{bad}: #/paths/~1posts~1{{id}}/parameters/0: it refers to \"#/nothing\""),
        ),
        (vec!["diff", &good, &bad], format!("{bad}: #/paths")),
        (vec!["diff", &bad, &good], format!("{bad}: #/paths")),
        (vec!["diff", &good, "/no/such/file"], "/no/such/file cannot be read: ".to_owned()),
        (
            vec!["diff", &good, &good, "--accept", "/no/such/file"],
            "/no/such/file cannot be".to_owned(),
        ),
        (vec!["report", &large], format!("{large}: it is larger than 16 MiB")),
        (vec!["report", "-"], "standard input: it is empty".to_owned()),
        (vec!["report", "http://"], "not an http or https URL".to_owned()),
    ] {
        let error = run(&[vec!["policy"], args].concat()).usage_error();
        assert!(error.contains(&expected), "{expected}: {error}");
    }
}

#[test]
fn names_with_control_characters_do_not_reach_the_terminal() {
    let files = Files::new();
    let document = json!({ "openapi": "3.1.0", "paths": { "/a\u{1b}[2J\nb|c`": {
        "get": { "security": [{ "l\nm": ["\u{7}"] }] } } } });
    let file = files.write("openapi.json", &document.to_string());
    for format in ["text", "markdown"] {
        let text = run(&["policy", "report", &file, "--format", format]).success();
        assert!(!text.contains(['\u{1b}', '\u{7}']), "{text:?}");
        assert!(!text.contains("\nb"), "{text:?}");
        assert!(text.contains("l\\u{a}m(\\u{7})"), "{text:?}");
    }
}
