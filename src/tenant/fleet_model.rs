//! A fleet of APIs and their tenant: how often it is asked, by the lifecycle that each API has.
//!
//! Time is simulated, and randomness has a seed, so the figures are the same at every run. They are those
//! of the manual's page on fleets.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, VecDeque},
    time::{Duration, Instant, SystemTime},
};

use super::lifecycle::{Answer, Lifetimes, State};
use crate::{clock::Now, error::TenantError};

/// Those of the settings unless they are set.
const LIFETIMES: Lifetimes =
    Lifetimes { fresh: Duration::from_secs(300), outage_tolerance: Duration::from_secs(21_600) };

/// How long a request to the tenant takes, in milliseconds.
const LATENCY: u64 = 50;

const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;

/// One API.
struct Instance {
    metadata: State<()>,
    /// With the number of rotations that they contain.
    keys: State<usize>,
    is_metadata_requested: bool,
    keys_wait: Wait,
    /// When a fetch is due, as far as is known.
    next_look: u64,
}

/// What the fetch of the keys waits for.
#[derive(Clone, Copy, PartialEq)]
enum Wait {
    Nothing,
    Metadata(u64),
    Response,
}

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Event {
    /// The first request.
    Start,
    /// A fetch may be due.
    Look,
    /// The tenant responds, or not, and with how many rotations.
    Metadata {
        is_up: bool,
    },
    Keys {
        is_up: bool,
        rotations: usize,
    },
    /// A request with a token that the newest key has signed.
    NewestToken,
}

/// The fleet, its tenant, and the time in milliseconds.
struct Fleet {
    instances: Vec<Instance>,
    events: BinaryHeap<Reverse<(u64, usize, Event)>>,
    began: Instant,
    now: u64,
    /// When the tenant cannot be reached.
    outages: Vec<(u64, u64)>,
    rotations: Vec<u64>,
    /// When requests arrived at the tenant.
    requests: Vec<u64>,
    random: u64,
}

impl Fleet {
    #[allow(clippy::disallowed_methods, reason = "any instant will do as a start")]
    fn new(instances: usize) -> Self {
        let instance = |_| Instance {
            metadata: State::new(LIFETIMES),
            keys: State::new(LIFETIMES),
            is_metadata_requested: false,
            keys_wait: Wait::Nothing,
            next_look: 0,
        };
        Self {
            instances: (0..instances).map(instance).collect(),
            events: BinaryHeap::new(),
            began: Instant::now(),
            now: 0,
            outages: Vec::new(),
            rotations: Vec::new(),
            requests: Vec::new(),
            random: 0x9e37_79b9_7f4a_7c15,
        }
    }

    /// A fleet whose instances start one after the other, in so many milliseconds.
    fn started_within(instances: usize, time: u64) -> Self {
        let mut fleet = Self::new(instances);
        for instance in 0..instances {
            let at = fleet.random_below(time);
            fleet.events.push(Reverse((at, instance, Event::Start)));
        }
        fleet
    }

    /// Rotates the keys now. Each instance receives a token of the new key within `traffic` milliseconds.
    fn rotate(&mut self, traffic: u64) {
        self.rotations.push(self.now);
        for instance in 0..self.instances.len() {
            let at = self.now + self.random_below(traffic);
            self.events.push(Reverse((at, instance, Event::NewestToken)));
        }
    }

    fn run_until(&mut self, end: u64) {
        while let Some(&Reverse((at, instance, event))) = self.events.peek() {
            if at > end {
                break;
            }
            self.events.pop();
            self.now = at;
            let is_outdated = event == Event::Look && self.instances[instance].next_look != at;
            if !is_outdated {
                self.happen(instance, event);
            }
        }
        self.now = end;
    }

    /// Runs until every instance satisfies a condition, and tells how long that takes, in seconds.
    fn seconds_until(&mut self, is_reached: impl Fn(&Instance, Now) -> bool) -> f64 {
        let start = self.now;
        let mut missing: VecDeque<usize> = (0..self.instances.len()).collect();
        while let Some(&instance) = missing.front() {
            if is_reached(&self.instances[instance], self.time()) {
                missing.pop_front();
            } else {
                self.run_until(self.now + 10);
            }
        }
        (self.now - start) as f64 / SECOND as f64
    }

