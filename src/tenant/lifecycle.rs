//! The lifecycle of a value that is fetched, kept, and fetched again.
//!
//! Pure: the time and the jitter are arguments, and nothing here waits, logs or fetches.
//!
//! - A value is *fresh* until its lifetime is over, and its next *fetch* is *due* at about 80 % of
//!   that. Fetches are numbered from one, and there is one at a time.
//! - After a *failure* the next fetch is due after a pause. Meanwhile the last value is used, until
//!   it is older than its lifetime and the outage tolerance together.
//! - The age of a value is the larger of monotonic and wall time, because monotonic time can stop
//!   while the machine is suspended. Pauses are measured on monotonic time alone, so that a
//!   corrected wall clock does not shorten them.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{clock::Now, error::TenantError};

/// A caller with another answer at hand waits until the fetch in progress is this old.
const PATIENCE: Duration = Duration::from_secs(2);

/// A response can shorten the lifetime of its value to this, and no further.
const MIN_LIFETIME: Duration = Duration::from_secs(10);

/// The part of its lifetime after which a value is fetched again.
const REFRESH_AFTER: f64 = 0.8;

/// The longest pause between attempts while there is a usable value.
const WARM_PAUSE: Duration = Duration::from_secs(60);

/// The longest time from one attempt to the next while there is none, and the longest that such an
/// attempt takes: a tenant that answers again is noticed within ten seconds.
const COLD_INTERVAL: Duration = Duration::from_secs(8);

/// How long values are used.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lifetimes {
    /// How long a value is fresh, unless its response says less.
    pub(crate) fresh: Duration,
    /// How much longer it is used while it cannot be fetched again.
    pub(crate) outage_tolerance: Duration,
}

/// What is known about a value at one moment.
#[derive(Debug)]
pub(crate) struct State<T> {
    lifetimes: Lifetimes,
    value: Option<Arc<Kept<T>>>,
    failure: Option<Failure>,
    fetching: Option<Fetching>,
    /// How many fetches were started.
    fetches: u64,
}

/// The fetch in progress.
#[derive(Clone, Copy, Debug)]
struct Fetching {
    since: Instant,
    /// Whether the task makes it already.
    is_begun: bool,
}

/// A value that was fetched.
#[derive(Debug)]
pub(crate) struct Kept<T> {
    pub(crate) value: T,
    /// The number of the fetch that returned it.
    pub(crate) fetch: u64,
    fetched: Now,
    pub(crate) lifetime: Duration,
    refresh_after: Duration,
}

/// The failures since the last success.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    /// The last one.
    pub(crate) error: TenantError,
    /// How many attempts failed.
    pub(crate) attempts: u32,
    /// When the first one failed.
    pub(crate) since: Instant,
    pub(crate) next_attempt: Instant,
}

/// Why there is no value, and when to ask again.
#[derive(Clone, Debug)]
pub(crate) struct Unavailable {
    pub(crate) error: TenantError,
    pub(crate) retry_after: Duration,
}

/// A value, or why there is none.
pub(crate) type Outcome<T> = Result<Arc<Kept<T>>, Unavailable>;

/// What a caller gets.
#[derive(Debug)]
pub(crate) enum Answer<T> {
    Ready(Outcome<T>),
    /// The outcome of a fetch.
    Wait {
        fetch: u64,
    },
    /// The outcome of a fetch if it is a value, or comes within the limit and is no worse than
    /// `otherwise`.
    WaitAtMost {
        fetch: u64,
        limit: Duration,
        otherwise: Outcome<T>,
    },
}

impl<T> State<T> {
    pub(crate) const fn new(lifetimes: Lifetimes) -> Self {
        Self { lifetimes, value: None, failure: None, fetching: None, fetches: 0 }
    }

