//! A bounded cache in the process.

use std::time::{Duration, Instant};

use quick_cache::{Weighter, sync::Cache};

use crate::{clock::Clock, introspection::cache::store::CacheKey};

/// Values with a lifetime each, bounded by the memory that they occupy.
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

impl<K, V> Weighter<K, Entry<V>> for EntrySize {
    fn weight(&self, _: &K, entry: &Entry<V>) -> u64 {
        entry.size
    }
}

impl<V: Clone> Memory<V> {
    /// What an entry takes beside what its value has on the heap, in bytes: itself, its places in
    /// the cache's tables, and an `Arc`.
    const OVERHEAD: u64 = 256;

    /// Some thousands of accepted tokens with a dozen claims each, in 16 MiB.
    pub(super) fn large(clock: Clock) -> Self {
        Self::new(4_096, 16 * 1024 * 1024, clock)
    }

    /// Some thousands of rejections, in 1 MiB.
    pub(super) fn small(clock: Clock) -> Self {
        Self::new(4_096, 4_096 * Self::OVERHEAD, clock)
    }

    fn new(entries: usize, bytes: u64, clock: Clock) -> Self {
        Self { entries: Cache::with_weighter(entries, bytes, EntrySize), clock }
    }

    pub(super) fn get(&self, key: CacheKey) -> Option<V> {
        let entry = self.entries.get(&key)?;
        (self.clock.monotonic() < entry.expires).then_some(entry.value)
    }

    /// Keeps a value that has `heap_size` bytes on the heap. One that takes up too much of the cache
    /// is not kept.
    pub(super) fn set(&self, key: CacheKey, value: V, heap_size: usize, lifetime: Duration) {
        let Some(expires) = self.clock.monotonic().checked_add(lifetime) else {
            return;
        };
        let size = Self::OVERHEAD + heap_size as u64;
        self.entries.insert(key, Entry { value, expires, size });
    }

    pub(super) fn delete(&self, key: CacheKey) {
        self.entries.remove(&key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::AccessToken;

    fn key(number: usize) -> CacheKey {
        CacheKey::new(
            "https://acme.test",
            "api",
            "client",
            &AccessToken::new(&format!("{number}")).unwrap(),
        )
    }

    /// How many of `count` values are still there once the last one was set.
    fn kept(memory: &Memory<()>, count: usize, heap_size: usize) -> usize {
        for number in 0..count {
            memory.set(key(number), (), heap_size, Duration::from_secs(60));
        }
        (0..count).filter(|number| memory.get(key(*number)).is_some()).count()
    }

    #[test]
    fn a_large_cache_keeps_thousands_of_values_in_16_mebibytes() {
        let memory = Memory::large(Clock::SYSTEM);
        assert!(kept(&memory, 2_500, 4_096) > 2_000);
        assert!(kept(&memory, 10_000, 4_096) <= 4_096);
    }

    #[test]
    fn a_small_cache_keeps_thousands_of_values_that_have_nothing_on_the_heap() {
        let memory = Memory::small(Clock::SYSTEM);
        assert!(kept(&memory, 2_500, 0) > 2_000);
        assert!(kept(&memory, 10_000, 0) <= 4_096);
    }
}
