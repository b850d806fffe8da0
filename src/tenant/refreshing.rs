//! A value that is kept fresh: its [lifecycle](super::lifecycle) for callers and for the task that
//! fetches it.
//!
//! Reading a fresh value takes no lock. Callers wait for the outcome of a fetch that the tenant's
//! task makes, so a caller that leaves cancels nothing.

use std::{
    future::Future,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwapOption;
use tokio::sync::watch;
use tracing::Instrument as _;

use super::{
    lifecycle::{self, Answer, Kept, Lifetimes, Outcome, State, Unavailable},
    shared_task::catch_panic,
};
use crate::{
    clock::{Clock, Now},
    error::{Chain, TenantError},
    meter::Meter,
};

/// A value that is kept fresh.
pub(crate) struct Refreshing<T> {
    /// What the value is called in logs and metrics.
    name: &'static str,
    clock: Clock,
    meter: Meter,
    state: Mutex<State<T>>,
    /// Signals that a fetch started or ended.
    changed: watch::Sender<()>,
    /// The value and the number of fetches in `state`, to be read without its lock.
    value: ArcSwapOption<Kept<T>>,
    fetches: AtomicU64,
}

/// What a fetch returns: a value, and the `max-age` of its response.
#[derive(Debug)]
pub(crate) struct Fetched<T> {
    pub(crate) value: T,
    pub(crate) max_age: Option<Duration>,
}

/// For callers.
impl<T> Refreshing<T> {
    pub(crate) fn new(
        name: &'static str,
        lifetimes: Lifetimes,
        clock: Clock,
        meter: Meter,
    ) -> Self {
        Self {
            name,
            clock,
            meter,
            state: Mutex::new(State::new(lifetimes)),
            changed: watch::Sender::new(()),
            value: ArcSwapOption::empty(),
            fetches: AtomicU64::new(0),
        }
    }

    /// The value, if it is fresh.
    pub(crate) fn fresh(&self) -> Option<Arc<Kept<T>>> {
        self.with_fresh(self.clock.now(), Arc::clone)
    }

    /// Uses the value, if it is fresh at this time, without counting a reference to it: cores that
    /// share the count would wait for each other.
    pub(crate) fn with_fresh<R>(
        &self,
        now: Now,
        look: impl FnOnce(&Arc<Kept<T>>) -> R,
    ) -> Option<R> {
        let value = self.value.load();
        value.as_ref().filter(|kept| kept.is_fresh(now)).map(look)
    }

    /// How many fetches were started.
    pub(crate) fn fetches(&self) -> u64 {
        self.fetches.load(Ordering::SeqCst)
    }

    /// The answer to a caller; starts a fetch where one is needed.
    pub(crate) fn ask(&self) -> Answer<T> {
        self.change(State::ask)
    }

    /// The answer to a caller that needs a value from a later fetch than `seen`; nothing if it
    /// takes a new one and `may_start` does not allow it.
    pub(crate) fn ask_newer(
        &self,
        seen: u64,
        may_start: impl FnOnce() -> bool,
    ) -> Option<Answer<T>> {
        self.change(|state, now| state.ask_newer(seen, now, may_start))
    }

    /// Starts the first fetch, if there was none.
    pub(crate) fn start_first(&self) {
        self.change(State::start_first);
    }

    /// Waits for what the answer promises.
    pub(crate) async fn wait(&self, answer: Answer<T>) -> Outcome<T> {
        match answer {
            Answer::Ready(outcome) => outcome,
            Answer::Wait { fetch } => self.outcome(fetch).await,
            Answer::WaitAtMost { fetch, limit, otherwise } => {
                match self.clock.timeout(limit, self.outcome(fetch)).await {
                    Some(outcome) => outcome.or_else(|error| otherwise.map_err(|_| error)),
                    None => otherwise,
                }
            }
        }
    }

    /// Waits for what the answer promises, however long the fetch takes: for a fetch of something
    /// else, which callers of their own limit.
    pub(crate) async fn wait_without_limit(&self, answer: Answer<T>) -> Outcome<T> {
        match answer {
            Answer::WaitAtMost { fetch, otherwise, .. } => {
                self.outcome(fetch).await.or_else(|error| otherwise.map_err(|_| error))
            }
            answer => self.wait(answer).await,
        }
    }

    /// Looks at the state as it is now.
    pub(crate) fn look<R>(&self, look: impl FnOnce(&State<T>, Now) -> R) -> R {
        let state = self.state();
        look(&state, self.clock.now())
    }

    async fn outcome(&self, fetch: u64) -> Outcome<T> {
        let mut changes = self.changed.subscribe();
        loop {
            if let Some(outcome) = self.look(|state, now| state.outcome(fetch, now)) {
                return outcome;
            }
            // It fails only without a sender, which is in `self`.
            let _ = changes.changed().await;
        }
    }
}

/// For the task.
impl<T> Refreshing<T> {
    /// Waits until there is a fetch to be made: one is due, or a caller has started it.
    pub(crate) async fn due(&self) {
        let mut changes = self.changed.subscribe();
        loop {
            changes.mark_unchanged();
            if self.change(State::begin) {
                return;
            }
            // Either end leads to another look; the sender lives as long as `self`.
            let changed = changes.changed();
            let _ = match self.look(State::due) {
                Some(left) => self.clock.timeout(left, changed).await,
                None => Some(changed.await),
            };
        }
    }

    /// Makes the fetch, and keeps what it returns. `fetch` is told how long it may take.
    pub(crate) async fn attempt<F>(&self, fetch: impl FnOnce(Duration) -> F)
    where
        F: Future<Output = Result<Fetched<T>, TenantError>>,
    {
        let began = self.clock.now();
        let limit = self.look(State::attempt_limit);
        let span = tracing::debug_span!("refresh", document = self.name, fetch = self.fetches());
        // The HTTP client may be the application's.
        match catch_panic(fetch(limit).instrument(span)).await {
            Some(Ok(fetched)) => self.succeeded(fetched),
            Some(Err(error)) => self.failed(error, began),
            None => self.failed(TenantError::Interrupted, began),
        }
    }

    /// Makes no fetch, because something that it needs is unavailable.
    pub(crate) fn blocked(&self, by: Unavailable) {
        self.change(|state, now| state.blocked(by, now));
    }

    fn succeeded(&self, Fetched { value, max_age }: Fetched<T>) {
        let document = self.name;
        let (now, lifetime, ended) = self.change(|state, now| {
            let ended = state.succeeded(value, max_age, now, jitter());
            (now, state.value().map(|kept| kept.lifetime).unwrap_or_default(), ended)
        });
        self.meter.refreshed(document, true);
        match ended {
            None => tracing::debug!(name: "refresh.succeeded", document, ?lifetime, "fetched"),
            Some(failure) => tracing::info!(
                name: "refresh.recovered",
                document,
                attempts = failure.attempts,
                outage = ?now.monotonic.saturating_duration_since(failure.since),
                "the tenant can be read again"
            ),
        }
    }

    fn failed(&self, error: TenantError, began: Now) {
        let (failure, pause) = self.change(|state, now| {
            let failure = state.failed(error, began.monotonic, now, jitter());
            (failure.clone(), failure.at(now).retry_after)
        });
        self.meter.refreshed(self.name, false);
        tracing::warn!(
            name: "refresh.failed",
            document = self.name,
            attempts = failure.attempts,
            ?pause,
            error = %Chain(&failure.error),
            "a fetch from the tenant failed"
        );
    }
}

impl<T> Refreshing<T> {
    /// Changes the state, and wakes those who wait if a fetch started or ended.
    fn change<R>(&self, change: impl FnOnce(&mut State<T>, Now) -> R) -> R {
        let mut state = self.state();
        let before = (state.fetches(), state.is_fetching());
        let result = change(&mut state, self.clock.now());
        if (state.fetches(), state.is_fetching()) != before {
            self.value.store(state.value().cloned());
            self.fetches.store(state.fetches(), Ordering::SeqCst);
            drop(state);
            self.changed.send_replace(());
        }
        result
    }

    /// Never poisoned for long: nothing that can panic runs under the lock.
    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn jitter() -> f64 {
    let mut random = [128];
    // Without randomness there is no jitter, which is harmless.
    let _ = aws_lc_rs::rand::fill(&mut random);
    lifecycle::jitter(random[0])
}
