//! Introspection results and records of DPoP proofs, shared through a real Redis, which each test
//! starts.

mod cluster;
mod dpop;
mod sentinel;
mod server;
mod tls;
mod trouble;

use harness::{
    hosts::POEM,
    support::{Api, FLEET_KEY, Log, forged, frozen_tenant, get, invalid_token, ok},
};
use monocloud_backend::{
    ProtectApi, ProtectApiBuilder,
    cache::{CacheFuture, CacheKey, IntrospectionCache, RedisCache},
    error::InvalidToken,
    token::AccessToken,
};
use monocloud_testkit::{ClientAuth, Endpoint, MockTenant};
use redis::Commands;
use server::Redis;
use std::{
    sync::{Arc, Mutex, mpsc},
    time::Duration,
};
use tracing::Level;

/// The time for which a failed store is not used.
const PAUSE: Duration = Duration::from_secs(5);

/// Stops tokio's clock until it is dropped, so that no timeout fires because the machine is busy.
/// A paused clock does not advance by itself while a blocking task runs.
#[must_use]
fn hold_time() -> mpsc::Sender<()> {
    let (holder, held) = mpsc::channel();
    tokio::time::pause();
    tokio::task::spawn_blocking(move || held.recv().is_ok());
    holder
}

fn introspecting(tenant: &MockTenant) -> ProtectApiBuilder {
    let vars = tenant.vars_for(ClientAuth::SecretPost);
    ProtectApi::builder().vars(vars).clock(tenant.clock().reading()).fleet_key(FLEET_KEY)
}

fn protect(tenant: &MockTenant, url: &str) -> ProtectApi {
    introspecting(tenant).vars([("MONOCLOUD_BACKEND_INTROSPECTION_CACHE", url)]).build().unwrap()
}

fn served(tenant: &MockTenant, url: &str) -> Api {
    POEM.serve(&protect(tenant, url))
}

/// A Redis and a tenant, with stopped clocks.
struct Setup {
    tenant: MockTenant,
    redis: Redis,
    _held_time: mpsc::Sender<()>,
}

impl Setup {
    /// `None` if `redis-server` is not installed.
    async fn start() -> Option<Self> {
        let redis = Redis::start(&[])?;
        let held_time = hold_time();
        Some(Self { tenant: frozen_tenant().await, redis, _held_time: held_time })
    }

    /// An API that shares its results through this Redis.
    fn protect(&self) -> ProtectApi {
        protect(&self.tenant, &self.redis.url())
    }

    /// The same, served.
    fn served(&self) -> Api {
        POEM.serve(&self.protect())
    }
}

/// Makes a request that must be accepted, and returns the number of introspections so far.
async fn introspections(api: &Api, tenant: &MockTenant, token: &str) -> usize {
    api.check("the handler is reached", get("/any").bearer(token), &ok()).await;
    tenant.requests(Endpoint::Introspection)
}

fn warnings(log: &Log) -> String {
    log.lines(Level::WARN).join("\n")
}

#[tokio::test]
async fn a_fleet_introspects_a_token_once_until_the_duration_is_over() {
    let Some(setup) = Setup::start().await else { return };
    let fleet = [(); 2].map(|()| setup.served());
    let token = setup.tenant.opaque_token().mint();
    for (advanced, times) in [(0, 1), (299, 1), (1, 2), (0, 2)] {
        setup.tenant.clock().advance(Duration::from_secs(advanced));
        for api in &fleet {
            assert_eq!(
                introspections(api, &setup.tenant, &token).await,
                times,
                "after {advanced} s"
            );
            assert_eq!(
                introspections(api, &setup.tenant, &token).await,
                times,
                "after {advanced} s, again"
            );
        }
    }
}

#[tokio::test]
async fn a_value_expires_in_redis_with_its_token_and_does_not_reveal_it() {
    let Some(setup) = Setup::start().await else { return };
    let api = setup.served();
    for (lifetime, expected) in [(3600, 300_000), (60, 60_000)] {
        let token = setup.tenant.opaque_token().subject("canary-alice").expires_in(lifetime).mint();
        introspections(&api, &setup.tenant, &token).await;
        let [key] = <[String; 1]>::try_from(setup.redis.keys()).unwrap();
        assert_eq!(key.strip_prefix("monocloud-backend:introspection:").unwrap().len(), 64);
        let left: i64 = setup.redis.commands().pttl(&key).unwrap();
        assert!((expected - 30_000..=expected).contains(&left), "{left} of {expected}");
        let value: Vec<u8> = setup.redis.commands().get(&key).unwrap();
        let shown = String::from_utf8_lossy(&value).into_owned() + &key;
        for secret in [&token, "canary", "sub", setup.tenant.issuer(), setup.tenant.audience()] {
            assert!(!shown.contains(secret), "{secret} in {shown}");
        }
        setup.redis.commands().del::<_, ()>(&key).unwrap();
    }
}

