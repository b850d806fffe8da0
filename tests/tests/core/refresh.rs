//! The task that keeps the tenant's documents fresh, and the health that it reports.

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    sync::Arc,
    task::Poll,
    time::{Duration, Instant},
};

use harness::support::{
    at_once, fetches_done, frozen_tenant, get, invalid_token, ok, protect, request_head, serve,
    served, unavailable, until,
};
use monocloud_backend::{Policy, ProtectApi, error::InvalidToken, health::DocumentState};
use monocloud_testkit::{Clock, Endpoint, Fault, MockTenant};
use reqwest::header::{AUTHORIZATION, HeaderMap};
use serde_json::json;

use crate::keys::{DAY, fetches, seconds};

/// Lets the tasks of this thread run until they wait for the clock.
async fn settle() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn documents_are_renewed_at_four_fifths_of_their_lifetime_without_any_request() {
    let tenant = frozen_tenant().await;
    let builder = protect(&tenant).jwks_cache_duration(Duration::from_secs(100));
    let protect = builder.metadata_cache_duration(Duration::from_secs(1000)).build().unwrap();
    protect.warm_up().await.unwrap();
    for renewals in 1..=5 {
        tenant.clock().advance(seconds(71.0));
        settle().await;
        assert_eq!(fetches(&tenant), (1, renewals), "too early");
        tenant.clock().advance(seconds(18.0));
        at_once(tenant.requested(Endpoint::Jwks, renewals + 1)).await;
        until(|| protect.health().tenants[0].keys.age == Some(Duration::ZERO)).await;
    }
    assert_eq!(fetches(&tenant), (1, 6));
    tenant.clock().advance(seconds(1000.0 * 0.88 - 5.0 * 89.0));
    at_once(tenant.requested(Endpoint::Discovery, 2)).await;
}

#[tokio::test]
async fn the_task_does_not_start_before_the_tenant_is_needed() {
    let tenant = frozen_tenant().await;
    let protect = protect(&tenant).build().unwrap();
    tenant.clock().advance(seconds(86_400.0));
    settle().await;
    assert_eq!(fetches(&tenant), (0, 0));
    drop(protect);
}

#[tokio::test]
async fn the_task_ends_with_the_last_handle() {
    let tenant = frozen_tenant().await;
    let (timer, waiting) = (tenant.clock().timer(), Arc::new(()));
    let builder = ProtectApi::builder().vars(tenant.vars()).clock(tenant.clock().reading());
    let protect = builder
        .timer({
            let waiting = Arc::clone(&waiting);
            move |instant: Instant| {
                let (sleep, waits) = (timer(instant), Arc::clone(&waiting));
                async move {
                    sleep.await;
                    drop(waits);
                }
            }
        })
        .build()
        .unwrap();
    let another = protect.clone();
    protect.warm_up().await.unwrap();
    // One for the timer, one for the test, and two for the task, which waits for both documents.
    until(|| Arc::strong_count(&waiting) == 4).await;
    drop(protect);
    settle().await;
    assert_eq!(Arc::strong_count(&waiting), 4, "a request may still need it");
    drop(another);
    until(|| Arc::strong_count(&waiting) == 1).await;
    tenant.clock().advance(seconds(86_400.0));
    settle().await;
    assert_eq!(fetches(&tenant), (1, 1));
}

#[test]
fn the_task_restarts_after_its_runtime_has_ended() {
    let clock = Clock::frozen();
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (first, second) = (runtime(), runtime());
    let tenant = first.block_on(MockTenant::builder().clock(clock.clone()).start());
    let protect = protect(&tenant).build().unwrap();
    first.block_on(protect.warm_up()).unwrap();
    drop(first);
    clock.advance(seconds(300.0));
    second.block_on(async {
        protect.warm_up().await.unwrap();
        assert_eq!(fetches(&tenant), (2, 2));
        clock.advance(seconds(265.0));
        at_once(tenant.requested(Endpoint::Jwks, 3)).await;
    });
}

