//! Each proof is accepted once (RFC 9449 §11.1).

use std::{
    collections::HashMap,
    future,
    sync::{Arc, Mutex},
    time::Duration,
};

use harness::support::{Answer, Log, introspecting, serve};
use monocloud_backend::{
    ProtectApiBuilder,
    dpop::{DpopMode, ReplayFuture, ReplayKey, ReplayStore},
};
use monocloud_testkit::{DpopKey, Endpoint, Fault};
use tracing::Level;

use super::{World, dpop_error, proven, reason, seen};

const USED: &str = "the proof was used before";

/// A store that several instances share.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<HashMap<ReplayKey, Duration>>>);

impl ReplayStore for Shared {
    fn record(&self, key: ReplayKey, lifetime: Duration) -> ReplayFuture<'_> {
        let is_new = self.0.lock().unwrap().insert(key, lifetime).is_none();
        Box::pin(future::ready(Ok(is_new)))
    }
}

/// A store that does not work.
enum Broken {
    Failing,
    Hanging,
    Panicking,
    PanickingLater,
}

impl ReplayStore for Broken {
    fn record(&self, _key: ReplayKey, _lifetime: Duration) -> ReplayFuture<'_> {
        match self {
            Self::Failing => Box::pin(future::ready(Err("no space left".into()))),
            Self::Hanging => Box::pin(future::pending()),
            Self::Panicking => panic!("it panics"),
            Self::PanickingLater => Box::pin(async { panic!("it panics") }),
        }
    }
}

fn required(builder: ProtectApiBuilder) -> ProtectApiBuilder {
    builder.dpop(DpopMode::Required)
}

fn assert_used(answer: &Answer) {
    let found = (answer.status, dpop_error(answer), reason(answer));
    assert_eq!(found, (401, Some("invalid_dpop_proof"), USED), "{answer:?}");
}

#[tokio::test]
async fn a_proof_is_accepted_once() {
    let world = World::with(required).await;
    for kind in world.both_kinds() {
        let token = kind.bound_to_key(&world.key).mint();
        let proof = world.proof("/any", &token).mint();
        let send = || world.api.send(proven("GET", "/any", &token, &proof));
        assert_eq!(send().await.status, 200);
        for seconds in [0, 30, 30] {
            world.tenant.clock().advance(Duration::from_secs(seconds));
            assert_used(&send().await);
        }
        world.tenant.clock().advance(Duration::from_secs(1));
        assert_eq!(reason(&send().await), "the proof was not made just now");
    }
}

/// Until `iat` plus the lifetime, which is twice the lifetime from now.
#[tokio::test]
async fn a_proof_from_a_clock_that_is_ahead_is_remembered_for_as_long_as_it_is_valid() {
    let world = World::with(required).await;
    let token = world.bound();
    let proof = world.proof("/any", &token).issued_ago(-60).mint();
    let send = || world.api.send(proven("GET", "/any", &token, &proof));
    assert_eq!(send().await.status, 200);
    for seconds in [59, 60, 1] {
        world.tenant.clock().advance(Duration::from_secs(seconds));
        assert_used(&send().await);
    }
    world.tenant.clock().advance(Duration::from_secs(1));
    assert_eq!(reason(&send().await), "the proof was not made just now");
}

#[tokio::test]
async fn another_proof_with_the_same_jti_is_a_replay_for_the_same_key_alone() {
    let world = World::with(required).await;
    let token = world.bound();
    let with_jti = |jti: &str| {
        let jti = jti.to_owned();
        world.get("/any", &token, move |proof| proof.claim("jti", jti))
    };
    assert_eq!(with_jti("1").await.status, 200);
    assert_used(&with_jti("1").await);
    assert_eq!(with_jti("2").await.status, 200);

    let other = DpopKey::generate();
    let token = world.tenant.token().bound_to_key(&other).mint();
    let proof = world.tenant.proof(&other, "GET", "https://api.example.com/any");
    let proof = proof.for_token(&token).claim("jti", "1").mint();
    assert_eq!(world.api.send(proven("GET", "/any", &token, &proof)).await.status, 200);
}

