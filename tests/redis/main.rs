//! Verdicts shared through a real Redis, which each test starts for itself.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test's mistake is best told by a panic"
)]
#![allow(dead_code, unused_imports, reason = "shared with the `http` tests, which use all of it")]

#[path = "../http/hosts/mod.rs"]
mod hosts;
mod server;
#[path = "../http/support/mod.rs"]
mod support;
mod tls;
mod trouble;

use std::{sync::mpsc, time::Duration};

use hosts::POEM;
use monocloud_backend::{AccessToken, ProtectApi, RedisCache};
use monocloud_testkit::{ClientAuth, Endpoint, MockTenant};
use redis::Commands;
use server::Redis;
use support::{Api, Log, frozen_tenant, get, ok};
use tracing::Level;

/// How long a store that failed is left alone.
const REST: Duration = Duration::from_secs(5);

/// Holds tokio's time still until it is dropped, so that no time-out fires because the machine is
/// busy: time does not jump while a blocking task runs.
#[must_use]
fn hold_time() -> mpsc::Sender<()> {
    let (holder, held) = mpsc::channel();
    tokio::time::pause();
    tokio::task::spawn_blocking(move || held.recv().is_ok());
    holder
}

fn protect(tenant: &MockTenant, url: &str) -> ProtectApi {
    let cache = ("MONOCLOUD_BACKEND_INTROSPECTION_CACHE".to_owned(), url.to_owned());
    let vars = tenant.vars_for(ClientAuth::SecretPost).into_iter().chain([cache]);
    ProtectApi::builder().vars(vars).clock(tenant.clock().reading()).build().unwrap()
}

fn served(tenant: &MockTenant, url: &str) -> Api {
    POEM.serve(&protect(tenant, url))
}

/// Makes a request that must pass, and says how many the tenant has been asked by then.
async fn asked(api: &Api, tenant: &MockTenant, token: &str) -> usize {
    api.check("the handler is reached", get("/any").bearer(token), &ok()).await;
    tenant.requests(Endpoint::Introspection)
}

fn warnings(log: &Log) -> String {
    log.lines(Level::WARN).join("\n")
}

#[tokio::test]
async fn a_fleet_asks_once_until_the_duration_is_over() {
    let Some(redis) = Redis::start(&[]) else { return };
    let _still = hold_time();
    let tenant = frozen_tenant().await;
    let fleet = [(); 2].map(|()| served(&tenant, &redis.url()));
    let token = tenant.opaque_token().mint();
    for (advanced, times) in [(0, 1), (299, 1), (1, 2), (0, 2)] {
        tenant.clock().advance(Duration::from_secs(advanced));
        for api in &fleet {
            assert_eq!(asked(api, &tenant, &token).await, times, "after {advanced} s");
            assert_eq!(asked(api, &tenant, &token).await, times, "after {advanced} s, again");
        }
    }
}

#[tokio::test]
async fn a_value_expires_in_redis_with_its_token_and_shows_nothing_of_it() {
    let Some(redis) = Redis::start(&[]) else { return };
    let _still = hold_time();
    let tenant = frozen_tenant().await;
    let api = served(&tenant, &redis.url());
    for (life, kept) in [(3600, 300_000), (60, 60_000)] {
        let token = tenant.opaque_token().subject("canary-alice").expires_in(life).mint();
        asked(&api, &tenant, &token).await;
        let [key] = <[String; 1]>::try_from(redis.keys()).unwrap();
        assert_eq!(key.strip_prefix("monocloud-backend:introspection:").unwrap().len(), 64);
        let left: i64 = redis.commands().pttl(&key).unwrap();
        assert!((kept - 30_000..=kept).contains(&left), "{left} of {kept}");
        let value: Vec<u8> = redis.commands().get(&key).unwrap();
        let shown = String::from_utf8_lossy(&value).into_owned() + &key;
        for secret in [&token, "canary", "sub", tenant.issuer(), tenant.audience()] {
            assert!(!shown.contains(secret), "{secret} in {shown}");
        }
        redis.commands().del::<_, ()>(&key).unwrap();
    }
}

#[tokio::test]
async fn what_one_forgets_all_forget() {
    let Some(redis) = Redis::start(&[]) else { return };
    let _still = hold_time();
    let tenant = frozen_tenant().await;
    let (one, other) = (protect(&tenant, &redis.url()), served(&tenant, &redis.url()));
    let token = tenant.opaque_token().mint();
    assert_eq!(asked(&other, &tenant, &token).await, 1);
    one.forget(&AccessToken::new(&token).unwrap()).await;
    assert_eq!(redis.keys(), [""; 0]);
    assert_eq!(asked(&other, &tenant, &token).await, 2);
}

#[tokio::test]
async fn a_verdict_is_forgotten_in_a_store_that_came_back_before_its_rest_is_over() {
    let Some(redis) = Redis::start(&[]) else { return };
    let _still = hold_time();
    let tenant = frozen_tenant().await;
    let (one, other) = (protect(&tenant, &redis.url()), served(&tenant, &redis.url()));
    let token = tenant.opaque_token().mint();
    assert_eq!(asked(&other, &tenant, &token).await, 1);
    // One that Redis answers with an error: the breaker of `one` opens.
    redis::cmd("CONFIG")
        .arg("SET")
        .arg("requirepass")
        .arg("x")
        .exec(&mut redis.commands())
        .unwrap();
    one.forget(&AccessToken::new(&token).unwrap()).await;
    let mut admin = redis::Client::open(format!("redis://:x@127.0.0.1:{}", redis.port)).unwrap();
    redis::cmd("CONFIG").arg("SET").arg("requirepass").arg("").exec(&mut admin).unwrap();
    assert_eq!(redis.keys().len(), 1, "it could not be forgotten then");
    one.forget(&AccessToken::new(&token).unwrap()).await;
    assert_eq!(redis.keys(), [""; 0]);
}

#[tokio::test]
async fn many_requests_at_once_share_one_connection() {
    let Some(redis) = Redis::start(&[]) else { return };
    let _still = hold_time();
    let tenant = frozen_tenant().await;
    let api = served(&tenant, &redis.url());
    let requests: Vec<_> = (0..40)
        .map(|_| {
            let (api, token) = (api.clone(), tenant.opaque_token().mint());
            tokio::spawn(async move {
                api.check("one of many", get("/any").bearer(&token), &ok()).await;
            })
        })
        .collect();
    for request in requests {
        request.await.unwrap();
    }
    assert_eq!(redis.keys().len(), 40);
    let clients: String = redis::cmd("CLIENT").arg("LIST").query(&mut redis.commands()).unwrap();
    assert_eq!(clients.lines().count(), 2, "and the test's own: {clients}");
}

#[test]
fn a_cache_in_redis_shows_its_url_nowhere() {
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