/// A runtime does that if no thread drives it any more.
#[test]
fn the_task_moves_to_the_runtime_of_a_caller_if_its_own_makes_no_progress() {
    let clock = Clock::frozen();
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (idle, second) = (runtime(), runtime());
    second.block_on(async {
        let tenant = MockTenant::builder().clock(clock.clone()).start().await;
        let protect = protect(&tenant).build().unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let _entered = idle.enter();
                assert!(!protect.health().ready);
            });
        });
        let mut waiting = pin!(protect.warm_up());
        assert!(is_pending(waiting.as_mut()).await);
        clock.advance(seconds(1.9));
        assert!(is_pending(pin!(protect.warm_up())).await);
        settle().await;
        assert_eq!(fetches(&tenant), (0, 0));
        clock.advance(seconds(0.1));
        at_once(protect.warm_up()).await.unwrap();
        at_once(waiting).await.unwrap();
        assert_eq!(fetches(&tenant), (1, 1));
    });
}

/// Callers on other runtimes get an error, and the next one starts the fetch again.
#[test]
fn a_fetch_that_ends_with_its_runtime_fails_its_callers_and_is_made_again() {
    let runtime = || tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let (first, second) = (runtime(), runtime());
    second.block_on(async {
        let tenant = MockTenant::builder().clock(Clock::frozen()).start().await;
        let protect = protect(&tenant).build().unwrap();
        let fault = tenant.fault(Endpoint::Discovery, Fault::NeverAnswer);
        let started = protect.clone();
        first.spawn(async move { started.warm_up().await });
        at_once(tenant.requested(Endpoint::Discovery, 1)).await;
        let mut waiting = pin!(protect.warm_up());
        assert!(is_pending(waiting.as_mut()).await);
        first.shutdown_background();
        assert!(at_once(waiting).await.is_err());
        drop(fault);
        at_once(protect.warm_up()).await.unwrap();
        assert_eq!(fetches(&tenant), (2, 1));
    });
}

/// Polls a future once.
async fn is_pending<T>(mut future: Pin<&mut impl Future<Output = T>>) -> bool {
    poll_fn(|context| Poll::Ready(future.as_mut().poll(context).is_pending())).await
}

/// The clock does not move while a request is answered, so nothing can wait for it.
#[tokio::test]
async fn while_the_tenant_hangs_tokens_of_known_keys_are_answered_without_waiting() {
    let tenant = frozen_tenant().await;
    let api = served(&tenant);
    let token = tenant.token().expires_in(DAY).mint();
    let check = async |case| at_once(api.check(case, get("/any").bearer(&token), &ok())).await;
    check("warm").await;
    let endpoints = [Endpoint::Discovery, Endpoint::Jwks];
    let _faults = endpoints.map(|endpoint| tenant.fault(endpoint, Fault::NeverAnswer));
    tenant.clock().advance(seconds(265.0));
    at_once(tenant.requested(Endpoint::Discovery, 2)).await;
    check("a refresh hangs").await;
    tenant.clock().advance(seconds(9.0));
    check("it still hangs").await;
    for _ in 0..100 {
        tenant.clock().advance(seconds(2.0));
        check("for minutes").await;
    }
}

#[tokio::test]
async fn a_refresh_that_takes_longer_than_its_documents_lifetime_delays_no_request() {
    let tenant = frozen_tenant().await;
    let builder = protect(&tenant).jwks_cache_duration(Duration::from_secs(10));
    let api = serve(&builder.build().unwrap());
    let token = tenant.token().mint();
    let check = async |case| at_once(api.check(case, get("/any").bearer(&token), &ok())).await;
    check("warm").await;
    let _fault = tenant.fault(Endpoint::Jwks, Fault::NeverAnswer);
    tenant.clock().advance(seconds(8.8));
    at_once(tenant.requested(Endpoint::Jwks, 2)).await;
    tenant.clock().advance(seconds(2.0));
    check("its lifetime is over, and nothing has failed yet").await;
}

