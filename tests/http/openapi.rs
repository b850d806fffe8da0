//! What only poem-openapi has: a document that states the policy.

use crate::{
    hosts::POEM_OPENAPI,
    support::{frozen_tenant, get, internal, missing, missing_group, says, served},
};

#[tokio::test]
async fn an_operation_that_is_not_documented_carries_its_policy_by_type() {
    let tenant = frozen_tenant().await;
    let api = served(POEM_OPENAPI, &tenant);
    let alice = || tenant.token().subject("alice");
    for (case, call, expected) in [
        ("no token", get("/hidden"), missing()),
        ("no group", get("/hidden").bearer(&alice().mint()), missing_group()),
        ("an admin", get("/hidden").bearer(&alice().groups(["admin"]).mint()), says("hidden")),
        ("no token where none is needed", get("/hidden-optional"), says("anonymous")),
        ("one all the same", get("/hidden-optional").bearer(&alice().mint()), says("alice")),
    ] {
        api.check(case, call, &expected).await;
    }
}

#[tokio::test]
async fn where_it_is_not_clear_who_may_pass_nobody_does() {
    let tenant = frozen_tenant().await;
    let api = served(POEM_OPENAPI, &tenant);
    let admin = tenant.token().groups(["admin"]).mint();
    for route in ["/two-bearers", "/public-asks"] {
        api.check(route, get(route), &internal()).await;
        api.check(route, get(route).bearer(&admin), &internal()).await;
    }
}
