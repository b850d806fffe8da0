//! Nonces for proofs (RFC 9449 §9): a time and its authentication code, so that no state is kept and
//! every instance with the same key accepts them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::hmac::{self, HMAC_SHA256};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};

/// Issues nonces, and recognises its own.
pub(crate) struct Nonces {
    key: hmac::Key,
    lifetime: Duration,
}

/// A nonce of this API that is not too old.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Recognised {
    /// Whether half of its lifetime has passed, so that the client should get the next one.
    pub(crate) is_due: bool,
}

impl Nonces {
    pub(crate) fn new(key: &[u8; 32], lifetime: Duration) -> Self {
        Self { key: hmac::Key::new(HMAC_SHA256, key), lifetime }
    }

    /// A nonce of this moment. Its characters are those of base64url.
    pub(crate) fn issue(&self, now: SystemTime) -> String {
        let time = milliseconds(now).to_be_bytes();
        let code = hmac::sign(&self.key, &time);
        BASE64_URL_SAFE_NO_PAD.encode([&time, code.as_ref()].concat())
    }

    /// Recognises a nonce that was issued at most its lifetime ago. The clock of the instance that
    /// issued it may be as far ahead.
    pub(crate) fn recognise(&self, nonce: &str, now: SystemTime) -> Option<Recognised> {
        let octets = BASE64_URL_SAFE_NO_PAD.decode(nonce).ok()?;
        let (time, code) = octets.split_first_chunk::<8>()?;
        hmac::verify(&self.key, time, code).ok()?;
        let (issued, now) = (u64::from_be_bytes(*time), milliseconds(now));
        let lifetime = self.lifetime.as_millis();
        let is_current = u128::from(issued.abs_diff(now)) <= lifetime;
        let age = u128::from(now.saturating_sub(issued));
        is_current.then_some(Recognised { is_due: age >= lifetime / 2 })
    }
}

fn milliseconds(time: SystemTime) -> u64 {
    let time = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFETIME: Duration = Duration::from_secs(60);

    fn at(milliseconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_800_000_000) + Duration::from_millis(milliseconds)
    }

    fn nonces() -> Nonces {
        Nonces::new(&[7; 32], LIFETIME)
    }

    #[test]
    fn a_nonce_is_recognised_for_its_lifetime_and_due_after_half_of_it() {
        let nonce = nonces().issue(at(0));
        for (now, expected) in [
            (0, Some(false)),
            (29_999, Some(false)),
            (30_000, Some(true)),
            (60_000, Some(true)),
            (60_001, None),
        ] {
            let found = nonces().recognise(&nonce, at(now)).map(|it| it.is_due);
            assert_eq!(found, expected, "{now}");
        }
    }

    #[test]
    fn a_nonce_of_an_instance_whose_clock_is_ahead_is_recognised_within_the_lifetime() {
        for (ahead, is_recognised) in [(60_000, true), (60_001, false)] {
            let nonce = nonces().issue(at(ahead));
            assert_eq!(nonces().recognise(&nonce, at(0)).is_some(), is_recognised, "{ahead}");
        }
    }

    #[test]
    fn any_other_text_is_not() {
        let nonce = nonces().issue(at(0));
        let mut octets = BASE64_URL_SAFE_NO_PAD.decode(&nonce).unwrap();
        for place in 0..octets.len() {
            octets[place] ^= 1;
            let forged = BASE64_URL_SAFE_NO_PAD.encode(&octets);
            assert_eq!(nonces().recognise(&forged, at(0)), None, "{place}");
            octets[place] ^= 1;
        }
        let of_another_key = Nonces::new(&[8; 32], LIFETIME).issue(at(0));
        let longer = format!("{nonce}AA");
        for forged in ["", "nonce", "AAAAAAAAAAA", &nonce[1..], &of_another_key, &longer] {
            assert_eq!(nonces().recognise(forged, at(0)), None, "{forged}");
        }
    }

    #[test]
    fn a_nonce_consists_of_the_characters_that_a_header_may_have() {
        let nonce = nonces().issue(at(0));
        assert!(nonce.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
        assert!(nonce.len() <= 64, "{nonce}");
    }
}
