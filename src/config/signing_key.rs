//! The key that a client signs its assertions with (RFC 7523 §2.2).

use std::{fmt, sync::Arc};

use aws_lc_rs::{
    hmac,
    rand::SystemRandom,
    rsa,
    signature::{
        self, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, RsaEncoding, RsaKeyPair,
    },
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use pkcs1::der::{Encode, asn1::UintRef};
use serde_json::{Map, Value, json};

use super::jwk::{JwkError, SecretJwk};
use crate::token::{algorithm::SigningAlgorithm, keys::octets};

/// A key that is ready to sign, and the JOSE header that goes with it.
#[derive(Clone)]
pub(crate) struct SigningKey {
    alg: &'static str,
    /// Encoded.
    header: String,
    key: Arc<Key>,
}

enum Key {
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Hmac(Box<hmac::Key>),
    Rsa(RsaKeyPair, &'static dyn RsaEncoding),
}

impl SigningKey {
    /// The private key of `private_key_jwt`, a JWK.
    pub(super) fn private(jwk: &str) -> Result<Self, JwkError> {
        let jwk = SecretJwk::private(jwk)?;
        let key = Key::private(&jwk).ok_or(JwkError::Inconsistent)?;
        Ok(Self::new(jwk.alg(), jwk.members().get("kid"), key))
    }

    /// The symmetric key of `client_secret_jwt`, a JWK.
    pub(super) fn symmetric(jwk: &str) -> Result<Self, JwkError> {
        let jwk = SecretJwk::symmetric(jwk)?;
        let algorithm = match jwk.alg() {
            "HS384" => hmac::HMAC_SHA384,
            "HS512" => hmac::HMAC_SHA512,
            _ => hmac::HMAC_SHA256,
        };
        let secret = octets(jwk.members(), "k").ok_or(JwkError::Missing("k"))?;
        let key = Key::Hmac(Box::new(hmac::Key::new(algorithm, &secret)));
        Ok(Self::new(jwk.alg(), jwk.members().get("kid"), key))
    }

    /// The bytes of a text, for HS256.
    pub(super) fn of_text(secret: &str) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        Self::new("HS256", None, Key::Hmac(Box::new(key)))
    }

    fn new(alg: &'static str, kid: Option<&Value>, key: Key) -> Self {
        let mut header = Map::from_iter([("alg".to_owned(), json!(alg))]);
        if let Some(kid) = kid {
            header.insert("kid".to_owned(), kid.clone());
        }
        let header = BASE64_URL_SAFE_NO_PAD.encode(Value::Object(header).to_string());
        Self { alg, header, key: Arc::new(key) }
    }

    /// A JWT with these claims (RFC 7515 §3.1); nothing if no random bytes are available.
    pub(crate) fn sign(&self, claims: &Value) -> Option<String> {
        let claims = BASE64_URL_SAFE_NO_PAD.encode(claims.to_string());
        let input = format!("{}.{claims}", self.header);
        let signature = BASE64_URL_SAFE_NO_PAD.encode(self.key.sign(input.as_bytes())?);
        Some(format!("{input}.{signature}"))
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("alg", &self.alg).finish_non_exhaustive()
    }
}

impl Key {
    fn private(jwk: &SecretJwk) -> Option<Self> {
        let members = jwk.members();
        let rsa =
            |padding: &'static dyn RsaEncoding| Some(Self::Rsa(rsa_key_pair(members)?, padding));
        let ecdsa = |algorithm: &'static EcdsaSigningAlgorithm| {
            Some(Self::Ecdsa(ecdsa_key_pair(members, algorithm)?))
        };
        match SigningAlgorithm::from_name(jwk.alg())? {
            SigningAlgorithm::EdDsa => {
                let (seed, public) = (octets(members, "d")?, octets(members, "x")?);
                Ed25519KeyPair::from_seed_and_public_key(&seed, &public).ok().map(Self::Ed25519)
            }
            SigningAlgorithm::Es256 => ecdsa(&signature::ECDSA_P256_SHA256_FIXED_SIGNING),
            SigningAlgorithm::Es384 => ecdsa(&signature::ECDSA_P384_SHA384_FIXED_SIGNING),
            SigningAlgorithm::Es512 => ecdsa(&signature::ECDSA_P521_SHA512_FIXED_SIGNING),
            SigningAlgorithm::Ps256 => rsa(&signature::RSA_PSS_SHA256),
            SigningAlgorithm::Ps384 => rsa(&signature::RSA_PSS_SHA384),
            SigningAlgorithm::Ps512 => rsa(&signature::RSA_PSS_SHA512),
            SigningAlgorithm::Rs256 => rsa(&signature::RSA_PKCS1_SHA256),
            SigningAlgorithm::Rs384 => rsa(&signature::RSA_PKCS1_SHA384),
            SigningAlgorithm::Rs512 => rsa(&signature::RSA_PKCS1_SHA512),
        }
    }

    fn sign(&self, input: &[u8]) -> Option<Vec<u8>> {
        let random = SystemRandom::new();
        match self {
            Self::Ecdsa(key) => Some(key.sign(&random, input).ok()?.as_ref().to_vec()),
            Self::Ed25519(key) => Some(key.sign(input).as_ref().to_vec()),
            Self::Hmac(key) => Some(hmac::sign(key, input).as_ref().to_vec()),
            Self::Rsa(key, padding) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(*padding, &random, input, &mut signature).ok()?;
                Some(signature)
            }
        }
    }
}

