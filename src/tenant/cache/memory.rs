//! A bounded cache in the process.

use std::time::{Duration, Instant};

use quick_cache::{Weighter, sync::Cache};

use super::CacheKey;
use crate::clock::Clock;

/// Values with a lifetime each, bounded by their size in octets.
pub(super) struct Memory<V> {
    entries: Cache<CacheKey, Entry<V>, EntrySize>,
    clock: Clock,
}

#[derive(Clone)]
struct Entry<V> {
    value: V,
    expires: Instant,
    size: u64,
}

#[derive(Clone)]
struct EntrySize;

impl<V> Weighter<CacheKey, Entry<V>> for EntrySize {
    fn weight(&self, _: &CacheKey, entry: &Entry<V>) -> u64 {
        entry.size
    }
}

impl<V: Clone> Memory<V> {
    /// What an entry takes beside its value.
    const OVERHEAD: u64 = 128;

    /// Some 10,000 answers of a kilobyte.
    pub(super) fn large(clock: Clock) -> Self {
        Self::new(10_000, 16 * 1024 * 1024, clock)
    }

    /// Some thousands of refusals.
    pub(super) fn small(clock: Clock) -> Self {
        Self::new(4_096, 4_096 * Self::OVERHEAD, clock)
    }

    fn new(entries: usize, octets: u64, clock: Clock) -> Self {
        Self { entries: Cache::with_weighter(entries, octets, EntrySize), clock }
    }

    pub(super) fn get(&self, key: CacheKey) -> Option<V> {
        let entry = self.entries.get(&key)?;
        (self.clock.monotonic() < entry.expires).then_some(entry.value)
    }

    pub(super) fn set(&self, key: CacheKey, value: V, size: usize, lifetime: Duration) {
        let Some(expires) = self.clock.monotonic().checked_add(lifetime) else {
            return;
        };
        let size = Self::OVERHEAD + size as u64;
        self.entries.insert(key, Entry { value, expires, size });
    }

    pub(super) fn delete(&self, key: CacheKey) {
        self.entries.remove(&key);
    }
}
