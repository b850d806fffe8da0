//! A store that several processes share: forgetting, rejection, and forged values.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
    time::Duration,
};

use harness::support::{
    FLEET_KEY, Log, forged, frozen_tenant, get, introspecting, invalid_token, ok, serve, until,
};
use monocloud_backend::{
    Error, Guard, Policy, ProtectApi, error::InvalidToken, token::AccessToken,
};
use monocloud_testkit::{Clock, Endpoint};
use tracing::Level;

use crate::{
    introspection_cache::{Behavior, Store},
    introspection_load::{Tenant, check},
};

/// The time for which a failed store is not used.
const PAUSE: Duration = Duration::from_secs(5);

/// A tenant, two processes of one API, their store and their clock.
struct Fleet {
    tenant: Tenant,
    store: Store,
    clock: Clock,
    processes: [ProtectApi; 2],
    guards: [Guard; 2],
}

impl Fleet {
    fn new() -> Self {
        let (tenant, store, clock) = (Tenant::new(), Store::default(), Clock::frozen());
        let processes = [(); 2].map(|()| {
            let protect = tenant.protect().clock(clock.reading()).timer(clock.timer());
            protect.introspection_cache(store.clone()).fleet_key(FLEET_KEY).build().unwrap()
        });
        let guards = [&processes[0], &processes[1]].map(|it| it.require(Policy::ANY_TOKEN));
        Self { tenant, store, clock, processes, guards }
    }

    async fn accepts(&self, process: usize) -> bool {
        match check(&self.guards[process], "good").await {
            Ok(_) => true,
            Err(refusal) => {
                let error = refusal.error();
                assert!(matches!(error, Error::InvalidToken(InvalidToken::Inactive)), "{error}");
                false
            }
        }
    }

    /// Waits until a removal has been retried.
    async fn retried(&self, tombstones: usize) {
        self.clock.advance(PAUSE);
        until(|| self.tombstones() >= tombstones).await;
    }

    fn tombstones(&self) -> usize {
        self.store.values().iter().filter(|value| value.len() == 16).count()
    }
}

fn token() -> AccessToken {
    AccessToken::new("good").unwrap()
}

#[tokio::test]
async fn a_response_requested_before_a_token_was_forgotten_is_cached_by_no_process() {
    for forgetting in 0..2 {
        let fleet = Fleet::new();
        fleet.tenant.hold();
        let early = tokio::spawn({
            let guard = fleet.guards[0].clone();
            async move { check(&guard, "good").await.is_ok() }
        });
        fleet.tenant.called(1).await;
        fleet.tenant.revoke("good");
        fleet.processes[forgetting].forget(&token()).await.unwrap();
        fleet.tenant.release();
        assert!(early.await.unwrap(), "requested before");
        for process in 0..2 {
            assert!(!fleet.accepts(process).await, "process {forgetting} forgot, {process} checks");
        }
    }
}

#[tokio::test]
async fn a_response_requested_after_a_token_was_forgotten_is_cached_for_all() {
    let fleet = Fleet::new();
    assert!(fleet.accepts(0).await && fleet.accepts(1).await);
    assert_eq!(fleet.tenant.calls(), 1);
    fleet.processes[0].forget(&token()).await.unwrap();
    for process in [1, 1, 0, 0] {
        assert!(fleet.accepts(process).await);
        assert_eq!(fleet.tenant.calls(), 2);
    }
}