/// A JWK's RSA key (RFC 7518 §6.3.2) by way of PKCS #1 (RFC 8017 §A.1.2).
fn rsa_key_pair(jwk: &Map<String, Value>) -> Option<rsa::KeyPair> {
    let [n, e, d, p, q, dp, dq, qi] =
        ["n", "e", "d", "p", "q", "dp", "dq", "qi"].map(|member| octets(jwk, member));
    let (n, e, d, p, q, dp, dq, qi) = (n?, e?, d?, p?, q?, dp?, dq?, qi?);
    let key = pkcs1::RsaPrivateKeyRef {
        modulus: UintRef::new(&n).ok()?,
        public_exponent: UintRef::new(&e).ok()?,
        private_exponent: UintRef::new(&d).ok()?,
        prime1: UintRef::new(&p).ok()?,
        prime2: UintRef::new(&q).ok()?,
        exponent1: UintRef::new(&dp).ok()?,
        exponent2: UintRef::new(&dq).ok()?,
        coefficient: UintRef::new(&qi).ok()?,
        other_prime_infos: None,
    };
    RsaKeyPair::from_der(&key.to_der().ok()?).ok()
}

/// A JWK's elliptic curve key (RFC 7518 §6.2.2).
fn ecdsa_key_pair(
    jwk: &Map<String, Value>,
    algorithm: &'static EcdsaSigningAlgorithm,
) -> Option<EcdsaKeyPair> {
    let (x, y, d) = (octets(jwk, "x")?, octets(jwk, "y")?, octets(jwk, "d")?);
    let uncompressed_point = [&[4], x.as_slice(), &y].concat();
    EcdsaKeyPair::from_private_key_and_public_key(algorithm, &d, &uncompressed_point).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_symmetric_key_signs_with_its_own_algorithm() {
        for (name, algorithm, length) in [
            ("HS256", hmac::HMAC_SHA256, 32),
            ("HS384", hmac::HMAC_SHA384, 48),
            ("HS512", hmac::HMAC_SHA512, 64),
        ] {
            let secret = vec![7; length];
            let k = BASE64_URL_SAFE_NO_PAD.encode(&secret);
            let jwk = json!({"kty": "oct", "alg": name, "kid": "one", "k": k}).to_string();
            let jwt = SigningKey::symmetric(&jwk).unwrap().sign(&json!({})).unwrap();
            let (input, signature) = jwt.rsplit_once('.').unwrap();
            let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).unwrap();
            let key = hmac::Key::new(algorithm, &secret);
            assert!(hmac::verify(&key, input.as_bytes(), &signature).is_ok(), "{name}");
            let header = BASE64_URL_SAFE_NO_PAD.decode(input.split('.').next().unwrap()).unwrap();
            let header: Value = serde_json::from_slice(&header).unwrap();
            assert_eq!(header, json!({"alg": name, "kid": "one"}));
        }
    }

    #[test]
    fn debug_shows_the_alg_and_nothing_of_the_key() {
        let key = SigningKey::of_text("a secret of at least 32 characters");
        assert_eq!(format!("{key:?}"), r#"SigningKey { alg: "HS256", .. }"#);
    }
}
