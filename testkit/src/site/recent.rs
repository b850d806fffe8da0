//! A map that forgets its oldest entries, so that a tenant may run for weeks.

use std::collections::{HashMap, VecDeque};

use aws_lc_rs::digest::{SHA256, digest};

type Key = [u8; 32];

/// The most recent entries, by the hashes of their names.
#[derive(Debug)]
pub(crate) struct Recent<V> {
    limit: usize,
    entries: HashMap<Key, V>,
    /// Every key of the map, the oldest first. Removed ones stay until they are the oldest.
    order: VecDeque<Key>,
}

impl<V> Recent<V> {
    /// A map that keeps this many entries.
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, entries: HashMap::new(), order: VecDeque::new() }
    }

    /// Returns whether the name is new.
    pub(crate) fn insert(&mut self, name: &str, value: V) -> bool {
        let key = key(name);
        if self.entries.insert(key, value).is_some() {
            return false;
        }
        self.order.push_back(key);
        if self.order.len() > self.limit {
            let oldest = self.order.pop_front();
            oldest.map(|oldest| self.entries.remove(&oldest));
        }
        true
    }

    pub(crate) fn get(&self, name: &str) -> Option<&V> {
        self.entries.get(&key(name))
    }

    pub(crate) fn get_mut(&mut self, name: &str) -> Option<&mut V> {
        self.entries.get_mut(&key(name))
    }

    pub(crate) fn remove(&mut self, name: &str) -> Option<V> {
        self.entries.remove(&key(name))
    }
}

fn key(name: &str) -> Key {
    let mut key = Key::default();
    key.copy_from_slice(digest(&SHA256, name.as_bytes()).as_ref());
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_entries_are_forgotten() {
        let mut recent = Recent::new(2);
        assert!(recent.insert("a", 1));
        assert!(recent.insert("b", 2));
        assert!(!recent.insert("b", 3));
        assert_eq!((recent.get("a"), recent.get("b")), (Some(&1), Some(&3)));
        assert!(recent.insert("c", 4));
        assert_eq!((recent.get("a"), recent.get("b"), recent.get("c")), (None, Some(&3), Some(&4)));
    }

    #[test]
    fn removed_entries_do_not_take_up_room_forever() {
        let mut recent = Recent::new(3);
        for name in 0..100 {
            recent.insert(&name.to_string(), ());
            recent.remove(&name.to_string());
        }
        assert!(recent.entries.is_empty());
        assert_eq!(recent.order.len(), 3);
    }
}
