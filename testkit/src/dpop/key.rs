//! The key of a client.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use serde_json::Value;

use crate::{
    Algorithm, ProofBuilder,
    token::{SigningKey, base64url},
};

/// The key pair of a client, to which access tokens are [bound](crate::TokenBuilder::bound_to_key)
/// and with which the client signs its proofs (RFC 9449 §4).
///
/// ```
/// use monocloud_testkit::{Clock, DpopKey};
///
/// let key = DpopKey::generate();
/// let clock = Clock::frozen();
/// let proof = key.proof("GET", "https://api.example.com/posts").clock(&clock).mint();
/// assert_eq!(proof.split('.').count(), 3);
/// assert_eq!(key.jwk()["kty"], "EC");
/// ```
///
/// Clones are the same key.
#[derive(Clone)]
pub struct DpopKey(SigningKey);

impl DpopKey {
    /// Generates a key for ES256.
    #[must_use]
    pub fn generate() -> Self {
        Self::of(Algorithm::Es256)
    }

    /// Generates a key for this algorithm. An RSA key has 2048 bits and takes a tenth of a second.
    #[must_use]
    pub fn of(algorithm: Algorithm) -> Self {
        Self(SigningKey::generate(algorithm))
    }

    /// The algorithm that it signs with.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.0.algorithm
    }

    /// The public key as a JWK with the required members alone (RFC 7518 §6.2.1 and §6.3.1, RFC
    /// 8037 §2): the `jwk` of its proofs.
    #[must_use]
    pub fn jwk(&self) -> Value {
        self.0.public_key()
    }

    /// The SHA-256 thumbprint of the public key in base64url (RFC 7638 §3): the `cnf.jkt` of a
    /// token that is bound to it (RFC 9449 §6.1).
    #[must_use]
    pub fn thumbprint(&self) -> String {
        thumbprint_of(&self.jwk())
    }

    /// Starts building a proof for a request with this method and URL, whose query and fragment are
    /// left out (RFC 9449 §4.2). Its time is the system's;
    /// [`MockTenant::proof`](crate::MockTenant::proof) uses the tenant's.
    pub fn proof(&self, method: impl AsRef<str>, url: impl AsRef<str>) -> ProofBuilder {
        ProofBuilder::new(self.clone(), method.as_ref(), url.as_ref())
    }

    pub(crate) const fn new(key: SigningKey) -> Self {
        Self(key)
    }

    pub(crate) const fn signing_key(&self) -> &SigningKey {
        &self.0
    }
}

impl fmt::Debug for DpopKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DpopKey({}, {})", self.algorithm(), self.thumbprint())
    }
}

/// The SHA-256 thumbprint of a JWK (RFC 7638 §3).
pub(crate) fn thumbprint_of(jwk: &Value) -> String {
    let required: &[&str] = match jwk["kty"].as_str() {
        Some("EC") => &["crv", "kty", "x", "y"],
        Some("OKP") => &["crv", "kty", "x"],
        Some("RSA") => &["e", "kty", "n"],
        Some("oct") => &["k", "kty"],
        kty => panic!("{kty:?} is not a type of key"),
    };
    let members = required.iter().map(|name| format!(r#""{name}":{}"#, jwk[name]));
    let members = members.collect::<Vec<_>>().join(",");
    base64url(digest(&SHA256, format!("{{{members}}}").as_bytes()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// RFC 7638 §3.1.
    #[test]
    fn the_thumbprint_of_an_rsa_key_is_that_of_the_rfc() {
        let n = concat!(
            "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1",
            "L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4",
            "QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbO",
            "pbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csF",
            "Cur-kEgU8awapJzKnqDKgw",
        );
        let jwk = json!({
            "kty": "RSA", "n": n, "e": "AQAB", "alg": "RS256", "kid": "2011-04-29"
        });
        assert_eq!(thumbprint_of(&jwk), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    }

    /// RFC 9449 §4.1 and §6.1.
    #[test]
    fn the_thumbprint_of_an_ec_key_is_that_of_the_rfc() {
        let jwk = json!({
            "kty": "EC",
            "x": "l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs",
            "y": "9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA",
            "crv": "P-256"
        });
        assert_eq!(thumbprint_of(&jwk), "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I");
    }

    /// RFC 8037 §A.3.
    #[test]
    fn the_thumbprint_of_an_ed25519_key_is_that_of_the_rfc() {
        let jwk = json!({
            "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
        });
        assert_eq!(thumbprint_of(&jwk), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }
}
