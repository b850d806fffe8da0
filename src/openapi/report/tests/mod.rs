//! Reports of small documents, and what changed between two of them.

mod properties;

use std::sync::LazyLock;

use serde_json::{Value, json};

use super::*;
use crate::{openapi::DeclaredApi, protect::ProtectApi};

static PROTECT: LazyLock<ProtectApi> = LazyLock::new(|| protect("false"));
static PROTECT_ALL: LazyLock<ProtectApi> = LazyLock::new(|| protect("true"));

fn protect(groups_match_all: &str) -> ProtectApi {
    let vars = [
        ("MONOCLOUD_BACKEND_TENANT_DOMAIN", "acme.us.monocloud.com"),
        ("MONOCLOUD_BACKEND_AUDIENCE", "https://api.example.com"),
        ("MONOCLOUD_BACKEND_GROUPS_MATCH_ALL", groups_match_all),
    ];
    ProtectApi::from_vars(vars).unwrap()
}

fn declared(protect: &ProtectApi, paths: &Value) -> DeclaredApi {
    let document = json!({
        "openapi": "3.1.0",
        "info": { "title": "Posts", "version": "1.0" },
        "components": { "securitySchemes": {
            "ApiKey": { "type": "apiKey", "in": "header", "name": "x-key" },
            "Partner": { "type": "http", "scheme": "bearer" }
        } },
        "paths": paths
    });
    protect.document(&document.to_string()).unwrap()
}

fn report(paths: &Value) -> PolicyReport {
    declared(&PROTECT, paths).report().unwrap()
}

/// A document with one operation.
fn of(operation: &Value) -> PolicyReport {
    report(&json!({ "/posts": { "get": operation } }))
}

fn any() -> Value {
    json!({ "security": [{ "MonoCloud": [] }] })
}

fn with(extension: &str, value: Value) -> Value {
    let mut operation = any();
    operation[format!("x-monocloud-{extension}")] = value;
    operation
}

fn entries(security: Value) -> Value {
    json!({ "security": security })
}

fn changes(new: &PolicyReport, old: &PolicyReport) -> Vec<String> {
    new.weakened_since(old).iter().map(ToString::to_string).collect()
}

fn scope(scope: &str) -> Value {
    json!({ "MonoCloud": [scope] })
}

#[test]
fn whatever_became_weaker_is_named_once() {
    let (a, b, key) = (scope("a"), scope("b"), json!({ "ApiKey": [] }));
    let both = json!({ "MonoCloud": [], "ApiKey": [] });
    let partner = |scopes: Value| entries(json!([{ "MonoCloud": [], "Partner": scopes }]));
    for (old, new, expected) in [
        (any(), entries(json!([])), "it became public"),
        (any(), entries(json!([{}, key])), "it became public"),
        (
            any(),
            entries(json!([{ "MonoCloud": [] }, {}])),
            "it can be called without credentials now",
        ),
        (entries(json!([a])), any(), "the scope \"a\" was dropped"),
        (
            entries(json!([{ "MonoCloud": ["a", "b"] }])),
            entries(json!([b])),
            "the scope \"a\" was dropped",
        ),
        (entries(json!([a])), entries(json!([b])), "the scope \"a\" was dropped"),
        (
            entries(json!([a, {}])),
            entries(json!([{ "MonoCloud": [] }])),
            "the scope \"a\" was dropped",
        ),
        (with("groups", json!(["x"])), any(), "the group \"x\" was dropped"),
        (
            with("groups", json!({ "all": ["x", "y"] })),
            with("groups", json!(["y"])),
            "the group \"x\" was dropped",
        ),
        (
            with("groups", json!(["x"])),
            with("groups", json!({ "all": ["y", "z"] })),
            "the group \"x\" was dropped",
        ),
        (
            with("groups", json!(["x"])),
            with("groups", json!(["x", "y"])),
            "the group \"y\" is accepted, too",
        ),
        (
            with("groups", json!({ "all": ["x"] })),
            with("groups", json!({ "any": ["x", "y"] })),
            "the group \"y\" is accepted, too",
        ),
        (
            with("groups", json!({ "all": ["x", "y"] })),
            with("groups", json!({ "any": ["x", "y"] })),
            "one group suffices where all were needed",
        ),
        (with("acr-values", json!(["mfa"])), any(), "the user may have authenticated in any way"),
        (
            with("acr-values", json!(["mfa"])),
            with("acr-values", json!(["mfa", "phr"])),
            "the acr value \"phr\" is accepted, too",
        ),
        (
            with("max-age", json!(60)),
            with("max-age", json!(61)),
            "the maximum age was raised from 60 to 61 seconds",
        ),
        (with("max-age", json!(60)), any(), "the user may have authenticated at any time"),
        (
            with("sender-constrained", json!(true)),
            any(),
            "the token need not be bound to its sender any more",
        ),
        (
            with("claims", json!({ "plan": "pro" })),
            with("claims", json!({ "plan": "free" })),
            "the value that the claim \"plan\" needed was dropped",
        ),
        (
            entries(json!([a])),
            entries(json!([a, b])),
            "a token is accepted by another alternative: `b`",
        ),
        (
            entries(json!([key])),
            entries(json!([key, a])),
            "a token is accepted by another alternative: `a`",
        ),
        (
            entries(json!([a])),
            entries(json!([a, key])),
            "the scheme `ApiKey` suffices without a token",
        ),
        (
            entries(json!([both])),
            entries(json!([key])),
            "the scheme `ApiKey` suffices without a token",
        ),
        (
            entries(json!([both])),
            any(),
            "what was needed of the scheme \"ApiKey\" besides the token was dropped",
        ),
        (
            partner(json!(["p", "q"])),
            partner(json!(["q"])),
            "what was needed of the scheme \"Partner\" besides the token was dropped",
        ),
    ] {
        let found = changes(&of(&new), &of(&old));
        assert_eq!(found, [format!("GET /posts: {expected}")], "{old} {new}");
    }
}

