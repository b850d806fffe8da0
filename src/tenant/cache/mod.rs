//! Verdicts of the tenant, kept for a while.
//!
//! - `memory`: accepted tokens and refused ones, apart, so that no flood of bad tokens evicts a good
//!   one
//! - `sealed`: a store that others can read and write, and learn and forge nothing
//! - `redis`: such a store, for a fleet
//!
//! What is kept is what the tenant said. Expiry, scopes, groups and binding are judged anew on each
//! hit.

mod memory;
#[cfg(feature = "redis")]
mod redis;
mod sealed;

use std::{error::Error as StdError, fmt, future::Future, pin::Pin, sync::Arc, time::Duration};

use aws_lc_rs::digest::{Context, SHA256};

#[cfg(feature = "redis")]
pub use self::redis::RedisCache;
use self::{memory::Memory, sealed::SealedStore};
use crate::{claims::Claims, clock::Clock, error::InvalidToken, token::AccessToken};

/// How long a refusal is remembered.
const REFUSAL_LIFETIME: Duration = Duration::from_secs(10);

/// What an operation of an [`IntrospectionCache`] hands back.
pub type CacheFuture<'c, T> =
    Pin<Box<dyn Future<Output = Result<T, Box<dyn StdError + Send + Sync>>> + Send + 'c>>;

/// A store of introspection verdicts that several processes may share.
///
/// Values are sealed before they get here: a store may lose them, and can neither read nor change
/// them. Operations that take longer than 100 ms count as failures, and failures are not the
/// caller's: the tenant is asked instead.
pub trait IntrospectionCache: Send + Sync + 'static {
    /// Reads a value, if there is one that has not expired.
    fn get(&self, key: CacheKey) -> CacheFuture<'_, Option<Vec<u8>>>;

    /// Keeps a value for `lifetime`.
    fn set(&self, key: CacheKey, value: Vec<u8>, lifetime: Duration) -> CacheFuture<'_, ()>;

    /// Drops a value.
    fn delete(&self, key: CacheKey) -> CacheFuture<'_, ()>;
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

/// The caches of one tenant.
pub(crate) struct VerdictCache {
    accepted: Option<Accepted>,
    refused: Memory<InvalidToken>,
}

enum Accepted {
    Memory(Memory<Arc<Claims>>),
    Shared(SealedStore),
}

impl VerdictCache {
    /// Keeps nothing but refusals.
    pub(crate) fn refusals_only(clock: Clock) -> Self {
        Self { accepted: None, refused: Memory::small(clock) }
    }

    /// Keeps accepted tokens in the process.
    pub(crate) fn in_memory(clock: Clock) -> Self {
        let accepted = Accepted::Memory(Memory::large(clock.clone()));
        Self { accepted: Some(accepted), refused: Memory::small(clock) }
    }

    /// Keeps accepted tokens in a store of the application's.
    pub(crate) fn shared(store: Arc<dyn IntrospectionCache>, clock: Clock) -> Self {
        let accepted = Accepted::Shared(SealedStore::new(store, clock.clone()));
        Self { accepted: Some(accepted), refused: Memory::small(clock) }
    }

    pub(crate) async fn get(&self, key: CacheKey, token: &AccessToken) -> Option<Verdict> {
        match (self.get_in_process(key), &self.accepted) {
            (None, Some(Accepted::Shared(store))) => {
                store.get(key, token).await.map(|claims| Verdict::Accepted(Arc::new(claims)))
            }
            (verdict, _) => verdict,
        }
    }

    /// What this process itself remembers.
    pub(crate) fn get_in_process(&self, key: CacheKey) -> Option<Verdict> {
        match (self.refused.get(key), &self.accepted) {
            (Some(reason), _) => Some(Verdict::Refused(reason)),
            (None, Some(Accepted::Memory(memory))) => memory.get(key).map(Verdict::Accepted),
            (None, _) => None,
        }
    }

    pub(crate) async fn accept(
        &self,
        key: CacheKey,
        token: &AccessToken,
        claims: &Arc<Claims>,
        size: usize,
        lifetime: Duration,
    ) {
        match &self.accepted {
            _ if lifetime.is_zero() => {}
            None => {}
            Some(Accepted::Memory(memory)) => memory.set(key, Arc::clone(claims), size, lifetime),
            Some(Accepted::Shared(store)) => store.set(key, token, claims, lifetime).await,
        }
    }

    pub(crate) fn refuse(&self, key: CacheKey, reason: InvalidToken) {
        self.refused.set(key, reason, 1, REFUSAL_LIFETIME);
    }

    /// Forgets what was said of a token, be it good or bad.
    pub(crate) async fn forget(&self, key: CacheKey) {
        self.refused.delete(key);
        match &self.accepted {
            None => {}
            Some(Accepted::Memory(memory)) => memory.delete(key),
            Some(Accepted::Shared(store)) => store.delete(key).await,
        }
    }
}