#[tokio::test]
async fn a_failing_store_is_logged_once_in_five_seconds_and_with_each_token_that_is_forgotten() {
    let (fleet, log) = (Fleet::new(), Log::capture());
    fleet.store.set_behavior(Behavior::Fails);
    for pause in [Duration::ZERO, Duration::ZERO, PAUSE] {
        fleet.clock.advance(pause);
        assert!(fleet.accepts(0).await);
    }
    fleet.processes[0].forget(&token()).await.unwrap_err();
    let lines = log.lines(Level::WARN);
    let failures = [("read", 1), ("read", 2), ("forget", 3)];
    assert_eq!(lines.len(), failures.len(), "{lines:?}");
    for (line, (operation, number)) in lines.iter().zip(failures) {
        assert!(line.contains("the introspection cache failed"), "{line}");
        assert!(line.contains(&format!("operation=\"{operation}\" ")), "{line}");
        assert!(line.contains(&format!("failures={number} ")), "{line}");
    }
}

#[tokio::test]
async fn a_rejection_while_the_store_is_down_removes_the_older_result_once_it_is_back() {
    for behavior in [Behavior::Fails, Behavior::Hangs] {
        let fleet = Fleet::new();
        assert!(fleet.accepts(0).await);
        fleet.store.set_behavior(behavior);
        fleet.tenant.revoke("good");
        assert!(!fleet.accepts(0).await);
        fleet.store.set_behavior(Behavior::Works);
        assert!(fleet.accepts(1).await, "it cannot know yet");
        fleet.retried(1).await;
        fleet.clock.advance(Duration::from_secs(6));
        for process in 0..2 {
            assert!(!fleet.accepts(process).await, "{process}");
        }
    }
}

#[tokio::test]
async fn a_rejection_removes_the_older_result_that_another_process_would_use_for_longer() {
    let (tenant, store) = (frozen_tenant().await, Store::default());
    let build = |duration| {
        let shared = introspecting(&tenant).introspection_cache(store.clone());
        let protect = shared.introspection_cache_duration(Duration::from_secs(duration));
        protect.build().unwrap().require(Policy::ANY_TOKEN)
    };
    let (long, short) = (build(3600), build(60));
    let token = tenant.opaque_token().expires_in(7200).mint();
    assert!(check(&long, &token).await.is_ok());
    tenant.clock().advance(Duration::from_secs(60));
    tenant.revoke(&token);
    assert!(check(&long, &token).await.is_ok(), "still cached");
    assert!(check(&short, &token).await.is_err(), "too old for this process");
    assert!(check(&long, &token).await.is_err(), "removed");
}

#[tokio::test]
async fn an_unconfirmed_forget_is_reported_applies_locally_and_is_retried() {
    for behavior in [Behavior::Fails, Behavior::Hangs] {
        let fleet = Fleet::new();
        assert!(fleet.accepts(0).await);
        fleet.store.set_behavior(behavior);
        fleet.tenant.revoke("good");
        let error = fleet.processes[0].forget(&token()).await.unwrap_err();
        assert_eq!(error.issuers().collect::<Vec<_>>(), ["https://acme.test"]);
        assert!(error.is_retried());
        assert_eq!(
            error.to_string(),
            "the shared cache did not confirm that it forgot the token of https://acme.test; the \
             removal will be retried"
        );
        fleet.store.set_behavior(Behavior::Works);
        assert!(!fleet.accepts(0).await, "this process has forgotten");
        assert!(fleet.accepts(1).await, "it cannot know yet");
        fleet.retried(1).await;
        assert!(!fleet.accepts(1).await);
    }
}

#[tokio::test]
async fn a_token_is_forgotten_even_if_the_caller_leaves() {
    let fleet = Fleet::new();
    assert!(fleet.accepts(0).await);
    fleet.tenant.revoke("good");
    {
        let (token, processes) = (token(), &fleet.processes);
        let mut forget = pin!(processes[0].forget(&token));
        poll_fn(|context| {
            assert!(forget.as_mut().poll(context).is_pending());
            Poll::Ready(())
        })
        .await;
    }
    until(|| fleet.tombstones() == 1).await;
    assert!(!fleet.accepts(1).await);
}

