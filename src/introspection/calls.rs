//! Introspection calls in progress: at most one for a token, [`MAX_CALLS`] at once, and
//! [`MAX_WAITING`] further tokens that wait for their turn.
//!
//! Each call runs in a task of its own, so that a caller that disconnects neither fails the others
//! nor makes them call again. A token that still waits when its last caller disconnects stops
//! waiting; a call that has started runs on.

use std::{
    collections::HashMap,
    future::poll_fn,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    task::Poll,
    time::Duration,
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit, watch};

use super::cache::CacheKey;
use crate::clock::Clock;

/// How many calls may be in progress at once.
const MAX_CALLS: usize = 64;

/// How many tokens may wait for a call.
const MAX_WAITING: usize = 1024;

/// The calls of one tenant, each with a result of type `V`.
pub(crate) struct Calls<V>(Arc<Shared<V>>);

struct Shared<V> {
    /// One for each call in progress.
    permits: Semaphore,
    /// One for each call in progress and each token that waits.
    places: Arc<Semaphore>,
    registry: Mutex<Registry<V>>,
}

/// What is in progress, or waits, by token.
pub(crate) struct Registry<V> {
    entries: HashMap<CacheKey, Entry<V>>,
    begun: u64,
}

struct Entry<V> {
    /// A token that is forgotten meanwhile may have a newer call.
    number: u64,
    /// Weak, as a receiver that waits must notice when the task has ended without a result.
    result: Weak<watch::Sender<Option<V>>>,
}

/// A call that waits or is in progress, to be owned by the task that makes it. It leaves the
/// registry when it is dropped, also by a panic.
pub(crate) struct Call<V> {
    shared: Arc<Shared<V>>,
    key: CacheKey,
    number: u64,
    result: Arc<watch::Sender<Option<V>>>,
    _place: OwnedSemaphorePermit,
}

/// The result of a call that is in progress.
pub(crate) struct Pending<V>(watch::Receiver<Option<V>>);

/// Why a call was not made.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum NotCalled {
    /// All its callers have disconnected.
    Abandoned,
    /// Its turn did not come in time.
    Late,
}

impl<V> Default for Calls<V> {
    fn default() -> Self {
        Self(Arc::new(Shared {
            permits: Semaphore::new(MAX_CALLS),
            places: Arc::new(Semaphore::new(MAX_CALLS + MAX_WAITING)),
            registry: Mutex::new(Registry { entries: HashMap::new(), begun: 0 }),
        }))
    }
}

impl<V> Calls<V> {
    /// Keeps others from joining or beginning a call.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Registry<V>> {
        self.0.lock()
    }

    /// Registers a call; nothing if as many tokens wait as may wait. It takes the lock when it is
    /// dropped, so it must outlive this one's guard.
    pub(crate) fn begin(
        &self,
        registry: &mut Registry<V>,
        key: CacheKey,
    ) -> Option<(Call<V>, Pending<V>)> {
        let place = Arc::clone(&self.0.places).try_acquire_owned().ok()?;
        let (result, pending) = watch::channel(None);
        let result = Arc::new(result);
        registry.begun += 1;
        let number = registry.begun;
        registry.entries.insert(key, Entry { number, result: Arc::downgrade(&result) });
        let call = Call { shared: Arc::clone(&self.0), key, number, result, _place: place };
        Some((call, Pending(pending)))
    }
}

impl<V> Registry<V> {
    /// The result of the call for this token, if there is one.
    pub(crate) fn join(&self, key: CacheKey) -> Option<Pending<V>> {
        let result = self.entries.get(&key)?.result.upgrade()?;
        Some(Pending(result.subscribe()))
    }

    /// Makes the next request for this token begin a call, whatever is in progress.
    pub(crate) fn forget(&mut self, key: CacheKey) {
        self.entries.remove(&key);
    }

    fn remove(&mut self, key: CacheKey, number: u64) -> bool {
        let is_current = self.entries.get(&key).is_some_and(|entry| entry.number == number);
        if is_current {
            self.entries.remove(&key);
        }
        is_current
    }
}

impl<V> Shared<V> {
    /// A poisoned lock is usable: nothing that can panic runs while it is held.
    fn lock(&self) -> MutexGuard<'_, Registry<V>> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<V> Call<V> {
    pub(crate) const fn key(&self) -> CacheKey {
        self.key
    }