    fn happen(&mut self, index: usize, event: Event) {
        let now = self.time();
        let jitter = self.jitter();
        let instance = &mut self.instances[index];
        match event {
            Event::Start => instance.keys.start_first(now),
            Event::Look => {}
            Event::NewestToken => {
                let kept = instance.keys.value();
                let kept = kept.filter(|kept| kept.value < self.rotations.len());
                if let Some(seen) = kept.map(|kept| kept.fetch) {
                    instance.keys.ask_newer(seen, now, || true);
                }
            }
            Event::Metadata { is_up } => {
                instance.is_metadata_requested = false;
                match is_up {
                    true => drop(instance.metadata.succeeded((), None, now, jitter)),
                    false => drop(
                        instance.metadata.failed(unreachable(), sent(now), now, jitter).clone(),
                    ),
                }
            }
            Event::Keys { is_up, rotations } => {
                instance.keys_wait = Wait::Nothing;
                match is_up {
                    true => drop(instance.keys.succeeded(rotations, None, now, jitter)),
                    false => {
                        drop(instance.keys.failed(unreachable(), sent(now), now, jitter).clone())
                    }
                }
            }
        }
        self.look(index);
    }

    /// Does what the task of an API does.
    fn look(&mut self, index: usize) {
        let now = self.time();
        let instance = &mut self.instances[index];
        if instance.keys_wait == Wait::Nothing && instance.keys.begin(now) {
            match instance.metadata.ask(now) {
                Answer::Ready(Ok(_)) => instance.keys_wait = Wait::Response,
                Answer::Ready(Err(unavailable)) => instance.keys.blocked(unavailable, now),
                Answer::Wait { fetch } | Answer::WaitAtMost { fetch, .. } => {
                    instance.keys_wait = Wait::Metadata(fetch);
                }
            }
            if instance.keys_wait == Wait::Response {
                self.request_keys(index);
            }
        }
        let instance = &mut self.instances[index];
        if let Wait::Metadata(fetch) = instance.keys_wait
            && let Some(outcome) = instance.metadata.outcome(fetch, now)
        {
            match outcome {
                Ok(_) => self.request_keys(index),
                Err(unavailable) => {
                    instance.keys_wait = Wait::Nothing;
                    instance.keys.blocked(unavailable, now);
                }
            }
        }
        let instance = &mut self.instances[index];
        if !instance.is_metadata_requested && instance.metadata.begin(now) {
            instance.is_metadata_requested = true;
            let is_up = self.is_up();
            self.send(index, Event::Metadata { is_up });
        }
        let instance = &mut self.instances[index];
        let due = [instance.metadata.due(now), instance.keys.due(now)];
        if let Some(left) = due.into_iter().flatten().min() {
            let at = self.now + left.as_millis() as u64 + 1;
            if instance.next_look != at {
                instance.next_look = at;
                self.events.push(Reverse((at, index, Event::Look)));
            }
        }
    }

    fn request_keys(&mut self, index: usize) {
        self.instances[index].keys_wait = Wait::Response;
        let (is_up, rotations) = (self.is_up(), self.rotations.len());
        self.send(index, Event::Keys { is_up, rotations });
    }

    fn send(&mut self, index: usize, response: Event) {
        self.requests.push(self.now);
        self.events.push(Reverse((self.now + LATENCY, index, response)));
    }

    fn is_up(&self) -> bool {
        !self.outages.iter().any(|&(from, to)| (from..to).contains(&self.now))
    }

    fn time(&self) -> Now {
        let passed = Duration::from_millis(self.now);
        Now { wall: SystemTime::UNIX_EPOCH + passed, monotonic: self.began + passed }
    }

    /// As the library's.
    fn jitter(&mut self) -> f64 {
        super::lifecycle::jitter(self.random_below(256) as u8)
    }

    fn random_below(&mut self, end: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random % end
    }

    /// Requests to the tenant in a period: the mean per second, and the most in one second.
    fn load(&self, from: u64, to: u64) -> (f64, usize) {
        let mut seconds = vec![0; (to - from).div_ceil(SECOND) as usize];
        for at in self.requests.iter().filter(|at| (from..to).contains(at)) {
            seconds[((at - from) / SECOND) as usize] += 1;
        }
        let total: usize = seconds.iter().sum();
        (total as f64 / seconds.len() as f64, seconds.into_iter().max().unwrap_or_default())
    }
}

/// When the request was sent to which there is a response now.
fn sent(now: Now) -> Instant {
    now.monotonic - Duration::from_millis(LATENCY)
}

fn unreachable() -> TenantError {
    TenantError::Status { url: "".into(), status: 503, code: None, retry_after: None }
}

