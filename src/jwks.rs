//! The tenant's keys (RFC 7517): which of them may verify a token.

use std::fmt;

use aws_lc_rs::signature::{
    self, ParsedPublicKey, RsaParameters, RsaPublicKeyComponents, VerificationAlgorithm,
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::Deserialize;
use serde_json::{Map, Value, value::RawValue};

use crate::{SigningAlgorithm, error::InvalidToken, json};

/// A set with more keys than this is not a tenant's.
const MAX_KEYS: usize = 256;

/// RSA moduli outside this range are not used (RFC 7518 §3.3), in bits.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// The members that only a private or a symmetric key has (RFC 7518 §6.2.2, §6.3.2, §6.4).
const SECRET_MEMBERS: [&str; 9] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"];

/// A JWK Set, its usable keys prepared for verification.
///
/// Keys are read one by one: one that is odd, private, symmetric, or too small or too large is
/// known by its `kid` and verifies nothing.
#[derive(Debug)]
pub(crate) struct KeySet {
    keys: Vec<Key>,
}

impl KeySet {
    /// Reads a JWK Set; the error says what is wrong with the document as a whole.
    pub(crate) fn parse(document: &[u8]) -> Result<Self, &'static str> {
        #[derive(Deserialize)]
        struct Document<'d> {
            #[serde(borrow)]
            keys: Vec<&'d RawValue>,
        }
        let Document { keys } = serde_json::from_slice(document)
            .map_err(|_| "it is not a JSON object with an array of keys")?;
        match keys.len() {
            0 => Err("it holds no key"),
            1..=MAX_KEYS => Ok(Self { keys: keys.into_iter().filter_map(Key::parse).collect() }),
            _ => Err("it holds more than 256 keys"),
        }
    }

    /// Whether any key can verify a token.
    pub(crate) fn is_usable(&self) -> bool {
        self.keys.iter().any(|key| !key.verifiers.is_empty())
    }

    /// The `kid`s of the keys that can verify a token.
    pub(crate) fn kids(&self) -> impl Iterator<Item = &str> {
        self.keys
            .iter()
            .filter(|key| !key.verifiers.is_empty())
            .filter_map(|key| key.kid.as_deref())
    }

    /// Whether the set has a key of this `kid`, usable or not.
    pub(crate) fn contains(&self, kid: &str) -> bool {
        self.keys.iter().any(|key| key.kid.as_deref() == Some(kid))
    }

    /// The `kid` of each key, and the algorithms that it may be used with, if any.
    pub(crate) fn keys(
        &self,
    ) -> impl Iterator<Item = (Option<&str>, impl Iterator<Item = SigningAlgorithm>)> {
        self.keys.iter().map(|key| {
            let algorithms = key.verifiers.iter().map(|verifier| verifier.algorithm);
            (key.kid.as_deref(), algorithms)
        })
    }

    /// Finds the one key that may verify a token of this header: by `kid` if there is one, else
    /// the only one that fits. Two that fit are as bad as none.
    pub(crate) fn find(
        &self,
        kid: Option<&str>,
        algorithm: SigningAlgorithm,
    ) -> Result<&Verifier, InvalidToken> {
        let mut fitting =
            self.keys.iter().filter(|key| kid.is_none() || key.kid.as_deref() == kid).filter_map(
                |key| key.verifiers.iter().find(|verifier| verifier.algorithm == algorithm),
            );
        match (fitting.next(), fitting.next()) {
            (Some(verifier), None) => Ok(verifier),
            (Some(_), Some(_)) => Err(InvalidToken::AmbiguousKey),
            (None, _) => Err(InvalidToken::UnknownKey),
        }
    }
}

/// A public key prepared for one algorithm.
pub(crate) struct Verifier {
    algorithm: SigningAlgorithm,
    key: ParsedPublicKey,
}

impl Verifier {
    /// Verifies a signature over the received text (RFC 7515 §5.2).
    pub(crate) fn verify(&self, signing_input: &str, signature: &[u8]) -> Result<(), InvalidToken> {
        self.key
            .verify_sig(signing_input.as_bytes(), signature)
            .map_err(|_| InvalidToken::Signature)
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.algorithm.fmt(f)
    }
}

/// One key of the set: one verifier for each algorithm it may be used with.
#[derive(Debug)]
struct Key {
    kid: Option<Box<str>>,
    verifiers: Vec<Verifier>,
}

impl Key {
    /// Reads a JWK; `None` if not even its `kid` is of use.
    fn parse(jwk: &RawValue) -> Option<Self> {
        let jwk = json::parse_object(jwk.get().as_bytes()).ok()?;
        let kid = match jwk.get("kid") {
            None => None,
            Some(Value::String(kid)) => Some(kid.as_str().into()),
            Some(_) => return None,
        };
        let verifiers = verifiers(&jwk).unwrap_or_default();
        Some(Self { kid, verifiers })
    }
}

