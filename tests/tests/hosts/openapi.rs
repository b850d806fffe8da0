//! What only poem-openapi has: a document that declares the policy.

use harness::{
    hosts::POEM_OPENAPI,
    support::{frozen_tenant, get, internal, missing, missing_group, post, says},
};

#[tokio::test]
async fn a_hidden_operation_is_authorized_by_its_listing_before_its_body_is_read() {
    let tenant = frozen_tenant().await;
    let api = POEM_OPENAPI.protected_by(&tenant);
    let alice = || tenant.token().subject("alice");
    for (case, call, expected) in [
        ("no token", get("/hidden"), missing()),
        ("no group", get("/hidden").bearer(&alice().mint()), missing_group()),
        ("an admin", get("/hidden").bearer(&alice().groups(["admin"]).mint()), says("hidden")),
        ("a bad body without a token", post("/hidden", "{"), missing()),
        ("a bad body, no group", post("/hidden", "{").bearer(&alice().mint()), missing_group()),
        ("optional by type, required by its listing", get("/hidden-optional"), missing()),
        ("a token", get("/hidden-optional").bearer(&alice().mint()), says("alice")),
    ] {
        api.check(case, call, &expected).await;
    }
}

#[tokio::test]
async fn a_public_operation_that_asks_for_the_caller_answers_500() {
    let tenant = frozen_tenant().await;
    let api = POEM_OPENAPI.protected_by(&tenant);
    let admin = tenant.token().groups(["admin"]).mint();
    for (case, call) in
        [("no token", get("/public-asks")), ("an admin", get("/public-asks").bearer(&admin))]
    {
        api.check(case, call, &internal()).await;
    }
}
