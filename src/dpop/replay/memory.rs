//! The proofs that were used, in the memory of this process.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use super::store::ReplayKey;
use crate::clock::Clock;

/// So many that requests on several cores seldom wait for each other, and that one is swept in less
/// than a millisecond.
const SHARDS: usize = 64;

/// In each shard; 1,048,576 in all.
const MAX_ENTRIES: usize = 16_384;

/// A bounded set of proofs that are forgotten once they have expired, and not before.
///
/// Time is monotonic: a wall clock that is set forward and back revives no proof.
pub(super) struct Memory {
    shards: Vec<Mutex<Shard>>,
    started: Instant,
    clock: Clock,
}

/// There is no room for another proof.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Full;

#[derive(Default)]
struct Shard {
    entries: HashMap<Fingerprint, Expiry>,
    swept: Expiry,
}

/// Enough of a keyed hash that no two proofs share it, now and in a million years.
type Fingerprint = [u8; 12];

/// The first second after the start in which the proof has expired.
type Expiry = u32;

impl Memory {
    pub(super) fn new(clock: Clock) -> Self {
        let shards = (0..SHARDS).map(|_| Mutex::default()).collect();
        Self { shards, started: clock.monotonic(), clock }
    }

    /// Records a proof for `lifetime`; false if it was recorded already.
    pub(super) fn record(&self, key: ReplayKey, lifetime: Duration) -> Result<bool, Full> {
        let now = self.clock.monotonic().saturating_duration_since(self.started);
        // Proofs are remembered for whole seconds, the last one included.
        let expiry = seconds(now + lifetime).saturating_add(1);
        let [shard, rest @ ..] = key.as_bytes();
        let mut fingerprint = [0; 12];
        fingerprint.copy_from_slice(&rest[..12]);
        let shard = self.shards.get(usize::from(*shard) % SHARDS).ok_or(Full)?;
        // Never poisoned for long: nothing that can panic runs under the lock.
        let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        shard.record(fingerprint, expiry, seconds(now))
    }
}

impl Shard {
    fn record(&mut self, key: Fingerprint, expiry: Expiry, now: Expiry) -> Result<bool, Full> {
        // Before it grows, and once a second at most.
        if self.entries.len() == self.entries.capacity().min(MAX_ENTRIES) && self.swept < now {
            self.swept = now;
            self.entries.retain(|_, expiry| now < *expiry);
        }
        let is_full = self.entries.len() >= MAX_ENTRIES;
        match self.entries.entry(key) {
            Entry::Occupied(mut entry) => {
                let is_new = *entry.get() <= now;
                if is_new {
                    entry.insert(expiry);
                }
                Ok(is_new)
            }
            Entry::Vacant(_) if is_full => Err(Full),
            Entry::Vacant(entry) => {
                entry.insert(expiry);
                Ok(true)
            }
        }
    }
}

fn seconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_secs()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::SystemTime};

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    /// A record whose time is what is left here.
    fn memory() -> (Memory, Arc<Mutex<Duration>>) {
        let past = Arc::new(Mutex::new(Duration::ZERO));
        let mut clock = Clock::SYSTEM;
        let (started, reading) = (clock.monotonic(), Arc::clone(&past));
        clock.set_reading(move || (SystemTime::UNIX_EPOCH, started + *reading.lock().unwrap()));
        (Memory::new(clock), past)
    }

    fn key(number: u64) -> ReplayKey {
        let octets = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &number.to_be_bytes());
        ReplayKey::new(octets.as_ref().try_into().unwrap())
    }

    #[test]
    fn a_proof_is_new_once_until_it_has_expired() {
        let (memory, past) = memory();
        assert_eq!(memory.record(key(1), MINUTE), Ok(true));
        assert_eq!(memory.record(key(2), MINUTE), Ok(true));
        for (second, is_new) in [(0, false), (59, false), (60, false), (61, true), (61, false)] {
            *past.lock().unwrap() = Duration::from_secs(second);
            assert_eq!(memory.record(key(1), MINUTE), Ok(is_new), "{second}");
        }
    }

    #[test]
    fn a_million_proofs_are_remembered_and_the_record_is_bounded() {
        let (memory, past) = memory();
        for number in 0..1_000_000 {
            assert_eq!(memory.record(key(number), MINUTE), Ok(true), "{number}");
        }
        let later =
            (1_000_000..1_200_000).filter(|number| memory.record(key(*number), MINUTE).is_ok());
        assert!(later.count() <= SHARDS * MAX_ENTRIES - 1_000_000);
        for number in 0..1_000_000 {
            assert_eq!(memory.record(key(number), MINUTE), Ok(false), "{number}");
        }

        *past.lock().unwrap() = Duration::from_secs(61);
        for number in 0..1_000_000 {
            assert_eq!(memory.record(key(number), MINUTE), Ok(true), "{number}");
        }
    }

    #[test]
    fn an_entry_takes_less_than_64_bytes() {
        let (memory, _) = memory();
        for number in 0..1_000_000 {
            memory.record(key(number), MINUTE).unwrap();
        }
        // A table of the standard library is at most 7/8 full, and has a byte beside each entry.
        let buckets = |shard: &Mutex<Shard>| shard.lock().unwrap().entries.capacity() * 8 / 7;
        let buckets: usize = memory.shards.iter().map(buckets).sum();
        let bytes = buckets * (size_of::<(Fingerprint, Expiry)>() + 1);
        assert!(bytes < 64 * 1_000_000, "{bytes}");
    }
}
