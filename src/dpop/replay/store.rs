//! The store that an application may bring, and the names of its values.

use std::{error::Error as StdError, fmt, future::Future, pin::Pin, time::Duration};

/// What [`ReplayStore::record`] returns.
pub type ReplayFuture<'s> =
    Pin<Box<dyn Future<Output = Result<bool, Box<dyn StdError + Send + Sync>>> + Send + 's>>;

/// A store of the DPoP proofs that were used, which several processes may share (RFC 9449 §11.1).
///
/// A party that can read the store learns how many proofs were used and when. A party that can delete
/// from it lets proofs be used twice, within their lifetime.
///
/// ```
/// use std::{collections::HashSet, sync::Mutex, time::Duration};
///
/// use monocloud_backend::dpop::{ReplayFuture, ReplayKey, ReplayStore};
///
/// /// For one process, and without an end: a store has to forget what has expired.
/// #[derive(Default)]
/// struct Used(Mutex<HashSet<ReplayKey>>);
///
/// impl ReplayStore for Used {
///     fn record(&self, key: ReplayKey, _lifetime: Duration) -> ReplayFuture<'_> {
///         let is_new = self.0.lock().map(|mut used| used.insert(key)).map_err(|_| "poisoned".into());
///         Box::pin(async move { is_new })
///     }
/// }
/// ```
pub trait ReplayStore: Send + Sync + 'static {
    /// Records a proof for `lifetime`, unless it is recorded already, and returns whether it did: one
    /// atomic step, as `SET key 1 NX PX …` is in Redis.
    ///
    /// A failure, and an answer that takes longer than 100 ms, rejects the request with 503: a proof
    /// that may have been used before is not accepted.
    fn record(&self, key: ReplayKey, lifetime: Duration) -> ReplayFuture<'_>;
}

/// Names a proof: a keyed hash of the thumbprint of its key and its `jti`.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct ReplayKey([u8; 32]);

impl ReplayKey {
    pub(super) const fn new(octets: [u8; 32]) -> Self {
        Self(octets)
    }

    /// The octets of the hash.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for ReplayKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReplayKey([redacted])")
    }
}
