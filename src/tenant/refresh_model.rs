//! The refreshing value and its task, compared with a model.
//!
//! Whatever happens, in whatever order: there is one fetch at a time, none is made before it is due
//! or long after, each ends in time, and no caller waits while nothing is being fetched.

use std::{
    ops::Range,
    sync::{Arc, Mutex},
    time::{Duration, Instant, SystemTime},
};

use monocloud_testkit::Clock as TestClock;
use proptest::{collection::vec, prelude::*};
use tokio::{runtime, sync::oneshot, task::JoinHandle};

use super::{
    lifecycle::{Lifetimes, Outcome, Unavailable},
    refreshing::{Fetched, Refreshing},
};
use crate::{clock::Clock, error::TenantError, meter::Meter};

const FRESH: f64 = 100.0;
const TOLERANCE: f64 = 300.0;

/// What happens.
#[derive(Clone, Debug)]
enum Step {
    /// Time passes.
    Advance(f64),
    /// A caller asks for the value.
    Ask,
    /// A caller asks for a newer value, and may start a fetch or not.
    AskNewer(bool),
    /// What the fetch needs is there, or the tenant answers.
    Answer(Reply),
    /// The last caller disconnects.
    Disconnect,
    /// The machine is suspended: only wall time passes.
    Suspend(i64),
}

#[derive(Clone, Debug)]
enum Reply {
    Blocked(f64),
    Failure,
    Panic,
    RetryAfter(u64),
    Success(Option<u64>),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let advance = prop_oneof![0.0..3.0, 0.0..20.0, 0.0..120.0, 0.0..600.0];
    let reply = prop_oneof![
        4 => Just(Reply::Failure),
        1 => Just(Reply::Panic),
        1 => (1.0..20.0).prop_map(Reply::Blocked),
        1 => (0_u64..100).prop_map(Reply::RetryAfter),
        4 => proptest::option::of(0_u64..200).prop_map(Reply::Success),
    ];
    let step = prop_oneof![
        6 => Just(Step::Ask),
        8 => advance.prop_map(Step::Advance),
        8 => reply.prop_map(Step::Answer),
        2 => Just(Step::Disconnect),
        2 => any::<bool>().prop_map(Step::AskNewer),
        1 => (1_i64..600).prop_map(Step::Suspend),
    ];
    vec(step, 1..80)
}

/// What the task waits for.
#[derive(Default)]
struct Tenant {
    /// How many fetches the task has begun.
    begun: usize,
    waiting: Option<Waiting>,
    has_two_fetches: bool,
}

enum Waiting {
    /// What the fetch needs, or when that is to be asked for again.
    Requirement(oneshot::Sender<Option<f64>>),
    Answer(oneshot::Sender<Reply>),
}

impl Tenant {
    fn wait_for<A>(&mut self, waiting: fn(oneshot::Sender<A>) -> Waiting) -> oneshot::Receiver<A> {
        let (sender, receiver) = oneshot::channel();
        self.has_two_fetches |= self.waiting.as_ref().is_some_and(|waiting| match waiting {
            Waiting::Requirement(sender) => !sender.is_closed(),
            Waiting::Answer(sender) => !sender.is_closed(),
        });
        self.waiting = Some(waiting(sender));
        receiver
    }
}

/// What should be, kept beside what is.
struct Model {
    clock: TestClock,
    tenant: Arc<Mutex<Tenant>>,
    refreshing: Arc<Refreshing<usize>>,
    task: JoinHandle<()>,
    callers: Vec<JoinHandle<Option<Outcome<usize>>>>,
    /// When the last value was fetched, and its lifetime in seconds.
    value: Option<(SystemTime, Instant, f64)>,
    /// How many attempts failed since the last success.
    failures: u32,
    is_failing: bool,
    /// When the task is to begin the next fetch: not before, and not after.
    due: Option<Range<Instant>>,
    fetch: Option<Fetch>,
    fetches: usize,
}

#[derive(Clone, Copy)]
enum Fetch {
    /// It waits for what it needs.
    Blocked,
    Attempt {
        began: Instant,
        limit: f64,
    },
}

impl Model {
    fn new() -> Self {
        let clock = TestClock::frozen();
        let mut seam = Clock::SYSTEM;
        seam.set_reading(clock.reading());
        seam.set_timer(clock.timer());
        let lifetimes = Lifetimes { fresh: seconds(FRESH), outage_tolerance: seconds(TOLERANCE) };
        let refreshing =
            Arc::new(Refreshing::new("value", lifetimes, seam.clone(), Meter::new("model")));
        let tenant = Arc::default();
        let task = tokio::spawn(keep_fresh(Arc::clone(&refreshing), Arc::clone(&tenant), seam));
        Self {
            clock,
            tenant,
            refreshing,
            task,
            callers: Vec::new(),
            value: None,
            failures: 0,
            is_failing: false,
            due: None,
            fetch: None,
            fetches: 0,
        }
    }

