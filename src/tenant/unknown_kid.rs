//! The search for a `kid` that the current key set does not contain.
//!
//! Either the tenant has rotated its keys, and the new set must be fetched at once; or the token is
//! forged, and must not cause a fetch. A budget serves both.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::{
    documents::Documents,
    lifecycle::{Kept, Unavailable},
};
use crate::{
    clock::Clock,
    error::{Error, InvalidToken},
    meter::{Meter, UnknownKid},
    token::keys::KeySet,
};

/// How many fetches the budget holds when it is full.
const FULL: u32 = 2;

/// How long it takes to regain one fetch, and how long an absent kid is remembered.
const WINDOW: Duration = Duration::from_secs(30);

/// How many absent kids are remembered at once.
const MAX_REMEMBERED: usize = 1024;

/// Finds the keys of unknown kids, as far as a budget of fetches allows.
#[derive(Debug, Default)]
pub(crate) struct UnknownKids(Mutex<Memory>);

#[derive(Debug, Default)]
struct Memory {
    budget: FetchBudget,
    absent: AbsentKids,
}

/// What a search found.
#[derive(Debug)]
pub(crate) enum Search {
    /// A set that contains the `kid`.
    Found(Arc<Kept<KeySet>>),
    /// No key of the tenant has the `kid`, as far as is known.
    Absent(UnknownKid),
    /// The keys could not be fetched, so that it is not known.
    Unavailable(UnknownKid, Unavailable),
}

impl UnknownKids {
    /// Finds a newer key set than `keys` that contains `kid`.
    ///
    /// `seen` is the number of key fetches that had been started when the token arrived. The set of
    /// a later fetch is conclusive. One of an earlier fetch may predate a rotation.
    pub(crate) async fn find_newer(
        &self,
        kid: &str,
        mut keys: Arc<Kept<KeySet>>,
        seen: u64,
        documents: &Documents,
        clock: &Clock,
    ) -> Search {
        let mut cost = UnknownKid::Remembered;
        while keys.fetch <= seen {
            if self.memory().absent.contains(kid, keys.fetch, clock.monotonic()) {
                return Search::Absent(cost);
            }
            let may_start = || self.memory().budget.take(clock.monotonic());
            keys = match documents.newer_keys(keys.fetch, may_start).await {
                Some(Ok(newer)) if newer.value.contains(kid) => return Search::Found(newer),
                Some(Ok(newer)) => newer,
                Some(Err(unavailable)) => {
                    return Search::Unavailable(UnknownKid::Fetched, unavailable);
                }
                None => {
                    let failure = documents
                        .key_set()
                        .look(|state, now| state.failure().map(|failure| failure.at(now)));
                    return match failure {
                        Some(failure) => Search::Unavailable(UnknownKid::OverBudget, failure),
                        None => Search::Absent(UnknownKid::OverBudget),
                    };
                }
            };
            cost = UnknownKid::Fetched;
        }
        self.memory().absent.remember(kid, keys.fetch, clock.monotonic());
        Search::Absent(cost)
    }