#[test]
fn what_is_as_strong_as_before_is_not_weaker() {
    let (a, b, key) = (scope("a"), scope("b"), json!({ "ApiKey": [] }));
    let public = entries(json!([]));
    for (old, new) in [
        (public.clone(), public.clone()),
        (public, any()),
        (entries(json!([{}, key])), entries(json!([]))),
        (entries(json!([{}, { "MonoCloud": [] }])), entries(json!([{ "MonoCloud": [] }, key]))),
        (any(), entries(json!([a]))),
        (any(), entries(json!([{ "MonoCloud": [], "ApiKey": [] }]))),
        (entries(json!([a, b])), entries(json!([b, a]))),
        (entries(json!([a, b])), entries(json!([a]))),
        (
            entries(json!([a])),
            entries(json!([{ "MonoCloud": ["a", "b"] }, { "MonoCloud": ["c", "a"] }])),
        ),
        (with("groups", json!(["x", "y"])), with("groups", json!(["y"]))),
        (with("groups", json!(["x", "y"])), with("groups", json!({ "all": ["y", "z"] }))),
        (with("groups", json!({ "any": ["x"] })), with("groups", json!({ "all": ["x"] }))),
        (with("groups", json!({ "all": ["x"] })), with("groups", json!({ "all": ["y", "x"] }))),
        (with("acr-values", json!(["mfa", "phr"])), with("acr-values", json!(["phr"]))),
        (any(), with("acr-values", json!(["phr"]))),
        (with("max-age", json!(60)), with("max-age", json!(59))),
        (any(), with("max-age", json!(60))),
        (any(), with("sender-constrained", json!(true))),
        (any(), with("claims", json!({ "plan": "pro" }))),
    ] {
        assert_eq!(changes(&of(&new), &of(&old)), [""; 0], "{old} {new}");
    }
}

#[test]
fn a_weak_alternative_is_compared_with_the_old_one_that_is_nearest() {
    let old = entries(json!([{ "MonoCloud": ["a", "b", "c"] }, { "MonoCloud": ["d", "e"] }]));
    for (new, expected) in [
        (
            json!([{ "MonoCloud": ["d"] }, { "MonoCloud": ["a", "b", "c"] }]),
            &["the scope \"e\" was dropped"][..],
        ),
        (
            json!([{ "MonoCloud": ["a"] }, { "MonoCloud": ["e"] }, { "MonoCloud": ["f"] }]),
            &[
                "the scope \"d\" was dropped",
                "the scope \"b\" was dropped",
                "the scope \"c\" was dropped",
                "a token is accepted by another alternative: `f`",
            ],
        ),
    ] {
        let expected: Vec<_> = expected.iter().map(|it| format!("GET /posts: {it}")).collect();
        assert_eq!(changes(&of(&entries(new)), &of(&old)), expected);
    }
}

#[test]
fn operations_are_compared_whatever_their_parameters_are_called() {
    let open = json!({ "security": [] });
    let old = report(
        &json!({ "/posts/{id}": { "get": with("groups", json!(["x"])) }, "/gone": { "get": any() } }),
    );
    let new = report(&json!({
        "/posts/{post}": { "get": any() },
        "/new": { "get": open, "post": any(), "put": entries(json!([{}, { "MonoCloud": ["a"] }])) },
        "/key": { "get": entries(json!([{ "ApiKey": [] }])) }
    }));
    let expected = [
        "GET /new: it is new, and needs no credentials",
        "PUT /new: it is new, and needs no credentials",
        "GET /posts/{post}: the group \"x\" was dropped",
    ];
    assert_eq!(changes(&new, &old), expected);
}

