//! Public keys of clients.

use aws_lc_rs::signature::{
    self, EcdsaVerificationAlgorithm, RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::Value;

use crate::token::algorithm::Algorithm;

/// A public key from a JWK (RFC 7518 §6, RFC 8037 §2).
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum PublicKey {
    Rsa { n: Vec<u8>, e: Vec<u8> },
    Ec { curve: Curve, point: Vec<u8> },
    Ed25519(Vec<u8>),
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Curve {
    P256,
    P384,
    P521,
}

/// The private members, and that of a secret (RFC 7518 §6.2.2, §6.3.2 and §6.4).
const PRIVATE: [&str; 7] = ["d", "p", "q", "dp", "dq", "qi", "k"];

impl PublicKey {
    /// Returns `None` if the JWK is not a public key that a signature algorithm uses, or has a
    /// private member.
    pub(crate) fn from_jwk(jwk: &Value) -> Option<Self> {
        if PRIVATE.iter().any(|name| jwk.get(name).is_some()) {
            return None;
        }
        let bytes = |name: &str| URL_SAFE_NO_PAD.decode(jwk.get(name)?.as_str()?).ok();
        match (jwk["kty"].as_str()?, jwk["crv"].as_str()) {
            ("RSA", _) => Some(Self::Rsa { n: bytes("n")?, e: bytes("e")? }),
            ("EC", Some(curve)) => {
                let (curve, size) = match curve {
                    "P-256" => (Curve::P256, 32),
                    "P-384" => (Curve::P384, 48),
                    "P-521" => (Curve::P521, 66),
                    _ => return None,
                };
                let (x, y) = (bytes("x")?, bytes("y")?);
                let fits = x.len() == size && y.len() == size;
                fits.then(|| Self::Ec { curve, point: [vec![4], x, y].concat() })
            }
            ("OKP", Some("Ed25519")) => Some(Self::Ed25519(bytes("x")?)),
            _ => None,
        }
    }

    /// Whether it verifies the signature by this algorithm.
    pub(crate) fn verifies(&self, algorithm: Algorithm, input: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Rsa { n, e } => rsa(algorithm).is_some_and(|parameters| {
                let key = RsaPublicKeyComponents { n, e };
                key.verify(parameters, input, signature).is_ok()
            }),
            Self::Ec { curve, point } => ecdsa(algorithm, *curve).is_some_and(|parameters| {
                UnparsedPublicKey::new(parameters, point).verify(input, signature).is_ok()
            }),
            Self::Ed25519(key) => {
                let key = UnparsedPublicKey::new(&signature::ED25519, key);
                algorithm == Algorithm::EdDsa && key.verify(input, signature).is_ok()
            }
        }
    }
}

fn rsa(algorithm: Algorithm) -> Option<&'static RsaParameters> {
    Some(match algorithm {
        Algorithm::Rs256 => &signature::RSA_PKCS1_2048_8192_SHA256,
        Algorithm::Rs384 => &signature::RSA_PKCS1_2048_8192_SHA384,
        Algorithm::Rs512 => &signature::RSA_PKCS1_2048_8192_SHA512,
        Algorithm::Ps256 => &signature::RSA_PSS_2048_8192_SHA256,
        Algorithm::Ps384 => &signature::RSA_PSS_2048_8192_SHA384,
        Algorithm::Ps512 => &signature::RSA_PSS_2048_8192_SHA512,
        _ => return None,
    })
}

fn ecdsa(algorithm: Algorithm, curve: Curve) -> Option<&'static EcdsaVerificationAlgorithm> {
    Some(match (algorithm, curve) {
        (Algorithm::Es256, Curve::P256) => &signature::ECDSA_P256_SHA256_FIXED,
        (Algorithm::Es384, Curve::P384) => &signature::ECDSA_P384_SHA384_FIXED,
        (Algorithm::Es512, Curve::P521) => &signature::ECDSA_P521_SHA512_FIXED,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::token::SigningKey;

    #[test]
    fn a_key_verifies_its_signatures_and_no_others() {
        for algorithm in Algorithm::ALL {
            let signer = SigningKey::fresh(algorithm, &[]);
            let key = PublicKey::from_jwk(&signer.jwk()).unwrap();
            let signature = signer.sign(b"input");
            assert!(key.verifies(algorithm, b"input", &signature), "{algorithm}");
            assert!(!key.verifies(algorithm, b"other", &signature), "{algorithm}");
            for other in Algorithm::ALL.into_iter().filter(|other| *other != algorithm) {
                assert!(!key.verifies(other, b"input", &signature), "{other} for {algorithm}");
            }
        }
    }

    #[test]
    fn what_is_not_a_public_key_is_rejected() {
        let private = SigningKey::fresh(Algorithm::Es256, &[]).private_jwk();
        for jwk in [
            private,
            json!({ "kty": "oct", "k": "AA" }),
            json!({ "kty": "EC", "crv": "P-256", "x": "AA", "y": "AA" }),
            json!({ "kty": "EC", "crv": "secp256k1", "x": "AA", "y": "AA" }),
            json!({ "kty": "RSA", "n": 1, "e": "AQAB" }),
            json!({ "kty": "OKP", "crv": "X25519", "x": "AA" }),
            json!("EC"),
            json!(null),
        ] {
            assert_eq!(PublicKey::from_jwk(&jwk), None, "{jwk}");
        }
    }
}