#[tokio::test]
async fn a_result_of_a_process_with_another_duration_or_a_wrong_clock_is_not_used_for_longer() {
    let (tenant, store) = (frozen_tenant().await, Store::default());
    let shared = || introspecting(&tenant).introspection_cache(store.clone());
    let (token, calls) = (tenant.opaque_token().expires_in(86_400).mint(), || {
        tenant.requests(Endpoint::Introspection)
    });
    let month = Duration::from_secs(30 * 24 * 3600);
    let longer = shared().introspection_cache_duration(month).build().unwrap();
    let guard = shared().build().unwrap().require(Policy::ANY_TOKEN);
    assert!(check(&longer.require(Policy::ANY_TOKEN), &token).await.is_ok());
    for (advanced, total) in [(299, 1), (1, 2)] {
        tenant.clock().advance(Duration::from_secs(advanced));
        assert!(check(&guard, &token).await.is_ok());
        assert_eq!(calls(), total, "after {advanced} s more");
    }

    let (store, own) = (Store::default(), tenant.clock().reading());
    let shared = || introspecting(&tenant).introspection_cache(store.clone());
    let ahead = move || {
        let (wall, monotonic) = own();
        (wall + Duration::from_secs(3600), monotonic)
    };
    let ahead = shared().clock(ahead).build().unwrap();
    assert!(check(&ahead.require(Policy::ANY_TOKEN), &token).await.is_ok());
    let guard = shared().build().unwrap().require(Policy::ANY_TOKEN);
    assert!(check(&guard, &token).await.is_ok());
    assert_eq!(calls(), 4, "a response from the future is not used");
}

#[tokio::test]
async fn a_writer_of_the_store_cannot_authenticate_with_a_forged_token() {
    let (tenant, store) = (frozen_tenant().await, Store::default());
    let builder = introspecting(&tenant).introspection_cache(store.clone());
    let api = serve(&builder.build().unwrap());
    let inactive = invalid_token(InvalidToken::Inactive);
    let token = "an-invented-token";
    api.check("before", get("/admin").bearer(token), &inactive).await;
    let key = store.last_key();
    let mut calls = tenant.requests(Endpoint::Introspection);
    for value in forged(&tenant, token, key.as_bytes()) {
        tenant.clock().advance(Duration::from_secs(10));
        store.put(key, value);
        api.check("forged", get("/admin").bearer(token), &inactive).await;
        calls += 1;
        assert_eq!(tenant.requests(Endpoint::Introspection), calls);
    }
}

#[tokio::test]
async fn with_another_fleet_key_cached_values_are_misses() {
    let (tenant, store) = (frozen_tenant().await, Store::default());
    let token = tenant.opaque_token().mint();
    let key = "another secret that no store of the tests knows";
    for (fleet_key, total) in [(FLEET_KEY, 1), (FLEET_KEY, 1), (key, 2), (key, 2)] {
        let builder = introspecting(&tenant).introspection_cache(store.clone());
        let api = serve(&builder.fleet_key(fleet_key).build().unwrap());
        api.check(fleet_key, get("/any").bearer(&token), &ok()).await;
        assert_eq!(tenant.requests(Endpoint::Introspection), total);
    }
}

#[test]
fn a_store_without_a_fleet_key_is_a_configuration_error() {
    let build = |fleet_key| {
        let protect = Tenant::new().protect().introspection_cache(Store::default());
        protect.fleet_key(fleet_key).build()
    };
    assert!(build(FLEET_KEY).is_ok());
    for (fleet_key, expected) in [
        ("", "builder: fleet_key: is set but blank; a shared cache needs a secret"),
        ("short", "builder: fleet_key: must have at least 32 bytes"),
    ] {
        let error = build(fleet_key).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        assert!(error.contains("generate one with `openssl rand -base64 32`"), "{error}");
    }
    let unset = Tenant::new().protect().introspection_cache(Store::default()).build().unwrap_err();
    assert!(unset.to_string().contains("MONOCLOUD_BACKEND_FLEET_KEY: is not set"), "{unset}");
}
