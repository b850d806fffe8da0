//! The shared store against a model: whatever happens in whatever order, no process uses a result
//! that it must not use any more.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use monocloud_testkit::Clock as TestClock;
use proptest::{collection::vec, prelude::*};
use serde_json::json;
use tokio::runtime;

use crate::{
    clock::Clock,
    introspection::cache::{
        sealed::tests::{key, result, sealer},
        shared::{Lookup, Seen, SharedStore, SharingRules},
        store::{CacheFuture, CacheKey, IntrospectionCache},
    },
    token::{AccessToken, claims::Claims},
};

const DURATION: Duration = Duration::from_secs(300);
const PROCESSES: usize = 2;

#[derive(Clone, Debug)]
enum Step {
    /// Time goes by.
    Advance(u64),
    /// A process looks the token up, and calls the tenant if it must.
    LookUp(usize),
    /// One of the calls ends, and the token is active.
    Accept(usize),
    /// One of the calls ends, and the token is not active.
    Reject(usize),
    /// A process forgets the token.
    Forget(usize),
    /// The store does what it does from now on.
    Store(Mood),
}

#[derive(Clone, Copy, Debug, Default)]
enum Mood {
    #[default]
    Works,
    Fails,
    /// It does what it is told to, and its confirmation is lost.
    Unconfirmed,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let process = 0..PROCESSES;
    let mood = prop_oneof![
        3 => Just(Mood::Works),
        1 => Just(Mood::Fails),
        1 => Just(Mood::Unconfirmed),
    ];
    let step = prop_oneof![
        2 => prop_oneof![1..6_u64, 100..700_u64].prop_map(Step::Advance),
        6 => process.clone().prop_map(Step::LookUp),
        3 => (0..4_usize).prop_map(Step::Accept),
        2 => (0..4_usize).prop_map(Step::Reject),
        2 => process.prop_map(Step::Forget),
        2 => mood.prop_map(Step::Store),
    ];
    vec(step, 1..60)
}

/// A store that a test can break. Values expire.
#[derive(Clone)]
struct Store(Arc<Mutex<Shelf>>, TestClock);

#[derive(Default)]
struct Shelf {
    values: HashMap<CacheKey, (Vec<u8>, Instant)>,
    mood: Mood,
}

impl Store {
    fn operate<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut HashMap<CacheKey, (Vec<u8>, Instant)>) -> T,
    ) -> CacheFuture<'_, T> {
        let mut shelf = self.0.lock().unwrap();
        let now = self.1.monotonic();
        shelf.values.retain(|_, (_, until)| now < *until);
        let done = match shelf.mood {
            Mood::Fails => Err("it is down".into()),
            Mood::Works => Ok(work(&mut shelf.values)),
            Mood::Unconfirmed => {
                work(&mut shelf.values);
                Err("the confirmation is lost".into())
            }
        };
        Box::pin(async { done })
    }
}

impl IntrospectionCache for Store {
    fn get(&self, key: CacheKey) -> CacheFuture<'_, Option<Vec<u8>>> {
        self.operate(|values| values.get(&key).map(|(value, _)| value.clone()))
    }

    fn set(&self, key: CacheKey, value: Vec<u8>, lifetime: Duration) -> CacheFuture<'_, ()> {
        let until = self.1.monotonic() + lifetime;
        self.operate(|values| drop(values.insert(key, (value, until))))
    }

    fn compare_and_set(
        &self,
        key: CacheKey,
        expected: Option<Vec<u8>>,
        value: Vec<u8>,
        lifetime: Duration,
    ) -> CacheFuture<'_, bool> {
        let until = self.1.monotonic() + lifetime;
        self.operate(|values| {
            let is_expected = values.get(&key).map(|(value, _)| value) == expected.as_ref();
            if is_expected {
                values.insert(key, (value, until));
            }
            is_expected
        })
    }
}

/// A call to the tenant that is under way.
struct Call {
    process: usize,
    seen: Seen,
    requested: usize,
}

/// What a process must not use: by the steps at which a result was requested and written.
#[derive(Clone, Copy, Default)]
struct Limits {
    requested_after: usize,
    written_after: usize,
}

/// A result that was written, and the steps at which it was requested and written.
struct Written {
    process: usize,
    requested: usize,
    written: usize,
}

