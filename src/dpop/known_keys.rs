//! The keys of clients that have been here before.
//!
//! The header of every proof of a client is the same text, and its key follows from that text alone:
//! the proofs after the first need not parse and check it again.

use std::sync::Arc;

use quick_cache::{Weighter, sync::Cache};

use super::proof::ProofKey;
use crate::error::InvalidProof;

/// What the keys may take, in bytes: those of some thousand clients.
const CAPACITY: u64 = 4 * 1024 * 1024;

/// What a prepared key takes beside the text of its header, in bytes; an RSA key of 8192 bits about
/// twice its text.
const OVERHEAD: u64 = 1_536;

/// Keys by the encoded headers that name them.
pub(super) struct KnownKeys(Cache<Box<str>, Arc<ProofKey>, EntrySize>);

#[derive(Clone)]
struct EntrySize;

impl Weighter<Box<str>, Arc<ProofKey>> for EntrySize {
    fn weight(&self, header: &Box<str>, _: &Arc<ProofKey>) -> u64 {
        OVERHEAD + 3 * header.len() as u64
    }
}

impl KnownKeys {
    pub(super) fn new() -> Self {
        Self(Cache::with_weighter(1_024, CAPACITY, EntrySize))
    }

    /// The key of this header, and whether it is kept.
    pub(super) fn get(&self, header: &str) -> Result<(Arc<ProofKey>, bool), InvalidProof> {
        match self.0.get(header) {
            Some(key) => Ok((key, true)),
            None => Ok((Arc::new(ProofKey::of_header(header)?), false)),
        }
    }

    /// Keeps the key of a proof that was valid, so that callers without a token displace none.
    pub(super) fn keep(&self, header: &str, key: Arc<ProofKey>) {
        self.0.insert(header.into(), key);
    }
}
