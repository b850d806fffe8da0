//! How a result is sealed before it goes to a shared store.
//!
//! AES-256-GCM, under a key that HKDF-SHA256 (RFC 5869) derives from the fleet key and the token,
//! with the cache key as associated data. The store has none of the secrets. Opening or making a
//! value takes the fleet key: the token alone is not enough, because a writer can choose a token of
//! their own. A value that does not open is a miss.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey},
    error::Unspecified,
    hkdf::{HKDF_SHA256, Salt},
};

use crate::{
    config::{FleetKey, expand},
    introspection::cache::store::CacheKey,
    token::{AccessToken, claims::Claims, object::Object},
};

/// Sets these keys apart from any others that are derived from the fleet key.
const PURPOSE: &[u8] = b"monocloud-backend introspection cache, version 2";

/// The two times in front of the claims, in bytes.
const HEADER: usize = 2 * size_of::<u64>();

/// Seals and opens results.
pub(crate) struct Sealer(Salt);

/// The tenant's response, and when it was requested and received, by the wall clock of the process
/// that did so: wall time is all that processes share.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct StoredResult {
    pub(super) requested: SystemTime,
    pub(super) received: SystemTime,
    pub(super) claims: Claims,
}

impl Sealer {
    pub(crate) fn new(fleet_key: &FleetKey) -> Result<Self, Unspecified> {
        Ok(Self(Salt::new(HKDF_SHA256, &fleet_key.derive(PURPOSE)?)))
    }

    pub(super) fn seal(
        &self,
        key: CacheKey,
        token: &AccessToken,
        result: &StoredResult,
    ) -> Option<Vec<u8>> {
        let mut sealed = Vec::with_capacity(1024);
        for time in [result.requested, result.received] {
            sealed.extend(milliseconds(time)?.to_be_bytes());
        }
        serde_json::to_writer(&mut sealed, &result.claims).ok()?;
        let cipher = self.cipher(token)?;
        let nonce = cipher.seal_in_place_append_tag(Aad::from(key.as_bytes()), &mut sealed).ok()?;
        Some([nonce.as_ref().as_slice(), &sealed].concat())
    }

    pub(super) fn open(
        &self,
        key: CacheKey,
        token: &AccessToken,
        sealed: &[u8],
    ) -> Option<StoredResult> {
        let mut sealed = sealed.to_vec();
        let (nonce, text) = sealed.split_at_mut_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let aad = Aad::from(key.as_bytes());
        let text = self.cipher(token)?.open_in_place(nonce, aad, text).ok()?;
        let (header, claims) = text.split_at_checked(HEADER)?;
        let (requested, received) = header.split_at_checked(size_of::<u64>())?;
        Some(StoredResult {
            requested: time(requested)?,
            received: time(received)?,
            claims: Claims::new(Object::parse(str::from_utf8(claims).ok()?.to_owned()).ok()?),
        })
    }

    fn cipher(&self, token: &AccessToken) -> Option<RandomizedNonceKey> {
        let secret = self.0.extract(token.expose().as_bytes());
        RandomizedNonceKey::new(&AES_256_GCM, &expand(&secret, b"seal").ok()?).ok()
    }
}

fn milliseconds(time: SystemTime) -> Option<u64> {
    u64::try_from(time.duration_since(UNIX_EPOCH).ok()?.as_millis()).ok()
}

