//! A handler takes the claims in a type of the application's.

use harness::{
    hosts::Host,
    support::{frozen_tenant, get, introspecting, invalid_token, missing, says},
};
use monocloud_backend::error::InvalidToken;

on_every_host! {
    a_handler_gets_the_claims_of_a_token_that_fits_and_no_other_token,
}

async fn a_handler_gets_the_claims_of_a_token_that_fits_and_no_other_token(host: Host) {
    let tenant = frozen_tenant().await;
    let api = host.serve(&introspecting(&tenant).build().unwrap());
    let alice = || tenant.token().subject("alice");
    let opaque = || tenant.opaque_token().subject("alice");
    let unfit = || invalid_token(InvalidToken::TypedClaims);
    let email = "a@b.example";
    for (case, token, expected) in [
        (
            "fits",
            alice().claim("email", email).claim("plan", "pro").mint(),
            says("alice a@b.example pro"),
        ),
        (
            "without an optional claim",
            alice().claim("email", email).mint(),
            says("alice a@b.example -"),
        ),
        ("lacks a claim", alice().mint(), unfit()),
        ("of another type", alice().claim("email", 7).mint(), unfit()),
        ("opaque, fits", opaque().claim("email", email).mint(), says("alice a@b.example -")),
        ("opaque, lacks a claim", opaque().mint(), unfit()),
    ] {
        api.check(case, get("/profile").bearer(&token), &expected).await;
    }
    api.check("no token", get("/profile"), &missing()).await;
}