#[tokio::test]
async fn after_a_long_suspension_only_the_first_request_waits_two_seconds() {
    let tenant = frozen_tenant().await;
    let api = served(&tenant);
    let token = tenant.token().expires_in(DAY).mint();
    let call = || get("/any").bearer(&token);
    api.check("warm", call(), &ok()).await;
    let _fault = tenant.fault(Endpoint::Discovery, Fault::NeverAnswer);
    tenant.clock().advance(seconds(3600.0));
    let waiting = tokio::spawn({
        let (api, call) = (api.clone(), call());
        async move { api.check("the first one", call, &ok()).await }
    });
    at_once(tenant.requested(Endpoint::Discovery, 2)).await;
    tenant.clock().advance(seconds(1.9));
    settle().await;
    assert!(!waiting.is_finished());
    tenant.clock().advance(seconds(0.1));
    at_once(waiting).await.unwrap();
    at_once(api.check("the next one", call(), &ok())).await;
}

/// The monotonic clock may stop while a machine is suspended; the wall clock does not.
#[tokio::test]
async fn after_a_suspension_the_wall_clock_determines_the_age_of_documents() {
    let tenant = frozen_tenant().await;
    let builder = protect(&tenant).keys_outage_tolerance(Duration::from_secs(7200));
    let protect = builder.build().unwrap();
    let api = serve(&protect);
    let token = tenant.token().expires_in(DAY).mint();
    let call = || get("/any").bearer(&token);
    api.check("warm", call(), &ok()).await;
    tenant.clock().shift_wall(299);
    api.check("fresh", call(), &ok()).await;
    assert_eq!(fetches(&tenant), (1, 1));
    tenant.clock().shift_wall(3301);
    assert_eq!(protect.health().tenants[0].keys.state, DocumentState::Stale);
    at_once(api.check("fetched again", call(), &ok())).await;
    assert_eq!(fetches(&tenant).1, 2);
    tenant.replace_keys();
    tenant.clock().shift_wall(3600);
    at_once(api.check("withdrawn", call(), &invalid_token(InvalidToken::UnknownKey))).await;
    let token = tenant.token().expires_in(DAY).mint();
    at_once(api.check("the new key", get("/any").bearer(&token), &ok())).await;
    let _fault = tenant.fault(Endpoint::Jwks, Fault::Status(503));
    tenant.clock().shift_wall(7500);
    at_once(api.check("beyond the tolerance", get("/any").bearer(&token), &unavailable())).await;
}

/// This applies even if the tenant hangs and the response timeout is longer.
#[tokio::test]
async fn without_a_cached_document_a_fetch_is_cancelled_after_eight_seconds_and_repeated() {
    for endpoint in [Endpoint::Discovery, Endpoint::Jwks] {
        let tenant = frozen_tenant().await;
        let builder = protect(&tenant).response_timeout(Duration::from_secs(60));
        let api = serve(&builder.build().unwrap());
        let token = tenant.token().expires_in(DAY).mint();
        let fault = tenant.fault(endpoint, Fault::NeverAnswer);
        let waiting = tokio::spawn({
            let (api, call) = (api.clone(), get("/any").bearer(&token));
            async move { api.check("the first one", call, &unavailable()).await }
        });
        at_once(tenant.requested(endpoint, 1)).await;
        tenant.clock().advance(seconds(7.9));
        settle().await;
        assert!(!waiting.is_finished());
        tenant.clock().advance(seconds(0.1));
        at_once(waiting).await.unwrap();
        // The fetch that hangs when the tenant returns is cancelled as well.
        for attempt in 2..=6 {
            at_once(tenant.requested(endpoint, attempt)).await;
            tenant.clock().advance(seconds(8.8));
        }
        at_once(tenant.requested(endpoint, 7)).await;
        drop(fault);
        tenant.clock().advance(seconds(8.8));
        at_once(tenant.requested(endpoint, 8)).await;
        at_once(api.check("back", get("/any").bearer(&token), &ok())).await;
    }
}

