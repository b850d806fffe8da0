//! A value that is fetched when it is needed and kept for a while.
//!
//! - Reading a fresh value takes no lock.
//! - There is one flight at a time, in a task of its own: a caller that leaves fails nobody.
//! - After a failure the next attempt waits, longer each time; meanwhile the last good value
//!   serves, up to a limit, and without one the caller is told when to come back.
//! - Ages and pauses are counted on monotonic time.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use arc_swap::ArcSwapOption;
use tokio::sync::watch;

use crate::{
    clock::Clock,
    error::{Chain, TenantError},
};

/// How long a caller waits for a value that went out of date unnoticed.
const MAX_WAIT_FOR_REFRESH: Duration = Duration::from_secs(2);

/// A response may shorten the life of a value to this, and no further.
const MIN_LIFETIME: Duration = Duration::from_secs(10);

/// How long values live.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lifetimes {
    /// How long a value is fresh, unless its response says less.
    pub(crate) fresh: Duration,
    /// How long beyond that it serves while it cannot be refreshed.
    pub(crate) outage_tolerance: Duration,
}

/// What a fetch brings: a value, and the `max-age` its response gave it.
#[derive(Debug)]
pub(crate) struct Fetched<T> {
    pub(crate) value: T,
    pub(crate) max_age: Option<Duration>,
}

/// A fetch, ready to be run in a task of its own.
pub(crate) type Fetch<T> = Pin<Box<dyn Future<Output = Result<Fetched<T>, TenantError>> + Send>>;

/// A value that was fetched.
#[derive(Debug)]
pub(crate) struct Loaded<T> {
    pub(crate) value: T,
    /// Which flight brought it; flights are numbered from one.
    pub(crate) flight: u64,
    landed: Instant,
    lifetime: Duration,
}

/// Why there is no value, and when it is worth asking again.
#[derive(Clone, Debug)]
pub(crate) struct Unavailable {
    pub(crate) error: TenantError,
    pub(crate) retry_after: Duration,
}

type Landing<T> = Result<Arc<Loaded<T>>, Unavailable>;

/// A refreshing value; clones share it.
pub(crate) struct Refreshing<T>(Arc<Inner<T>>);

struct Inner<T> {
    fetch: Box<dyn Fn() -> Fetch<T> + Send + Sync>,
    lifetimes: Lifetimes,
    clock: Clock,
    current: ArcSwapOption<Loaded<T>>,
    flights: AtomicU64,
    schedule: Mutex<Schedule<T>>,
}

/// What is going on: the flight in the air, and the failures since the last success.
struct Schedule<T> {
    flight: Option<watch::Receiver<Option<Landing<T>>>>,
    failure: Option<Failure>,
}

#[derive(Clone)]
struct Failure {
    error: TenantError,
    attempts: u32,
    next_attempt: Instant,
}

impl<T: Send + Sync + 'static> Refreshing<T> {
    pub(crate) fn new(
        lifetimes: Lifetimes,
        clock: Clock,
        fetch: impl Fn() -> Fetch<T> + Send + Sync + 'static,
    ) -> Self {
        let schedule = Schedule { flight: None, failure: None };
        Self(Arc::new(Inner {
            fetch: Box::new(fetch),
            lifetimes,
            clock,
            current: ArcSwapOption::empty(),
            flights: AtomicU64::new(0),
            schedule: Mutex::new(schedule),
        }))
    }

    /// The value, fetched if need be.
    pub(crate) async fn get(&self) -> Landing<T> {
        self.get_after_pause(true).await
    }

    /// The value, fetched if need be, even if the last attempt failed just now.
    ///
    /// For a fetch that is itself on a schedule: two pauses would add up.
    pub(crate) async fn get_at_once(&self) -> Landing<T> {
        self.get_after_pause(false).await
    }

    /// How many flights have started.
    pub(crate) fn flights(&self) -> u64 {
        self.0.flights.load(Ordering::SeqCst)
    }

    /// Why the last flight failed, if it did.
    pub(crate) fn failure(&self) -> Option<Unavailable> {
        let now = self.0.clock.monotonic();
        self.0.schedule().failure.as_ref().map(|failure| failure.at(now))
    }

    /// A value of a later flight than `seen`: it has landed, or is waited for, or `permit` allows
    /// to start it; `None` if it does not.
    pub(crate) async fn reload(
        &self,
        seen: u64,
        permit: impl FnOnce() -> bool,
    ) -> Option<Landing<T>> {
        let flight = {
            let mut schedule = self.0.schedule();
            // Flights land under this lock, so none can land between the look and the start.
            let current = self.0.current.load_full();
            if let Some(later) = current.filter(|loaded| loaded.flight > seen) {
                return Some(Ok(later));
            }
            match schedule.in_the_air() {
                Some(flight) => flight,
                None if permit() => self.start(&mut schedule),
                None => return None,
            }
        };
        Some(self.landing(flight).await)
    }

    async fn get_after_pause(&self, pause: bool) -> Landing<T> {
        let now = self.0.clock.monotonic();
        if let Some(fresh) = self.fresh(now) {
            return Ok(fresh);
        }
        let (flight, tolerable, has_failed) = {
            let mut schedule = self.0.schedule();
            // A flight may have landed before the lock was ours; none can while it is.
            if let Some(fresh) = self.fresh(now) {
                return Ok(fresh);
            }
            let tolerance = self.0.lifetimes.outage_tolerance;
            let current = self.0.current.load_full();
            let tolerable = current.filter(|loaded| loaded.is_tolerable(now, tolerance));
            let failure = schedule.failure.clone();
            let flight = match (schedule.in_the_air(), &failure) {
                (Some(flight), _) => flight,
                (None, Some(failure)) if pause && now < failure.next_attempt => {
                    return tolerable.ok_or_else(|| failure.at(now));
                }
                (None, _) => self.start(&mut schedule),
            };
            (flight, tolerable, failure.is_some())
        };
        match tolerable {
            None => self.landing(flight).await,
            Some(loaded) if has_failed => Ok(loaded),
            Some(loaded) => {
                match tokio::time::timeout(MAX_WAIT_FOR_REFRESH, self.landing(flight)).await {
                    Ok(Ok(refreshed)) => Ok(refreshed),
                    Ok(Err(_)) | Err(_) => Ok(loaded),
                }
            }
        }
    }

    fn fresh(&self, now: Instant) -> Option<Arc<Loaded<T>>> {
        self.0.current.load_full().filter(|loaded| loaded.is_fresh(now))
    }

    fn start(&self, schedule: &mut Schedule<T>) -> watch::Receiver<Option<Landing<T>>> {
        let number = self.0.flights.fetch_add(1, Ordering::SeqCst) + 1;
        let (announce, flight) = watch::channel(None);
        schedule.flight = Some(flight.clone());
        let inner = Arc::clone(&self.0);
        tokio::spawn(async move {
            let outcome = (inner.fetch)().await;
            let landing = inner.land(number, outcome);
            announce.send_replace(Some(landing));
        });
        flight
    }

    async fn landing(&self, mut flight: watch::Receiver<Option<Landing<T>>>) -> Landing<T> {
        let landed = flight.wait_for(Option::is_some).await.map(|landing| landing.clone());
        match landed {
            Ok(Some(landing)) => landing,
            // The runtime the flight was on has ended, and the flight with it.
            _ => Err(Unavailable { error: TenantError::Interrupted, retry_after: Duration::ZERO }),
        }
    }
}