    /// Never poisoned for long: nothing that can panic runs under the lock.
    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Search {
    /// The keys, or the reason to reject the token, which is logged and counted.
    pub(crate) fn into_keys(self, kid: &str, meter: &Meter) -> Result<Arc<Kept<KeySet>>, Error> {
        let (cost, error) = match self {
            Self::Found(keys) => return Ok(keys),
            Self::Absent(cost) => (cost, Error::InvalidToken(InvalidToken::UnknownKey)),
            Self::Unavailable(cost, unavailable) => (cost, unavailable.into()),
        };
        meter.refused_kid(cost);
        tracing::debug!(
            name: "token.unknown_kid",
            kid,
            cost = cost.name(),
            "no key of the tenant has this kid"
        );
        Err(error)
    }
}

/// The fetches that unknown kids may cause: time alone gives them back, neither success nor
/// failure nor a caller that left.
#[derive(Debug, Default)]
pub(crate) struct FetchBudget {
    /// When the budget is full again; it is that much below full.
    full_at: Option<Instant>,
}

impl FetchBudget {
    /// Takes one fetch out, if there is one.
    pub(crate) fn take(&mut self, now: Instant) -> bool {
        let full_at = self.full_at.map_or(now, |full_at| full_at.max(now)) + WINDOW;
        let is_allowed = full_at <= now + WINDOW * FULL;
        if is_allowed {
            self.full_at = Some(full_at);
        }
        is_allowed
    }
}

/// Kids that a key set is known not to have, each for one window: a key may be published a moment
/// after a token that it signed is presented.
#[derive(Debug, Default)]
pub(crate) struct AbsentKids {
    /// The fetch that brought the set in question.
    fetch: u64,
    /// Until when each is remembered. Hashed under a key of this process: a `kid` can be as long as
    /// a token.
    until: HashMap<u64, Instant>,
    hasher: RandomState,
}

impl AbsentKids {
    pub(crate) fn remember(&mut self, kid: &str, fetch: u64, now: Instant) {
        if self.fetch < fetch {
            self.fetch = fetch;
            self.until.clear();
        }
        if self.until.len() >= MAX_REMEMBERED {
            self.until.retain(|_, until| now < *until);
        }
        if self.fetch == fetch && self.until.len() < MAX_REMEMBERED {
            self.until.insert(self.hasher.hash_one(kid), now + WINDOW);
        }
    }

    pub(crate) fn contains(&self, kid: &str, fetch: u64, now: Instant) -> bool {
        let until = || self.until.get(&self.hasher.hash_one(kid));
        self.fetch == fetch && until().is_some_and(|until| now < *until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[allow(clippy::disallowed_methods, reason = "any instant will do as a start")]
    fn two_fetches_are_there_at_first_and_one_comes_back_every_thirty_seconds() {
        let start = Instant::now();
        let mut budget = FetchBudget::default();
        let mut takes_at = |seconds| budget.take(start + Duration::from_secs(seconds));
        assert!(takes_at(0) && takes_at(0));
        assert!(!takes_at(0) && !takes_at(29));
        assert!(takes_at(30) && !takes_at(59));
        assert!(takes_at(60) && !takes_at(60));
        assert!(takes_at(1000) && takes_at(1000) && !takes_at(1000));
    }

    #[test]
    #[allow(clippy::disallowed_methods, reason = "any instant will do as a start")]
    fn absent_kids_are_remembered_until_the_next_set_and_never_more_than_1024() {
        let now = Instant::now();
        let mut absent = AbsentKids::default();
        for number in 0..2000 {
            absent.remember(&number.to_string(), 1, now);
        }
        assert_eq!(absent.until.len(), MAX_REMEMBERED);
        let contains = |absent: &AbsentKids, kid, fetch| absent.contains(kid, fetch, now);
        assert!(contains(&absent, "7", 1) && !contains(&absent, "7", 2));
        assert!(!contains(&absent, "x", 1));
        absent.remember("x", 2, now);
        absent.remember("late", 1, now);
        assert!(contains(&absent, "x", 2) && !contains(&absent, "7", 2));
        assert!(!contains(&absent, "late", 2));
    }

    #[test]
    #[allow(clippy::disallowed_methods, reason = "any instant will do as a start")]
    fn an_absent_kid_is_forgotten_after_one_window_and_makes_room() {
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let mut absent = AbsentKids::default();
        for number in 0..MAX_REMEMBERED {
            absent.remember(&number.to_string(), 1, start);
        }
        assert!(absent.contains("7", 1, after(29)) && !absent.contains("7", 1, after(30)));
        absent.remember("late", 1, after(29));
        assert!(!absent.contains("late", 1, after(29)));
        absent.remember("late", 1, after(30));
        assert!(absent.contains("late", 1, after(59)) && !absent.contains("late", 1, after(60)));
        assert_eq!(absent.until.len(), 1);
    }
}