    /// The answer to a caller. Starts a fetch if the value is not fresh, unless a failure still
    /// makes it pause.
    ///
    /// While nothing is known the caller waits for the first fetch. With an old value that may be
    /// used it waits for [`PATIENCE`] at most, and not at all once an attempt has failed. With only
    /// a failure to report it waits for [`PATIENCE`] at most, if an attempt is in progress.
    pub(crate) fn ask(&mut self, now: Now) -> Answer<T> {
        if let Some(kept) = self.value.as_ref().filter(|kept| kept.is_fresh(now)) {
            return Answer::Ready(Ok(Arc::clone(kept)));
        }
        let usable = self.usable(now);
        let since = match (self.fetching, &self.failure) {
            (Some(fetching), _) => fetching.since,
            (None, Some(failure)) if now.monotonic < failure.next_attempt => {
                return Answer::Ready(usable.ok_or_else(|| failure.at(now)));
            }
            (None, _) => self.start(now),
        };
        let fetch = self.fetches;
        let otherwise = match (usable, &self.failure) {
            (Some(kept), Some(_)) => return Answer::Ready(Ok(kept)),
            (Some(kept), None) => Ok(kept),
            (None, Some(failure)) => Err(failure.at(now)),
            (None, None) => return Answer::Wait { fetch },
        };
        let limit = PATIENCE.saturating_sub(now.monotonic.saturating_duration_since(since));
        Answer::WaitAtMost { fetch, limit, otherwise }
    }

    /// The answer to a caller that needs a value from a later fetch than `seen`: of the fetch in
    /// progress, or of a new one if `may_start` allows it. Nothing if it does not.
    pub(crate) fn ask_newer(
        &mut self,
        seen: u64,
        now: Now,
        may_start: impl FnOnce() -> bool,
    ) -> Option<Answer<T>> {
        if let Some(kept) = self.value.as_ref().filter(|kept| kept.fetch > seen) {
            return Some(Answer::Ready(Ok(Arc::clone(kept))));
        }
        if !self.is_fetching() {
            if !may_start() {
                return None;
            }
            self.start(now);
        }
        Some(Answer::Wait { fetch: self.fetches })
    }

    /// Starts the first fetch, if there was none.
    pub(crate) fn start_first(&mut self, now: Now) {
        if self.fetches == 0 {
            self.start(now);
        }
    }

    /// Begins the fetch that is due, or that a caller started; tells whether there is one. Called
    /// by the task, which makes it.
    pub(crate) fn begin(&mut self, now: Now) -> bool {
        if self.due(now).is_some_and(|left| left.is_zero()) {
            self.start(now);
        }
        if let Some(fetching) = &mut self.fetching {
            fetching.is_begun = true;
        }
        self.is_fetching()
    }

    /// Whether the task has left a fetch alone for so long that its runtime cannot be running.
    pub(crate) fn is_neglected(&self, now: Now) -> bool {
        self.fetching.is_some_and(|fetching| {
            !fetching.is_begun && now.monotonic >= fetching.since + PATIENCE
        })
    }

    /// How long until the next fetch is due; nothing while one is in progress, and before the first
    /// caller has asked.
    pub(crate) fn due(&self, now: Now) -> Option<Duration> {
        match (self.fetching, &self.failure, &self.value) {
            (Some(_), _, _) | (None, None, None) => None,
            (None, Some(failure), _) => Some(failure.at(now).retry_after),
            (None, None, Some(kept)) => Some(kept.refresh_after.saturating_sub(kept.age(now))),
        }
    }

    /// How long an attempt that begins now may take: as long as its response does while there is a
    /// usable value, and [`COLD_INTERVAL`] from then on.
    pub(crate) fn attempt_limit(&self, now: Now) -> Duration {
        self.usable_for(now).unwrap_or_default() + COLD_INTERVAL
    }

    /// Ends the fetch in progress with a value, and returns the failures that it ends. `jitter` is
    /// a factor near one.
    pub(crate) fn succeeded(
        &mut self,
        value: T,
        max_age: Option<Duration>,
        now: Now,
        jitter: f64,
    ) -> Option<Failure> {
        let limit = max_age.map_or(Duration::MAX, |age| age.max(MIN_LIFETIME));
        let lifetime = self.lifetimes.fresh.min(limit);
        self.value = Some(Arc::new(Kept {
            value,
            fetch: self.fetches,
            fetched: now,
            lifetime,
            refresh_after: lifetime.mul_f64(REFRESH_AFTER * jitter),
        }));
        self.fetching = None;
        self.failure.take()
    }