#[tokio::test]
async fn an_api_without_documents_works_within_ten_seconds_of_the_tenants_recovery() {
    for endpoint in [Endpoint::Discovery, Endpoint::Jwks] {
        let tenant = frozen_tenant().await;
        let fault = tenant.fault(endpoint, Fault::Status(502));
        let protect = protect(&tenant).build().unwrap();
        let api = serve(&protect);
        let token = tenant.token().expires_in(DAY).mint();
        let call = || get("/any").bearer(&token);
        // After the first request, half an hour passes without another.
        api.check("down", call(), &unavailable()).await;
        for (pause, failed) in [1.1, 2.2, 4.4].into_iter().chain([8.8; 204]).zip(2..) {
            tenant.clock().advance(seconds(pause));
            until(|| {
                let health = protect.health().tenants.remove(0);
                let failures = [health.metadata.failure, health.keys.failure];
                failures.into_iter().flatten().any(|failure| failure.attempts == failed)
            })
            .await;
            assert_eq!(tenant.requests(endpoint), failed as usize);
        }
        api.check("still down", call(), &unavailable()).await;
        drop(fault);
        tenant.clock().advance(seconds(8.8));
        at_once(api.check("back", call(), &ok())).await;
    }
}

/// Otherwise two pauses would add up.
#[tokio::test]
async fn a_fetch_of_keys_that_needs_the_metadata_adds_no_pause_of_its_own() {
    let tenant = frozen_tenant().await;
    let _fault = tenant.fault(Endpoint::Discovery, Fault::Status(503));
    let protect = protect(&tenant).build().unwrap();
    for attempt in 1..=6 {
        let _ = protect.warm_up().await;
        fetches_done(&protect).await;
        let health = protect.health().tenants.remove(0);
        assert_eq!(health.metadata.failure.unwrap().attempts, attempt);
        assert_eq!(health.keys.next_refresh, health.metadata.next_refresh);
        tenant.clock().advance(seconds(8.8));
        at_once(tenant.requested(Endpoint::Discovery, attempt as usize + 1)).await;
    }
}

#[tokio::test]
async fn polling_the_health_makes_an_api_ready_without_a_request() {
    let tenant = frozen_tenant().await;
    let fault = tenant.fault(Endpoint::Discovery, Fault::Status(503));
    let protect = protect(&tenant).build().unwrap();
    assert!(!protect.health().ready);
    until(|| protect.health().tenants[0].keys.failure.is_some()).await;
    drop(fault);
    tenant.clock().advance(seconds(1.1));
    until(|| protect.health().ready).await;
}

#[tokio::test]
async fn health_reports_the_cached_documents_their_age_and_the_last_failure() {
    let tenant = frozen_tenant().await;
    let protect = protect(&tenant)
        .jwks_cache_duration(Duration::from_secs(100))
        .keys_outage_tolerance(Duration::from_secs(600))
        .build()
        .unwrap();
    protect.warm_up().await.unwrap();
    tenant.clock().advance(seconds(50.0));
    let health = protect.health();
    let keys = &health.tenants[0].keys;
    assert!(health.ready && health.tenants[0].ready);
    assert_eq!(health.tenants[0].issuer, tenant.issuer());
    let jwks = tenant.jwks();
    let kids: Vec<_> = jwks["keys"].as_array().unwrap().iter().map(|key| &key["kid"]).collect();
    assert_eq!(json!(health.tenants[0].kids), json!(kids));
    assert_eq!(keys.state, DocumentState::Fresh);
    assert_eq!(keys.age, Some(Duration::from_secs(50)));
    assert_eq!(keys.serves_for, Some(Duration::from_secs(650)));
    let next = keys.next_refresh.unwrap().as_secs_f64();
    assert!((22.0..=38.0).contains(&next), "{next}");
    assert!(keys.failure.is_none());

    let fault = tenant.fault(Endpoint::Jwks, Fault::Status(503));
    tenant.clock().advance(seconds(60.0));
    until(|| protect.health().tenants[0].keys.failure.is_some()).await;
    tenant.clock().advance(seconds(0.5));
    let keys = protect.health().tenants.remove(0).keys;
    assert_eq!(keys.state, DocumentState::Stale);
    let failure = keys.failure.unwrap();
    assert_eq!((failure.attempts, failure.since), (1, Duration::from_millis(500)));
    assert_eq!(
        failure.error,
        format!("the tenant answered {} with status 503", tenant.url(Endpoint::Jwks))
    );

    tenant.clock().advance(seconds(589.5));
    let health = protect.health();
    assert!(!health.ready);
    assert_eq!(health.tenants[0].keys.state, DocumentState::Expired);
    assert_eq!(health.tenants[0].keys.serves_for, Some(Duration::ZERO));

    drop(fault);
    tenant.clock().advance(seconds(66.0));
    until(|| protect.health().ready).await;
    assert!(protect.health().tenants[0].keys.failure.is_none());
}

