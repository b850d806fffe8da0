//! A value that is fetched when it is needed, kept for a while, and renewed ahead of time.
//!
//! - Reading a fresh value takes no lock.
//! - There is one flight at a time, in a task of its own: a caller that leaves fails nobody.
//! - A value is due for renewal at about four fifths of its life. After a failure the next attempt
//!   waits, longer each time; meanwhile the last good value serves, up to a limit, and without one
//!   the caller is told when to come back.
//! - Nobody waits for a flight that is slow while there is something to serve.
//! - Pauses are counted on monotonic time, ages on wall time too: a machine may have been suspended.
//!
//! Nothing here watches the time: `documents` has the task that comes when a value is due.

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
use tokio::sync::Notify;
use tracing::Instrument as _;

use super::{
    back_off::{Failure, Unavailable, jitter},
    flight::Flight,
};
use crate::{
    clock::{Clock, Moment},
    error::{Chain, TenantError},
    meter::Meter,
};

/// A flight is waited for until it is this old, where there is something else to say.
const PATIENCE: Duration = Duration::from_secs(2);

/// An attempt is given up after this while there is nothing to serve, so that the next one finds a
/// tenant that is back.
const MAX_COLD_ATTEMPT: Duration = Duration::from_secs(8);

/// A response may shorten the life of a value to this, and no further.
const MIN_LIFETIME: Duration = Duration::from_secs(10);

/// The part of its life after which a value is renewed.
const REFRESH_AHEAD: f64 = 0.8;

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

/// Why a fetch brings nothing.
#[derive(Debug)]
pub(crate) enum Failed {
    /// An attempt failed; the next one waits, longer each time.
    Attempt(TenantError),
    /// Something that it takes is not there. It has a schedule of its own, and two would add up.
    Dependency(Unavailable),
}

/// A fetch, ready to be run in a task of its own. It is made for a limit to the time it may take.
pub(crate) type Fetch<T> = Pin<Box<dyn Future<Output = Result<Fetched<T>, Failed>> + Send>>;

/// A value that was fetched.
#[derive(Debug)]
pub(crate) struct Loaded<T> {
    pub(crate) value: T,
    /// Which flight brought it; flights are numbered from one.
    pub(crate) flight: u64,
    landed: Moment,
    lifetime: Duration,
    /// When it is to be renewed.
    due: Instant,
}

type Landing<T> = Result<Arc<Loaded<T>>, Unavailable>;

/// A refreshing value; clones share it.
pub(crate) struct Refreshing<T>(Arc<Inner<T>>);

struct Inner<T> {
    /// What the value is called in logs and metrics.
    name: &'static str,
    fetch: Box<dyn Fn(Duration) -> Fetch<T> + Send + Sync>,
    lifetimes: Lifetimes,
    world: World,
    current: ArcSwapOption<Loaded<T>>,
    flights: AtomicU64,
    schedule: Mutex<Schedule<T>>,
}

/// What a value lives by and reports to.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) clock: Clock,
    pub(crate) meter: Meter,
    /// Told of every landing: it changes when a flight is due.
    pub(crate) landed: Arc<Notify>,
}

/// What is going on: the flight in the air, and the failures since the last success.
struct Schedule<T> {
    flight: Option<InTheAir<T>>,
    failure: Option<Failure>,
}

struct InTheAir<T> {
    landing: Flight<Landing<T>>,
    started: Instant,
}

/// How a value stands at one moment.
#[derive(Debug)]
pub(crate) struct Standing<T> {
    pub(crate) loaded: Option<Arc<Loaded<T>>>,
    pub(crate) failure: Option<Failure>,
    /// When it is to be fetched next; nothing while a flight is in the air or nobody has asked.
    pub(crate) due: Option<Instant>,
    pub(crate) age: Option<Duration>,
    /// How much longer the value may serve, be it refreshed or not.
    pub(crate) serves_for: Option<Duration>,
    pub(crate) is_fresh: bool,
}