fn is_fresh(instance: &Instance, now: Now) -> bool {
    instance.keys.value().is_some_and(|kept| kept.is_fresh(now))
}

/// A row of the manual's table: what happens, the mean, the peak, and how long it takes in seconds.
struct Row(&'static str, f64, usize, Option<f64>);

impl Row {
    fn new(what: &'static str, (mean, peak): (f64, usize), takes: Option<f64>) -> Self {
        Self(what, mean, peak, takes)
    }

    fn text(&self) -> String {
        let Self(what, mean, peak, takes) = self;
        let takes = takes.map(|seconds| format!("{seconds:.0} s")).unwrap_or_default();
        format!("| {what} | {mean:.1} | {peak} | {takes} |\n")
    }
}

/// What a fleet does in each of its situations.
fn rows(instances: usize) -> Vec<Row> {
    let mut rows = Vec::new();

    let mut fleet = Fleet::started_within(instances, SECOND);
    let ready = fleet.seconds_until(is_fresh);
    fleet.run_until(10 * SECOND);
    rows.push(Row::new("all start within a second", fleet.load(0, 10 * SECOND), Some(ready)));
    fleet.run_until(2 * HOUR);
    rows.push(Row::new("the hour after that", fleet.load(10 * SECOND, HOUR), None));
    rows.push(Row::new("the second hour", fleet.load(HOUR, 2 * HOUR), None));

    let mut fleet = Fleet::started_within(instances, 5 * MINUTE);
    fleet.run_until(2 * HOUR);
    rows.push(Row::new("they start within five minutes", fleet.load(0, 5 * MINUTE), None));
    rows.push(Row::new("the second hour after that", fleet.load(HOUR, 2 * HOUR), None));
    fleet.rotate(10 * SECOND);
    let has_newest = |instance: &Instance, _| instance.keys.value().is_some_and(|it| it.value == 1);
    let rotated = fleet.seconds_until(has_newest);
    fleet.run_until(2 * HOUR + MINUTE);
    let load = fleet.load(2 * HOUR, 2 * HOUR + 10 * SECOND);
    rows.push(Row::new(
        "a rotation that was not announced, a request each within 10 s",
        load,
        Some(rotated),
    ));

    let mut fleet = Fleet::started_within(instances, 5 * MINUTE);
    fleet.run_until(2 * HOUR);
    fleet.rotations.push(2 * HOUR);
    let announced = fleet.seconds_until(has_newest);
    let load = fleet.load(2 * HOUR, 2 * HOUR + 5 * MINUTE);
    rows.push(Row::new("a key that is announced", load, Some(announced)));

    let mut fleet = Fleet::started_within(instances, SECOND);
    let end = 40 * MINUTE;
    fleet.outages.push((10 * MINUTE, end));
    fleet.run_until(end);
    rows.push(Row::new("an outage of 30 minutes", fleet.load(10 * MINUTE, end), None));
    let recovered = fleet.seconds_until(is_fresh);
    fleet.run_until(end + 10 * MINUTE);
    rows.push(Row::new("after it", fleet.load(end, end + MINUTE), Some(recovered)));

    let mut fleet = Fleet::started_within(instances, SECOND);
    let end = 10 * MINUTE;
    fleet.outages.push((0, end));
    fleet.run_until(end);
    rows.push(Row::new("all start in an outage of ten minutes", fleet.load(MINUTE, end), None));
    let recovered = fleet.seconds_until(is_fresh);
    fleet.run_until(end + 10 * MINUTE);
    rows.push(Row::new("after it", fleet.load(end, end + MINUTE), Some(recovered)));
    rows
}

#[test]
fn the_page_on_fleets_has_the_figures_of_the_model() {
    let table: String = rows(1_000).iter().map(Row::text).collect();
    let page = include_str!("../manual/fleets.md");
    assert!(page.contains(&table), "the page lacks this table:\n{table}");
}

#[test]
fn the_load_grows_with_the_fleet_and_no_faster() {
    for (Row(what, mean, peak, takes), Row(_, more, most, later)) in
        rows(1_000).iter().zip(&rows(5_000))
    {
        assert!((4.5..5.5).contains(&(more / mean)), "{what}: {mean} and {more} per second");
        assert!(*most as f64 <= 5.5 * *peak as f64, "{what}: {peak} and {most} at most");
        let (takes, later) = (takes.unwrap_or_default(), later.unwrap_or_default());
        assert!(later <= 1.2 * takes + 1.0, "{what}: {takes} s and {later} s");
    }
}