struct Model {
    clock: TestClock,
    store: Store,
    processes: [Arc<SharedStore>; PROCESSES],
    limits: [Limits; PROCESSES],
    token: AccessToken,
    calls: Vec<Call>,
    /// Their indices are in their claims.
    results: Vec<Written>,
    /// The process and the step of each token that was forgotten.
    forgotten: Vec<(usize, usize)>,
    now: usize,
}

fn process(store: &Store, clock: &TestClock) -> Arc<SharedStore> {
    let mut own = Clock::SYSTEM;
    own.set_reading(clock.reading());
    own.set_timer(clock.timer());
    let rules = SharingRules { duration: DURATION, clock_tolerance: Duration::from_secs(60) };
    SharedStore::new(Arc::new(store.clone()), sealer("a"), rules, own)
}

impl Model {
    fn new() -> Self {
        let clock = TestClock::frozen();
        let store = Store(Arc::default(), clock.clone());
        let processes = [(); PROCESSES].map(|()| process(&store, &clock));
        let token = AccessToken::new("token").unwrap();
        let (calls, results, forgotten) = (Vec::new(), Vec::new(), Vec::new());
        let limits = Default::default();
        Self { clock, store, processes, limits, token, calls, results, forgotten, now: 0 }
    }

    async fn take(&mut self, step: Step) {
        self.now += 1;
        match step {
            Step::Advance(seconds) => self.clock.advance(Duration::from_secs(seconds)),
            Step::Store(mood) => self.store.0.lock().unwrap().mood = mood,
            Step::LookUp(process) => self.look_up(process).await,
            Step::Forget(process) => {
                self.forgotten.push((process, self.now));
                let forgotten = self.processes[process].forget(key(&self.token)).await;
                for other in 0..PROCESSES {
                    if other == process || forgotten.is_ok() {
                        self.limits[other].requested_after = self.now;
                    }
                }
            }
            Step::Accept(call) if call < self.calls.len() => {
                let Call { process, seen, requested } = self.calls.remove(call);
                let claims = json!({"result": self.results.len()});
                self.results.push(Written { process, requested, written: self.now });
                let claims = result(claims, 0).claims;
                let store = &self.processes[process];
                store.write(key(&self.token), &self.token, seen, &claims, DURATION).await;
            }
            Step::Reject(call) if call < self.calls.len() => {
                let Call { process, .. } = self.calls.remove(call);
                self.processes[process].reject(key(&self.token)).await;
                self.limits[process].written_after = self.now;
            }
            Step::Accept(_) | Step::Reject(_) => {}
        }
    }

    async fn look_up(&mut self, process: usize) {
        match self.processes[process].look_up(key(&self.token), &self.token).await {
            Lookup::Miss(seen) => {
                self.calls.push(Call { process, seen, requested: self.now });
            }
            Lookup::Hit(claims) => self.check(process, &claims),
        }
    }

    fn check(&self, process: usize, claims: &Claims) {
        let index = claims.get("result").unwrap().as_u64().unwrap();
        let result = &self.results[usize::try_from(index).unwrap()];
        let (requested, written) = (result.requested, result.written);
        for (process, forgotten) in &self.forgotten {
            let was_under_way = (requested..written).contains(forgotten);
            assert!(!was_under_way || *process != result.process, "written for all the same");
        }
        let limits = self.limits[process];
        assert!(requested > limits.requested_after, "requested before the token was forgotten");
        assert!(written > limits.written_after, "written before the token was rejected");
    }

