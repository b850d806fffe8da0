//! A shared store that learns nothing and forges nothing.
//!
//! Each value is encrypted with AES-256-GCM under a key that HKDF derives from the token (RFC 5869),
//! and bound to its place in the store. Whoever does not hold the token can neither read the value
//! nor make one up, nor move one from another token. What does not open is not there.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, UNIX_EPOCH},
};

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey},
    hkdf::{HKDF_SHA256, KeyType, Salt},
};
use serde_json::{Map, Value, json};

use super::{CacheFuture, CacheKey, IntrospectionCache};
use crate::{claims::Claims, clock::Clock, json, token::AccessToken};

/// How long an operation of the store may take.
const TIMEOUT: Duration = Duration::from_millis(100);

/// How long a store that failed is left alone.
const REST: Duration = Duration::from_secs(5);

/// Sets these keys apart from any others that are derived from a token.
const PURPOSE: &[u8] = b"monocloud-backend introspection cache, version 1";

pub(super) struct SealedStore {
    store: Arc<dyn IntrospectionCache>,
    clock: Clock,
    health: Mutex<Health>,
}

#[derive(Default)]
struct Health {
    resting_until: Option<Instant>,
    /// Since the start.
    failures: u64,
}

impl SealedStore {
    pub(super) fn new(store: Arc<dyn IntrospectionCache>, clock: Clock) -> Self {
        Self { store, clock, health: Mutex::default() }
    }

    pub(super) async fn get(&self, key: CacheKey, token: &AccessToken) -> Option<Claims> {
        let sealed = self.unless_resting("read", || self.store.get(key)).await??;
        let (until, claims) = open(key, token, sealed)?;
        (self.seconds() < until).then_some(claims)
    }

    pub(super) async fn set(
        &self,
        key: CacheKey,
        token: &AccessToken,
        claims: &Claims,
        lifetime: Duration,
    ) {
        let until = self.seconds().saturating_add(lifetime.as_secs());
        if let Some(sealed) = seal(key, token, until, claims) {
            self.unless_resting("write", || self.store.set(key, sealed, lifetime)).await;
        }
    }

    /// Tried even while the store rests: it may have come back, with a verdict that must go.
    pub(super) async fn delete(&self, key: CacheKey) {
        self.attempt("delete", self.store.delete(key)).await;
    }

    /// Runs an operation, unless the store failed a moment ago.
    async fn unless_resting<'s, T>(
        &'s self,
        operation: &'static str,
        work: impl FnOnce() -> CacheFuture<'s, T>,
    ) -> Option<T> {
        let until = self.health().resting_until;
        if until.is_some_and(|until| self.clock.monotonic() < until) {
            return None;
        }
        self.attempt(operation, work()).await
    }

    async fn attempt<T>(&self, operation: &'static str, work: CacheFuture<'_, T>) -> Option<T> {
        let failure = match tokio::time::timeout(TIMEOUT, work).await {
            Ok(Ok(value)) => return Some(value),
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer within {TIMEOUT:?}"),
        };
        let now = self.clock.monotonic();
        let mut health = self.health();
        health.failures += 1;
        // Those who were under way when the first one failed have nothing to add.
        let is_news = health.resting_until.is_none_or(|until| until <= now);
        if is_news || operation == "delete" {
            let failures = health.failures;
            tracing::warn!(
                name: "introspection_cache.failed",
                operation,
                failure,
                failures,
                "the introspection cache failed; the tenant is asked instead"
            );
        }
        health.resting_until = Some(now + REST);
        None
    }

    /// Never poisoned for long: nothing that can panic runs under the lock.
    fn health(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wall time, because it is all that processes share.
    fn seconds(&self) -> u64 {
        self.clock.wall().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
    }
}

fn seal(key: CacheKey, token: &AccessToken, until: u64, claims: &Claims) -> Option<Vec<u8>> {
    let mut sealed = json!({ "until": until, "claims": claims }).to_string().into_bytes();
    let cipher = cipher(token)?;
    let nonce = cipher.seal_in_place_append_tag(Aad::from(key.as_bytes()), &mut sealed).ok()?;
    Some([nonce.as_ref().as_slice(), &sealed].concat())
}

fn open(key: CacheKey, token: &AccessToken, mut sealed: Vec<u8>) -> Option<(u64, Claims)> {
    let (nonce, text) = sealed.split_at_mut_checked(NONCE_LEN)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
    let text = cipher(token)?.open_in_place(nonce, Aad::from(key.as_bytes()), text).ok()?;
    let mut value: Map<String, Value> = json::parse_object(text).ok()?;
    let until = value.get("until")?.as_u64()?;
    match value.remove("claims")? {
        Value::Object(claims) => Some((until, Claims::new(claims))),
        _ => None,
    }
}

fn cipher(token: &AccessToken) -> Option<RandomizedNonceKey> {
    struct Aes256;

    impl KeyType for Aes256 {
        fn len(&self) -> usize {
            32
        }
    }

    let mut key = [0; 32];
    let secret = Salt::new(HKDF_SHA256, &[]).extract(token.expose().as_bytes());
    secret.expand(&[PURPOSE], Aes256).ok()?.fill(&mut key).ok()?;
    RandomizedNonceKey::new(&AES_256_GCM, &key).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(token: &AccessToken) -> CacheKey {
        CacheKey::new("https://acme.test", "api", "client", token)
    }

    fn sealed(token: &AccessToken) -> Vec<u8> {
        let claims = json!({"sub": "alice"}).as_object().unwrap().clone();
        seal(key(token), token, 17, &Claims::new(claims)).unwrap()
    }

    #[test]
    fn the_token_opens_what_it_sealed() {
        let token = AccessToken::new("secret").unwrap();
        let (until, claims) = open(key(&token), &token, sealed(&token)).unwrap();
        assert_eq!((until, claims.subject()), (17, Some("alice")));
        assert_ne!(sealed(&token), sealed(&token), "nonces are fresh");
    }

    #[test]
    fn nothing_else_opens_it() {
        let (token, other) =
            (AccessToken::new("secret").unwrap(), AccessToken::new("other").unwrap());
        assert!(open(key(&token), &other, sealed(&token)).is_none(), "another token");
        assert!(open(key(&other), &token, sealed(&token)).is_none(), "another place");
        for length in 0..sealed(&token).len() {
            assert!(open(key(&token), &token, sealed(&token)[..length].to_vec()).is_none());
        }
        for index in 0..sealed(&token).len() {
            let mut forged = sealed(&token);
            forged[index] ^= 1;
            assert!(open(key(&token), &token, forged).is_none(), "octet {index}");
        }
    }

    #[test]
    fn it_shows_neither_the_token_nor_the_claims() {
        let token = AccessToken::new("secret").unwrap();
        let sealed = String::from_utf8_lossy(&sealed(&token)).into_owned();
        assert!(!sealed.contains("secret") && !sealed.contains("alice"));
    }
}
