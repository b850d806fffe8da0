//! Removals that a shared store has not confirmed yet.

use std::{
    collections::HashMap,
    time::{Duration, Instant, SystemTime},
};

use crate::introspection::cache::store::CacheKey;

/// How many removals wait at most: about a megabyte.
const MAX_WAITING: usize = 10_000;

/// What the store is made to hold.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Removal {
    /// The tenant rejected the token: a tombstone in place of an older result. If there is none,
    /// nothing is written, so that rejected tokens do not fill the store.
    IfPresent,
    /// The application forgets the token: a tombstone in any case, for calls that are under way.
    Always,
}

/// A removal that waits. Its number tells it from a later one of the same key.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Waiting {
    pub(super) removal: Removal,
    number: u64,
    until: Instant,
}

/// The removals that wait, and which results are not used meanwhile.
#[derive(Debug, Default)]
pub(super) struct Removals {
    waiting: HashMap<CacheKey, Waiting>,
    added: u64,
    /// Once more removals had to wait than there is room for: no result that was requested before
    /// this time is used, whichever token it is for.
    watermark: Option<SystemTime>,
}

impl Removals {
    /// Adds a removal, to be retried for `lifetime`; false if there is no room and the watermark
    /// takes its place. `now` is monotonic time; `latest` is the wall time before which the store's
    /// results for the token were requested, whichever process requested them.
    pub(super) fn add(
        &mut self,
        key: CacheKey,
        removal: Removal,
        now: Instant,
        lifetime: Duration,
        latest: SystemTime,
    ) -> bool {
        let earlier = self.waiting.get(&key).map(|earlier| earlier.removal);
        if earlier.is_none() && self.waiting.len() >= MAX_WAITING {
            self.drop_expired(now);
        }
        let until = now.checked_add(lifetime);
        let has_room = earlier.is_some() || self.waiting.len() < MAX_WAITING;
        match until.filter(|_| has_room) {
            Some(until) => {
                self.added += 1;
                let removal = earlier.map_or(removal, |earlier| earlier.max(removal));
                self.waiting.insert(key, Waiting { removal, number: self.added, until });
                true
            }
            None => {
                self.watermark = self.watermark.max(Some(latest));
                false
            }
        }
    }

    pub(super) fn get(&self, key: CacheKey) -> Option<Waiting> {
        self.waiting.get(&key).copied()
    }

    /// One that waits, and has not waited for so long that no result can be left.
    pub(super) fn next(&mut self, now: Instant) -> Option<(CacheKey, Waiting)> {
        self.drop_expired(now);
        self.waiting.iter().next().map(|(key, waiting)| (*key, *waiting))
    }

    /// Takes out a removal that the store confirmed, unless a later one has replaced it.
    pub(super) fn complete(&mut self, key: CacheKey, confirmed: Waiting) {
        if self.get(key) == Some(confirmed) {
            self.waiting.remove(&key);
        }
    }

    /// Whether a result in the store may be used.
    pub(super) fn allows(&self, key: CacheKey, requested: SystemTime) -> bool {
        let is_newer = self.watermark.is_none_or(|watermark| requested > watermark);
        is_newer && !self.waiting.contains_key(&key)
    }

    fn drop_expired(&mut self, now: Instant) {
        self.waiting.retain(|_, waiting| now < waiting.until);
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;
    use crate::{clock::Clock, token::AccessToken};

    const LIFETIME: Duration = Duration::from_secs(600);

    fn key(number: usize) -> CacheKey {
        CacheKey::new("", "", "", &AccessToken::new(&format!("token-{number}")).unwrap())
    }

    fn second(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn at_the_bound_nothing_requested_before_is_used_and_what_waits_still_does() {
        let (mut removals, now) = (Removals::default(), Clock::SYSTEM.monotonic());
        let mut add = |number, now, latest| {
            removals.add(key(number), Removal::Always, now, LIFETIME, second(latest))
        };
        assert!((0..MAX_WAITING).all(|number| add(number, now, 5)));
        assert!(add(0, now, 6), "one that waits already");
        assert!(!add(MAX_WAITING, now, 8) && !add(MAX_WAITING + 1, now, 7));
        assert!(add(MAX_WAITING + 2, now + LIFETIME, 9), "the others have expired");
        for (number, requested, expected) in [
            (MAX_WAITING, 8, false),
            (MAX_WAITING, 9, true),
            (0, 8, false),
            (MAX_WAITING + 2, 99, false),
        ] {
            let allowed = removals.allows(key(number), second(requested));
            assert_eq!(allowed, expected, "{number} requested at {requested}");
        }
    }

    #[test]
    fn a_removal_is_complete_unless_another_came_meanwhile() {
        let (mut removals, now) = (Removals::default(), Clock::SYSTEM.monotonic());
        removals.add(key(0), Removal::Always, now, LIFETIME, second(1));
        let first = removals.get(key(0)).unwrap();
        removals.add(key(0), Removal::IfPresent, now, LIFETIME, second(2));
        let second = removals.get(key(0)).unwrap();
        assert_eq!(second.removal, Removal::Always, "the stronger one stays");
        removals.complete(key(0), first);
        assert!(removals.get(key(0)).is_some());
        removals.complete(key(0), second);
        assert!(removals.next(now).is_none());
    }
}
