//! The refreshing value and its keeper against a model: whatever happens in whatever order, there
//! is one flight at a time, none before its time, none too late, and nobody waits for nothing.

use std::{
    ops::Range,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use monocloud_testkit::Clock as TestClock;
use proptest::{collection::vec, prelude::*};
use tokio::{
    runtime,
    sync::{Notify, oneshot},
    task::JoinHandle,
};

use super::{
    documents::keep_fresh,
    refresh::{Failed, Fetched, Lifetimes, Loaded, Refreshing, World},
};
use crate::{
    clock::{Clock, Moment},
    error::TenantError,
    meter::Meter,
    tenant::back_off::Unavailable,
};

const FRESH: f64 = 100.0;
const TOLERANCE: f64 = 300.0;

/// What happens.
#[derive(Clone, Debug)]
enum Step {
    /// Time goes by.
    Advance(f64),
    /// Somebody asks for the value.
    Ask,
    /// The tenant answers.
    Land(Outcome),
    /// The last one to ask leaves.
    Leave,
    /// Somebody asks for a newer value, and has a fetch to spend or not.
    Reload(bool),
}

#[derive(Clone, Debug)]
enum Outcome {
    Dependency(f64),
    Failure,
    Panic,
    RetryAfter(u64),
    Success(Option<u64>),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let advance = prop_oneof![0.0..3.0, 0.0..20.0, 0.0..120.0, 0.0..600.0];
    let outcome = prop_oneof![
        4 => Just(Outcome::Failure),
        1 => Just(Outcome::Panic),
        1 => (1.0..20.0).prop_map(Outcome::Dependency),
        1 => (0_u64..100).prop_map(Outcome::RetryAfter),
        4 => proptest::option::of(0_u64..200).prop_map(Outcome::Success),
    ];
    let step = prop_oneof![
        3 => Just(Step::Ask),
        4 => advance.prop_map(Step::Advance),
        4 => outcome.prop_map(Step::Land),
        1 => Just(Step::Leave),
        1 => any::<bool>().prop_map(Step::Reload),
    ];
    vec(step, 1..80)
}

/// What the tenant is asked, and has not answered.
#[derive(Default)]
struct Desk {
    asked: usize,
    open: Option<oneshot::Sender<Outcome>>,
}

type Landing = Result<Arc<Loaded<usize>>, Unavailable>;

/// What should be, kept beside what is.
struct Model {
    clock: TestClock,
    desk: Arc<Mutex<Desk>>,
    refreshing: Refreshing<usize>,
    callers: Vec<JoinHandle<Option<Landing>>>,
    /// When the last good value landed, and how long it lives, in seconds.
    value: Option<(Instant, f64)>,
    failures: u32,
    /// When the next flight is to be sent off by the keeper: not before, and not after.
    due: Option<Range<Instant>>,
    flight: Option<Instant>,
    flights: usize,
}

impl Model {
    fn new() -> Self {
        let clock = TestClock::frozen();
        let mut seam = Clock::SYSTEM;
        seam.set_reading(clock.reading());
        seam.set_timer(clock.timer());
        let world =
            World { clock: seam, meter: Meter::new("model"), landed: Arc::new(Notify::new()) };
        let desk = Arc::new(Mutex::new(Desk::default()));
        let lifetimes = Lifetimes { fresh: seconds(FRESH), outage_tolerance: seconds(TOLERANCE) };
        let refreshing = Refreshing::new("value", lifetimes, world.clone(), {
            let desk = Arc::clone(&desk);
            move |_| {
                let mut desk = desk.lock().unwrap();
                assert!(desk.open.is_none(), "a second flight");
                desk.asked += 1;
                let (answer, asked) = (oneshot::channel(), desk.asked);
                desk.open = Some(answer.0);
                Box::pin(async move { fetched(answer.1.await.unwrap(), asked) })
            }
        });
        let idle = Refreshing::<()>::new("idle", lifetimes, world.clone(), |_| unreachable!());
        tokio::spawn(keep_fresh(refreshing.clone(), idle, world));
        Self {
            clock,
            desk,
            refreshing,
            callers: Vec::new(),
            value: None,
            failures: 0,
            due: None,
            flight: None,
            flights: 0,
        }
    }

    async fn take(&mut self, step: Step) {
        let now = self.clock.monotonic();
        match step {
            Step::Advance(by) => self.clock.advance(seconds(by)),
            Step::Ask => {
                let value = self.refreshing.clone();
                self.callers.push(tokio::spawn(async move { Some(value.get().await) }));
                let is_fresh = self.age().is_some_and(|(age, life)| age < life);
                let may_try = self.due.as_ref().is_none_or(|due| due.start <= now);
                settle().await;
                if !is_fresh && self.flight.is_none() && may_try && self.asked() > self.flights {
                    self.take_off(now);
                }
            }
            Step::Land(outcome) => {
                let Some(answer) = self.desk.lock().unwrap().open.take() else { return };
                assert!(answer.send(outcome.clone()).is_ok(), "nobody listens");
                self.land(&outcome);
            }
            Step::Leave => {
                if let Some(caller) = self.callers.pop() {
                    caller.abort();
                }
            }
            Step::Reload(is_permitted) => {
                let (value, seen) = (self.refreshing.clone(), self.flights as u64);
                self.callers
                    .push(tokio::spawn(async move { value.reload(seen, || is_permitted).await }));
                if self.flight.is_none() && is_permitted {
                    self.take_off(now);
                }
            }
        }
        settle().await;
        self.judge().await;
    }

    /// A flight has started.
    fn take_off(&mut self, now: Instant) {
        self.flight = Some(now);
        self.flights += 1;
        self.due = None;
    }

    fn land(&mut self, outcome: &Outcome) {
        let now = self.clock.monotonic();
        let took = self.flight.take().map(|started| (now - started).as_secs_f64());
        let after = |from: f64, to: f64| Some(now + seconds(from)..now + seconds(to));
        match outcome {
            Outcome::Success(max_age) => {
                let life = max_age.map_or(FRESH, |age| (age.max(10) as f64).min(FRESH));
                self.value = Some((now, life));
                self.failures = 0;
                self.due = after(life * 0.719, life * 0.881);
            }
            Outcome::Dependency(pause) => self.due = after(*pause, *pause),
            Outcome::Failure | Outcome::Panic | Outcome::RetryAfter(_) => {
                self.failures += 1;
                let serves_for = self
                    .value
                    .map_or(0.0, |(landed, life)| life + TOLERANCE - (now - landed).as_secs_f64());
                let doubled = 2_f64.powi(self.failures.min(9).cast_signed() - 1);
                let pause = |jitter: f64| {
                    let cold = (doubled.min(8.0) * jitter - took.unwrap_or_default()).max(jitter);
                    (doubled * jitter).min(60.0).min(cold.max(serves_for))
                };
                let asked = match outcome {
                    Outcome::RetryAfter(asked) => *asked as f64,
                    _ => 0.0,
                };
                self.due = after((pause(0.9) - 0.01).max(asked), (pause(1.1) + 0.01).max(asked));
            }
        }
    }

    /// What must hold after every step.
    async fn judge(&mut self) {
        let now = self.clock.monotonic();
        if self.flight.is_none() && self.asked() > self.flights {
            let due = self.due.clone().expect("nobody asked, and a flight started");
            assert!(due.start <= now, "a flight {:?} too early", due.start - now);
            self.take_off(now);
        }
        assert_eq!(self.asked(), self.flights, "a flight that nobody sent off");
        let is_late = self.due.as_ref().is_some_and(|due| due.end <= now);
        assert!(self.flight.is_some() || !is_late, "the keeper sleeps");
        let mut waiting = Vec::new();
        for caller in self.callers.drain(..) {
            if !caller.is_finished() {
                waiting.push(caller);
                continue;
            }
            let moment = Moment { wall: self.clock.now(), monotonic: now };
            if let Ok(Some(Ok(loaded))) = caller.await {
                let life = self.value.expect("somebody was given a value").1;
                let age = loaded.age(moment).as_secs_f64();
                // Whoever waited had it from before time went by.
                assert!(loaded.value <= self.flights && age <= life + TOLERANCE + 600.0);
            }
        }
        self.callers = waiting;
        assert!(
            self.flight.is_some() || self.callers.is_empty(),
            "somebody waits, and there is nothing to wait for"
        );
    }

    fn asked(&self) -> usize {
        self.desk.lock().unwrap().asked
    }

    fn age(&self) -> Option<(f64, f64)> {
        let now = self.clock.monotonic();
        self.value.map(|(landed, life)| ((now - landed).as_secs_f64(), life))
    }
}

#[allow(clippy::panic, reason = "a client may have defects")]
fn fetched(outcome: Outcome, number: usize) -> Result<Fetched<usize>, Failed> {
    let status =
        |retry_after| TenantError::Status { url: "".into(), status: 503, code: None, retry_after };
    match outcome {
        Outcome::Success(max_age) => {
            Ok(Fetched { value: number, max_age: max_age.map(Duration::from_secs) })
        }
        Outcome::Failure => Err(status(None).into()),
        Outcome::Panic => panic!("a client has a defect"),
        Outcome::RetryAfter(asked) => Err(status(Some(Duration::from_secs(asked))).into()),
        Outcome::Dependency(pause) => Err(Failed::Dependency(Unavailable {
            error: TenantError::Overloaded,
            retry_after: seconds(pause),
        })),
    }
}

fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

/// Lets every task do what it can without the clock.
async fn settle() {
    for _ in 0..30 {
        tokio::task::yield_now().await;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn one_flight_at_a_time_none_too_early_none_too_late_and_nobody_waits_for_nothing(
        steps in steps(),
    ) {
        let runtime = runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut model = Model::new();
            for step in steps {
                model.take(step).await;
            }
        });
    }
}
