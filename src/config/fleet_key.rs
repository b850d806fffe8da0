//! The secret that the instances of one API share, and that no store knows.

use aws_lc_rs::{
    error::Unspecified,
    hkdf::{HKDF_SHA256, KeyType, Prk, Salt},
};
use percent_encoding::percent_decode_str;
use secrecy::{ExposeSecret, SecretString};

use super::{Key, settings::Settings};

/// The shortest key, in bytes: as long as the keys that are derived from it.
const MIN_BYTES: usize = 32;

/// The settings that may be the URL of a store, which must not know the key.
const CACHES: [Key; 2] = [Key::IntrospectionCache, Key::DpopReplayCache];

/// How to make one.
const REMEDY: &str = "generate one with `openssl rand -base64 32`";

/// A secret of at least 32 bytes, from which each purpose derives a key of its own.
#[derive(Clone, Debug)]
pub(crate) struct FleetKey(SecretString);

impl FleetKey {
    /// Reads `FLEET_KEY`, which is required where a store is shared.
    pub(super) fn read(settings: &mut Settings, is_store_shared: bool) -> Option<Self> {
        let Some(secret) = settings.secret(Key::FleetKey) else {
            if is_store_shared && !settings.is_set(Key::FleetKey) {
                let why = "a shared cache needs a secret that every instance of this API has and the \
                           store does not know";
                settings.missing(Key::FleetKey, &format!("{why}; {REMEDY}"));
            }
            return None;
        };
        let text = secret.expose_secret();
        if text.trim().len() < MIN_BYTES {
            settings
                .refuse(Key::FleetKey, format!("must have at least {MIN_BYTES} bytes; {REMEDY}"));
        }
        for cache in CACHES {
            if is_in_url(text.trim(), cache, settings) {
                let cache = cache.variable();
                let message = format!("must not be a part of {cache}: the store would know it");
                settings.refuse(Key::FleetKey, format!("{message}; {REMEDY}"));
            }
        }
        Some(Self(secret))
    }

    #[cfg(test)]
    pub(crate) fn new(secret: &str) -> Self {
        Self(SecretString::from(secret))
    }

    /// Derives the secret of one purpose by HKDF-SHA256 (RFC 5869). Secrets of different purposes
    /// say nothing about each other.
    pub(crate) fn derive(&self, purpose: &[u8]) -> Result<[u8; 32], Unspecified> {
        expand(&Salt::new(HKDF_SHA256, &[]).extract(self.0.expose_secret().as_bytes()), purpose)
    }
}

/// Expands a pseudorandom key into one for AES-256 or HMAC-SHA256 (RFC 5869 §2.3).
pub(crate) fn expand(key: &Prk, info: &[u8]) -> Result<[u8; 32], Unspecified> {
    struct Bytes32;

    impl KeyType for Bytes32 {
        fn len(&self) -> usize {
            32
        }
    }

    let mut expanded = [0; 32];
    key.expand(&[info], Bytes32)?.fill(&mut expanded)?;
    Ok(expanded)
}

/// Whether the URL of a cache holds the key, as it is or percent-encoded, say as the password.
fn is_in_url(key: &str, cache: Key, settings: &Settings) -> bool {
    settings.secret(cache).is_some_and(|url| {
        let url = url.expose_secret();
        url.contains(key) || percent_decode_str(url).decode_utf8_lossy().contains(key)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_secret_and_each_purpose_has_a_key_of_its_own() {
        let derived = |secret, purpose: &[u8]| FleetKey::new(secret).derive(purpose).unwrap();
        assert_eq!(derived("a", b"cache"), derived("a", b"cache"));
        assert_ne!(derived("a", b"cache"), derived("a", b"nonces"));
        assert_ne!(derived("a", b"cache"), derived("b", b"cache"));
    }

    #[test]
    fn debug_does_not_show_it() {
        assert!(!format!("{:?}", FleetKey::new("fleet-secret")).contains("fleet-secret"));
    }
}
