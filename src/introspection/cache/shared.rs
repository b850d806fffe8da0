//! A store that several processes share.
//!
//! The store decides in which order things happened. Before a call to the tenant the store is read.
//! The result of the call is written only if the store still holds exactly what was read then. A
//! removal writes a tombstone, random bytes that differ from everything else, so the result of a
//! call that was under way when a token was removed is not written, by whichever process. A
//! tombstone outlives every such call.
//!
//! A removal that the store did not confirm waits and is retried. Until it succeeds this process
//! uses nothing that the store holds for the token.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::{Duration, Instant, SystemTime},
};

use aws_lc_rs::rand;
use tokio::task::JoinHandle;

use crate::{
    clock::Clock,
    introspection::cache::{
        removals::{Removal, Removals, Waiting},
        sealed::{Sealer, StoredResult},
        store::{CacheFuture, CacheKey, IntrospectionCache},
    },
    tenant::shared_task::catch_panic,
    token::{AccessToken, claims::Claims},
};

/// How long an operation of the store may take.
const TIMEOUT: Duration = Duration::from_millis(100);

/// How long a store that failed is not used.
const REST: Duration = Duration::from_secs(5);

/// The result of a call that took longer is not written: the longest of time-outs, three times
/// over, and time to spare.
const MAX_CALL: Duration = Duration::from_secs(300);

/// A longer value that is not a usable result is not remembered during a call, in bytes. It stays in
/// the store until it expires.
const MAX_SEEN: usize = 64 * 1024;

/// The length of a tombstone, in bytes: too short for a sealed result.
const TOMBSTONE: usize = 16;

/// How long results are used.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SharingRules {
    /// `INTROSPECTION_CACHE_DURATION` of this process; the process that wrote a result may have
    /// another.
    pub(crate) duration: Duration,
    /// How far the clocks of two processes may differ.
    pub(crate) clock_tolerance: Duration,
}

/// What is known of a token.
pub(super) enum Lookup {
    Hit(Claims),
    Miss(Seen),
}

/// What the store held before a call to the tenant. The result of the call takes its place.
pub(crate) struct Seen {
    /// Nothing is known if the store could not be read, or held more than is kept in mind.
    value: Option<Option<Vec<u8>>>,
    wall: SystemTime,
    monotonic: Instant,
}

/// The store did not confirm a removal.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NotRemoved {
    pub(crate) is_retried: bool,
}

/// The store failed, which the log was told.
#[derive(Debug)]
struct Failed;

/// A shared store, and how it stands.
pub(crate) struct SharedStore {
    store: Arc<dyn IntrospectionCache>,
    sealer: Sealer,
    rules: SharingRules,
    clock: Clock,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    resting_until: Option<Instant>,
    /// Since the start.
    failures: u64,
    removals: Removals,
    /// The task that retries removals, while any wait.
    retries: Option<JoinHandle<()>>,
}

impl SharedStore {
    pub(crate) fn new(
        store: Arc<dyn IntrospectionCache>,
        sealer: Sealer,
        rules: SharingRules,
        clock: Clock,
    ) -> Arc<Self> {
        Arc::new(Self { store, sealer, rules, clock, state: Mutex::default() })
    }

    pub(super) const fn duration(&self) -> Duration {
        self.rules.duration
    }

    pub(super) const fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Looks a token up.
    pub(super) async fn look_up(&self, key: CacheKey, token: &AccessToken) -> Lookup {
        let (wall, monotonic) = (self.clock.wall(), self.clock.monotonic());
        let value = self.read(key).await;
        let sealed = value.as_ref().and_then(Option::as_deref);
        let result = sealed.and_then(|sealed| self.sealer.open(key, token, sealed));
        match result.filter(|result| self.may_use(key, result)) {
            Some(result) => Lookup::Hit(result.claims),
            None => {
                let is_short = |held: &Option<Vec<u8>>| {
                    held.as_ref().is_none_or(|held| held.len() <= MAX_SEEN)
                };
                Lookup::Miss(Seen { value: value.filter(is_short), wall, monotonic })
            }
        }
    }

    /// Writes the result of a call, if nothing has happened to the token since the store was read.
    pub(super) async fn write(
        &self,
        key: CacheKey,
        token: &AccessToken,
        seen: Seen,
        claims: &Claims,
        lifetime: Duration,
    ) {
        let (wall, monotonic) = (self.clock.wall(), self.clock.monotonic());
        // Monotonic time may stand still while the machine is suspended.
        let age = monotonic.saturating_duration_since(seen.monotonic);
        let age = age.max(wall.duration_since(seen.wall).unwrap_or_default());
        let Some(expected) = seen.value.filter(|_| age < MAX_CALL) else { return };
        if self.state().removals.get(key).is_some() {
            return;
        }
        let result = StoredResult { requested: seen.wall, received: wall, claims: claims.clone() };
        if let Some(sealed) = self.sealer.seal(key, token, &result) {
            let write = || self.store.compare_and_set(key, expected, sealed, lifetime);
            // Nothing follows from a value that was not written: the next call writes its own.
            let _ = self.unless_resting("write", write).await;
        }
    }

    /// Removes a result, unless the store failed a moment ago; then, and if it fails, later.
    pub(super) async fn reject(self: &Arc<Self>, key: CacheKey) {
        if self.is_resting() || self.remove(key, Removal::IfPresent).await.is_err() {
            self.remove_later(key, Removal::IfPresent);
        }
    }

