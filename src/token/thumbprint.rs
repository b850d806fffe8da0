//! JWK thumbprints (RFC 7638): the name of a key that follows from the key itself.

use std::fmt;

use aws_lc_rs::{
    constant_time::verify_slices_are_equal,
    digest::{Context, SHA256},
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Map, Value};

/// The SHA-256 thumbprint of a public key.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) struct Thumbprint([u8; 32]);

impl Thumbprint {
    /// Hashes the members that a key of its type must have, in the order of their names, and no
    /// other (RFC 7638 §3.2, RFC 8037 §2). Nothing for another type, or where one is missing.
    pub(crate) fn of_jwk(jwk: &Map<String, Value>) -> Option<Self> {
        let required: &[&str] = match jwk.get("kty")?.as_str()? {
            "EC" => &["crv", "kty", "x", "y"],
            "OKP" => &["crv", "kty", "x"],
            "RSA" => &["e", "kty", "n"],
            _ => return None,
        };
        let mut canonical = Context::new(&SHA256);
        let mut before: &[u8] = b"{\"";
        for name in required {
            let value = jwk.get(*name)?.as_str()?;
            // Names and Base64 text need no escapes.
            let is_plain =
                value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
            if !is_plain {
                return None;
            }
            for part in [before, name.as_bytes(), b"\":\"", value.as_bytes(), b"\""] {
                canonical.update(part);
            }
            before = b",\"";
        }
        canonical.update(b"}");
        let mut octets = [0; 32];
        octets.copy_from_slice(canonical.finish().as_ref());
        Some(Self(octets))
    }

    /// Whether this is what a `jkt` (RFC 9449 §6.1) names, compared in constant time.
    pub(crate) fn is(&self, jkt: &str) -> bool {
        let own = BASE64_URL_SAFE_NO_PAD.encode(self.0);
        verify_slices_are_equal(own.as_bytes(), jkt.as_bytes()).is_ok()
    }

    pub(crate) const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Thumbprint").field(&BASE64_URL_SAFE_NO_PAD.encode(self.0)).finish()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn thumbprint(jwk: &Value) -> Option<String> {
        let thumbprint = Thumbprint::of_jwk(jwk.as_object().unwrap())?;
        Some(BASE64_URL_SAFE_NO_PAD.encode(thumbprint.as_bytes()))
    }

    /// RFC 7638 §3.1.
    #[test]
    fn the_thumbprint_of_the_rsa_key_of_the_rfc() {
        let jwk = json!({
            "kty": "RSA",
            "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tS\
                oc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65Y\
                GjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdk\
                t-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqD\
                Kgw",
            "e": "AQAB",
            "alg": "RS256",
            "kid": "2011-04-29",
        });
        let expected = "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs";
        assert_eq!(thumbprint(&jwk).as_deref(), Some(expected));
    }

    /// RFC 8037 A.3.
    #[test]
    fn the_thumbprint_of_the_ed25519_key_of_the_rfc() {
        let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
        let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": x});
        let expected = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k";
        assert_eq!(thumbprint(&jwk).as_deref(), Some(expected));
    }

    /// RFC 9449 §4.1 has the key, §6.1 its `jkt`.
    #[test]
    fn the_thumbprint_of_the_p_256_key_of_the_dpop_rfc_is_its_jkt() {
        let jwk = json!({
            "kty": "EC",
            "x": "l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs",
            "y": "9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA",
            "crv": "P-256",
        });
        let thumbprint = Thumbprint::of_jwk(jwk.as_object().unwrap()).unwrap();
        let jkt = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";
        assert!(thumbprint.is(jkt), "{thumbprint:?}");
        for other in
            ["", "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4J", &jkt[1..], &format!("{jkt}=")]
        {
            assert!(!thumbprint.is(other), "{other}");
        }
    }

    #[test]
    fn a_key_without_its_members_has_none() {
        for jwk in [
            json!({}),
            json!({"kty": "oct", "k": "AA"}),
            json!({"kty": "EC", "crv": "P-256", "x": "AA"}),
            json!({"kty": "OKP", "crv": "Ed25519", "x": 1}),
            json!({"kty": ["RSA"], "e": "AQAB", "n": "AA"}),
            json!({"kty": "OKP", "crv": "Ed25519", "x": "A\"A"}),
        ] {
            assert_eq!(thumbprint(&jwk), None, "{jwk}");
        }
    }
}