fn time(milliseconds: &[u8]) -> Option<SystemTime> {
    let milliseconds = u64::from_be_bytes(milliseconds.try_into().ok()?);
    UNIX_EPOCH.checked_add(Duration::from_millis(milliseconds))
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// Some fleet's. Another letter is another fleet.
    pub(in crate::introspection::cache) fn sealer(letter: &str) -> Sealer {
        Sealer::new(&FleetKey::new(&letter.repeat(32))).unwrap()
    }

    pub(in crate::introspection::cache) fn key(token: &AccessToken) -> CacheKey {
        CacheKey::new("https://acme.test", "api", "client", token)
    }

    pub(in crate::introspection::cache) fn result(claims: Value, seconds: u64) -> StoredResult {
        let received = UNIX_EPOCH + Duration::from_secs(seconds);
        StoredResult { requested: received, received, claims: Claims::for_tests(claims) }
    }

    fn sealed(token: &AccessToken) -> Vec<u8> {
        sealer("a").seal(key(token), token, &result(json!({"sub": "alice"}), 17)).unwrap()
    }

    #[test]
    fn what_is_sealed_opens_again() {
        let token = AccessToken::new("secret").unwrap();
        let opened = sealer("a").open(key(&token), &token, &sealed(&token)).unwrap();
        assert_eq!(opened, result(json!({"sub": "alice"}), 17));
        assert_ne!(sealed(&token), sealed(&token), "nonces are fresh");
    }

    #[test]
    fn claims_may_nest_as_deep_as_those_of_a_response() {
        let token = AccessToken::new("secret").unwrap();
        let deep = (1..32).fold(json!({}), |inner, _| json!({"a": inner}));
        assert!(Object::parse(deep.to_string()).is_ok());
        let sealed = sealer("a").seal(key(&token), &token, &result(deep, 17)).unwrap();
        assert!(sealer("a").open(key(&token), &token, &sealed).is_some());
    }

    #[test]
    fn nothing_else_opens_it() {
        let (token, other) =
            (AccessToken::new("secret").unwrap(), AccessToken::new("other").unwrap());
        let open = |place, token, sealed: &[u8]| sealer("a").open(place, token, sealed);
        assert!(sealer("b").open(key(&token), &token, &sealed(&token)).is_none(), "another fleet");
        assert!(open(key(&token), &other, &sealed(&token)).is_none(), "another token");
        assert!(open(key(&other), &token, &sealed(&token)).is_none(), "another place");
        for length in 0..sealed(&token).len() {
            assert!(open(key(&token), &token, &sealed(&token)[..length]).is_none());
        }
        for index in 0..sealed(&token).len() {
            let mut forged = sealed(&token);
            forged[index] ^= 1;
            assert!(open(key(&token), &token, &forged).is_none(), "byte {index}");
        }
    }

    /// An attacker knows how values are sealed and everything that goes into them but the fleet
    /// key, the token included: it is one they made up.
    #[test]
    fn a_value_sealed_with_everything_public_does_not_open() {
        let token = AccessToken::new("an-invented-token").unwrap();
        let forged = json!({"iss": "https://acme.test", "aud": "api", "groups": ["admin"]});
        let claims = forged.to_string();
        let header = [17_u64.to_be_bytes(), 17_u64.to_be_bytes()].concat();
        let older = json!({"until": u64::MAX, "claims": forged}).to_string().into_bytes();
        let public =
            [&[][..], PURPOSE, token.expose().as_bytes(), key(&token).as_bytes()].map(|secret| {
                let derived = expand(&Salt::new(HKDF_SHA256, &[]).extract(secret), PURPOSE);
                [secret.to_vec(), derived.unwrap().to_vec()]
            });
        for salt in public.iter().flatten() {
            let secret = Salt::new(HKDF_SHA256, salt).extract(token.expose().as_bytes());
            for (info, plain) in [
                (&b"seal"[..], [&header, claims.as_bytes()].concat()),
                (b"monocloud-backend introspection cache, version 1", older.clone()),
            ] {
                let cipher =
                    RandomizedNonceKey::new(&AES_256_GCM, &expand(&secret, info).unwrap()).unwrap();
                let mut value = plain;
                let aad = Aad::from(*key(&token).as_bytes());
                let nonce = cipher.seal_in_place_append_tag(aad, &mut value).unwrap();
                let value = [nonce.as_ref().as_slice(), &value].concat();
                assert!(sealer("a").open(key(&token), &token, &value).is_none());
            }
        }
    }

    #[test]
    fn it_shows_neither_the_token_nor_the_claims() {
        let token = AccessToken::new("secret").unwrap();
        let sealed = String::from_utf8_lossy(&sealed(&token)).into_owned();
        assert!(!sealed.contains("secret") && !sealed.contains("alice"));
    }
}