    /// Once the store works again and removals were retried, what holds for one process holds for
    /// all.
    async fn settle(&mut self) {
        self.take(Step::Store(Mood::Works)).await;
        self.take(Step::Advance(5)).await;
        for process in &self.processes {
            assert!(process.retry_all().await);
        }
        let [one, other] = self.limits;
        self.limits = [Limits {
            requested_after: one.requested_after.max(other.requested_after),
            written_after: one.written_after.max(other.written_after),
        }; PROCESSES];
        for process in 0..PROCESSES {
            self.take(Step::LookUp(process)).await;
        }
        while !self.calls.is_empty() {
            self.take(Step::Accept(0)).await;
            for process in 0..PROCESSES {
                match self.processes[process].look_up(key(&self.token), &self.token).await {
                    Lookup::Miss(_) => {}
                    Lookup::Hit(claims) => self.check(process, &claims),
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_process_uses_a_result_that_it_must_not_use(steps in steps()) {
        let runtime = runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let mut model = Model::new();
            for step in steps {
                model.take(step).await;
            }
            model.settle().await;
        });
    }
}

#[tokio::test]
async fn a_result_is_used_for_no_longer_than_this_process_keeps_results() {
    let model = Model::new();
    let (token, store) = (&model.token, &model.processes[0]);
    let now = model.clock.now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    for (received, is_used) in
        [(now - 300, false), (now - 299, true), (now, true), (now + 60, true), (now + 61, false)]
    {
        let sealed = sealer("a").seal(key(token), token, &result(json!({}), received)).unwrap();
        let thirty_days = Duration::from_secs(30 * 24 * 3600);
        model.store.set(key(token), sealed, thirty_days).await.unwrap();
        let is_hit = matches!(store.look_up(key(token), token).await, Lookup::Hit(_));
        assert_eq!(is_hit, is_used, "received at {received}, now {now}");
    }
}

#[tokio::test]
async fn a_store_that_was_down_for_too_many_removals_is_used_for_newer_results_only() {
    let mut model = Model::new();
    model.take(Step::LookUp(0)).await;
    model.take(Step::Accept(0)).await;
    let (token, store) = (model.token.clone(), Arc::clone(&model.processes[0]));
    let is_hit = async || matches!(store.look_up(key(&token), &token).await, Lookup::Hit(_));
    assert!(is_hit().await);

    model.take(Step::Store(Mood::Fails)).await;
    let other = |number| key(&AccessToken::new(&format!("other-{number}")).unwrap());
    for number in 0..10_000 {
        assert!(number > 0 || store.forget(other(0)).await.unwrap_err().is_retried);
        store.reject(other(number)).await;
    }
    model.take(Step::Store(Mood::Works)).await;
    model.take(Step::Advance(5)).await;
    assert!(is_hit().await, "there was room for all of them");

    model.take(Step::Store(Mood::Fails)).await;
    assert!(
        !store.forget(key(&AccessToken::new("one-more").unwrap())).await.unwrap_err().is_retried
    );
    model.take(Step::Store(Mood::Works)).await;
    model.take(Step::Advance(61)).await;
    assert!(!is_hit().await, "it was requested before");
    model.take(Step::LookUp(0)).await;
    model.take(Step::Accept(0)).await;
    assert!(is_hit().await, "it was requested after");
}

#[tokio::test]
async fn a_result_is_not_written_while_the_removal_of_its_token_waits() {
    let mut model = Model::new();
    for step in [
        Step::LookUp(0),
        Step::Store(Mood::Fails),
        Step::Forget(0),
        Step::Store(Mood::Works),
        Step::Advance(5),
        Step::Accept(0),
        Step::LookUp(1),
    ] {
        model.take(step).await;
    }
    assert_eq!(model.calls.len(), 1, "the other process found nothing");
}

#[tokio::test]
async fn what_a_stranger_wrote_is_replaced_unless_it_is_long() {
    for (length, is_replaced) in [(1, true), (64 * 1024, true), (64 * 1024 + 1, false)] {
        let mut model = Model::new();
        let key = key(&model.token);
        model.store.set(key, vec![b'x'; length], DURATION).await.unwrap();
        model.take(Step::LookUp(0)).await;
        model.take(Step::Accept(0)).await;
        let held = model.store.get(key).await.unwrap().unwrap();
        assert_eq!(held != vec![b'x'; length], is_replaced, "{length} bytes");
    }
}

#[tokio::test]
async fn the_result_of_a_call_that_took_five_minutes_is_not_written() {
    for (seconds, is_written) in [(299, true), (300, false)] {
        let mut model = Model::new();
        for step in [Step::LookUp(0), Step::Advance(seconds), Step::Accept(0)] {
            model.take(step).await;
        }
        let held = model.store.get(key(&model.token)).await.unwrap();
        assert_eq!(held.is_some(), is_written, "{seconds} s");
    }
}

#[tokio::test]
async fn a_tombstone_lives_as_long_as_a_call_the_tolerance_and_the_result_of_the_call() {
    let mut model = Model::new();
    model.take(Step::Forget(0)).await;
    for (seconds, is_there) in [(300 + 60 + 299, true), (1, false)] {
        model.take(Step::Advance(seconds)).await;
        let held = model.store.get(key(&model.token)).await.unwrap();
        assert_eq!(held.is_some(), is_there);
    }
}
