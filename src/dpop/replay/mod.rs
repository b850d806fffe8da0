//! Which proofs were used (RFC 9449 §11.1): each is accepted once.
//!
//! - `memory`: remembered by this process
//! - `store`: a store that several processes share, the application's own or Redis

mod memory;
#[cfg(feature = "redis")]
mod redis;
mod store;

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use aws_lc_rs::{
    hmac::{self, HMAC_SHA256},
    rand,
};

use self::memory::{Full, Memory};
pub use self::store::{ReplayFuture, ReplayKey, ReplayStore};
use super::proof::Proof;
use crate::{
    clock::Clock,
    error::{Cause, Error, InvalidProof, ReplayStoreError},
    tenant::shared_task::catch_panic,
};

/// How long a store may take.
const TIMEOUT: Duration = Duration::from_millis(100);

/// When a client may try again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// How long the record of a probe is kept.
const PROBE_LIFETIME: Duration = Duration::from_secs(1);

/// Minimum interval between two reports of failures.
const REPORT_INTERVAL: Duration = Duration::from_secs(5);

/// Records the proofs that are used.
pub(crate) struct Replays {
    /// Keys the hashes, so that a store learns nothing from them and nothing can be prepared.
    key: hmac::Key,
    records: Records,
    clock: Clock,
    failures: Mutex<Failures>,
}

enum Records {
    Memory(Memory),
    Shared {
        store: Arc<dyn ReplayStore>,
        /// How far the clocks of the processes may differ.
        tolerance: Duration,
    },
}

/// Those since the last report.
#[derive(Default)]
struct Failures {
    count: u64,
    reported: Option<Instant>,
}

impl Replays {
    /// Records them in the memory of this process.
    pub(crate) fn in_memory(key: &[u8; 32], clock: Clock) -> Self {
        Self::new(key, Records::Memory(Memory::new(clock.clone())), clock)
    }

    /// Records them in a store that other processes share, whose clocks may differ by `tolerance`.
    pub(crate) fn shared(
        key: &[u8; 32],
        store: Arc<dyn ReplayStore>,
        tolerance: Duration,
        clock: Clock,
    ) -> Self {
        Self::new(key, Records::Shared { store, tolerance }, clock)
    }

    fn new(key: &[u8; 32], records: Records, clock: Clock) -> Self {
        let key = hmac::Key::new(HMAC_SHA256, key);
        Self { key, records, clock, failures: Mutex::default() }
    }

    /// Records a proof that is valid for `lifetime` from now, unless it was recorded before.
    pub(crate) async fn record(&self, proof: &Proof<'_>, lifetime: Duration) -> Result<(), Error> {
        let key = self.key_of(proof);
        let recorded = match &self.records {
            Records::Memory(memory) => {
                memory.record(key, lifetime).map_err(|Full| ReplayStoreError::Full)
            }
            Records::Shared { store, tolerance } => {
                self.record_in(&**store, key, lifetime + *tolerance).await
            }
        };
        match recorded {
            Ok(true) => Ok(()),
            Ok(false) => Err(Error::InvalidProof(InvalidProof::Replayed)),
            Err(source) => {
                self.report(&source);
                Err(Error::Overloaded { retry_after: RETRY_AFTER, source })
            }
        }
    }

    /// Whether the store records what it did not hold; nothing where there is none.
    pub(crate) async fn probe(&self) -> Option<Result<(), ReplayStoreError>> {
        let Records::Shared { store, .. } = &self.records else { return None };
        let mut key = [0; 32];
        let recorded = match rand::fill(&mut key) {
            Ok(()) => self.record_in(&**store, ReplayKey::new(key), PROBE_LIFETIME).await,
            Err(error) => Err(ReplayStoreError::Failed(Cause::new(error))),
        };
        Some(match recorded {
            Ok(true) => Ok(()),
            Ok(false) => {
                Err(ReplayStoreError::Failed(Cause::new("it holds what was not recorded")))
            }
            Err(error) => Err(error),
        })
    }

    /// Names the proof by its key and its `jti`: another client may choose the same `jti`.
    fn key_of(&self, proof: &Proof<'_>) -> ReplayKey {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(proof.thumbprint.as_bytes());
        context.update(proof.jti.as_bytes());
        let mut key = [0; 32];
        key.copy_from_slice(context.sign().as_ref());
        ReplayKey::new(key)
    }

    async fn record_in(
        &self,
        store: &dyn ReplayStore,
        key: ReplayKey,
        lifetime: Duration,
    ) -> Result<bool, ReplayStoreError> {
        // The store may be the application's own, and panic.
        let work = catch_panic(async { store.record(key, lifetime).await });
        let failed = |failure| ReplayStoreError::Failed(failure);
        match tokio::time::timeout(TIMEOUT, work).await {
            Ok(Some(Ok(is_new))) => Ok(is_new),
            Ok(Some(Err(error))) => Err(failed(Cause::new(error))),
            Ok(None) => Err(failed(Cause::new("it panicked"))),
            Err(_) => Err(failed(Cause::new(format!("no answer within {TIMEOUT:?}")))),
        }
    }

    /// Logs a failure, with how many there were, every few seconds at most.
    fn report(&self, error: &ReplayStoreError) {
        let now = self.clock.monotonic();
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        failures.count += 1;
        let is_recent = |reported| now.saturating_duration_since(reported) < REPORT_INTERVAL;
        if failures.reported.is_some_and(is_recent) {
            return;
        }
        tracing::warn!(
            name: "dpop.replay_store_failed",
            failures = failures.count,
            error = %crate::error::Chain(error),
            "DPoP proofs cannot be recorded, so requests with them are rejected"
        );
        *failures = Failures { count: 0, reported: Some(now) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::thumbprint::Thumbprint;

    #[tokio::test]
    async fn a_full_record_rejects_what_is_new_and_still_tells_what_was_used() {
        let jwk = serde_json::json!({"kty": "OKP", "crv": "Ed25519", "x": "AA"});
        let thumbprint = Thumbprint::of_jwk(jwk.as_object().unwrap()).unwrap();
        let replays = Replays::in_memory(&[7; 32], Clock::SYSTEM);
        let record = async |jti: &str| {
            let proof = Proof { thumbprint, jti, issued_at: 0.0 };
            replays.record(&proof, Duration::from_secs(300)).await
        };
        let mut recorded = 0_u32;
        let error = loop {
            match record(&recorded.to_string()).await {
                Ok(()) => recorded += 1,
                Err(error) => break error,
            }
        };
        assert!(recorded > 1_000_000, "{recorded}");
        let is_full = matches!(
            error,
            Error::Overloaded { source: ReplayStoreError::Full, retry_after: RETRY_AFTER, .. }
        );
        assert!(is_full, "{error:?}");
        let replayed = record("0").await;
        assert!(
            matches!(replayed, Err(Error::InvalidProof(InvalidProof::Replayed))),
            "{replayed:?}"
        );
    }
}