#[test]
fn an_implication_weakens_unless_it_followed_already() {
    let report = |implied: &[(&str, &[&str])], needed: &str| {
        let mut protect = PROTECT.clone();
        for (scope, others) in implied {
            protect = protect.implies(*scope, others);
        }
        let paths = json!({ "/posts": { "get": entries(json!([scope(needed)])) } });
        declared(&protect, &paths).report().unwrap()
    };
    let old = report(&[("admin", &["write"]), ("write", &["read"])], "read");
    let shorter = report(&[("admin", &["read", "write"])], "read");
    assert_eq!(changes(&shorter, &old), [""; 0]);
    let longer = report(&[("admin", &["purge"]), ("write", &["read"])], "read");
    assert_eq!(changes(&longer, &old), [r#"the scope "admin" implies "purge" now"#]);
    // What implies a scope is at least as strong.
    assert_eq!(changes(&report(&[], "admin"), &old), [""; 0]);
    let weaker = [r#"GET /posts: the scope "admin" was dropped"#];
    assert_eq!(
        changes(&old, &report(&[("admin", &["write"]), ("write", &["read"])], "admin")),
        weaker
    );
}

fn posts() -> Value {
    let strong = json!({
        "operationId": "publish",
        "deprecated": true,
        "security": [scope("posts:write"), { "MonoCloud": ["posts:admin"], "Partner": ["p"] }, { "ApiKey": [] }],
        "x-monocloud-alternatives": [
            { "x-monocloud-groups": ["staff", "ops"], "x-monocloud-max-age": 300 },
            { "x-monocloud-acr-values": ["mfa"], "x-monocloud-claims": { "plan": "a|b`c\n", "seats": 3 } },
            {}
        ]
    });
    json!({
        "/posts": {
            "post": strong,
            "get": { "operationId": "list", "security": [{ "MonoCloud": [] }, {}] },
            "delete": with("sender-constrained", json!(true))
        },
        "/health": { "get": entries(json!([])) },
        "/me": { "get": any() }
    })
}

fn reviewed() -> PolicyReport {
    let protect = PROTECT.clone().implies("posts:admin", &["posts:write", "posts:read"]);
    declared(&protect, &posts()).report().unwrap()
}

#[test]
fn as_markdown_an_operation_is_a_line() {
    insta::assert_snapshot!(reviewed().to_markdown(), @r"
    | operation | needs |
    |---|---|
    | `GET /health` | nothing: public |
    | `GET /me` | any token |
    | `DELETE /posts` | a token that is bound to its sender by certificate or by DPoP key |
    | `GET /posts` | any token, or no credentials |
    | `POST /posts`, deprecated | `posts:write` and one of the groups `staff` or `ops` and authentication at most 300 seconds ago, or `posts:admin` and the claim `plan` to be `` a\|b`c  `` and the claim `seats` to be `3` and authentication by `mfa` and the scheme `Partner` with `p`, or the scheme `ApiKey` |

    Implied scopes:

    - `posts:admin` implies `posts:read` and `posts:write`
    ");
}

#[test]
fn what_was_written_as_json_is_read_back() {
    let report = reviewed();
    let json = report.to_json();
    assert_eq!(PolicyReport::from_json(&json).unwrap(), report);
    let value: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(value["operations"][4]["method"], "POST");
    assert_eq!(
        value["operations"][4]["tokens"][0],
        json!({ "scopes": ["posts:write"], "groups": { "any": ["staff", "ops"] }, "max_age": 300 })
    );
    assert_eq!(value["implied_scopes"], json!({ "posts:admin": ["posts:read", "posts:write"] }));
    // A requirement of a later version must not be lost.
    let later = json.replacen("\"max_age\"", "\"maximum_age\"", 1);
    assert!(PolicyReport::from_json(&later).unwrap_err().to_string().contains("maximum_age"));
}

#[test]
fn groups_that_do_not_say_have_what_the_configuration_says() {
    let paths = json!({ "/posts": { "get": with("groups", json!(["x", "y"])) } });
    for (protect, expected) in [
        (&PROTECT, RequiredGroups::Any(vec!["x".to_owned(), "y".to_owned()])),
        (&PROTECT_ALL, RequiredGroups::All(vec!["x".to_owned(), "y".to_owned()])),
    ] {
        let report = declared(protect, &paths).report().unwrap();
        assert_eq!(report.operations[0].tokens[0].groups, Some(expected));
    }
}

#[test]
fn what_is_unclear_is_an_error_that_names_the_operation() {
    let paths = json!({ "/posts": {
        "get": with("max-age", json!(-1)),
        "put": { "security": { "MonoCloud": [] } },
        "post": any()
    } });
    let error = declared(&PROTECT, &paths).report().unwrap_err();
    let [get, put] = error.problems() else { panic!("{error}") };
    assert!(get.starts_with("GET /posts: ") && put.starts_with("PUT /posts: "), "{error}");
}
