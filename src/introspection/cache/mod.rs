//! Results of introspection, kept for a while.
//!
//! - `memory`: accepted tokens and rejected ones, apart, so that a flood of invalid tokens does not
//!   evict a valid one
//! - `shared`: a store that several processes share
//! - `sealed`: how results are sealed for it
//! - `removals`: what it is yet to remove
//! - `store`, `redis`: such a store, the application's own or Redis
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
mod store;

use std::{future::Future, sync::Arc, time::Duration};

pub use self::store::{CacheFuture, CacheKey, IntrospectionCache};
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

/// What the tenant said of a token.
#[derive(Clone, Debug)]
pub(crate) enum Verdict {
    Accepted(Arc<Claims>),
    Rejected(InvalidToken),
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
    Memory(Memory<Claims>),
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
            (Some(reason), _) => Some(Verdict::Rejected(reason)),
            (None, Accepted::Memory(memory)) => {
                memory.get(key).map(|claims| Verdict::Accepted(Arc::new(claims)))
            }
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
            (Verdict::Rejected(_), _) => store.reject(key).await,
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
            (Verdict::Rejected(reason), accepted) => {
                if let Accepted::Memory(memory) = accepted {
                    memory.delete(key);
                }
                self.refused.set(key, *reason, 0, REFUSAL_LIFETIME);
            }
            (Verdict::Accepted(claims), Accepted::Memory(memory)) => {
                let lifetime = self.lifetime(claims);
                if !lifetime.is_zero() {
                    memory.set(key, Claims::clone(claims), claims.heap_size(), lifetime);
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
