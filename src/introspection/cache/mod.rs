//! Results of introspection, kept for a while.
//!
//! - `memory`: accepted tokens and rejected ones, apart, so that a flood of invalid tokens does not
//!   evict a valid one
//! - `shared`: a store that several processes share
//! - `sealed`: how results are sealed for it
//! - `removals`: what it is yet to remove
//! - `redis`: such a store in Redis
//!
//! What is kept is the tenant's response. Expiry, scopes, groups and binding are evaluated again on
//! each hit.

mod memory;
#[cfg(feature = "redis")]
mod redis;
mod removals;
mod sealed;
mod shared;
#[cfg(test)]
mod shared_model;

use std::{error::Error as StdError, fmt, future::Future, pin::Pin, sync::Arc, time::Duration};

use aws_lc_rs::digest::{Context, SHA256};

#[cfg(feature = "redis")]
pub use self::redis::RedisCache;
use self::{
    memory::Memory,
    shared::{Lookup as SharedLookup, Seen},
};
pub(crate) use self::{
    sealed::Sealer,
    shared::{NotRemoved, SharedStore, SharingRules},
};
use crate::{
    clock::Clock,
    error::InvalidToken,
    token::{AccessToken, claims::Claims},
};

/// How long a rejection is remembered.
const REFUSAL_LIFETIME: Duration = Duration::from_secs(10);

/// What an operation of an [`IntrospectionCache`] returns.
pub type CacheFuture<'c, T> =
    Pin<Box<dyn Future<Output = Result<T, Box<dyn StdError + Send + Sync>>> + Send + 'c>>;

/// A store of introspection results that several processes may share.
///
/// Values are sealed before they get here, under a key derived from the
/// [fleet key](crate::ProtectApiBuilder::fleet_key) and the token. A party that can read the store
/// learns neither tokens nor claims, only how many tokens there are and when they are used. A party
/// that can write to it can delete values, and put back an older value of the same token until that
/// expires, which undoes a [`forget`](crate::ProtectApi::forget); it cannot make a value that is
/// accepted. That holds as long as the store does not know the fleet key.
///
/// An operation sees every operation that ended before it began, in whichever process: read from the
/// primary, not from a replica that lags behind. Where that fails, a token that was forgotten may
/// be accepted until its result expires.
///
/// Operations that take longer than 100 ms count as failures. A failure does not fail the request:
/// the tenant is asked instead.
pub trait IntrospectionCache: Send + Sync + 'static {
    /// Reads a value, if there is one that has not expired.
    fn get(&self, key: CacheKey) -> CacheFuture<'_, Option<Vec<u8>>>;

    /// Keeps a value for `lifetime`, whatever there was before.
    fn set(&self, key: CacheKey, value: Vec<u8>, lifetime: Duration) -> CacheFuture<'_, ()>;

    /// Keeps a value for `lifetime` if the store holds exactly what `expected` says, and returns
    /// whether it does so now. `expected` is what [`get`](Self::get) returned some time ago: these
    /// bytes, or no value.
    ///
    /// Comparing and writing must be one atomic step: no other operation on the key, of this or
    /// another process, takes effect between them. Examples are a Lua script in Redis, a condition
    /// expression in `DynamoDB`, a transaction in etcd, and in SQL an `INSERT … ON CONFLICT DO
    /// NOTHING` or an `UPDATE … WHERE key = $1 AND value = $2`, the expired row deleted in the same
    /// transaction.
    fn compare_and_set(
        &self,
        key: CacheKey,
        expected: Option<Vec<u8>>,
        value: Vec<u8>,
        lifetime: Duration,
    ) -> CacheFuture<'_, bool>;
}

/// Names a token in a cache: a SHA-256 over issuer, audience, client and token, so that no two
/// tenants, APIs or clients meet in one store.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct CacheKey([u8; 32]);

impl CacheKey {
    pub(crate) fn new(issuer: &str, audience: &str, client_id: &str, token: &AccessToken) -> Self {
        let mut context = Context::new(&SHA256);
        for part in [issuer, audience, client_id, token.expose()] {
            // Lengths, so that no two lists of parts are one text.
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part.as_bytes());
        }
        let mut key = [0; 32];
        key.copy_from_slice(context.finish().as_ref());
        Self(key)
    }

    /// The octets of the hash.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for CacheKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CacheKey([redacted])")
    }
}

/// What the tenant said of a token.
#[derive(Clone, Debug)]
pub(crate) enum Verdict {
    Accepted(Arc<Claims>),
    Refused(InvalidToken),
}

/// What is known of a token.
pub(crate) enum Lookup {
    Hit(Verdict),
    /// The tenant has to be asked.
    Miss(Miss),
}

/// A look-up before a call to the tenant. The result of the call cannot be kept without it.
pub(crate) struct Miss(Option<Seen>);