    /// Ends the fetch in progress with a failed attempt that began at `began`. `jitter` is a factor
    /// near one.
    pub(crate) fn failed(
        &mut self,
        error: TenantError,
        began: Instant,
        now: Now,
        jitter: f64,
    ) -> &Failure {
        let attempts = self.failure.as_ref().map_or(0, |failure| failure.attempts) + 1;
        let doubled = Duration::from_secs(1 << attempts.saturating_sub(1).min(8));
        let warm_pause = doubled.mul_f64(jitter).min(WARM_PAUSE);
        let cold_interval = doubled.min(COLD_INTERVAL).mul_f64(jitter);
        // Without a usable value attempts are counted from one to the next, however long each
        // takes, also once the outage tolerance has run out.
        let scheduled = match self.usable_for(now) {
            Some(left) if !left.is_zero() => now.monotonic + warm_pause.min(left + cold_interval),
            _ => now.monotonic.max(began + cold_interval),
        };
        let asked = now.monotonic + error.retry_after().unwrap_or_default();
        self.end_in_failure(error, attempts, now, scheduled.max(asked))
    }

    /// Ends the fetch in progress because something that it needs is unavailable. That has pauses
    /// of its own, and two would add up.
    pub(crate) fn blocked(&mut self, by: Unavailable, now: Now) {
        let attempts = self.failure.as_ref().map_or(0, |failure| failure.attempts);
        self.end_in_failure(by.error, attempts, now, now.monotonic + by.retry_after);
    }

    /// The outcome of a fetch; nothing while it is in progress.
    pub(crate) fn outcome(&self, fetch: u64, now: Now) -> Option<Outcome<T>> {
        if let Some(kept) = self.value.as_ref().filter(|kept| kept.fetch >= fetch) {
            return Some(Ok(Arc::clone(kept)));
        }
        if self.is_fetching() && self.fetches == fetch {
            return None;
        }
        self.failure.as_ref().map(|failure| Err(failure.at(now)))
    }

    pub(crate) const fn value(&self) -> Option<&Arc<Kept<T>>> {
        self.value.as_ref()
    }

    pub(crate) const fn failure(&self) -> Option<&Failure> {
        self.failure.as_ref()
    }

    /// How many fetches were started.
    pub(crate) const fn fetches(&self) -> u64 {
        self.fetches
    }

    pub(crate) const fn is_fetching(&self) -> bool {
        self.fetching.is_some()
    }

    /// How much longer the value is used if it cannot be fetched again.
    pub(crate) fn usable_for(&self, now: Now) -> Option<Duration> {
        let kept = self.value.as_ref()?;
        Some((kept.lifetime + self.lifetimes.outage_tolerance).saturating_sub(kept.age(now)))
    }

    fn usable(&self, now: Now) -> Option<Arc<Kept<T>>> {
        let is_usable = self.usable_for(now).is_some_and(|left| !left.is_zero());
        self.value.clone().filter(|_| is_usable)
    }

    fn start(&mut self, now: Now) -> Instant {
        self.fetches += 1;
        self.fetching = Some(Fetching { since: now.monotonic, is_begun: false });
        now.monotonic
    }

    fn end_in_failure(
        &mut self,
        error: TenantError,
        attempts: u32,
        now: Now,
        next_attempt: Instant,
    ) -> &Failure {
        let since = self.failure.as_ref().map_or(now.monotonic, |failure| failure.since);
        self.fetching = None;
        self.failure.insert(Failure { error, attempts, since, next_attempt })
    }
}

impl<T> Kept<T> {
    pub(crate) fn age(&self, now: Now) -> Duration {
        let monotonic = now.monotonic.saturating_duration_since(self.fetched.monotonic);
        let wall = now.wall.duration_since(self.fetched.wall).unwrap_or_default();
        monotonic.max(wall)
    }

    pub(crate) fn is_fresh(&self, now: Now) -> bool {
        self.age(now) < self.lifetime
    }
}