impl<T: Send + Sync + 'static> Refreshing<T> {
    pub(crate) fn new(
        name: &'static str,
        lifetimes: Lifetimes,
        world: World,
        fetch: impl Fn(Duration) -> Fetch<T> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(Inner {
            name,
            fetch: Box::new(fetch),
            lifetimes,
            world,
            current: ArcSwapOption::empty(),
            flights: AtomicU64::new(0),
            schedule: Mutex::new(Schedule { flight: None, failure: None }),
        }))
    }

    /// The value, if it needs no fetch.
    pub(crate) fn fresh(&self) -> Option<Arc<Loaded<T>>> {
        self.0.fresh(self.0.world.clock.now())
    }

    /// The value, fetched if need be.
    ///
    /// Who has nothing but the first flight to hope for waits until it lands. Where there is an old
    /// value that may serve, or a failure to report, a flight is waited for while it is young.
    pub(crate) async fn get(&self) -> Landing<T> {
        let (now, flight, failure) = match self.board() {
            Boarded::Settled(landing) => return landing,
            Boarded::Flight { now, flight, failure } => (now, flight, failure),
        };
        let tolerable = self.0.tolerable(now);
        let instead = match (tolerable, failure) {
            (None, None) => return landing(flight).await,
            (Some(loaded), Some(_)) => return Ok(loaded),
            (Some(loaded), None) => Ok(loaded),
            (None, Some(failure)) => Err(failure.at(now.monotonic)),
        };
        let waited = now.monotonic.saturating_duration_since(flight.started);
        let patience = PATIENCE.saturating_sub(waited);
        match self.0.world.clock.timeout(patience, landing(flight)).await {
            Some(Ok(loaded)) => Ok(loaded),
            Some(Err(unavailable)) => instead.map_err(|_| unavailable),
            None => instead,
        }
    }

    /// The value for a fetch of something else, which nobody waits for directly.
    pub(crate) async fn get_patiently(&self) -> Landing<T> {
        match self.board() {
            Boarded::Settled(landing) => landing,
            Boarded::Flight { now, flight, failure } => match self.0.tolerable(now) {
                Some(loaded) if failure.is_some() => Ok(loaded),
                tolerable => landing(flight).await.or_else(|error| tolerable.ok_or(error)),
            },
        }
    }

    /// How many flights have started.
    pub(crate) fn flights(&self) -> u64 {
        self.0.flights.load(Ordering::SeqCst)
    }

    /// Why the last flight failed, if it did.
    pub(crate) fn failure(&self) -> Option<Unavailable> {
        let now = self.0.world.clock.monotonic();
        self.0.schedule().failure.as_ref().map(|failure| failure.at(now))
    }

    /// A value that a later flight than `seen` brought: that of the flight in the air, or of a new
    /// one if `permit` allows it; `None` if it does not.
    pub(crate) async fn reload(
        &self,
        seen: u64,
        permit: impl FnOnce() -> bool,
    ) -> Option<Landing<T>> {
        let flight = {
            let mut schedule = self.0.schedule();
            // One may have landed while we waited for the lock.
            let current = self.0.current.load_full();
            if let Some(loaded) = current.filter(|loaded| loaded.flight > seen) {
                return Some(Ok(loaded));
            }
            match schedule.in_the_air() {
                Some(flight) => flight,
                None if permit() => self.start(&mut schedule, self.0.world.clock.now()),
                None => return None,
            }
        };
        Some(landing(flight).await)
    }

    /// Sends a flight off if one is due, and waits for nothing.
    pub(crate) fn renew_if_due(&self) {
        let now = self.0.world.clock.now();
        let mut schedule = self.0.schedule();
        if self.0.due(&schedule).is_some_and(|due| due <= now.monotonic) {
            self.start(&mut schedule, now);
        }
    }

    /// Sends the first flight off unless that was done, and waits for nothing.
    pub(crate) fn begin(&self) {
        let mut schedule = self.0.schedule();
        if self.flights() == 0 {
            self.start(&mut schedule, self.0.world.clock.now());
        }
    }

    /// When a flight is to be sent off; nothing while one is in the air, or if nobody ever asked
    /// for the value.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.0.due(&self.0.schedule())
    }

    /// How the value stands now.
    pub(crate) fn standing(&self) -> Standing<T> {
        let schedule = self.0.schedule();
        let now = self.0.world.clock.now();
        let loaded = self.0.current.load_full();
        Standing {
            failure: schedule.failure.clone(),
            due: self.0.due(&schedule),
            age: loaded.as_ref().map(|it| it.age(now)),
            serves_for: loaded.as_ref().map(|it| self.0.serves_for(it, now)),
            is_fresh: self.0.fresh(now).is_some(),
            loaded,
        }
    }

    /// Finds out whether there is something to wait for.
    fn board(&self) -> Boarded<T> {
        let now = self.0.world.clock.now();
        if let Some(loaded) = self.0.fresh(now) {
            return Boarded::Settled(Ok(loaded));
        }
        let mut schedule = self.0.schedule();
        // One may have landed while we waited for the lock.
        if let Some(loaded) = self.0.fresh(now) {
            return Boarded::Settled(Ok(loaded));
        }
        let failure = schedule.failure.clone();
        let flight = match (schedule.in_the_air(), &failure) {
            (Some(flight), _) => flight,
            (None, Some(failure)) if now.monotonic < failure.next_attempt => {
                let tolerable = self.0.tolerable(now);
                return Boarded::Settled(tolerable.ok_or_else(|| failure.at(now.monotonic)));
            }
            (None, _) => self.start(&mut schedule, now),
        };
        Boarded::Flight { now, flight, failure }
    }

    fn start(&self, schedule: &mut Schedule<T>, now: Moment) -> InTheAir<T> {
        let limit = match self.0.tolerable(now) {
            None => MAX_COLD_ATTEMPT,
            Some(_) => Duration::MAX,
        };
        let number = self.0.flights.fetch_add(1, Ordering::SeqCst) + 1;
        let inner = Arc::clone(&self.0);
        let landing = Flight::start(async move {
            // In a task within the task, so that a client that panics is one that fails.
            let span = tracing::debug_span!("refresh", document = inner.name, flight = number);
            let outcome = tokio::spawn((inner.fetch)(limit).instrument(span)).await;
            inner.land(
                (number, now.monotonic),
                outcome.unwrap_or_else(|_| Err(Failed::Attempt(TenantError::Interrupted))),
            )
        });
        let flight = InTheAir { landing, started: now.monotonic };
        schedule.flight = Some(flight.clone());
        flight
    }
}

