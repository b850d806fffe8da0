//! The search for a `kid` that the current key set does not contain.
//!
//! Either the tenant has rotated its keys, and the new set must be fetched at once; or the token is
//! forged, and must not cause a fetch. A budget serves both.

use std::{
    collections::HashSet,
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
    jwks::KeySet,
    meter::{Meter, UnknownKid},
};

/// How many fetches the budget holds when it is full.
const FULL: u32 = 2;

/// How long it takes to regain one fetch.
const WINDOW: Duration = Duration::from_secs(30);

/// How many absent kids are remembered.
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
            if self.memory().absent.contains(kid, keys.fetch) {
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
        self.memory().absent.remember(kid, keys.fetch);
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

/// Kids that a key set is known not to have. Hashed under a key of this process: a `kid` can be as
/// long as a token.
#[derive(Debug, Default)]
pub(crate) struct AbsentKids {
    /// The number of the fetch that returned this set.
    fetch: u64,
    hashes: HashSet<u64>,
    hasher: RandomState,
}

impl AbsentKids {
    pub(crate) fn remember(&mut self, kid: &str, fetch: u64) {
        if self.fetch < fetch {
            self.fetch = fetch;
            self.hashes.clear();
        }
        if self.fetch == fetch && self.hashes.len() < MAX_REMEMBERED {
            self.hashes.insert(self.hasher.hash_one(kid));
        }
    }

    pub(crate) fn contains(&self, kid: &str, fetch: u64) -> bool {
        self.fetch == fetch && self.hashes.contains(&self.hasher.hash_one(kid))
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
    fn absent_kids_are_remembered_until_the_next_set_and_never_more_than_1024() {
        let mut absent = AbsentKids::default();
        for number in 0..2000 {
            absent.remember(&number.to_string(), 1);
        }
        assert_eq!(absent.hashes.len(), MAX_REMEMBERED);
        assert!(absent.contains("7", 1) && !absent.contains("7", 2) && !absent.contains("x", 1));
        absent.remember("x", 2);
        absent.remember("late", 1);
        assert!(absent.contains("x", 2) && !absent.contains("7", 2) && !absent.contains("late", 2));
    }
}