    async fn take(&mut self, step: Step) {
        match step {
            Step::Advance(by) => {
                self.clock.advance(seconds(by));
                let now = self.clock.monotonic();
                if let Some(Fetch::Attempt { began, limit }) = self.fetch
                    && now >= began + seconds(limit)
                {
                    self.fail(began, 0.0);
                }
            }
            Step::Ask => {
                let value = Arc::clone(&self.refreshing);
                let is_fresh = self.age().is_some_and(|(age, lifetime)| age < lifetime);
                let now = self.clock.monotonic();
                let may_try = self.due.as_ref().is_none_or(|due| due.start <= now);
                self.callers.push(tokio::spawn(async move { Some(value.wait(value.ask()).await) }));
                settle().await;
                if !is_fresh && self.fetch.is_none() && may_try && self.begun() > self.fetches {
                    self.begin();
                }
            }
            Step::AskNewer(may_start) => {
                let (value, seen) = (Arc::clone(&self.refreshing), self.fetches as u64);
                self.callers.push(tokio::spawn(async move {
                    Some(value.wait(value.ask_newer(seen, || may_start)?).await)
                }));
                settle().await;
                if self.fetch.is_none() && may_start {
                    self.begin();
                }
            }
            Step::Answer(reply) => self.answer(reply),
            Step::Disconnect => {
                if let Some(caller) = self.callers.pop() {
                    caller.abort();
                }
            }
            Step::Suspend(by) => {
                self.clock.shift_wall(by);
                // The task sleeps on, but a value is due as soon as there is a caller.
                if let Some(due) = self.due.as_mut().filter(|_| !self.is_failing) {
                    let earlier = due.start.checked_sub(Duration::from_secs(by.unsigned_abs()));
                    due.start = earlier.unwrap_or(due.start);
                }
            }
        }
        settle().await;
        self.check().await;
    }

    fn answer(&mut self, reply: Reply) {
        let now = self.clock.monotonic();
        let waiting = self.tenant.lock().unwrap().waiting.take();
        match (waiting, self.fetch) {
            (Some(Waiting::Requirement(sender)), _) => {
                let pause = if let Reply::Blocked(pause) = reply { Some(pause) } else { None };
                assert!(sender.send(pause).is_ok(), "the task does not wait");
                self.fetch = match pause {
                    Some(pause) => {
                        self.is_failing = true;
                        self.due = Some(now + seconds(pause)..now + seconds(pause));
                        None
                    }
                    None => Some(self.attempt()),
                };
            }
            (Some(Waiting::Answer(sender)), Some(Fetch::Attempt { began, .. })) => {
                assert!(sender.send(reply.clone()).is_ok(), "the task does not wait");
                match reply {
                    Reply::Success(max_age) => self.succeed(max_age),
                    Reply::RetryAfter(asked) => self.fail(began, asked as f64),
                    Reply::Blocked(_) | Reply::Failure | Reply::Panic => self.fail(began, 0.0),
                }
            }
            _ => {}
        }
    }

    /// The task has begun a fetch.
    fn begin(&mut self) {
        self.fetches += 1;
        self.due = None;
        self.fetch = Some(match has_requirement(self.fetches) {
            true => Fetch::Blocked,
            false => self.attempt(),
        });
    }

    fn attempt(&self) -> Fetch {
        Fetch::Attempt { began: self.clock.monotonic(), limit: self.usable_for() + 8.0 }
    }

    fn succeed(&mut self, max_age: Option<u64>) {
        let now = self.clock.monotonic();
        let lifetime = max_age.map_or(FRESH, |age| (age.max(10) as f64).min(FRESH));
        self.value = Some((self.clock.now(), now, lifetime));
        (self.failures, self.is_failing) = (0, false);
        self.due = Some(now + seconds(lifetime * 0.719)..now + seconds(lifetime * 0.881));
        self.fetch = None;
    }