/// Prepares a JWK for the algorithms it may be used with; `None` if it may not verify at all.
fn verifiers(jwk: &Map<String, Value>) -> Option<Vec<Verifier>> {
    let is_public = SECRET_MEMBERS.iter().all(|member| !jwk.contains_key(*member));
    let is_for_signatures = jwk.get("use").is_none_or(|purpose| purpose == "sig");
    let may_verify = jwk.get("key_ops").is_none_or(|operations| {
        operations.as_array().is_some_and(|list| list.iter().any(|operation| operation == "verify"))
    });
    if !(is_public && is_for_signatures && may_verify) {
        return None;
    }
    let pinned = match jwk.get("alg") {
        None => None,
        Some(name) => Some(SigningAlgorithm::from_name(name.as_str()?)?),
    };
    let verifiers = match jwk.get("kty")?.as_str()? {
        "RSA" => rsa_verifiers(jwk, pinned)?,
        "EC" => ec_verifiers(jwk)?,
        "OKP" => okp_verifiers(jwk)?,
        _ => return None,
    };
    Some(
        verifiers
            .into_iter()
            .filter(|verifier| pinned.is_none_or(|alg| alg == verifier.algorithm))
            .collect(),
    )
}

/// RFC 7518 §6.3.1. Without `alg`, an RSA key fits all six RSA algorithms.
fn rsa_verifiers(
    jwk: &Map<String, Value>,
    pinned: Option<SigningAlgorithm>,
) -> Option<Vec<Verifier>> {
    const ALGORITHMS: [(SigningAlgorithm, &RsaParameters); 6] = [
        (SigningAlgorithm::Rs256, &signature::RSA_PKCS1_2048_8192_SHA256),
        (SigningAlgorithm::Rs384, &signature::RSA_PKCS1_2048_8192_SHA384),
        (SigningAlgorithm::Rs512, &signature::RSA_PKCS1_2048_8192_SHA512),
        (SigningAlgorithm::Ps256, &signature::RSA_PSS_2048_8192_SHA256),
        (SigningAlgorithm::Ps384, &signature::RSA_PSS_2048_8192_SHA384),
        (SigningAlgorithm::Ps512, &signature::RSA_PSS_2048_8192_SHA512),
    ];
    let modulus = unsigned_integer(jwk, "n")?;
    let exponent = unsigned_integer(jwk, "e")?;
    let bits = modulus.len() * 8 - modulus.first()?.leading_zeros() as usize;
    let is_exponent_sound = exponent.len() <= 4 && exponent.last()? % 2 == 1 && exponent != [1];
    if !RSA_BITS.contains(&bits) || !is_exponent_sound {
        return None;
    }
    let components = RsaPublicKeyComponents { n: modulus, e: exponent };
    let algorithms =
        ALGORITHMS.into_iter().filter(|(algorithm, _)| pinned.is_none_or(|alg| alg == *algorithm));
    algorithms
        .map(|(algorithm, parameters)| {
            let key = components.to_parsed_public_key(parameters).ok()?;
            Some(Verifier { algorithm, key })
        })
        .collect()
}

/// RFC 7518 §6.2.1: the curve decides the algorithm, and each coordinate has its full length.
fn ec_verifiers(jwk: &Map<String, Value>) -> Option<Vec<Verifier>> {
    let (algorithm, verification, length): (_, &'static dyn VerificationAlgorithm, _) =
        match jwk.get("crv")?.as_str()? {
            "P-256" => (SigningAlgorithm::Es256, &signature::ECDSA_P256_SHA256_FIXED, 32),
            "P-384" => (SigningAlgorithm::Es384, &signature::ECDSA_P384_SHA384_FIXED, 48),
            "P-521" => (SigningAlgorithm::Es512, &signature::ECDSA_P521_SHA512_FIXED, 66),
            _ => return None,
        };
    let (x, y) = (octets(jwk, "x")?, octets(jwk, "y")?);
    if x.len() != length || y.len() != length {
        return None;
    }
    let uncompressed_point = [&[4], x.as_slice(), &y].concat();
    let key = ParsedPublicKey::new(verification, uncompressed_point).ok()?;
    Some(vec![Verifier { algorithm, key }])
}

/// RFC 8037 §2.
fn okp_verifiers(jwk: &Map<String, Value>) -> Option<Vec<Verifier>> {
    if jwk.get("crv")?.as_str()? != "Ed25519" {
        return None;
    }
    let key = ParsedPublicKey::new(&signature::ED25519, octets(jwk, "x")?).ok()?;
    Some(vec![Verifier { algorithm: SigningAlgorithm::EdDsa, key }])
}

/// A member in strict base64url (RFC 7515 §2).
pub(crate) fn octets(jwk: &Map<String, Value>, member: &str) -> Option<Vec<u8>> {
    BASE64_URL_SAFE_NO_PAD.decode(jwk.get(member)?.as_str()?).ok()
}

/// A `Base64urlUInt` (RFC 7518 §2), without the leading zeros some issuers write.
fn unsigned_integer(jwk: &Map<String, Value>, member: &str) -> Option<Vec<u8>> {
    let octets = octets(jwk, member)?;
    let leading_zeros = octets.iter().take_while(|octet| **octet == 0).count();
    Some(octets.into_iter().skip(leading_zeros).collect())
}
