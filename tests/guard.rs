//! What a guard alone says to a token: the same on every host, and soon told.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use http::{
    HeaderMap, HeaderValue,
    header::{AUTHORIZATION, WWW_AUTHENTICATE},
};
use monocloud_backend::{Error, Guard, InvalidToken, Policy, ProtectApi, ProtectApiBuilder};
use monocloud_testkit::{Clock, Control, Hostile, MockTenant};
use serde_json::json;

/// A tenant whose time stands still.
async fn tenant() -> MockTenant {
    MockTenant::builder().clock(Clock::frozen()).start().await
}

fn builder(tenant: &MockTenant) -> ProtectApiBuilder {
    ProtectApi::builder().vars(tenant.vars()).clock(tenant.clock().reading())
}

fn guard(builder: ProtectApiBuilder) -> Guard {
    builder.build().unwrap().require(Policy::ANY_TOKEN)
}

/// The status of the answer to a token, and its challenge.
async fn answer(guard: &Guard, token: &str) -> (u16, Option<String>) {
    let Err(refusal) = guard.check(&bearer(token), None).await else { return (200, None) };
    let response = refusal.response();
    let challenge = response.headers().get(WWW_AUTHENTICATE);
    let challenge = challenge.map(|value| value.to_str().unwrap().to_owned());
    (response.status().as_u16(), challenge)
}

/// Why a token is not accepted, if it is not.
async fn judged(guard: &Guard, token: &str) -> Option<InvalidToken> {
    match guard.check(&bearer(token), None).await.err()?.error() {
        Error::InvalidToken(reason) => Some(*reason),
        other => unreachable!("{other:?}"),
    }
}

fn bearer(token: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, HeaderValue::try_from(format!("Bearer {token}")).unwrap());
    headers
}

#[tokio::test]
async fn every_hostile_token_is_refused_and_every_control_is_accepted() {
    let tenant = tenant().await;
    let (hostile, controls) = (Hostile::all(&tenant), Control::all(&tenant));
    let guard = guard(builder(&tenant));
    for control in &controls {
        control.assert_accepted(answer(&guard, &control.token).await.0);
    }
    for hostile in &hostile {
        let (status, challenge) = answer(&guard, &hostile.token).await;
        hostile.assert_refused(status, challenge.as_deref());
    }
}

#[tokio::test]
async fn the_strict_mode_takes_only_what_says_that_it_is_an_access_token() {
    let tenant = tenant().await;
    let guard = guard(builder(&tenant).require_rfc9068());
    for typ in ["at+jwt", "AT+JWT", "application/at+jwt", "Application/AT+jwt"] {
        let token = tenant.token().header("typ", typ).mint();
        assert_eq!(judged(&guard, &token).await, None, "{typ}");
    }
    let absent = tenant.token().without_header("typ").mint();
    assert_eq!(judged(&guard, &absent).await, Some(InvalidToken::Type));
    for typ in [json!("JWT"), json!("jwt"), json!(""), json!(null), json!(["at+jwt"])] {
        let token = tenant.token().header("typ", &typ).mint();
        assert_eq!(judged(&guard, &token).await, Some(InvalidToken::Type), "{typ}");
    }
    for claim in ["sub", "client_id", "jti", "iat"] {
        let without = tenant.token().without(claim).mint();
        let odd = tenant.token().claim(claim, json!([1])).mint();
        for token in [without, odd] {
            assert_eq!(judged(&guard, &token).await, Some(InvalidToken::Claim(claim)));
        }
    }
}