#[tokio::test]
async fn health_is_json_with_times_in_seconds() {
    let tenant = frozen_tenant().await;
    let protect = protect(&tenant).build().unwrap();
    protect.warm_up().await.unwrap();
    tenant.clock().advance(seconds(1.5));
    let mut health = serde_json::to_value(protect.health()).unwrap();
    let keys = &mut health["tenants"][0]["keys"];
    assert!(keys["next_refresh"].take().as_f64().unwrap() > 200.0);
    let expected = json!({
        "state": "fresh",
        "age": 1.5,
        "next_refresh": null,
        "serves_for": 300.0 + 21600.0 - 1.5,
        "failure": null,
    });
    assert_eq!(*keys, expected);
    assert_eq!(health["ready"], true);
}

/// An application may poll it on a thread without a runtime.
#[test]
fn health_outside_a_runtime_does_not_panic() {
    let vars = [("MONOCLOUD_BACKEND_TENANT_DOMAIN", "a.test"), ("MONOCLOUD_BACKEND_AUDIENCE", "a")];
    assert!(!ProtectApi::from_vars(vars).unwrap().health().ready);
}

#[tokio::test]
async fn a_panic_in_an_http_client_is_a_failed_fetch() {
    struct Panics;
    impl monocloud_backend::http_client::HttpClient for Panics {
        fn send(
            &self,
            _: http::Request<bytes::Bytes>,
            _: usize,
        ) -> monocloud_backend::http_client::HttpFuture<'_> {
            panic!("a defect of the application's")
        }
    }
    let clock = Clock::frozen();
    let protect = ProtectApi::builder()
        .tenant_domain("acme.test")
        .audience("a")
        .http_client(Panics)
        .clock(clock.reading())
        .timer(clock.timer())
        .build()
        .unwrap();
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, "Bearer e30.e30.e30".parse().unwrap());
    let _ = protect.require(Policy::ANY_TOKEN).check(request_head(&headers)).await;
    assert!(protect.warm_up().await.is_err());
    let failure = protect.health().tenants.remove(0).keys.failure.unwrap();
    assert_eq!(failure.error, "the fetch from the tenant was interrupted");
    clock.advance(seconds(1.1));
    until(|| {
        protect.health().tenants[0].metadata.failure.as_ref().is_some_and(|it| it.attempts == 2)
    })
    .await;
}

/// The monotonic clock may stop while a machine is suspended.
#[tokio::test]
async fn expired_documents_are_fetched_after_a_suspension() {
    let tenant = frozen_tenant().await;
    let api = served(&tenant);
    let token = tenant.token().expires_in(DAY).mint();
    let call = || get("/any").bearer(&token);
    api.check("warm", call(), &ok()).await;
    tenant.clock().shift_wall(299);
    api.check("fresh", call(), &ok()).await;
    assert_eq!(tenant.requests(Endpoint::Jwks), 1);
    tenant.clock().shift_wall(1);
    at_once(api.check("expired", call(), &ok())).await;
    assert_eq!(tenant.requests(Endpoint::Jwks), 2);
    tenant.clock().shift_wall(-300);
    api.check("set back", call(), &ok()).await;
    assert_eq!(tenant.requests(Endpoint::Jwks), 2);
}
