//! Introspection results are cached: which, for how long, and in which store.

use std::{
    collections::HashMap,
    future::pending,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use harness::support::{
    frozen_tenant, get, introspecting, invalid_token, missing_group, missing_scope, ok, serve,
    unavailable,
};
use monocloud_backend::{
    cache::{CacheFuture, CacheKey, IntrospectionCache},
    error::InvalidToken,
    token::AccessToken,
};
use monocloud_testkit::{Endpoint, Fault, MockTenant};
use serde_json::json;

fn calls(tenant: &MockTenant) -> usize {
    tenant.requests(Endpoint::Introspection)
}

/// A store that an application implements. Its entries never expire.
#[derive(Clone, Default)]
pub(crate) struct Store(Arc<Inner>);

#[derive(Default)]
struct Inner {
    values: Mutex<HashMap<CacheKey, Vec<u8>>>,
    operations: AtomicUsize,
    behavior: Mutex<Behavior>,
    last_key: Mutex<Option<CacheKey>>,
}

#[derive(Clone, Copy, Default)]
pub(crate) enum Behavior {
    Fails,
    Hangs,
    #[default]
    Works,
}

impl Store {
    pub(crate) fn set_behavior(&self, behavior: Behavior) {
        *self.0.behavior.lock().unwrap() = behavior;
    }

    pub(crate) fn operations(&self) -> usize {
        self.0.operations.load(Ordering::SeqCst)
    }

    /// Changes every value.
    fn tamper(&self, change: impl Fn(&mut Vec<u8>)) {
        self.0.values.lock().unwrap().values_mut().for_each(change);
    }

    pub(crate) fn values(&self) -> Vec<Vec<u8>> {
        self.0.values.lock().unwrap().values().cloned().collect()
    }

    /// Writes an entry, as any client of the store can.
    pub(crate) fn put(&self, key: CacheKey, value: Vec<u8>) {
        self.0.values.lock().unwrap().insert(key, value);
    }

    /// The key that was read last.
    pub(crate) fn last_key(&self) -> CacheKey {
        self.0.last_key.lock().unwrap().unwrap()
    }

    fn operate<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut HashMap<CacheKey, Vec<u8>>) -> T + Send + 'static,
    ) -> CacheFuture<'_, T> {
        self.0.operations.fetch_add(1, Ordering::SeqCst);
        let behavior = *self.0.behavior.lock().unwrap();
        Box::pin(async move {
            match behavior {
                Behavior::Fails => Err("the store is down".into()),
                Behavior::Hangs => pending().await,
                Behavior::Works => Ok(work(&mut self.0.values.lock().unwrap())),
            }
        })
    }
}

impl IntrospectionCache for Store {
    fn get(&self, key: CacheKey) -> CacheFuture<'_, Option<Vec<u8>>> {
        *self.0.last_key.lock().unwrap() = Some(key);
        self.operate(move |values| values.get(&key).cloned())
    }

    fn set(&self, key: CacheKey, value: Vec<u8>, _: Duration) -> CacheFuture<'_, ()> {
        self.operate(move |values| drop(values.insert(key, value)))
    }

    fn compare_and_set(
        &self,
        key: CacheKey,
        expected: Option<Vec<u8>>,
        value: Vec<u8>,
        _: Duration,
    ) -> CacheFuture<'_, bool> {
        self.operate(move |values| {
            let is_expected = values.get(&key) == expected.as_ref();
            if is_expected {
                values.insert(key, value);
            }
            is_expected
        })
    }
}

/// The name of a change to a value, and the change.
type Tampering<'a> = (&'static str, &'a dyn Fn(&mut Vec<u8>));

#[tokio::test]
async fn a_token_is_introspected_once_while_its_result_is_cached() {
    let tenant = frozen_tenant().await;
    let off = || introspecting(&tenant).introspection_cache_duration(Duration::ZERO);
    for (case, builder, expected) in [
        ("no cache", introspecting(&tenant), 5),
        ("memory", introspecting(&tenant).introspection_cache_in_memory(), 1),
        ("a store", introspecting(&tenant).introspection_cache(Store::default()), 1),
        ("memory, turned off", off().introspection_cache_in_memory(), 5),
        ("a store, turned off", off().introspection_cache(Store::default()), 5),
    ] {
        let api = serve(&builder.build().unwrap());
        let (token, before) = (tenant.opaque_token().mint(), calls(&tenant));
        for _ in 0..5 {
            api.check(case, get("/any").bearer(&token), &ok()).await;
        }
        assert_eq!(calls(&tenant) - before, expected, "{case}");
    }
}

