//! What a `kid` that no key has may cost.
//!
//! It may mean that the tenant has rotated its keys, and then the new set must be fetched at once;
//! or that somebody makes up tokens, and then nothing must be fetched. A budget lets both be.

use std::{
    collections::HashSet,
    hash::{BuildHasher, RandomState},
    time::{Duration, Instant},
};

/// How many fetches the budget holds when it is full.
const FULL: u32 = 2;

/// How long it takes to regain one fetch.
const WINDOW: Duration = Duration::from_secs(30);

/// How many absent kids are remembered.
const MAX_REMEMBERED: usize = 1024;

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
    /// The flight that brought the set in question.
    flight: u64,
    hashes: HashSet<u64>,
    hasher: RandomState,
}

impl AbsentKids {
    pub(crate) fn remember(&mut self, kid: &str, flight: u64) {
        if self.flight < flight {
            self.flight = flight;
            self.hashes.clear();
        }
        if self.flight == flight && self.hashes.len() < MAX_REMEMBERED {
            self.hashes.insert(self.hasher.hash_one(kid));
        }
    }

    pub(crate) fn contains(&self, kid: &str, flight: u64) -> bool {
        self.flight == flight && self.hashes.contains(&self.hasher.hash_one(kid))
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
