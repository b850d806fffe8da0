//! The store that an application may bring, and the names of its values.

use std::{error::Error as StdError, fmt, future::Future, pin::Pin, time::Duration};

use aws_lc_rs::digest::{Context, SHA256};

use crate::token::AccessToken;

/// What an operation of an [`IntrospectionCache`] returns.
pub type CacheFuture<'c, T> =
    Pin<Box<dyn Future<Output = Result<T, Box<dyn StdError + Send + Sync>>> + Send + 'c>>;

/// A store of introspection results that several processes may share.
///
/// Values are sealed before they get here, under a key derived from the
/// [fleet key](crate::ProtectApiBuilder::fleet_key) and the token. A party that can read the store
/// learns neither tokens nor claims, only how many tokens there are and when they are used. A party
/// that can write to it can delete values, and put back an older value of the same token until that
/// expires, which undoes a [`forget`](crate::ProtectApi::forget); it cannot make a value that is
/// accepted. That holds as long as the store does not know the fleet key.
///
/// An operation sees every operation that ended before it began, in whichever process: read from the
/// primary, not from a replica that lags behind. Where that fails, a token that was forgotten may
/// be accepted until its result expires.
///
/// Operations that take longer than 100 ms count as failures. A failure does not fail the request:
/// the tenant is asked instead.
pub trait IntrospectionCache: Send + Sync + 'static {
    /// Reads a value, if there is one that has not expired.
    fn get(&self, key: CacheKey) -> CacheFuture<'_, Option<Vec<u8>>>;

    /// Keeps a value for `lifetime`, whatever there was before.
    fn set(&self, key: CacheKey, value: Vec<u8>, lifetime: Duration) -> CacheFuture<'_, ()>;

    /// Keeps a value for `lifetime` if the store holds exactly what `expected` says, and returns
    /// whether it does so now. `expected` is what [`get`](Self::get) returned some time ago: these
    /// bytes, or no value.
    ///
    /// Comparing and writing must be one atomic step: no other operation on the key, of this or
    /// another process, takes effect between them. Examples are a Lua script in Redis, a condition
    /// expression in `DynamoDB`, a transaction in etcd, and in SQL an `INSERT … ON CONFLICT DO
    /// NOTHING` or an `UPDATE … WHERE key = $1 AND value = $2`, the expired row deleted in the same
    /// transaction.
    fn compare_and_set(
        &self,
        key: CacheKey,
        expected: Option<Vec<u8>>,
        value: Vec<u8>,
        lifetime: Duration,
    ) -> CacheFuture<'_, bool>;
}

/// Names a token in a cache: a SHA-256 over issuer, audience, client and token, so that no two
/// tenants, APIs or clients meet in one store.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct CacheKey([u8; 32]);

impl CacheKey {
    pub(crate) fn new(issuer: &str, audience: &str, client_id: &str, token: &AccessToken) -> Self {
        let mut context = Context::new(&SHA256);
        for part in [issuer, audience, client_id, token.expose()] {
            // Lengths, so that no two lists of parts are one text.
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part.as_bytes());
        }
        let mut key = [0; 32];
        key.copy_from_slice(context.finish().as_ref());
        Self(key)
    }

    /// The octets of the hash.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for CacheKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CacheKey([redacted])")
    }
}