#[tokio::test]
async fn a_token_that_one_process_forgets_is_forgotten_by_all() {
    let Some(setup) = Setup::start().await else { return };
    let (one, other) = (setup.protect(), setup.served());
    let token = setup.tenant.opaque_token().mint();
    assert_eq!(introspections(&other, &setup.tenant, &token).await, 1);
    one.forget(&AccessToken::new(&token).unwrap()).await.unwrap();
    assert_tombstone(&setup.redis);
    assert_eq!(introspections(&other, &setup.tenant, &token).await, 2);
    assert_eq!(
        introspections(&other, &setup.tenant, &token).await,
        2,
        "the later result is cached"
    );
}

/// Asserts that the only value is a tombstone that outlives a result.
fn assert_tombstone(redis: &Redis) {
    let [key] = <[String; 1]>::try_from(redis.keys()).unwrap();
    let value: Vec<u8> = redis.commands().get(&key).unwrap();
    assert_eq!(value.len(), 16);
    let left: i64 = redis.commands().pttl(&key).unwrap();
    assert!((600_000..=660_000).contains(&left), "{left}");
}

#[tokio::test]
async fn a_rejected_token_leaves_nothing_in_redis_and_removes_an_older_result() {
    let Some(setup) = Setup::start().await else { return };
    let api = setup.served();
    let inactive = invalid_token(InvalidToken::Inactive);
    api.check("made up", get("/any").bearer("made-up"), &inactive).await;
    assert_eq!(setup.redis.keys(), [""; 0]);

    let cache = RedisCache::new(&setup.redis.url()).unwrap();
    let longer = introspecting(&setup.tenant).introspection_cache(cache);
    let longer = longer.introspection_cache_duration(Duration::from_secs(3600));
    let longer = POEM.serve(&longer.build().unwrap());
    let token = setup.tenant.opaque_token().expires_in(7200).mint();
    let before = introspections(&longer, &setup.tenant, &token).await;
    setup.tenant.clock().advance(Duration::from_secs(300));
    setup.tenant.revoke(&token);
    assert_eq!(introspections(&longer, &setup.tenant, &token).await, before, "still cached");
    api.check("too old for this process", get("/any").bearer(&token), &inactive).await;
    assert_tombstone(&setup.redis);
    longer.check("rejected", get("/any").bearer(&token), &inactive).await;
}

#[tokio::test]
async fn a_value_is_replaced_only_if_it_is_the_expected_one() {
    let Some(redis) = Redis::start(&[]) else { return };
    let _held_time = hold_time();
    let cache = RedisCache::new(&redis.url()).unwrap();
    let (key, minute) = (key_of(&frozen_tenant().await, "token").await, Duration::from_secs(60));
    let bytes = |text: &str| text.as_bytes().to_vec();
    for (expected, value, is_written) in [
        (Some("x"), "a", false),
        (None, "a", true),
        (None, "b", false),
        (Some("b"), "b", false),
        (Some("a"), "b", true),
        (Some("a"), "c", false),
    ] {
        let expected = expected.map(bytes);
        let written = cache.compare_and_set(key, expected, bytes(value), minute).await.unwrap();
        assert_eq!(written, is_written, "{value}");
    }
    cache.set(key, bytes("tombstone"), minute).await.unwrap();
    assert!(!cache.compare_and_set(key, Some(bytes("b")), bytes("c"), minute).await.unwrap());
    assert_eq!(cache.get(key).await.unwrap(), Some(bytes("tombstone")));
    let left: i64 = redis.commands().pttl(&redis.keys()[0]).unwrap();
    assert!((1..=60_000).contains(&left), "{left}");
}

/// A user without permission to read cannot compare values, and so cannot replace one.
#[tokio::test]
async fn a_value_that_cannot_be_read_is_not_replaced() {
    let Some(redis) = Redis::start(&[]) else { return };
    let _held_time = hold_time();
    let (key, minute) = (key_of(&frozen_tenant().await, "token").await, Duration::from_secs(60));
    let mut admin = redis.commands();
    redis::cmd("ACL")
        .arg(&["SETUSER", "writer", "on", ">pa55word", "~*", "+set", "+eval"])
        .exec(&mut admin)
        .unwrap();
    let url = format!("redis://writer:pa55word@127.0.0.1:{}", redis.port);
    let cache = RedisCache::new(&url).unwrap();
    cache.set(key, vec![1], minute).await.unwrap();
    let written = cache.compare_and_set(key, None, vec![2], minute).await;
    assert!(written.unwrap_err().to_string().contains("error"));
    let value: Vec<u8> = redis.commands().get(&redis.keys()[0]).unwrap();
    assert_eq!(value, [1]);
}

