//! Each route needs the scopes and groups that it declares.

use harness::{
    hosts::Host,
    support::{frozen_tenant, get, missing_group, missing_scope, post, protect, says},
};

on_every_host! {
    all_scopes_are_needed_and_the_challenge_names_all_of_them,
    scopes_are_checked_before_groups,
    the_policy_or_else_the_configuration_decides_whether_any_or_all_groups_are_needed,
}

async fn all_scopes_are_needed_and_the_challenge_names_all_of_them(host: Host) {
    let tenant = frozen_tenant().await;
    let api = host.protected_by(&tenant);
    let all = missing_scope("posts:read posts:write");
    for (scope, expected) in [
        ("posts:write posts:read", says("hello")),
        ("posts:read", all.clone()),
        ("posts:write", all.clone()),
        ("other", all),
    ] {
        let token = tenant.token().scope(scope).mint();
        let call = post("/write", r#"{"title":"hello"}"#).bearer(&token);
        api.check(scope, call, &expected).await;
    }
}

async fn the_policy_or_else_the_configuration_decides_whether_any_or_all_groups_are_needed(
    host: Host,
) {
    let tenant = frozen_tenant().await;
    for (match_all, route, groups, passes) in [
        ("false", "/groups", &["a", "other"][..], true),
        ("false", "/groups", &["b", "a"], true),
        ("false", "/groups", &["c"], false),
        ("true", "/groups", &["a", "other"], false),
        ("true", "/groups", &["b", "a"], true),
        ("true", "/groups", &["c"], false),
        ("false", "/both", &["a", "other"], false),
        ("false", "/both", &["b", "a"], true),
        ("false", "/both", &["c"], false),
        ("true", "/both", &["a", "other"], false),
        ("true", "/both", &["b", "a"], true),
        ("true", "/both", &["c"], false),
        // `any_group` takes precedence over the configuration.
        ("true", "/admin", &["admin"], true),
    ] {
        let vars = [("MONOCLOUD_BACKEND_GROUPS_MATCH_ALL", match_all)];
        let api = host.serve(&protect(&tenant).vars(vars).build().unwrap());
        let token = tenant.token().groups(groups.iter().copied()).mint();
        let expected = if passes { says(&route[1..]) } else { missing_group() };
        let case = format!("{route} in {groups:?}, all: {match_all}");
        api.check(&case, get(route).bearer(&token), &expected).await;
    }
}

async fn scopes_are_checked_before_groups(host: Host) {
    let tenant = frozen_tenant().await;
    let api = host.protected_by(&tenant);
    let token = || tenant.token();
    for (case, token, expected) in [
        ("neither", token(), missing_scope("posts:read")),
        ("the group", token().groups(["admin"]), missing_scope("posts:read")),
        ("the scope", token().scope("posts:read"), missing_group()),
        ("both", token().scope("posts:read").groups(["admin"]), says("scope and group")),
    ] {
        api.check(case, get("/scope-and-group").bearer(&token.mint()), &expected).await;
    }
}