    fn fail(&mut self, began: Instant, asked: f64) {
        let now = self.clock.monotonic();
        self.failures += 1;
        self.is_failing = true;
        let doubled = 2_f64.powi(self.failures.min(9).cast_signed() - 1);
        let usable_for = self.usable_for();
        let next = |jitter: f64| {
            let (warm, cold) = (doubled.min(60.0) * jitter, doubled.min(8.0) * jitter);
            let scheduled = match usable_for > 0.0 {
                true => now + seconds(warm.min(usable_for + cold)),
                false => now.max(began + seconds(cold)),
            };
            scheduled.max(now + seconds(asked))
        };
        self.due = Some(next(0.899)..next(1.101));
        self.fetch = None;
    }

    /// What must hold after every step.
    async fn check(&mut self) {
        let now = self.clock.monotonic();
        assert!(!self.task.is_finished() && !self.tenant.lock().unwrap().has_two_fetches);
        if self.fetch.is_none() && self.begun() > self.fetches {
            let due = self.due.clone().expect("a fetch began before the first caller asked");
            assert!(due.start <= now, "a fetch began {:?} too early", due.start - now);
            self.begin();
        }
        assert_eq!(self.begun(), self.fetches, "a fetch began that was not due");
        let is_late = self.due.as_ref().is_some_and(|due| due.end <= now);
        assert!(self.fetch.is_some() || !is_late, "a fetch is due, and the task sleeps");
        let mut waiting = Vec::new();
        for caller in self.callers.drain(..) {
            if !caller.is_finished() {
                waiting.push(caller);
                continue;
            }
            if let Ok(Some(Ok(kept))) = caller.await {
                let (wall, monotonic, lifetime) = self.value.expect("a caller was given a value");
                let age = (now - monotonic).as_secs_f64().max(since(self.clock.now(), wall));
                // A caller that waited had it from before time passed.
                assert!(kept.value <= self.fetches && age <= lifetime + TOLERANCE + 1200.0);
            }
        }
        self.callers = waiting;
        assert!(
            self.fetch.is_some() || self.callers.is_empty(),
            "a caller waits while nothing is being fetched"
        );
    }

    fn begun(&self) -> usize {
        self.tenant.lock().unwrap().begun
    }

    /// The age and the lifetime of the value.
    fn age(&self) -> Option<(f64, f64)> {
        let (wall, monotonic, lifetime) = self.value?;
        let age = (self.clock.monotonic() - monotonic).as_secs_f64();
        Some((age.max(since(self.clock.now(), wall)), lifetime))
    }

    fn usable_for(&self) -> f64 {
        self.age().map_or(0.0, |(age, lifetime)| (lifetime + TOLERANCE - age).max(0.0))
    }
}

/// What the tenant's task does.
async fn keep_fresh(value: Arc<Refreshing<usize>>, tenant: Arc<Mutex<Tenant>>, clock: Clock) {
    loop {
        value.due().await;
        let number = {
            let mut tenant = tenant.lock().unwrap();
            tenant.begun += 1;
            tenant.begun
        };
        if has_requirement(number) {
            let requirement = tenant.lock().unwrap().wait_for(Waiting::Requirement);
            if let Some(pause) = requirement.await.unwrap() {
                let retry_after = seconds(pause);
                value.blocked(Unavailable { error: TenantError::Overloaded, retry_after });
                continue;
            }
        }
        let answer = tenant.lock().unwrap().wait_for(Waiting::Answer);
        let attempt = |limit| {
            let clock = clock.clone();
            async move {
                match clock.timeout(limit, answer).await {
                    Some(reply) => fetched(reply.unwrap(), number),
                    None => Err(TenantError::Timeout { url: "".into() }),
                }
            }
        };
        value.attempt(attempt).await;
    }
}

/// Every third fetch needs something else first.
const fn has_requirement(fetch: usize) -> bool {
    fetch.is_multiple_of(3)
}

#[allow(clippy::panic, reason = "a client may have defects")]
fn fetched(reply: Reply, number: usize) -> Result<Fetched<usize>, TenantError> {
    let status =
        |retry_after| TenantError::Status { url: "".into(), status: 503, code: None, retry_after };
    match reply {
        Reply::Success(max_age) => {
            Ok(Fetched { value: number, max_age: max_age.map(Duration::from_secs) })
        }
        Reply::Blocked(_) | Reply::Failure => Err(status(None)),
        Reply::Panic => panic!("a client has a defect"),
        Reply::RetryAfter(asked) => Err(status(Some(Duration::from_secs(asked)))),
    }
}

fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

fn since(now: SystemTime, then: SystemTime) -> f64 {
    now.duration_since(then).unwrap_or_default().as_secs_f64()
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
    fn fetches_are_made_one_at_a_time_and_when_due_and_every_wait_ends(steps in steps()) {
        let runtime = runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut model = Model::new();
            for step in steps {
                model.take(step).await;
            }
        });
    }
}