#[tokio::test]
async fn a_result_is_cached_for_the_duration_or_until_the_token_expires() {
    for is_shared in [false, true] {
        let tenant = frozen_tenant().await;
        let builder = match is_shared {
            false => introspecting(&tenant).introspection_cache_in_memory(),
            true => introspecting(&tenant).introspection_cache(Store::default()),
        };
        let api = serve(&builder.build().unwrap());
        let long = tenant.opaque_token().mint();
        let short = tenant.opaque_token().expires_in(100).mint();
        let inactive = invalid_token(InvalidToken::Inactive);
        for (advanced, token, expected, total) in [
            (0, &long, &ok(), 1),
            (0, &short, &ok(), 2),
            (99, &short, &ok(), 2),
            (1, &short, &inactive, 3),
            (199, &long, &ok(), 3),
            (1, &long, &ok(), 4),
            (299, &long, &ok(), 4),
            (1, &long, &ok(), 5),
        ] {
            tenant.clock().advance(Duration::from_secs(advanced));
            api.check("a hit or a miss", get("/any").bearer(token), expected).await;
            assert_eq!(calls(&tenant), total, "shared: {is_shared}");
        }
    }
}

#[tokio::test]
async fn each_cache_hit_is_validated_again() {
    let tenant = frozen_tenant().await;
    let now = tenant.clock().now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let api = serve(&introspecting(&tenant).introspection_cache_in_memory().build().unwrap());
    let token = tenant.opaque_token().scope("posts:read").groups(["a"]).mint();
    for (path, expected) in [
        ("/any", ok()),
        ("/read", ok()),
        ("/admin", missing_group()),
        ("/scope-and-group", missing_group()),
        ("/groups", ok()),
        ("/any", ok()),
    ] {
        api.check(path, get(path).bearer(&token), &expected).await;
    }
    let bare = tenant.opaque_token().mint();
    for _ in 0..2 {
        api.check("bare", get("/read").bearer(&bare), &missing_scope("posts:read")).await;
    }
    let bound = tenant.opaque_token().claim("cnf", json!({"x5t#S256": "x"})).mint();
    for _ in 0..2 {
        let binding = invalid_token(InvalidToken::Binding);
        api.check("bound", get("/any").bearer(&bound), &binding).await;
    }
    assert_eq!(calls(&tenant), 3);
    let early = tenant.opaque_token().claim("nbf", now + 100).mint();
    let too_early = invalid_token(InvalidToken::NotYetValid);
    for (advanced, expected) in [(0, &too_early), (39, &too_early), (1, &ok())] {
        tenant.clock().advance(Duration::from_secs(advanced));
        api.check("nbf", get("/any").bearer(&early), expected).await;
    }
    // Only the wall clock advances, so the entry stays and `exp` rejects the token.
    tenant.clock().shift_wall(3600 + 60);
    let expired = invalid_token(InvalidToken::Expired);
    api.check("exp", get("/any").bearer(&token), &expired).await;
    assert_eq!(calls(&tenant), 4);
}

#[tokio::test]
async fn a_rejection_is_cached_for_ten_seconds_and_never_in_a_store() {
    let (tenant, store) = (frozen_tenant().await, Store::default());
    let builder = introspecting(&tenant).introspection_cache(store.clone());
    let api = serve(&builder.build().unwrap());
    let elsewhere = tenant.opaque_token().claim("aud", "https://evil.test").mint();
    for (token, reason) in
        [("made-up", InvalidToken::Inactive), (&elsewhere, InvalidToken::Audience)]
    {
        let before = calls(&tenant);
        for (advanced, total) in [(0, 1), (0, 1), (9, 1), (1, 2)] {
            tenant.clock().advance(Duration::from_secs(advanced));
            api.check("rejected", get("/any").bearer(token), &invalid_token(reason)).await;
            assert_eq!(calls(&tenant) - before, total, "{reason:?}");
        }
    }
    assert!(store.values().is_empty());
}

#[tokio::test]
async fn a_failure_is_never_cached() {
    let tenant = frozen_tenant().await;
    let api = serve(&introspecting(&tenant).introspection_cache_in_memory().build().unwrap());
    let token = tenant.opaque_token().mint();
    tenant.fault(Endpoint::Introspection, Fault::Status(500)).until_recovered();
    for _ in 0..3 {
        api.check("down", get("/any").bearer(&token), &unavailable()).await;
    }
    tenant.recover(Endpoint::Introspection);
    api.check("up", get("/any").bearer(&token), &ok()).await;
    assert_eq!(calls(&tenant), 4);
}