/// The key of a token in a store.
async fn key_of(tenant: &MockTenant, token: &str) -> CacheKey {
    let probe = Probe::default();
    let protect = introspecting(tenant).introspection_cache(probe.clone()).build().unwrap();
    POEM.serve(&protect).send(get("/any").bearer(token)).await;
    let key = *probe.0.lock().unwrap();
    key.unwrap()
}

/// A store that records the key that is read.
#[derive(Clone, Default)]
struct Probe(Arc<Mutex<Option<CacheKey>>>);

impl IntrospectionCache for Probe {
    fn get(&self, key: CacheKey) -> CacheFuture<'_, Option<Vec<u8>>> {
        *self.0.lock().unwrap() = Some(key);
        Box::pin(async { Ok(None) })
    }

    fn set(&self, _: CacheKey, _: Vec<u8>, _: Duration) -> CacheFuture<'_, ()> {
        Box::pin(async { Ok(()) })
    }

    fn compare_and_set(
        &self,
        _: CacheKey,
        _: Option<Vec<u8>>,
        _: Vec<u8>,
        _: Duration,
    ) -> CacheFuture<'_, bool> {
        Box::pin(async { Ok(true) })
    }
}

#[tokio::test]
async fn a_made_up_token_stays_invalid_whatever_an_attacker_writes_to_redis() {
    let Some(setup) = Setup::start().await else { return };
    let token = "an-invented-token";
    let inactive = invalid_token(InvalidToken::Inactive);
    let key = key_of(&setup.tenant, token).await;
    let api = setup.served();
    let name = key.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let name = format!("monocloud-backend:introspection:{name}");
    let mut calls = setup.tenant.requests(Endpoint::Introspection);
    for value in forged(&setup.tenant, token, key.as_bytes()) {
        setup.redis.commands().set::<_, _, ()>(&name, value).unwrap();
        api.check("forged", get("/admin").bearer(token), &inactive).await;
        calls += 1;
        assert_eq!(setup.tenant.requests(Endpoint::Introspection), calls);
        setup.tenant.clock().advance(Duration::from_secs(10));
    }
}

#[tokio::test]
async fn a_token_can_be_forgotten_in_a_store_that_returns_during_the_pause() {
    let Some(setup) = Setup::start().await else { return };
    let (one, other) = (setup.protect(), setup.served());
    let token = setup.tenant.opaque_token().mint();
    assert_eq!(introspections(&other, &setup.tenant, &token).await, 1);
    // Redis rejects this call, after which `one` pauses.
    redis::cmd("CONFIG")
        .arg("SET")
        .arg("requirepass")
        .arg("x")
        .exec(&mut setup.redis.commands())
        .unwrap();
    one.forget(&AccessToken::new(&token).unwrap()).await.unwrap_err();
    let mut admin =
        redis::Client::open(format!("redis://:x@127.0.0.1:{}", setup.redis.port)).unwrap();
    redis::cmd("CONFIG").arg("SET").arg("requirepass").arg("").exec(&mut admin).unwrap();
    let [key] = <[String; 1]>::try_from(setup.redis.keys()).unwrap();
    let value: Vec<u8> = setup.redis.commands().get(&key).unwrap();
    assert_ne!(value.len(), 16, "the store rejected the removal");
    one.forget(&AccessToken::new(&token).unwrap()).await.unwrap();
    assert_tombstone(&setup.redis);
}

#[tokio::test]
async fn concurrent_requests_share_one_connection() {
    let Some(setup) = Setup::start().await else { return };
    let api = setup.served();
    let requests: Vec<_> = (0..40)
        .map(|_| {
            let (api, token) = (api.clone(), setup.tenant.opaque_token().mint());
            tokio::spawn(async move {
                api.check("one of many", get("/any").bearer(&token), &ok()).await;
            })
        })
        .collect();
    for request in requests {
        request.await.unwrap();
    }
    assert_eq!(setup.redis.keys().len(), 40);
    let clients: String =
        redis::cmd("CLIENT").arg("LIST").query(&mut setup.redis.commands()).unwrap();
    assert_eq!(clients.lines().count(), 2, "and the test's own: {clients}");
}

#[test]
fn a_redis_cache_does_not_reveal_its_url() {
    for url in ["redis://:pa55word@cache", "rediss://me:pa55word@cache:6380/7"] {
        let cache = RedisCache::new(url).unwrap();
        assert_eq!(format!("{cache:?}"), "RedisCache { .. }");
    }
    for url in ["pa55word", "http://:pa55word@cache", "redis://:pa55word@cache#x", "redis:pa55word"]
    {
        let error = RedisCache::new(url).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("pa55word"), "{error:?}");
    }
}