    /// Waits until the call may be made, for `limit` at most.
    pub(crate) async fn turn(
        &self,
        clock: &Clock,
        limit: Duration,
    ) -> Result<SemaphorePermit<'_>, NotCalled> {
        let turn = async {
            let mut permit = pin!(self.shared.permits.acquire());
            loop {
                let mut abandoned = pin!(self.result.closed());
                let permit = poll_fn(|context| match abandoned.as_mut().poll(context) {
                    Poll::Ready(()) => Poll::Ready(None),
                    Poll::Pending => permit.as_mut().poll(context).map(Some),
                });
                match permit.await {
                    Some(permit) => return permit.map_err(|_| NotCalled::Late),
                    None if self.abandon() => return Err(NotCalled::Abandoned),
                    // Another caller has joined at the last moment.
                    None => {}
                }
            }
        };
        clock.timeout(limit, turn).await.unwrap_or(Err(NotCalled::Late))
    }

    /// Takes the call out of the registry. Its result is kept unless the token was forgotten since
    /// the call began, and under the lock, so that it is never visible in that case.
    pub(crate) fn finish(&self, keep: impl FnOnce()) {
        let mut registry = self.shared.lock();
        if registry.remove(self.key, self.number) {
            keep();
        }
    }

    /// Hands the result to all who wait.
    pub(crate) fn announce(self, result: V) {
        self.result.send_replace(Some(result));
    }

    /// Takes the call out of the registry, unless a caller waits for it again.
    fn abandon(&self) -> bool {
        let mut registry = self.shared.lock();
        let is_abandoned = self.result.receiver_count() == 0;
        if is_abandoned {
            registry.remove(self.key, self.number);
        }
        is_abandoned
    }
}

impl<V> Drop for Call<V> {
    fn drop(&mut self) {
        self.shared.lock().remove(self.key, self.number);
    }
}

impl<V: Clone> Pending<V> {
    /// Waits for the result; nothing if the call panicked or its runtime has ended.
    pub(crate) async fn result(mut self) -> Option<V> {
        self.0.wait_for(Option::is_some).await.ok()?.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::AccessToken;

    const LIMIT: Duration = Duration::from_secs(10);

    fn key(token: &str) -> CacheKey {
        CacheKey::new("https://acme.test", "api", "client", &AccessToken::new(token).unwrap())
    }

    fn begin(calls: &Calls<u32>, token: &str) -> Option<(Call<u32>, Pending<u32>)> {
        calls.begin(&mut calls.lock(), key(token))
    }

    fn is_kept(call: &Call<u32>) -> bool {
        let mut is_kept = false;
        call.finish(|| is_kept = true);
        is_kept
    }

    fn registered(calls: &Calls<u32>) -> usize {
        calls.lock().entries.len()
    }

    #[tokio::test]
    async fn a_result_goes_to_all_who_joined() {
        let calls = Calls::default();
        let (call, first) = begin(&calls, "a").unwrap();
        let second = calls.lock().join(key("a")).unwrap();
        assert!(calls.lock().join(key("b")).is_none());
        assert!(call.turn(&Clock::SYSTEM, LIMIT).await.is_ok());
        assert!(is_kept(&call));
        assert!(calls.lock().join(key("a")).is_none());
        call.announce(7);
        assert_eq!((first.result().await, second.result().await), (Some(7), Some(7)));
    }

    #[tokio::test]
    async fn a_call_that_is_dropped_leaves_no_entry_and_no_result() {
        let calls = Calls::default();
        let (call, pending) = begin(&calls, "a").unwrap();
        let joined = calls.lock().join(key("a")).unwrap();
        drop(call);
        assert_eq!(registered(&calls), 0);
        assert_eq!((pending.result().await, joined.result().await), (None, None));
        assert_eq!(calls.0.places.available_permits(), MAX_CALLS + MAX_WAITING);
    }

    #[tokio::test]
    async fn a_forgotten_call_does_not_remove_the_newer_one() {
        let calls = Calls::default();
        let (old, _pending) = begin(&calls, "a").unwrap();
        calls.lock().forget(key("a"));
        let (new, _pending) = begin(&calls, "a").unwrap();
        assert!(!is_kept(&old));
        drop(old);
        assert!(calls.lock().join(key("a")).is_some());
        assert!(is_kept(&new));
    }

    #[tokio::test]
    async fn places_are_limited_and_given_back() {
        let calls = Calls::default();
        let mut begun: Vec<_> = (0..MAX_CALLS + MAX_WAITING)
            .map(|number| begin(&calls, &number.to_string()).unwrap())
            .collect();
        assert!(begin(&calls, "one-more").is_none());
        begun.pop();
        assert!(begin(&calls, "one-more").is_some());
    }

    #[tokio::test]
    async fn a_token_whose_callers_have_left_waits_no_longer() {
        let calls = Calls::default();
        let _busy = calls.0.permits.acquire_many(64).await.unwrap();
        let (call, pending) = begin(&calls, "a").unwrap();
        let joined = calls.lock().join(key("a")).unwrap();
        drop(pending);
        assert!(!call.abandon(), "one caller is left");
        drop(joined);
        let turn = call.turn(&Clock::SYSTEM, LIMIT).await;
        assert_eq!(turn.map(drop), Err(NotCalled::Abandoned));
        assert_eq!(registered(&calls), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_turn_that_does_not_come_in_time_is_late() {
        let calls = Calls::default();
        let _busy = calls.0.permits.acquire_many(64).await.unwrap();
        let (call, _pending) = begin(&calls, "a").unwrap();
        assert_eq!(call.turn(&Clock::SYSTEM, LIMIT).await.map(drop), Err(NotCalled::Late));
    }
}
