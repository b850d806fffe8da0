//! Responses that outlive the request end when the token no longer permits them.

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    task::Poll,
    time::Duration,
};

use futures_util::{StreamExt, stream};
use harness::support::{at_once, frozen_tenant, introspecting, protect, request_head, until};
use http::{HeaderMap, header::AUTHORIZATION};
use monocloud_backend::{Authenticated, Guard, Policy, ProtectApiBuilder};
use monocloud_testkit::{Endpoint, Fault, MockTenant, TokenBuilder};

const ANY: Policy = Policy::ANY_TOKEN;
const RECENT: Policy = ANY.max_age(Duration::from_secs(300));
const SECOND: Duration = Duration::from_secs(1);

/// The caller of a request with a token, at an API with a policy.
async fn caller(api: ProtectApiBuilder, policy: Policy, token: TokenBuilder<'_>) -> Authenticated {
    check(&api.build().unwrap().require(policy), &token.mint()).await
}

async fn check(guard: &Guard, token: &str) -> Authenticated {
    let headers =
        HeaderMap::from_iter([(AUTHORIZATION, format!("Bearer {token}").parse().unwrap())]);
    let caller = guard.check(request_head(&headers)).await.unwrap();
    caller.authenticated().unwrap().clone()
}

/// Whether a future is completed by now.
async fn is_over(future: &mut Pin<Box<dyn Future<Output = ()> + Send>>) -> bool {
    poll_fn(|context| Poll::Ready(future.as_mut().poll(context).is_ready())).await
}

/// Moves the clock, and checks that the token is good until then and no longer.
async fn ends_after(tenant: &MockTenant, caller: &Authenticated, seconds: u64) {
    let mut expired = caller.expired();
    assert!(!is_over(&mut expired).await);
    tenant.clock().advance(Duration::from_secs(seconds) - SECOND);
    assert!(!is_over(&mut expired).await, "a second before {seconds}");
    tenant.clock().advance(SECOND);
    assert!(is_over(&mut expired).await, "after {seconds}");
}

#[tokio::test]
async fn a_token_is_over_when_a_request_with_it_is_rejected() {
    let tenant = frozen_tenant().await;
    for (api, opaque, seconds) in [
        (protect(&tenant), false, 100 + 60),
        (protect(&tenant).clock_tolerance(Duration::ZERO), false, 100),
        (protect(&tenant).clock_skew(30 * SECOND), false, 100 + 60 - 30),
        (introspecting(&tenant), true, 100 + 60),
    ] {
        let token = if opaque { tenant.opaque_token() } else { tenant.token() };
        let caller = caller(api, ANY, token.expires_in(100)).await;
        ends_after(&tenant, &caller, seconds).await;
    }
}

#[tokio::test]
async fn a_user_must_have_authenticated_recently_all_the_time() {
    const RECENT_OR_MFA: Policy = Policy::any_of(&[RECENT, ANY.acr_values(&["mfa"])]);
    const VERY_RECENT_OR_RECENT: Policy =
        Policy::any_of(&[ANY.max_age(Duration::from_secs(100)), RECENT]);
    let tenant = frozen_tenant().await;
    let token = || tenant.token().expires_in(1000).authenticated_ago(200);
    // Inclusive, so that it is over a second later.
    let recent = caller(protect(&tenant), RECENT, token()).await;
    ends_after(&tenant, &recent, 100 + 60 + 1).await;
    let either = caller(protect(&tenant), VERY_RECENT_OR_RECENT, token()).await;
    ends_after(&tenant, &either, 100 + 60 + 1).await;
    let strong = caller(protect(&tenant), RECENT_OR_MFA, token().acr("mfa")).await;
    ends_after(&tenant, &strong, 1000 + 60).await;
}

#[tokio::test]
async fn a_token_that_does_not_say_when_it_expires_is_introspected_again() {
    let tenant = frozen_tenant().await;
    let interval = Duration::from_secs(120);
    let api = introspecting(&tenant).introspection_cache_in_memory();
    let guard = api.introspection_cache_duration(interval).build().unwrap().require(ANY);
    let token = tenant.opaque_token().without("exp").mint();
    let calls = || tenant.requests(Endpoint::Introspection);
    let task = tokio::spawn(check(&guard, &token).await.expired());
    for call in 2..5 {
        tokio::task::yield_now().await;
        tenant.clock().advance(interval - SECOND);
        tokio::task::yield_now().await;
        assert_eq!(calls(), call - 1);
        tenant.clock().advance(SECOND);
        until(|| calls() == call).await;
        // This joins the call, or finds its result.
        check(&guard, &token).await;
        assert_eq!(calls(), call);
    }
    assert!(!task.is_finished());
}

#[tokio::test]
async fn a_token_that_the_tenant_no_longer_confirms_is_over() {
    let tenant = frozen_tenant().await;
    for fault in [Some(Fault::Status(503)), None] {
        let token = tenant.opaque_token().without("exp");
        let caller = caller(introspecting(&tenant), RECENT_SCOPE, token.scope("posts:read")).await;
        let mut expired = caller.expired();
        assert!(!is_over(&mut expired).await);
        match fault {
            None => tenant.introspection_answer(serde_json::json!({ "active": false })),
            Some(fault) => tenant.fault(Endpoint::Introspection, fault).times(1),
        }
        tenant.clock().advance(Duration::from_secs(300));
        at_once(expired).await;
    }
}

const RECENT_SCOPE: Policy = ANY.scopes(&["posts:read"]);

#[tokio::test]
async fn a_stream_ends_with_the_token_or_by_itself() {
    let tenant = frozen_tenant().await;
    let caller = caller(protect(&tenant), ANY, tenant.token().expires_in(100)).await;
    let own_end = caller.until_expiry(stream::iter(["a", "b"]));
    assert_eq!(own_end.collect::<Vec<_>>().await, ["a", "b"]);

    let endless = stream::iter(["a"]).chain(stream::pending());
    let mut events = pin!(caller.until_expiry(endless));
    assert_eq!(events.next().await, Some("a"));
    let mut pending = true;
    poll_fn(|context| {
        pending = events.as_mut().poll_next_unpin(context).is_pending();
        Poll::Ready(())
    })
    .await;
    assert!(pending);
    tenant.clock().advance(Duration::from_secs(160));
    assert_eq!(at_once(events.next()).await, None);
    assert_eq!(at_once(events.next()).await, None);
}

#[tokio::test]
async fn what_is_ready_is_not_sent_after_the_end() {
    let tenant = frozen_tenant().await;
    let caller = caller(protect(&tenant), ANY, tenant.token().expires_in(100)).await;
    let mut events = pin!(caller.until_expiry(stream::repeat("a")));
    assert_eq!(events.next().await, Some("a"));
    tenant.clock().advance(Duration::from_secs(160));
    assert_eq!(events.next().await, None);
}
