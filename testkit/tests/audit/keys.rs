//! The keys of the tenant, as the API under audit keeps them.

use std::{
    collections::BTreeMap,
    sync::Mutex,
    time::{Duration, SystemTime},
};

use monocloud_testkit::Clock;
use serde_json::Value;

use crate::defect::Defect;

/// How often an unknown `kid` may cost a request.
const REFETCHES: usize = 8;

/// How many unknown `kid`s one API bears that is said to lock.
const BEARABLE: usize = 20;

/// How long an API that is said to pause fetches no keys after it has.
const PAUSE: Duration = Duration::from_secs(4);

#[derive(Debug)]
pub(crate) struct Keys {
    url: String,
    defect: Defect,
    /// Whether keys are not cached at all.
    reloads: bool,
    clock: Clock,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    by_kid: BTreeMap<String, Value>,
    is_loaded: bool,
    unknown: usize,
    is_in_outage: bool,
    loaded_at: Option<SystemTime>,
}

impl Keys {
    pub(crate) fn new(url: String, defect: Defect, reloads: bool, clock: Clock) -> Self {
        Self { url, defect, reloads, clock, state: Mutex::default() }
    }

    /// The RS256 key of this `kid`.
    pub(crate) async fn find(&self, kid: &str) -> Option<Value> {
        if self.reloads {
            self.load().await;
        }
        if let Some(key) = self.known(kid) {
            return Some(key);
        }
        let may_load = {
            let mut state = self.state.lock().unwrap();
            if self.defect == Defect::LocksAfterUnknownKids && state.unknown > BEARABLE {
                state.by_kid.clear();
                return None;
            }
            state.unknown += 1;
            let is_in_budget =
                state.unknown <= REFETCHES || self.defect == Defect::FetchesForEveryKid;
            let is_allowed = match self.defect {
                Defect::NeverRefreshesKeys => false,
                Defect::AcceptsAllInOutageAfterPause => {
                    state.loaded_at.is_none_or(|at| at + PAUSE <= self.clock.now())
                }
                _ => is_in_budget,
            };
            !state.is_loaded || is_allowed
        };
        if may_load {
            self.load().await;
        }
        self.known(kid)
    }

    fn known(&self, kid: &str) -> Option<Value> {
        self.state.lock().unwrap().by_kid.get(kid).cloned()
    }

    /// Whether the last request for the keys failed.
    pub(crate) fn is_in_outage(&self) -> bool {
        self.state.lock().unwrap().is_in_outage
    }

    async fn load(&self) {
        let answer = reqwest::get(&self.url).await.unwrap();
        let is_good = answer.status() == 200;
        let body: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
        let mut state = self.state.lock().unwrap();
        state.is_in_outage = !is_good;
        state.loaded_at = Some(self.clock.now());
        if !is_good {
            if self.defect == Defect::ForgetsKeysInOutage {
                state.by_kid.clear();
            }
            return;
        }
        state.is_loaded = true;
        if self.defect != Defect::KeepsWithdrawnKeys {
            state.by_kid.clear();
        }
        for key in body["keys"].as_array().unwrap() {
            if key["alg"] == "RS256" {
                state.by_kid.insert(key["kid"].as_str().unwrap().to_owned(), key.clone());
            }
        }
    }
}
