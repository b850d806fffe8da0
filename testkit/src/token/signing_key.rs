//! Private keys.

use std::sync::Arc;

use aws_lc_rs::{
    encoding::{AsBigEndian as _, AsDer as _, Pkcs8V1Der, PublicKeyX509Der},
    rand::{self, SystemRandom},
    signature::{
        self, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair as _, RsaKeyPair,
        RsaPublicKeyComponents, RsaSignatureEncoding, UnparsedPublicKey, VerificationAlgorithm,
    },
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use pkcs1::RsaPrivateKeyRef;
use pkcs8::PrivateKeyInfoRef;
use serde_json::{Value, json};

use crate::token::{algorithm::Algorithm, rsa_pool};

/// A private key for one algorithm, with its `kid`. It is parsed once, and clones share it.
#[derive(Clone, Debug)]
pub(crate) struct SigningKey {
    pub(crate) algorithm: Algorithm,
    pub(crate) kid: String,
    pair: KeyPair,
}

#[derive(Clone, Debug)]
enum KeyPair {
    Rsa(Arc<RsaKeyPair>),
    Ecdsa(Arc<EcdsaKeyPair>),
    Ed25519(Arc<Ed25519KeyPair>),
}

impl SigningKey {
    /// A new key of the tenant under a new `kid`. It differs from the RSA keys that the tenant has
    /// `in_use`.
    pub(crate) fn fresh(algorithm: Algorithm, in_use: &[&Self]) -> Self {
        Self::new(algorithm, random_id(), || {
            rsa_pool::tenant_key(|pair| in_use.iter().any(|key| key.is_made_of(pair)))
        })
    }

    /// A new key of a client, without a `kid`.
    pub(crate) fn generate(algorithm: Algorithm) -> Self {
        Self::new(algorithm, String::new(), rsa_pool::generate)
    }

    /// A key of the attacker, under any `kid`.
    pub(crate) fn foreign(algorithm: Algorithm, kid: String) -> Self {
        Self::new(algorithm, kid, rsa_pool::attacker_key)
    }

    fn new(algorithm: Algorithm, kid: String, rsa: impl FnOnce() -> Arc<RsaKeyPair>) -> Self {
        let pair = match Scheme::of(algorithm) {
            Scheme::Rsa(_) => KeyPair::Rsa(rsa()),
            Scheme::Ecdsa(curve, _) => {
                let pair = EcdsaKeyPair::generate(curve).expect("an EC key can be created");
                KeyPair::Ecdsa(Arc::new(pair))
            }
            Scheme::Ed25519 => {
                let pair = Ed25519KeyPair::generate().expect("an Ed25519 key can be created");
                KeyPair::Ed25519(Arc::new(pair))
            }
        };
        Self { algorithm, kid, pair }
    }

    /// The JWS signature over `input` (RFC 7518 §3.3 to §3.5, RFC 8037 §3.1).
    pub(crate) fn sign(&self, input: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match (&self.pair, Scheme::of(self.algorithm)) {
            (KeyPair::Rsa(pair), Scheme::Rsa(encoding)) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(encoding, &random, input, &mut signature).expect("an RSA key signs");
                signature
            }
            (KeyPair::Ecdsa(pair), Scheme::Ecdsa(..)) => {
                let signature = pair.sign(&random, input).expect("an EC key signs");
                signature.as_ref().to_vec()
            }
            (KeyPair::Ed25519(pair), Scheme::Ed25519) => pair.sign(input).as_ref().to_vec(),
            (pair, _) => panic!("{pair:?} cannot sign {}", self.algorithm),
        }
    }

    /// Verifies `signature` over `input`.
    pub(crate) fn verifies(&self, input: &[u8], signature: &[u8]) -> bool {
        let public_key =
            UnparsedPublicKey::new(verification(self.algorithm), self.raw_public_key());
        public_key.verify(input, signature).is_ok()
    }

    /// The public key as the tenant publishes it (RFC 7517 §4).
    pub(crate) fn jwk(&self) -> Value {
        let mut jwk = self.public_key();
        jwk["use"] = "sig".into();
        jwk["alg"] = self.algorithm.as_str().into();
        jwk["kid"] = self.kid.as_str().into();
        jwk
    }

    /// The key pair: [`jwk`](Self::jwk) with the private members (RFC 7518 §6.2.2 and §6.3.2,
    /// RFC 8037 §2).
    pub(crate) fn private_jwk(&self) -> Value {
        let mut jwk = self.jwk();
        match &self.pair {
            KeyPair::Rsa(pair) => {
                let der: Pkcs8V1Der<'_> = pair.as_der().expect("an RSA key has a DER form");
                let info = PrivateKeyInfoRef::try_from(der.as_ref()).expect("PKCS#8");
                let key = info.private_key.as_bytes();
                let key = RsaPrivateKeyRef::try_from(key).expect("an RSAPrivateKey");
                let members = [
                    ("d", key.private_exponent),
                    ("p", key.prime1),
                    ("q", key.prime2),
                    ("dp", key.exponent1),
                    ("dq", key.exponent2),
                    ("qi", key.coefficient),
                ];
                for (name, number) in members {
                    jwk[name] = base64url(number.as_bytes()).into();
                }
            }
            KeyPair::Ecdsa(pair) => {
                let d = pair.private_key().as_be_bytes().expect("an EC key has a number");
                jwk["d"] = base64url(d.as_ref()).into();
            }
            KeyPair::Ed25519(pair) => {
                let seed = pair.seed().and_then(|seed| seed.as_be_bytes());
                let seed = seed.expect("an Ed25519 key has a seed");
                jwk["d"] = base64url(seed.as_ref()).into();
            }
        }
        jwk
    }

    /// The bare public key, without its use (RFC 7518 §6.2.1 and §6.3.1, RFC 8037 §2).
    pub(crate) fn public_key(&self) -> Value {
        match (&self.pair, Scheme::of(self.algorithm)) {
            (KeyPair::Rsa(pair), _) => {
                let RsaPublicKeyComponents { n, e } = pair.public_key().into();
                json!({ "kty": "RSA", "n": base64url(n), "e": base64url(e) })
            }
            (KeyPair::Ecdsa(pair), Scheme::Ecdsa(_, curve)) => {
                // SEC 1 §2.3.3: a byte for "uncompressed", then both coordinates.
                let (_, point) = pair.public_key().as_ref().split_at(1);
                let (x, y) = point.split_at(point.len() / 2);
                json!({ "kty": "EC", "crv": curve, "x": base64url(x), "y": base64url(y) })
            }
            (KeyPair::Ed25519(pair), _) => {
                json!({ "kty": "OKP", "crv": "Ed25519", "x": base64url(pair.public_key()) })
            }
            (pair, _) => panic!("{pair:?} is not a key for {}", self.algorithm),
        }
    }

    /// The same key pair for another algorithm.
    pub(crate) fn misused_for(self, algorithm: Algorithm) -> Self {
        Self { algorithm, ..self }
    }

    /// The same key pair under another `kid`.
    pub(crate) fn known_as(self, kid: String) -> Self {
        Self { kid, ..self }
    }

    /// The public key as a DER `SubjectPublicKeyInfo` (RFC 5280 §4.1).
    pub(crate) fn spki(&self) -> Vec<u8> {
        let der: Result<PublicKeyX509Der<'_>, _> = match &self.pair {
            KeyPair::Rsa(pair) => pair.public_key().as_der(),
            KeyPair::Ecdsa(pair) => pair.public_key().as_der(),
            KeyPair::Ed25519(pair) => pair.public_key().as_der(),
        };
        der.expect("a public key has a DER form").as_ref().to_vec()
    }

    /// The public key in its own form: a DER `RSAPublicKey` (RFC 8017 §A.1.1), an uncompressed
    /// point (SEC 1 §2.3.3) or 32 bytes (RFC 8032 §5.1.5).
    pub(crate) fn raw_public_key(&self) -> Vec<u8> {
        match &self.pair {
            KeyPair::Rsa(pair) => pair.public_key().as_ref().to_vec(),
            KeyPair::Ecdsa(pair) => pair.public_key().as_ref().to_vec(),
            KeyPair::Ed25519(pair) => pair.public_key().as_ref().to_vec(),
        }
    }

    fn is_made_of(&self, rsa: &Arc<RsaKeyPair>) -> bool {
        matches!(&self.pair, KeyPair::Rsa(pair) if Arc::ptr_eq(pair, rsa))
    }
}