impl Failure {
    /// What a caller is told at this moment.
    pub(crate) fn at(&self, now: Now) -> Unavailable {
        Unavailable {
            error: self.error.clone(),
            retry_after: self.next_attempt.saturating_duration_since(now.monotonic),
        }
    }
}

/// A factor from 0.9 to 1.1, so that many processes do not come back at once.
pub(crate) fn jitter(random: u8) -> f64 {
    0.9 + 0.2 * f64::from(random) / 255.0
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    const LIFETIMES: Lifetimes =
        Lifetimes { fresh: Duration::from_secs(100), outage_tolerance: Duration::from_secs(300) };

    /// A state and the time, in seconds from its beginning.
    struct Case {
        state: State<&'static str>,
        start: Now,
        monotonic: f64,
        wall: f64,
    }

    impl Case {
        /// Nothing was asked for yet.
        #[allow(clippy::disallowed_methods, reason = "any instant will do as a start")]
        fn new() -> Self {
            let start = Now { wall: SystemTime::UNIX_EPOCH, monotonic: Instant::now() };
            Self { state: State::new(LIFETIMES), start, monotonic: 0.0, wall: 0.0 }
        }

        /// A value was fetched at 0.
        fn warm() -> Self {
            let mut case = Self::new();
            case.state.start_first(case.now());
            case.succeed();
            case
        }

        /// No value, and one failure at 0: the next attempt is due at 1.
        fn cold() -> Self {
            let mut case = Self::new();
            case.state.start_first(case.now());
            case.fail(0.0);
            case
        }

        fn now(&self) -> Now {
            Now {
                wall: self.start.wall + seconds(self.wall),
                monotonic: self.start.monotonic + seconds(self.monotonic),
            }
        }

        fn pass(&mut self, time: f64) {
            self.monotonic += time;
            self.wall += time;
        }

        fn ask(&mut self) -> String {
            let answer = self.state.ask(self.now());
            self.show(answer)
        }

        fn ask_newer(&mut self, seen: u64, may_start: bool) -> String {
            let answer = self.state.ask_newer(seen, self.now(), || may_start);
            answer.map_or_else(|| "not allowed".to_owned(), |answer| self.show(answer))
        }

        fn show(&self, answer: Answer<&'static str>) -> String {
            match answer {
                Answer::Ready(outcome) => show(outcome),
                Answer::Wait { fetch } => format!("wait for {fetch}"),
                Answer::WaitAtMost { fetch, limit, otherwise } => {
                    let limit = limit.as_secs_f64();
                    format!("wait {limit:.1} s for {fetch}, otherwise {}", show(otherwise))
                }
            }
        }

        fn due(&self) -> Option<f64> {
            self.state.due(self.now()).map(rounded)
        }

        fn succeed(&mut self) -> Option<Failure> {
            self.state.succeeded("value", None, self.now(), 1.0)
        }

        /// Ends an attempt that took so long.
        fn fail(&mut self, took: f64) {
            self.end_attempt(status(None), took);
        }

        fn end_attempt(&mut self, error: TenantError, took: f64) {
            let began = self.now().monotonic;
            self.pass(took);
            self.state.failed(error, began, self.now(), 1.0);
        }
    }

    fn show(outcome: Outcome<&'static str>) -> String {
        match outcome {
            Ok(kept) => format!("{} {}", kept.value, kept.fetch),
            Err(unavailable) => format!("retry after {}", rounded(unavailable.retry_after)),
        }
    }

    fn status(retry_after: Option<u64>) -> TenantError {
        let retry_after = retry_after.map(Duration::from_secs);
        TenantError::Status { url: "".into(), status: 503, code: None, retry_after }
    }

    fn seconds(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    fn rounded(time: Duration) -> f64 {
        (time.as_secs_f64() * 10.0).round() / 10.0
    }

    #[test]
    fn nothing_is_fetched_before_the_first_caller_and_then_once() {
        let mut case = Case::new();
        assert_eq!((case.due(), case.state.begin(case.now())), (None, false));
        assert_eq!([case.ask(), case.ask()], ["wait for 1", "wait for 1"]);
        assert!(case.state.begin(case.now()), "it is in progress");
        case.state.start_first(case.now());
        assert_eq!((case.state.fetches(), case.due()), (1, None));
    }

    #[test]
    fn a_fetch_that_is_not_begun_for_two_seconds_is_neglected() {
        let mut case = Case::new();
        assert!(!case.state.is_neglected(case.now()), "there is none");
        case.ask();
        case.pass(1.9);
        assert!(!case.state.is_neglected(case.now()));
        case.pass(0.1);
        assert!(case.state.is_neglected(case.now()));
        assert!(case.state.begin(case.now()));
        case.pass(60.0);
        assert!(!case.state.is_neglected(case.now()), "it is in progress");
        case.succeed();
        case.pass(60.0);
        assert!(!case.state.is_neglected(case.now()), "it has ended");
    }

    #[test]
    fn a_fresh_value_is_used_without_a_fetch() {
        let mut case = Case::warm();
        for passes in [0.0, 50.0, 49.9] {
            case.pass(passes);
            assert_eq!(case.ask(), "value 1");
        }
        assert_eq!(case.state.fetches(), 1);
    }

    #[test]
    fn a_value_is_due_at_four_fifths_of_its_lifetime_give_or_take_the_jitter() {
        for (max_age, jitter, due) in [
            (None, 1.0, 80.0),
            (None, 0.9, 72.0),
            (None, 1.1, 88.0),
            (Some(50), 1.0, 40.0),
            (Some(100), 1.0, 80.0),
            (Some(101), 1.0, 80.0),
            (Some(u64::MAX), 1.0, 80.0),
            (Some(10), 1.0, 8.0),
            (Some(9), 1.0, 8.0),
            (Some(0), 1.0, 8.0),
        ] {
            let mut case = Case::new();
            case.state.start_first(case.now());
            case.state.succeeded("value", max_age.map(Duration::from_secs), case.now(), jitter);
            assert_eq!(case.due(), Some(due), "{max_age:?}");
            case.pass(due - 0.1);
            assert!(!case.state.begin(case.now()), "{max_age:?}");
            case.pass(0.1);
            assert_eq!(case.due(), Some(0.0), "{max_age:?}");
            assert!(case.state.begin(case.now()), "{max_age:?}");
            assert_eq!((case.state.fetches(), case.due()), (2, None), "{max_age:?}");
        }
    }

    #[test]
    fn the_age_is_the_larger_of_monotonic_and_wall_time() {
        for (monotonic, wall, age) in
            [(0.0, 0.0, 0.0), (10.0, 10.0, 10.0), (10.0, 3600.0, 3600.0), (3600.0, 10.0, 3600.0)]
        {
            let mut case = Case::warm();
            (case.monotonic, case.wall) = (monotonic, wall);
            let now = case.now();
            let kept = Arc::clone(case.state.value().unwrap());
            assert_eq!(kept.age(now), seconds(age));
            assert_eq!(kept.is_fresh(now), age < 100.0, "{age}");
            assert_eq!(case.due(), Some(f64::max(80.0 - age, 0.0)));
            assert_eq!(case.state.usable_for(now).map(rounded), Some(f64::max(400.0 - age, 0.0)));
        }
        let mut case = Case::new();
        case.wall = 3600.0;
        case.state.start_first(case.now());
        case.succeed();
        (case.monotonic, case.wall) = (10.0, 0.0);
        let kept = case.state.value().unwrap();
        assert_eq!(kept.age(case.now()), seconds(10.0), "the wall clock was set back");
    }

    #[test]
    fn an_old_value_without_a_failure_is_used_after_a_wait_of_two_seconds() {
        let mut case = Case::warm();
        case.pass(100.0);
        for (passes, limit) in [(0.0, 2.0), (0.5, 1.5), (1.5, 0.0), (60.0, 0.0)] {
            case.pass(passes);
            assert_eq!(case.ask(), format!("wait {limit:.1} s for 2, otherwise value 1"));
        }
        case.pass(238.0);
        assert_eq!(case.ask(), "wait for 2", "the outage tolerance is over");
    }

    #[test]
    fn an_old_value_is_used_at_once_after_a_failure_until_the_tolerance_is_over() {
        let mut case = Case::warm();
        case.pass(80.0);
        assert!(case.state.begin(case.now()));
        case.fail(20.0);
        assert_eq!([case.ask(), case.ask()], ["value 1", "value 1"]);
        assert_eq!((case.state.fetches(), case.due()), (2, Some(1.0)));
        case.pass(1.0);
        assert_eq!(case.ask(), "value 1");
        assert_eq!((case.state.fetches(), case.due()), (3, None), "an attempt has started");
        case.pass(298.9);
        assert_eq!(case.ask(), "value 1");
        case.pass(0.1);
        assert_eq!(case.ask(), "wait 0.0 s for 3, otherwise retry after 0");
    }

    #[test]
    fn without_a_value_the_failure_is_the_answer_at_once_or_after_two_seconds_of_an_attempt() {
        let mut case = Case::cold();
        assert_eq!(case.ask(), "retry after 1");
        case.pass(0.4);
        assert_eq!(case.ask(), "retry after 0.6");
        assert_eq!(case.state.fetches(), 1);
        case.pass(0.6);
        assert_eq!(case.ask(), "wait 2.0 s for 2, otherwise retry after 0");
        case.pass(1.5);
        assert_eq!(case.ask(), "wait 0.5 s for 2, otherwise retry after 0");
    }

    #[test]
    fn without_a_value_attempts_begin_after_1_2_4_and_then_every_8_seconds() {
        for took in [0.0, 0.5, 1.0] {
            let mut case = Case::new();
            case.state.start_first(case.now());
            for interval in [1.0, 2.0, 4.0, 8.0, 8.0, 8.0] {
                case.fail(took);
                assert_eq!(case.due(), Some(interval - took), "took {took}");
                case.pass(interval - took);
                assert!(case.state.begin(case.now()));
            }
        }
        let mut case = Case::new();
        case.state.start_first(case.now());
        case.fail(8.0);
        assert_eq!(case.due(), Some(0.0), "the interval was over before the attempt");
    }

    #[test]
    fn with_an_old_value_the_pauses_grow_from_a_second_to_a_minute() {
        let mut case = Case::warm();
        case.pass(80.0);
        for (took, pause) in
            [(0.0, 1.0), (9.0, 2.0), (0.0, 4.0), (0.0, 8.0), (0.0, 16.0), (0.0, 32.0), (0.0, 60.0)]
        {
            assert!(case.state.begin(case.now()));
            case.fail(took);
            assert_eq!(case.due(), Some(pause));
            case.pass(pause);
        }
    }

    #[test]
    fn the_schedule_is_that_of_a_cold_start_once_the_tolerance_is_over() {
        let mut case = Case::warm();
        case.pass(80.0);
        for pause in [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0] {
            case.fail(0.0);
            case.pass(pause);
        }
        // At 263, so that a minute's pause would end within the tolerance, and two would not.
        case.pass(100.0);
        case.fail(0.0);
        assert_eq!(case.due(), Some(45.0), "8 s after the tolerance");
        case.pass(45.0);
        for _ in 0..3 {
            case.fail(1.0);
            assert_eq!(case.due(), Some(7.0));
            case.pass(7.0);
        }
        assert_eq!(case.succeed().map(|failure| failure.attempts), Some(12));
        assert_eq!(case.due(), Some(80.0));
    }

    #[test]
    fn an_attempt_takes_at_most_8_seconds_without_a_usable_value() {
        assert_eq!(Case::new().state.attempt_limit(Case::new().now()), seconds(8.0));
        let mut case = Case::warm();
        for (passes, limit) in [(0.0, 408.0), (300.0, 108.0), (99.0, 9.0), (1.0, 8.0), (50.0, 8.0)]
        {
            case.pass(passes);
            assert_eq!(rounded(case.state.attempt_limit(case.now())), limit);
        }
    }

    #[test]
    fn the_pause_that_the_tenant_asks_for_counts_if_it_is_longer() {
        for (asked, warm, cold) in
            [(0, 1.0, 0.5), (1, 1.0, 1.0), (7, 7.0, 7.0), (300, 300.0, 300.0)]
        {
            let mut case = Case::warm();
            case.pass(390.0);
            case.end_attempt(status(Some(asked)), 0.5);
            assert_eq!(case.due(), Some(warm), "{asked}");
            let mut case = Case::new();
            case.state.start_first(case.now());
            case.end_attempt(status(Some(asked)), 0.5);
            assert_eq!(case.due(), Some(cold), "{asked}");
        }
    }

    #[test]
    fn the_jitter_applies_to_pauses_and_intervals() {
        for (jitter, cold, warm) in [(0.9, 0.9, 0.9), (1.1, 1.1, 1.1)] {
            let mut case = Case::new();
            let now = case.now();
            case.state.start_first(now);
            case.state.failed(status(None), now.monotonic, now, jitter);
            assert_eq!(case.due(), Some(cold));
            let mut case = Case::warm();
            case.state.failed(status(None), now.monotonic, now, jitter);
            assert_eq!(case.due(), Some(warm));
        }
    }

    #[test]
    fn a_blocked_fetch_has_no_pause_of_its_own() {
        let blocked = |case: &mut Case, left| {
            let by = Unavailable { error: TenantError::Overloaded, retry_after: seconds(left) };
            case.state.blocked(by, case.now());
        };
        let mut case = Case::new();
        case.state.start_first(case.now());
        blocked(&mut case, 3.5);
        assert_eq!((case.ask(), case.due()), ("retry after 3.5".to_owned(), Some(3.5)));
        case.pass(3.5);
        assert!(case.state.begin(case.now()));
        blocked(&mut case, 0.0);
        let failure = case.state.failure().unwrap();
        assert_eq!((failure.attempts, failure.since), (0, case.start.monotonic));
        assert!(case.state.begin(case.now()));
        case.fail(0.0);
        assert_eq!((case.state.failure().unwrap().attempts, case.due()), (1, Some(1.0)));
    }

    #[test]
    fn a_newer_value_is_that_of_a_later_fetch() {
        let mut case = Case::warm();
        assert_eq!(case.ask_newer(0, false), "value 1");
        assert_eq!(case.ask_newer(1, false), "not allowed");
        assert_eq!(case.ask_newer(1, true), "wait for 2");
        assert_eq!(case.ask_newer(1, false), "wait for 2", "it is in progress");
        assert_eq!(case.ask(), "value 1", "others have what they need");
        case.succeed();
        assert_eq!(case.ask_newer(1, false), "value 2");
        let mut case = Case::cold();
        assert_eq!(case.ask_newer(0, true), "wait for 2", "a pause is for other callers");
    }

    #[test]
    fn a_fetch_ends_with_its_own_value_or_a_later_one_or_the_last_failure() {
        let mut case = Case::new();
        let outcome = |case: &Case, fetch| case.state.outcome(fetch, case.now()).map(show);
        case.state.start_first(case.now());
        assert_eq!(outcome(&case, 1), None);
        case.fail(0.0);
        assert_eq!(outcome(&case, 1).as_deref(), Some("retry after 1"));
        case.pass(1.0);
        case.ask();
        assert_eq!(outcome(&case, 1).as_deref(), Some("retry after 0"));
        assert_eq!(outcome(&case, 2), None);
        case.succeed();
        assert_eq!([1, 2].map(|fetch| outcome(&case, fetch).unwrap()), ["value 2", "value 2"]);
        case.pass(100.0);
        case.ask();
        case.fail(0.0);
        assert_eq!(outcome(&case, 3).as_deref(), Some("retry after 1"));
    }

    #[test]
    fn failures_are_counted_from_the_first_to_the_next_success() {
        let mut case = Case::cold();
        case.pass(1.0);
        case.fail(0.0);
        let failure = case.state.failure().unwrap();
        assert_eq!((failure.attempts, failure.since), (2, case.start.monotonic));
        let ended = case.succeed().unwrap();
        assert_eq!((ended.attempts, ended.since), (2, case.start.monotonic));
        assert!(case.state.failure().is_none() && case.succeed().is_none());
    }
}