    /// Leaves a tombstone, if it can now, and later otherwise. It is tried even while the store
    /// rests, as the store may have come back.
    pub(super) async fn forget(self: &Arc<Self>, key: CacheKey) -> Result<(), NotRemoved> {
        let removed = self.remove(key, Removal::Always).await;
        removed.map(drop).map_err(|Failed| {
            let is_retried = self.remove_later(key, Removal::Always);
            NotRemoved { is_retried }
        })
    }

    /// What the store holds.
    async fn read(&self, key: CacheKey) -> Option<Option<Vec<u8>>> {
        let waiting = self.state().removals.get(key);
        match waiting {
            None => self.unless_resting("read", || self.store.get(key)).await.ok(),
            Some(_) if self.is_resting() => None,
            Some(waiting) => self.retry(key, waiting).await.ok(),
        }
    }

    /// A result is used while its token lives, and for no longer than this process keeps results.
    fn may_use(&self, key: CacheKey, result: &StoredResult) -> bool {
        let now = self.clock.wall();
        let latest = now.checked_add(self.rules.clock_tolerance).unwrap_or(now);
        let until = result.received.checked_add(self.rules.duration);
        result.received <= latest
            && until.is_some_and(|until| now < until)
            && result.claims.expires_at().is_none_or(|expires| now < expires)
            && self.state().removals.allows(key, result.requested)
    }

    /// Makes the store hold no result for a token, and says what it holds instead.
    async fn remove(&self, key: CacheKey, removal: Removal) -> Result<Option<Vec<u8>>, Failed> {
        if removal == Removal::IfPresent {
            let held = self.attempt("read", || self.store.get(key)).await?;
            if held.as_ref().is_none_or(|held| held.len() == TOMBSTONE) {
                return Ok(held);
            }
        }
        let mut tombstone = vec![0; TOMBSTONE];
        rand::fill(&mut tombstone).map_err(|_| Failed)?;
        let write = || self.store.set(key, tombstone.clone(), self.tombstone_lifetime());
        self.attempt("forget", write).await?;
        Ok(Some(tombstone))
    }

    /// Longer than any result lives that was requested before, wherever.
    fn tombstone_lifetime(&self) -> Duration {
        self.rules.duration + self.rules.clock_tolerance + MAX_CALL
    }

    /// Has a removal retried; false if too many wait.
    fn remove_later(self: &Arc<Self>, key: CacheKey, removal: Removal) -> bool {
        let (now, wall) = (self.clock.monotonic(), self.clock.wall());
        let latest = wall.checked_add(self.rules.clock_tolerance).unwrap_or(wall);
        let lifetime = self.tombstone_lifetime();
        let mut state = self.state();
        let is_retried = state.removals.add(key, removal, now, lifetime, latest);
        // It ends with the runtime that it was started on.
        if state.retries.as_ref().is_none_or(JoinHandle::is_finished) {
            let (store, clock) = (Arc::downgrade(self), self.clock.clone());
            state.retries = Some(tokio::spawn(retry_removals(store, clock)));
        }
        is_retried
    }

    async fn retry(&self, key: CacheKey, waiting: Waiting) -> Result<Option<Vec<u8>>, Failed> {
        let held = self.remove(key, waiting.removal).await?;
        self.state().removals.complete(key, waiting);
        Ok(held)
    }

    /// Retries what waits until the store fails again; true once nothing waits.
    pub(super) async fn retry_all(&self) -> bool {
        loop {
            let next = {
                let mut state = self.state();
                let next = state.removals.next(self.clock.monotonic());
                if next.is_none() {
                    // Under the lock, so that a removal that comes now starts another task.
                    state.retries = None;
                }
                next
            };
            match next {
                None => return true,
                Some((key, waiting)) if self.retry(key, waiting).await.is_err() => return false,
                Some(_) => {}
            }
        }
    }

    /// Runs an operation, unless the store failed a moment ago.
    async fn unless_resting<'s, T>(
        &'s self,
        operation: &'static str,
        work: impl FnOnce() -> CacheFuture<'s, T>,
    ) -> Result<T, Failed> {
        if self.is_resting() {
            return Err(Failed);
        }
        self.attempt(operation, work).await
    }

    async fn attempt<'s, T>(
        &'s self,
        operation: &'static str,
        work: impl FnOnce() -> CacheFuture<'s, T>,
    ) -> Result<T, Failed> {
        // The store may be the application's own, and panic.
        let work = catch_panic(async { work().await });
        let failure = match tokio::time::timeout(TIMEOUT, work).await {
            Ok(Some(Ok(value))) => return Ok(value),
            Ok(Some(Err(error))) => error.to_string(),
            Ok(None) => "it panicked".to_owned(),
            Err(_) => format!("no answer within {TIMEOUT:?}"),
        };
        let now = self.clock.monotonic();
        let mut state = self.state();
        state.failures += 1;
        // Operations that were under way when the first one failed add nothing.
        let is_news = state.resting_until.is_none_or(|until| until <= now);
        if is_news || operation == "forget" {
            let failures = state.failures;
            tracing::warn!(
                name: "introspection_cache.failed",
                operation,
                failure,
                failures,
                "the introspection cache failed; the tenant is asked instead"
            );
        }
        state.resting_until = Some(now + REST);
        Err(Failed)
    }

    fn is_resting(&self) -> bool {
        let until = self.state().resting_until;
        until.is_some_and(|until| self.clock.monotonic() < until)
    }

    /// Never poisoned for long: nothing that can panic runs under the lock.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Retries removals every few seconds, until none waits or the store is no longer used.
async fn retry_removals(store: Weak<SharedStore>, clock: Clock) {
    loop {
        clock.sleep_until(clock.monotonic() + REST).await;
        let Some(store) = store.upgrade() else { return };
        if store.retry_all().await {
            return;
        }
    }
}