impl<T> Clone for Refreshing<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Inner<T> {
    /// Never poisoned for long: nothing that can panic runs under the lock.
    fn schedule(&self) -> MutexGuard<'_, Schedule<T>> {
        self.schedule.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn land(&self, flight: u64, outcome: Result<Fetched<T>, TenantError>) -> Landing<T> {
        let now = self.clock.monotonic();
        let mut schedule = self.schedule();
        schedule.flight = None;
        match outcome {
            Ok(Fetched { value, max_age }) => {
                let limit = max_age.map_or(Duration::MAX, |age| age.max(MIN_LIFETIME));
                let lifetime = self.lifetimes.fresh.min(limit);
                let loaded = Arc::new(Loaded { value, flight, landed: now, lifetime });
                self.current.store(Some(Arc::clone(&loaded)));
                schedule.failure = None;
                Ok(loaded)
            }
            Err(error) => {
                let attempts = schedule.failure.as_ref().map_or(0, |failure| failure.attempts) + 1;
                let pause = pause_after(attempts, self.current.load().is_some());
                let pause = pause.max(error.retry_after().unwrap_or_default());
                tracing::warn!(attempts, ?pause, error = %Chain(&error), "a fetch from the tenant failed");
                let failure = Failure { error, attempts, next_attempt: now + pause };
                let unavailable = failure.at(now);
                schedule.failure = Some(failure);
                Err(unavailable)
            }
        }
    }
}

impl<T> Schedule<T> {
    /// The flight under way, unless its runtime took it down.
    fn in_the_air(&self) -> Option<watch::Receiver<Option<Landing<T>>>> {
        self.flight.clone().filter(|flight| flight.has_changed().is_ok())
    }
}

impl<T> Loaded<T> {
    fn is_fresh(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.landed) < self.lifetime
    }

    fn is_tolerable(&self, now: Instant, outage_tolerance: Duration) -> bool {
        now.saturating_duration_since(self.landed) < self.lifetime + outage_tolerance
    }
}

impl Failure {
    fn at(&self, now: Instant) -> Unavailable {
        Unavailable {
            error: self.error.clone(),
            retry_after: self.next_attempt.saturating_duration_since(now),
        }
    }
}

/// The pause before the next attempt, give or take a tenth: from one second doubling to eight
/// while there is no value, and to a minute while an old one serves.
fn pause_after(attempts: u32, has_value: bool) -> Duration {
    let longest: f64 = if has_value { 60.0 } else { 8.0 };
    let doubled = 2_f64.powi(attempts.saturating_sub(1).min(8).cast_signed());
    Duration::from_secs_f64(doubled.min(longest) * jitter())
}

/// A factor from 0.9 to 1.1, so that many processes do not come back at once.
fn jitter() -> f64 {
    let mut random = [128];
    // Without randomness there is no jitter, and no harm.
    let _ = aws_lc_rs::rand::fill(&mut random);
    0.9 + 0.2 * f64::from(random[0]) / 255.0
}