/// The caches of one tenant.
pub(crate) struct VerdictCache {
    accepted: Accepted,
    refused: Memory<InvalidToken>,
    duration: Duration,
    clock: Clock,
}

enum Accepted {
    Nowhere,
    Memory(Memory<Arc<Claims>>),
    Shared(Arc<SharedStore>),
}

impl VerdictCache {
    /// Keeps rejections only.
    pub(crate) fn refusals_only(clock: Clock) -> Self {
        Self::new(Accepted::Nowhere, Duration::ZERO, clock)
    }

    /// Keeps accepted tokens in the process.
    pub(crate) fn in_memory(duration: Duration, clock: Clock) -> Self {
        Self::new(Accepted::Memory(Memory::large(clock.clone())), duration, clock)
    }

    /// Keeps accepted tokens in a store that several processes share.
    pub(crate) fn shared(store: Arc<SharedStore>) -> Self {
        let (duration, clock) = (store.duration(), store.clock().clone());
        Self::new(Accepted::Shared(store), duration, clock)
    }

    fn new(accepted: Accepted, duration: Duration, clock: Clock) -> Self {
        Self { accepted, refused: Memory::small(clock.clone()), duration, clock }
    }

    pub(crate) async fn look_up(&self, key: CacheKey, token: &AccessToken) -> Lookup {
        match (self.get_in_process(key), &self.accepted) {
            (Some(verdict), _) => Lookup::Hit(verdict),
            (None, Accepted::Shared(store)) => match store.look_up(key, token).await {
                SharedLookup::Hit(claims) => Lookup::Hit(Verdict::Accepted(Arc::new(claims))),
                SharedLookup::Miss(seen) => Lookup::Miss(Miss(Some(seen))),
            },
            (None, _) => Lookup::Miss(Miss(None)),
        }
    }

    /// What this process itself remembers.
    pub(crate) fn get_in_process(&self, key: CacheKey) -> Option<Verdict> {
        match (self.refused.get(key), &self.accepted) {
            (Some(reason), _) => Some(Verdict::Refused(reason)),
            (None, Accepted::Memory(memory)) => memory.get(key).map(Verdict::Accepted),
            (None, _) => None,
        }
    }

    /// Keeps the result of a call in the store, if there is one. A rejection removes what the store
    /// holds.
    pub(crate) async fn share(
        &self,
        key: CacheKey,
        token: &AccessToken,
        Miss(seen): Miss,
        verdict: &Verdict,
    ) {
        let Accepted::Shared(store) = &self.accepted else { return };
        match (verdict, seen) {
            (Verdict::Refused(_), _) => store.reject(key).await,
            (Verdict::Accepted(claims), Some(seen)) => {
                let lifetime = self.lifetime(claims);
                if !lifetime.is_zero() {
                    store.write(key, token, seen, claims, lifetime).await;
                }
            }
            (Verdict::Accepted(_), None) => {}
        }
    }

    /// Keeps the result of a call in this process, as far as it is kept there.
    pub(crate) fn keep_in_process(&self, key: CacheKey, verdict: &Verdict) {
        match (verdict, &self.accepted) {
            (Verdict::Refused(reason), accepted) => {
                if let Accepted::Memory(memory) = accepted {
                    memory.delete(key);
                }
                self.refused.set(key, *reason, 0, REFUSAL_LIFETIME);
            }
            (Verdict::Accepted(claims), Accepted::Memory(memory)) => {
                let lifetime = self.lifetime(claims);
                if !lifetime.is_zero() {
                    memory.set(key, Arc::clone(claims), claims.heap_size(), lifetime);
                }
            }
            (Verdict::Accepted(_), _) => {}
        }
    }

    /// Forgets what this process remembers of a token, accepted or rejected.
    pub(crate) fn forget_in_process(&self, key: CacheKey) {
        self.refused.delete(key);
        if let Accepted::Memory(memory) = &self.accepted {
            memory.delete(key);
        }
    }

    /// Makes a shared store forget a token. It does so in a task of its own, which ends even if the
    /// caller does not wait for it.
    pub(crate) fn forget_shared(
        &self,
        key: CacheKey,
    ) -> impl Future<Output = Result<(), NotRemoved>> + Send + use<> {
        let removal = match &self.accepted {
            Accepted::Shared(store) => {
                let store = Arc::clone(store);
                Some(tokio::spawn(async move { store.forget(key).await }))
            }
            _ => None,
        };
        async move {
            match removal {
                None => Ok(()),
                // The task fails only with its runtime, and what would retry it ended too.
                Some(task) => task.await.unwrap_or(Err(NotRemoved { is_retried: false })),
            }
        }
    }

    /// A result is kept no longer than the token lives (RFC 7662 §4).
    fn lifetime(&self, claims: &Claims) -> Duration {
        let now = self.clock.wall();
        let left =
            claims.expires_at().map(|expires| expires.duration_since(now).unwrap_or_default());
        left.map_or(self.duration, |left| left.min(self.duration))
    }
}