#[tokio::test]
async fn a_forgotten_token_is_introspected_again_by_every_instance_that_shares_the_store() {
    let (tenant, store) = (frozen_tenant().await, Store::default());
    let build = || introspecting(&tenant).introspection_cache(store.clone()).build().unwrap();
    let (one, two) = (build(), build());
    let apis = [serve(&one), serve(&two)];
    let token = tenant.opaque_token().mint();
    for api in &apis {
        api.check("shared", get("/any").bearer(&token), &ok()).await;
    }
    assert_eq!(calls(&tenant), 1);
    tenant.revoke(&token);
    one.forget(&AccessToken::new(&token).unwrap()).await.unwrap();
    let inactive = invalid_token(InvalidToken::Inactive);
    for api in &apis {
        api.check("forgotten", get("/any").bearer(&token), &inactive).await;
    }
    assert_eq!(calls(&tenant), 3, "a rejection is not shared");
}

#[tokio::test]
async fn entries_are_separate_for_each_audience_and_client() {
    let (tenant, store) = (frozen_tenant().await, Store::default());
    let token = tenant.opaque_token().claim("aud", [tenant.audience(), "other"]).mint();
    let own = || introspecting(&tenant).introspection_cache(store.clone());
    let answer =
        json!({"active": true, "iss": tenant.issuer(), "aud": [tenant.audience(), "other"]});
    tenant.introspection_answer(answer);
    let secret = tenant.client().secret();
    for (builder, total) in
        [(own(), 1), (own(), 1), (own().audience("other"), 2), (own().client("it", secret), 3)]
    {
        let api = serve(&builder.build().unwrap());
        api.check("each", get("/any").bearer(&token), &ok()).await;
        assert_eq!(calls(&tenant), total);
    }
    assert_eq!(store.values().len(), 3);
}

#[tokio::test]
async fn a_store_can_neither_read_nor_forge_values() {
    let (tenant, store) = (frozen_tenant().await, Store::default());
    let builder = introspecting(&tenant).introspection_cache(store.clone());
    let api = serve(&builder.build().unwrap());
    let token = tenant.opaque_token().subject("alice").mint();
    api.check("fresh", get("/any").bearer(&token), &ok()).await;
    let value = store.values().pop().unwrap();
    let readable = |text: &str| value.windows(text.len()).any(|part| part == text.as_bytes());
    for text in [token.as_str(), "alice", "sub", tenant.issuer(), tenant.audience()] {
        assert!(!readable(text), "{text}");
    }
    let other = tenant.opaque_token().subject("mallory").mint();
    api.check("another", get("/any").bearer(&other), &ok()).await;
    let of_other = store.values().into_iter().find(|it| *it != value).unwrap();
    let plain = json!({"until": 9_999_999_999_u64, "claims": {"sub": "admin"}}).to_string();
    let tampering: [Tampering<'_>; 6] = [
        ("moved", &|it| it.clone_from(&of_other)),
        ("made up", &|it| *it = plain.clone().into_bytes()),
        ("one bit", &|it| it[20] ^= 1),
        ("cut", &|it| it.truncate(it.len() - 1)),
        ("shorter than a nonce", &|it| it.truncate(3)),
        ("empty", &|it| it.clear()),
    ];
    for (case, change) in tampering {
        let before = calls(&tenant);
        store.tamper(change);
        for _ in 0..2 {
            api.check(case, get("/any").bearer(&token), &ok()).await;
        }
        assert_eq!(calls(&tenant) - before, 1, "{case}");
    }
}

#[tokio::test]
async fn a_failing_or_hanging_store_is_skipped_for_five_seconds_and_fails_no_request() {
    for behavior in [Behavior::Fails, Behavior::Hangs] {
        let (tenant, store) = (frozen_tenant().await, Store::default());
        let protect = introspecting(&tenant).introspection_cache(store.clone()).build().unwrap();
        let api = serve(&protect);
        let token = tenant.opaque_token().mint();
        store.set_behavior(behavior);
        for (advanced, operations, total) in [(0, 1, 1), (0, 1, 2), (4, 1, 3), (1, 2, 4)] {
            tenant.clock().advance(Duration::from_secs(advanced));
            api.check("no store", get("/any").bearer(&token), &ok()).await;
            assert_eq!(store.operations(), operations);
            assert_eq!(calls(&tenant), total);
        }
        protect.forget(&AccessToken::new(&token).unwrap()).await.unwrap_err();
        store.set_behavior(Behavior::Works);
        tenant.clock().advance(Duration::from_secs(5));
        for _ in 0..3 {
            api.check("it is back", get("/any").bearer(&token), &ok()).await;
        }
        assert_eq!(calls(&tenant), 5);
    }
}
