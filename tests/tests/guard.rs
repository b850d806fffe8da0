//! A guard's decisions about tokens, without a host: fast enough for `cargo mutants`.

use harness::support::request_head;
use http::{
    HeaderMap, HeaderValue,
    header::{AUTHORIZATION, WWW_AUTHENTICATE},
};
use monocloud_backend::{
    Caller, Error, Guard, Policy, ProtectApi, ProtectApiBuilder, Refusal, error::InvalidToken,
};
use monocloud_testkit::{Clock, Control, Hostile, MockTenant};
use serde_json::json;

/// A tenant with a stopped clock.
async fn tenant() -> MockTenant {
    MockTenant::builder().clock(Clock::frozen()).start().await
}

fn builder(tenant: &MockTenant) -> ProtectApiBuilder {
    ProtectApi::builder().vars(tenant.vars()).clock(tenant.clock().reading())
}

fn guard(builder: ProtectApiBuilder) -> Guard {
    builder.build().unwrap().require(Policy::ANY_TOKEN)
}

/// What a guard says of a request with a token.
async fn check(guard: &Guard, token: &str) -> Result<Caller, Refusal> {
    guard.check(request_head(&bearer(token))).await
}

/// The status of the answer to a token, and its challenge.
async fn answer(guard: &Guard, token: &str) -> (u16, Option<String>) {
    let Err(refusal) = check(guard, token).await else { return (200, None) };
    let response = refusal.response();
    let challenge = response.headers().get(WWW_AUTHENTICATE);
    let challenge = challenge.map(|value| value.to_str().unwrap().to_owned());
    (response.status().as_u16(), challenge)
}

/// The reason for which a token is rejected; `None` if it is accepted.
async fn rejection(guard: &Guard, token: &str) -> Option<InvalidToken> {
    match check(guard, token).await.err()?.error() {
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
async fn every_hostile_token_is_rejected_and_every_control_is_accepted() {
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
async fn strict_mode_accepts_only_tokens_typed_as_access_tokens() {
    let tenant = tenant().await;
    let guard = guard(builder(&tenant).require_rfc9068());
    for typ in ["at+jwt", "AT+JWT", "application/at+jwt", "Application/AT+jwt"] {
        let token = tenant.token().header("typ", typ).mint();
        assert_eq!(rejection(&guard, &token).await, None, "{typ}");
    }
    let absent = tenant.token().without_header("typ").mint();
    assert_eq!(rejection(&guard, &absent).await, Some(InvalidToken::Type));
    for typ in [json!("JWT"), json!("jwt"), json!(""), json!(null), json!(["at+jwt"])] {
        let token = tenant.token().header("typ", &typ).mint();
        assert_eq!(rejection(&guard, &token).await, Some(InvalidToken::Type), "{typ}");
    }
    for claim in ["sub", "client_id", "jti", "iat"] {
        let without = tenant.token().without(claim).mint();
        let odd = tenant.token().claim(claim, json!([1])).mint();
        for token in [without, odd] {
            assert_eq!(rejection(&guard, &token).await, Some(InvalidToken::Claim(claim)));
        }
    }
}

#[tokio::test]
async fn the_order_of_hostile_tokens_and_controls_does_not_matter() {
    let tenant = tenant().await;
    let guard = guard(builder(&tenant));
    assert_eq!(rejection(&guard, &tenant.token().mint()).await, None, "fetches the keys");
    for number in 0..10 {
        let invented = tenant.token().header("kid", format!("invented-{number}")).mint();
        assert_eq!(rejection(&guard, &invented).await, Some(InvalidToken::UnknownKey));
    }
    for round in 0..2 {
        for hostile in Hostile::all(&tenant) {
            let (status, challenge) = answer(&guard, &hostile.token).await;
            hostile.assert_refused(status, challenge.as_deref());
        }
        for control in Control::all(&tenant) {
            let (status, challenge) = answer(&guard, &control.token).await;
            assert_eq!(status, 200, "{} in round {round}: {challenge:?}", control.name);
        }
    }
}

#[tokio::test]
async fn controls_are_accepted_by_an_operation_that_needs_a_scope_and_a_group() {
    let tenant = MockTenant::builder().clock(Clock::frozen()).groups(["admin"]).scope("a");
    let tenant = tenant.claim("tenant_id", "acme").start().await;
    let policy = Policy::ANY_TOKEN.scopes(&["a"]).any_group(&["admin"]);
    let guard = builder(&tenant).build().unwrap().require(policy);
    for control in Control::all(&tenant) {
        let caller = check(&guard, &control.token).await;
        let caller = caller.unwrap_or_else(|refusal| unreachable!("{}: {refusal}", control.name));
        let claims = caller.claims().unwrap();
        assert_eq!(claims.get("tenant_id"), Some(&json!("acme")), "{}", control.name);
    }
}
