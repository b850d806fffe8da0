//! Scopes and groups: what a valid token permits.

use harness::support::{
    Expected, frozen_tenant, get, missing_group, missing_scope, protect, says, serve,
};
use serde_json::{Value, json};

/// Sends tokens with this claim, or without it where it is null, to one route.
async fn assert_claim(vars: &[(&str, &str)], route: &str, name: &str, cases: &[(Value, Expected)]) {
    let tenant = frozen_tenant().await;
    let vars = vars.iter().map(|(name, value)| (format!("MONOCLOUD_BACKEND_{name}"), *value));
    let api = serve(&protect(&tenant).vars(vars).build().unwrap());
    for (value, expected) in cases {
        let token = tenant.token().claim(name, value).mint();
        let case = format!("{route} with {name}: {value}");
        api.check(&case, get(route).bearer(&token), expected).await;
    }
}

#[tokio::test]
async fn a_scope_must_match_exactly_in_a_space_separated_string_or_an_array() {
    let (accepted, rejected) = (says("read"), missing_scope("posts:read"));
    let cases = [
        (json!("posts:read"), &accepted),
        (json!("a posts:read b"), &accepted),
        (json!("  a   posts:read  "), &accepted),
        (json!(["posts:read"]), &accepted),
        (json!(["a", null, 7, "posts:read"]), &accepted),
        (json!("posts:Read"), &rejected),
        (json!("posts:reader"), &rejected),
        (json!("posts"), &rejected),
        (json!("posts:*"), &rejected),
        (json!("posts:write"), &rejected),
        (json!("a,posts:read"), &rejected),
        (json!("a+posts:read"), &rejected),
        (json!("a\u{a0}posts:read"), &rejected),
        (json!(["a posts:read"]), &rejected),
        (json!([["posts:read"]]), &rejected),
        (json!({"posts:read": true}), &rejected),
        (json!(""), &rejected),
        (json!([]), &rejected),
        (json!(null), &rejected),
        (json!(true), &rejected),
    ];
    let cases = cases.map(|(scope, expected)| (scope, expected.clone()));
    assert_claim(&[], "/read", "scope", &cases).await;
    assert_claim(&[], "/read", "scp", &[(json!("posts:read"), rejected)]).await;
}

#[tokio::test]
async fn a_group_is_a_string_or_an_object_and_other_entries_are_skipped() {
    let (accepted, rejected) = (says("admin"), missing_group());
    let cases = [
        (json!(["admin"]), &accepted),
        (json!(["staff", "admin"]), &accepted),
        (json!([{"id": "admin", "name": "Admins"}]), &accepted),
        (json!([{"id": "7", "name": "admin"}]), &accepted),
        (json!([{"name": "admin"}]), &accepted),
        (json!([{"id": 7, "name": "admin"}]), &accepted),
        (json!([null, 7, true, [], {}, ["x"], "admin"]), &accepted),
        (json!(["Admin"]), &rejected),
        (json!(["admins"]), &rejected),
        (json!(["admin staff"]), &rejected),
        (json!([["admin"]]), &rejected),
        (json!([{"title": "admin"}]), &rejected),
        (json!([{"id": ["admin"]}]), &rejected),
        (json!([null]), &rejected),
        (json!([]), &rejected),
        (json!("admin"), &rejected),
        (json!({"admin": true}), &rejected),
        (json!({"id": "admin"}), &rejected),
        (json!(null), &rejected),
        (json!(1), &rejected),
    ];
    let cases = cases.map(|(groups, expected)| (groups, expected.clone()));
    assert_claim(&[], "/admin", "groups", &cases).await;
    assert_claim(&[], "/admin", "roles", &[(json!(["admin"]), rejected)]).await;
}

#[tokio::test]
async fn the_groups_claim_can_be_configured() {
    let elsewhere = [("GROUPS_CLAIM", "https://example.com/roles")];
    let accepted = [(json!(["admin"]), says("admin"))];
    assert_claim(&elsewhere, "/admin", "https://example.com/roles", &accepted).await;
    let rejected = [(json!(["admin"]), missing_group())];
    assert_claim(&elsewhere, "/admin", "groups", &rejected).await;
}