/// A proof that was rejected for another reason can still be used.
#[tokio::test]
async fn a_proof_is_recorded_once_everything_else_is_valid() {
    let world = World::with(|builder| required(builder).dpop_nonce(true)).await;
    let refused = world.get("/any", &world.bound(), |proof| proof).await;
    let nonce = refused.header("dpop-nonce").unwrap();
    let token = world.tenant.opaque_token().bound_to_key(&world.key).mint();
    let other = world.bound();
    let proof = || world.proof("/any", &token).claim("jti", "1");
    let good = proof().nonce(nonce).mint();

    world.tenant.fault(Endpoint::Introspection, Fault::Status(503)).times(1);
    assert_eq!(world.api.send(proven("GET", "/any", &token, &good)).await.status, 503);
    world.tenant.clock().advance(Duration::from_secs(2));
    for (case, call) in [
        ("another method", proven("HEAD", "/any", &token, &good)),
        ("another path", proven("GET", "/read", &token, &good)),
        ("another token", proven("GET", "/any", &other, &good)),
        ("no nonce", proven("GET", "/any", &token, &proof().mint())),
        ("another signer", {
            let proof = proof().nonce(nonce).signed_by(&DpopKey::generate()).mint();
            proven("GET", "/any", &token, &proof)
        }),
    ] {
        assert_eq!(world.api.send(call).await.status, 401, "{case}");
    }
    assert_eq!(world.api.send(proven("GET", "/any", &token, &good)).await.status, 200);
    assert_used(&world.api.send(proven("GET", "/any", &token, &good)).await);
}

#[tokio::test]
async fn of_requests_that_arrive_at_once_one_is_accepted() {
    let world = World::with(required).await;
    let token = world.bound();
    let proof = world.proof("/any", &token).mint();
    let send = || world.api.send(proven("GET", "/any", &token, &proof));
    let answers = tokio::join!(send(), send(), send(), send());
    let statuses = [answers.0.status, answers.1.status, answers.2.status, answers.3.status];
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 401).count(), 3, "{statuses:?}");
}

#[tokio::test]
async fn instances_that_share_a_store_reject_what_another_has_accepted() {
    let shared = Shared::default();
    let store = shared.clone();
    let world = World::with(|builder| required(builder).dpop_replay_store(store)).await;
    let instance = |fleet_key: &str| {
        let builder = required(introspecting(&world.tenant)).dpop_replay_store(shared.clone());
        serve(&builder.fleet_key(fleet_key).build().unwrap())
    };
    let token = world.bound();
    let proof = world.proof("/any", &token).mint();
    let call = || proven("GET", "/any", &token, &proof);
    assert_eq!(world.api.send(call()).await.status, 200);
    assert_used(&instance(harness::support::FLEET_KEY).send(call()).await);
    // Without the key, nothing in the store can be connected with a proof.
    assert_eq!(instance("another secret of 32 bytes or more").send(call()).await.status, 200);
    let lifetimes: Vec<_> = shared.0.lock().unwrap().values().copied().collect();
    // The proof's lifetime, and what clocks may differ.
    assert_eq!(lifetimes, [Duration::from_secs(120); 2]);
}

#[tokio::test]
async fn a_store_that_does_not_work_rejects_every_request_with_503() {
    for (store, why) in [
        (Broken::Failing, "the replay store failed: no space left"),
        (Broken::Hanging, "the replay store failed: no answer within 100ms"),
        (Broken::Panicking, "the replay store failed: it panicked"),
        (Broken::PanickingLater, "the replay store failed: it panicked"),
    ] {
        let world =
            World::with(|builder| builder.dpop(DpopMode::Allowed).dpop_replay_store(store)).await;
        let log = Log::capture();
        let token = world.bound();
        for _ in 0..3 {
            let answer = world.get("/any", &token, |proof| proof).await;
            assert_eq!(seen(&answer), (503, vec![]), "{why}");
            assert_eq!(answer.retry_after(), Some(1));
            assert_eq!(answer.body, r#"{"message":"service unavailable"}"#);
        }
        let lines = log.lines(Level::WARN);
        let lines: Vec<_> =
            lines.iter().filter(|line| line.contains("cannot be recorded")).collect();
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].contains(why), "{lines:?}");
        world.tenant.clock().advance(Duration::from_secs(5));
        world.get("/any", &token, |proof| proof).await;
        assert!(log.lines(Level::WARN).iter().any(|line| line.contains("failures=3")));

        let bearer = harness::support::get("/any").bearer(&world.tenant.token().mint());
        assert_eq!(world.api.send(bearer).await.status, 200, "it needs no record");
    }
}
