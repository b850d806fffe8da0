//! JWTs whose signature was verified, so that the signature of a repeated token need not be.
//!
//! A token is known by a keyed hash of all of it, and its text is not kept. That its signature is good
//! is all that is remembered: whether its key is still in use, and what its claims permit, is decided
//! at each request.

use std::{
    hash::{BuildHasherDefault, Hash, Hasher},
    sync::Arc,
};

use aws_lc_rs::{
    aead::{AES_256_GCM_SIV, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    error::Unspecified,
    rand,
};
use quick_cache::{
    Weighter,
    sync::{Cache, DefaultLifecycle},
};

use super::{claims::Claims, keys::VerifyingKey};

/// A JWT whose signature was verified.
#[derive(Clone)]
pub(crate) struct VerifiedJwt {
    pub(crate) claims: Claims,
    pub(crate) key: Arc<VerifyingKey>,
}

/// The verified JWTs of one tenant, bounded by the memory that they occupy.
pub(crate) struct VerifiedJwts {
    hash_key: LessSafeKey,
    entries: Cache<TokenHash, VerifiedJwt, EntrySize, BuildHasherDefault<AlreadyHashed>>,
}

/// The place of one token.
pub(crate) struct Entry<'v> {
    of: &'v VerifiedJwts,
    hash: TokenHash,
}

impl VerifiedJwts {
    /// What an entry takes beside what it has on the heap, in bytes: itself, its places in the tables
    /// of the cache, and an `Arc`.
    const OVERHEAD: usize = 256;

    /// A typical entry, in bytes.
    const TYPICAL: usize = 1_536;

    /// Keeps tokens in so many bytes.
    pub(crate) fn new(bytes: u64) -> Result<Self, Unspecified> {
        let mut key = [0; 32];
        rand::fill(&mut key)?;
        let hash_key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM_SIV, &key)?);
        let expected = usize::try_from(bytes).unwrap_or(usize::MAX) / Self::TYPICAL;
        let hasher = BuildHasherDefault::default();
        let entries = Cache::with(expected, bytes, EntrySize, hasher, DefaultLifecycle::default());
        Ok(Self { hash_key, entries })
    }

    /// The place of a token.
    pub(crate) fn entry(&self, token: &str) -> Option<Entry<'_>> {
        Some(Entry { of: self, hash: self.hash(token).ok()? })
    }

    /// The tag of AES-256-GCM-SIV (RFC 8452) over nothing but associated data: a pseudorandom function
    /// of the token, four times as fast as HMAC. Unlike with GCM, one nonce for all weakens nothing.
    /// Without the key, no token can be made that has the tag of another.
    fn hash(&self, token: &str) -> Result<TokenHash, Unspecified> {
        let nonce = Nonce::assume_unique_for_key([0; NONCE_LEN]);
        let data = Aad::from(token.as_bytes());
        let tag = self.hash_key.seal_in_place_separate_tag(nonce, data, &mut [])?;
        tag.as_ref().try_into().map(TokenHash).map_err(|_| Unspecified)
    }
}

impl Entry<'_> {
    pub(crate) fn get(&self) -> Option<VerifiedJwt> {
        self.of.entries.get(&self.hash)
    }

    /// Keeps a token. One that takes up too much of the cache is not kept.
    pub(crate) fn set(self, jwt: VerifiedJwt) {
        self.of.entries.insert(self.hash, jwt);
    }
}

#[derive(Clone, Copy, Eq, PartialEq)]
struct TokenHash([u8; 16]);

impl Hash for TokenHash {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u128(u128::from_ne_bytes(self.0));
    }
}

/// Takes a part of a hash for a hash.
#[derive(Clone, Default)]
struct AlreadyHashed(u64);

impl Hasher for AlreadyHashed {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u128(&mut self, hash: u128) {
        self.0 = hash as u64;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[derive(Clone)]
struct EntrySize;

impl Weighter<TokenHash, VerifiedJwt> for EntrySize {
    fn weight(&self, _: &TokenHash, VerifiedJwt { claims, .. }: &VerifiedJwt) -> u64 {
        (VerifiedJwts::OVERHEAD + claims.heap_size()) as u64
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::token::{algorithm::SigningAlgorithm, keys::KeySet};

    fn jwt(name: &str) -> VerifiedJwt {
        let key = json!({
            "kty": "OKP", "crv": "Ed25519", "kid": "1", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
        });
        let keys = KeySet::parse(json!({ "keys": [key] }).to_string().as_bytes()).unwrap();
        let claims = Claims::for_tests(json!({ "sub": name }));
        VerifiedJwt {
            claims,
            key: Arc::new(keys.select(Some("1".into()), SigningAlgorithm::EdDsa).unwrap()),
        }
    }

    fn subject(cache: &VerifiedJwts, token: &str) -> Option<String> {
        let found = cache.entry(token).unwrap().get();
        found.and_then(|jwt| jwt.claims.subject().map(str::to_owned))
    }

    #[test]
    fn a_token_is_found_by_all_of_its_text_and_by_nothing_less() {
        let cache = VerifiedJwts::new(1024 * 1024).unwrap();
        let token = "a".repeat(100);
        cache.entry(&token).unwrap().set(jwt("alice"));
        assert_eq!(subject(&cache, &token).as_deref(), Some("alice"));
        for at in 0..100 {
            let mut other = token.clone();
            other.replace_range(at..=at, "b");
            assert_eq!(subject(&cache, &other), None, "{at}");
            assert_eq!(subject(&cache, &token[..at]), None, "{at}");
        }
        assert_eq!(subject(&cache, &format!("{token}a")), None);
    }

    #[test]
    fn two_caches_hash_a_token_differently() {
        let caches = [(); 2].map(|()| VerifiedJwts::new(1024).unwrap());
        let hashes = caches.each_ref().map(|cache| cache.hash("token").unwrap().0);
        assert_ne!(hashes[0], hashes[1]);
        assert_eq!(caches[0].hash("token").unwrap().0, hashes[0]);
    }

    #[test]
    fn it_holds_as_many_tokens_as_fit() {
        let weight = EntrySize.weight(&TokenHash([0; 16]), &jwt("alice"));
        let cache = VerifiedJwts::new(100 * 1024).unwrap();
        for number in 0..1_000 {
            cache.entry(&number.to_string()).unwrap().set(jwt("alice"));
        }
        assert!(cache.entries.weight() <= 100 * 1024, "{}", cache.entries.weight());
        let most = usize::try_from(100 * 1024 / weight).unwrap();
        assert!((most / 2..=most).contains(&cache.entries.len()), "{}", cache.entries.len());
        let tiny = VerifiedJwts::new(1).unwrap();
        tiny.entry("token").unwrap().set(jwt("alice"));
        assert_eq!(subject(&tiny, "token"), None);
    }
}
