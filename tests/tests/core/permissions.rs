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
async fn a_scope_is_exact_and_comes_from_a_blank_separated_string_or_an_array() {
    let (pass, refused) = (says("read"), missing_scope("posts:read"));
    let cases = [
        (json!("posts:read"), &pass),
        (json!("a posts:read b"), &pass),
        (json!("  a   posts:read  "), &pass),
        (json!(["posts:read"]), &pass),
        (json!(["a", null, 7, "posts:read"]), &pass),
        (json!("posts:Read"), &refused),
        (json!("posts:reader"), &refused),
        (json!("posts"), &refused),
        (json!("posts:*"), &refused),
        (json!("posts:write"), &refused),
        (json!("a,posts:read"), &refused),
        (json!("a+posts:read"), &refused),
        (json!("a\u{a0}posts:read"), &refused),
        (json!(["a posts:read"]), &refused),
        (json!([["posts:read"]]), &refused),
        (json!({"posts:read": true}), &refused),
        (json!(""), &refused),
        (json!([]), &refused),
        (json!(null), &refused),
        (json!(true), &refused),
    ];
    let cases = cases.map(|(scope, expected)| (scope, expected.clone()));
    assert_claim(&[], "/read", "scope", &cases).await;
    assert_claim(&[], "/read", "scp", &[(json!("posts:read"), refused)]).await;
}

#[tokio::test]
async fn a_group_is_a_string_or_an_object_and_odd_entries_are_skipped() {
    let (pass, refused) = (says("admin"), missing_group());
    let cases = [
        (json!(["admin"]), &pass),
        (json!(["staff", "admin"]), &pass),
        (json!([{"id": "admin", "name": "Admins"}]), &pass),
        (json!([{"id": "7", "name": "admin"}]), &pass),
        (json!([{"name": "admin"}]), &pass),
        (json!([{"id": 7, "name": "admin"}]), &pass),
        (json!([null, 7, true, [], {}, ["x"], "admin"]), &pass),
        (json!(["Admin"]), &refused),
        (json!(["admins"]), &refused),
        (json!(["admin staff"]), &refused),
        (json!([["admin"]]), &refused),
        (json!([{"title": "admin"}]), &refused),
        (json!([{"id": ["admin"]}]), &refused),
        (json!([null]), &refused),
        (json!([]), &refused),
        (json!("admin"), &refused),
        (json!({"admin": true}), &refused),
        (json!({"id": "admin"}), &refused),
        (json!(null), &refused),
        (json!(1), &refused),
    ];
    let cases = cases.map(|(groups, expected)| (groups, expected.clone()));
    assert_claim(&[], "/admin", "groups", &cases).await;
    assert_claim(&[], "/admin", "roles", &[(json!(["admin"]), refused)]).await;
}

#[tokio::test]
async fn the_claim_that_holds_the_groups_can_be_another() {
    let elsewhere = [("GROUPS_CLAIM", "https://example.com/roles")];
    let pass = [(json!(["admin"]), says("admin"))];
    assert_claim(&elsewhere, "/admin", "https://example.com/roles", &pass).await;
    let refused = [(json!(["admin"]), missing_group())];
    assert_claim(&elsewhere, "/admin", "groups", &refused).await;
}