/// What there is for a caller.
enum Boarded<T> {
    /// All that there is to say.
    Settled(Landing<T>),
    /// A flight, and why the last one failed.
    Flight { now: Moment, flight: InTheAir<T>, failure: Option<Failure> },
}

async fn landing<T: Send + Sync + 'static>(flight: InTheAir<T>) -> Landing<T> {
    let interrupted =
        || Unavailable { error: TenantError::Interrupted, retry_after: Duration::from_secs(1) };
    flight.landing.landing().await.unwrap_or_else(|| Err(interrupted()))
}

impl<T> Clone for Refreshing<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: Send + Sync + 'static> Inner<T> {
    /// Never poisoned for long: nothing that can panic runs under the lock.
    fn schedule(&self) -> MutexGuard<'_, Schedule<T>> {
        self.schedule.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fresh(&self, now: Moment) -> Option<Arc<Loaded<T>>> {
        self.current.load_full().filter(|loaded| loaded.age(now) < loaded.lifetime)
    }

    /// The last value, while it may serve although it cannot be refreshed.
    fn tolerable(&self, now: Moment) -> Option<Arc<Loaded<T>>> {
        self.current.load_full().filter(|loaded| !self.serves_for(loaded, now).is_zero())
    }

    fn serves_for(&self, loaded: &Loaded<T>, now: Moment) -> Duration {
        (loaded.lifetime + self.lifetimes.outage_tolerance).saturating_sub(loaded.age(now))
    }

    fn due(&self, schedule: &Schedule<T>) -> Option<Instant> {
        match (schedule.in_the_air(), &schedule.failure) {
            (Some(_), _) => None,
            (None, Some(failure)) => Some(failure.next_attempt),
            (None, None) => self.current.load().as_ref().map(|loaded| loaded.due),
        }
    }

    fn land(
        &self,
        (flight, started): (u64, Instant),
        outcome: Result<Fetched<T>, Failed>,
    ) -> Landing<T> {
        let now = self.world.clock.now();
        let mut schedule = self.schedule();
        schedule.flight = None;
        let landing = match outcome {
            Ok(fetched) => Ok(self.succeed(&mut schedule, flight, fetched, now)),
            Err(failed) => Err(self.fail(&mut schedule, failed, started, now)),
        };
        drop(schedule);
        self.world.landed.notify_one();
        landing
    }

    fn succeed(
        &self,
        schedule: &mut Schedule<T>,
        flight: u64,
        Fetched { value, max_age }: Fetched<T>,
        now: Moment,
    ) -> Arc<Loaded<T>> {
        let limit = max_age.map_or(Duration::MAX, |age| age.max(MIN_LIFETIME));
        let lifetime = self.lifetimes.fresh.min(limit);
        // At most at 0.88 of its life.
        let due = now.monotonic + lifetime.mul_f64(REFRESH_AHEAD * jitter());
        let loaded = Arc::new(Loaded { value, flight, landed: now, lifetime, due });
        self.current.store(Some(Arc::clone(&loaded)));
        self.world.meter.refreshed(self.name, true);
        let document = self.name;
        match schedule.failure.take() {
            None => tracing::debug!(name: "refresh.succeeded", document, ?lifetime, "fetched"),
            Some(Failure { attempts, since, .. }) => tracing::info!(
                name: "refresh.recovered",
                document,
                attempts,
                outage = ?now.monotonic.saturating_duration_since(since),
                "the tenant can be read again"
            ),
        }
        loaded
    }

    fn fail(
        &self,
        schedule: &mut Schedule<T>,
        failed: Failed,
        started: Instant,
        now: Moment,
    ) -> Unavailable {
        let last = schedule.failure.as_ref();
        let serves_for = self.current.load().as_ref().map(|it| self.serves_for(it, now));
        let now = now.monotonic;
        let failure = match failed {
            Failed::Dependency(unavailable) => Failure::inherited(last, unavailable, now),
            Failed::Attempt(error) => {
                let serves_for = serves_for.unwrap_or_default();
                let failure = Failure::again(last, error, serves_for, started, now);
                self.world.meter.refreshed(self.name, false);
                tracing::warn!(
                    name: "refresh.failed",
                    document = self.name,
                    attempts = failure.attempts,
                    pause = ?failure.at(now).retry_after,
                    error = %Chain(&failure.error),
                    "a fetch from the tenant failed"
                );
                failure
            }
        };
        let unavailable = failure.at(now);
        schedule.failure = Some(failure);
        unavailable
    }
}

impl<T: Send + Sync + 'static> Schedule<T> {
    fn in_the_air(&self) -> Option<InTheAir<T>> {
        self.flight.clone().filter(|flight| flight.landing.is_in_the_air())
    }
}

impl<T> Clone for InTheAir<T> {
    fn clone(&self) -> Self {
        Self { landing: self.landing.clone(), started: self.started }
    }
}

impl<T> Loaded<T> {
    pub(crate) fn age(&self, now: Moment) -> Duration {
        now.since(self.landed)
    }
}

impl From<TenantError> for Failed {
    fn from(error: TenantError) -> Self {
        Self::Attempt(error)
    }
}