pub(crate) fn base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// 128 random bits, for a `kid` or a `jti`.
pub(crate) fn random_id() -> String {
    let mut id = [0; 16];
    rand::fill(&mut id).expect("the system has random bytes");
    base64url(id)
}

/// How an algorithm signs, and for EC the name of the curve in a JWK.
enum Scheme {
    Rsa(&'static RsaSignatureEncoding),
    Ecdsa(&'static EcdsaSigningAlgorithm, &'static str),
    Ed25519,
}

impl Scheme {
    const fn of(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Rs256 => Self::Rsa(&signature::RSA_PKCS1_SHA256),
            Algorithm::Rs384 => Self::Rsa(&signature::RSA_PKCS1_SHA384),
            Algorithm::Rs512 => Self::Rsa(&signature::RSA_PKCS1_SHA512),
            Algorithm::Ps256 => Self::Rsa(&signature::RSA_PSS_SHA256),
            Algorithm::Ps384 => Self::Rsa(&signature::RSA_PSS_SHA384),
            Algorithm::Ps512 => Self::Rsa(&signature::RSA_PSS_SHA512),
            Algorithm::Es256 => Self::Ecdsa(&signature::ECDSA_P256_SHA256_FIXED_SIGNING, "P-256"),
            Algorithm::Es384 => Self::Ecdsa(&signature::ECDSA_P384_SHA384_FIXED_SIGNING, "P-384"),
            Algorithm::Es512 => Self::Ecdsa(&signature::ECDSA_P521_SHA512_FIXED_SIGNING, "P-521"),
            Algorithm::EdDsa => Self::Ed25519,
        }
    }
}

fn verification(algorithm: Algorithm) -> &'static dyn VerificationAlgorithm {
    match algorithm {
        Algorithm::Rs256 => &signature::RSA_PKCS1_2048_8192_SHA256,
        Algorithm::Rs384 => &signature::RSA_PKCS1_2048_8192_SHA384,
        Algorithm::Rs512 => &signature::RSA_PKCS1_2048_8192_SHA512,
        Algorithm::Ps256 => &signature::RSA_PSS_2048_8192_SHA256,
        Algorithm::Ps384 => &signature::RSA_PSS_2048_8192_SHA384,
        Algorithm::Ps512 => &signature::RSA_PSS_2048_8192_SHA512,
        Algorithm::Es256 => &signature::ECDSA_P256_SHA256_FIXED,
        Algorithm::Es384 => &signature::ECDSA_P384_SHA384_FIXED,
        Algorithm::Es512 => &signature::ECDSA_P521_SHA512_FIXED,
        Algorithm::EdDsa => &signature::ED25519,
    }
}
