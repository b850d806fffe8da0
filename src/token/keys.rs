//! The tenant's keys (RFC 7517): which of them may verify a token.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use aws_lc_rs::signature::{
    self, ParsedPublicKey, RsaParameters, RsaPublicKeyComponents, VerificationAlgorithm,
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::Deserialize;
use serde_json::{Map, Value, value::RawValue};

use crate::{
    error::InvalidToken,
    token::{algorithm::SigningAlgorithm, json},
};

/// A set with more keys than this is not a tenant's.
const MAX_KEYS: usize = 256;

/// RSA moduli outside this range are not used (RFC 7518 §3.3), in bits.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// The members that only a private or a symmetric key has (RFC 7518 §6.2.2, §6.3.2, §6.4).
const SECRET_MEMBERS: [&str; 9] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"];

/// A JWK Set, its usable keys prepared for verification.
///
/// Keys are parsed one by one: an unusable one verifies nothing, and is kept for its `kid` and the
/// reason.
pub(crate) struct KeySet {
    keys: Vec<Key>,
    known_headers: KnownHeaders,
}

impl KeySet {
    /// Parses a JWK Set; the error says what is wrong with the document as a whole.
    ///
    /// At debug level the log names each key that is ignored.
    pub(crate) fn parse(document: &[u8]) -> Result<Self, &'static str> {
        #[derive(Deserialize)]
        struct Document<'d> {
            #[serde(borrow)]
            keys: Vec<&'d RawValue>,
        }
        let Document { keys: jwks } = serde_json::from_slice(document)
            .map_err(|_| "it is not a JSON object with an array of keys")?;
        if jwks.is_empty() {
            return Err("it holds no key");
        }
        if jwks.len() > MAX_KEYS {
            return Err("it holds more than 256 keys");
        }
        let mut keys: Vec<Key> = Vec::with_capacity(jwks.len());
        for jwk in jwks {
            let key = Key::parse(jwk);
            if let Err(reason) = key.verifiers {
                let kid = key.kid.as_deref();
                tracing::debug!(name: "keys.ignored", kid, reason, "a key of the tenant is ignored");
            }
            // A key that is published twice is one key, not two of which either may be meant.
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
        Ok(Self { keys, known_headers: KnownHeaders::default() })
    }

    /// Whether any key can verify a token.
    pub(crate) fn is_usable(&self) -> bool {
        self.usable().next().is_some()
    }

    /// The `kid`s of the keys that can verify a token.
    pub(crate) fn kids(&self) -> impl Iterator<Item = &str> {
        self.usable().filter_map(|(kid, _)| kid)
    }

    /// Whether the set has a key of this `kid`, usable or not.
    pub(crate) fn contains(&self, kid: &str) -> bool {
        self.keys.iter().any(|key| key.kid.as_deref() == Some(kid))
    }

    /// Each usable key: its `kid`, and the algorithms that it may be used with.
    pub(crate) fn usable(
        &self,
    ) -> impl Iterator<Item = (Option<&str>, impl Iterator<Item = SigningAlgorithm>)> {
        self.keys.iter().filter_map(|key| {
            let verifiers = key.verifiers.as_ref().ok()?;
            Some((key.kid.as_deref(), verifiers.iter().map(|verifier| verifier.algorithm)))
        })
    }

    /// Each key that is ignored: its `kid`, and why.
    pub(crate) fn ignored(&self) -> impl Iterator<Item = (Option<&str>, &'static str)> {
        self.keys
            .iter()
            .filter_map(|key| Some((key.kid.as_deref(), key.verifiers.as_ref().err().copied()?)))
    }

    /// Finds the one key that may verify a token with this header: by `kid` if it has one,
    /// otherwise the only key that fits. If two keys fit, neither is used.
    pub(crate) fn find(
        &self,
        kid: Option<&str>,
        algorithm: SigningAlgorithm,
    ) -> Result<&Arc<Verifier>, InvalidToken> {
        let candidates = self.keys.iter().filter(|key| kid.is_none() || key.kid.as_deref() == kid);
        let verifiers = candidates.filter_map(|key| key.verifiers.as_ref().ok());
        let mut fitting =
            verifiers.filter_map(|verifiers| verifiers.iter().find(|it| it.algorithm == algorithm));
        match (fitting.next(), fitting.next()) {
            (Some(verifier), None) => Ok(verifier),
            (Some(_), Some(_)) => Err(InvalidToken::AmbiguousKey),
            (None, _) => Err(InvalidToken::UnknownKey),
        }
    }

    /// Finds the one key that may verify a token with this header, as [`find`](Self::find) does.
    pub(crate) fn select(
        &self,
        kid: Option<Box<str>>,
        algorithm: SigningAlgorithm,
    ) -> Result<VerifyingKey, InvalidToken> {
        let verifier = Arc::clone(self.find(kid.as_deref(), algorithm)?);
        Ok(VerifyingKey { kid, verifier })
    }

    /// Whether the very key that verified a token is the one that it would be verified with now.
    pub(crate) fn still_selects(&self, VerifyingKey { kid, verifier }: &VerifyingKey) -> bool {
        self.find(kid.as_deref(), verifier.algorithm).is_ok_and(|found| found == verifier)
    }

    /// The key of an encoded header that a token had whose signature it verified.
    pub(crate) fn known(&self, header: &str) -> Option<&Arc<VerifyingKey>> {
        self.known_headers.get(header)
    }

    /// Remembers the key of the encoded header of a token whose signature was verified.
    pub(crate) fn remember(&self, header: &str, key: &Arc<VerifyingKey>) {
        self.known_headers.keep(header, key);
    }
}

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeySet").field("keys", &self.keys).finish()
    }
}

/// The key that verified a token, and how the header of the token names it.
#[derive(Debug)]
pub(crate) struct VerifyingKey {
    kid: Option<Box<str>>,
    pub(crate) verifier: Arc<Verifier>,
}

/// The encoded headers of tokens whose signature was verified. All tokens of a key have the same, as a
/// rule, and what follows from one need not be found again while the key set is in use.
#[derive(Default)]
struct KnownHeaders([OnceLock<(Box<str>, Arc<VerifyingKey>)>; 16]);

impl KnownHeaders {
    /// A longer one is not kept, in bytes.
    const MAX_LENGTH: usize = 1024;

    fn get(&self, header: &str) -> Option<&Arc<VerifyingKey>> {
        let mut known = self.0.iter().map_while(OnceLock::get);
        known.find(|(known, _)| **known == *header).map(|(_, key)| key)
    }

    /// Once all places are taken, further headers are not kept.
    fn keep(&self, header: &str, key: &Arc<VerifyingKey>) {
        if header.len() > Self::MAX_LENGTH || self.get(header).is_some() {
            return;
        }
        let mut entry = (header.into(), Arc::clone(key));
        for place in &self.0 {
            match place.set(entry) {
                Ok(()) => return,
                Err(back) => entry = back,
            }
        }
    }
}

/// A public key prepared for one algorithm.
pub(crate) struct Verifier {
    algorithm: SigningAlgorithm,
    key: ParsedPublicKey,
}

impl Verifier {
    /// Prepares a public key (RFC 7517 §4) that came with a signature, for the algorithm of that
    /// signature; the error says what is wrong with the key.
    pub(crate) fn of_jwk(
        jwk: &Map<String, Value>,
        algorithm: SigningAlgorithm,
    ) -> Result<Self, &'static str> {
        verifiers(jwk, Some(algorithm))?.pop().ok_or(NO_ALGORITHM)
    }

    /// Verifies a signature over the received text (RFC 7515 §5.2).
    pub(crate) fn verify(&self, signing_input: &str, signature: &[u8]) -> Result<(), InvalidToken> {
        self.key
            .verify_sig(signing_input.as_bytes(), signature)
            .map_err(|_| InvalidToken::Signature)
    }
}

/// By algorithm and key material.
impl PartialEq for Verifier {
    fn eq(&self, other: &Self) -> bool {
        self.algorithm == other.algorithm && self.key.as_ref() == other.key.as_ref()
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.algorithm.fmt(f)
    }
}

/// One key of the set: a verifier for each algorithm it may be used with, or why there is none.
#[derive(Debug, PartialEq)]
struct Key {
    kid: Option<Box<str>>,
    verifiers: Result<Vec<Arc<Verifier>>, &'static str>,
}

impl Key {
    fn parse(jwk: &RawValue) -> Self {
        let Ok(mut jwk) = json::parse_object(jwk.get().as_bytes()) else {
            let reason = "it is not a JSON object whose members are unique";
            return Self { kid: None, verifiers: Err(reason) };
        };
        remove_unset(&mut jwk);
        let verifiers = || Ok(verifiers(&jwk, None)?.into_iter().map(Arc::new).collect());
        match jwk.get("kid") {
            None => Self { kid: None, verifiers: verifiers() },
            Some(Value::String(kid)) => {
                Self { kid: Some(kid.as_str().into()), verifiers: verifiers() }
            }
            Some(_) => Self { kid: None, verifiers: Err("its kid is not a string") },
        }
    }
}

/// Removes the members of a JWK that say nothing: null ones, and the empty lists that .NET writes
/// for what is not set.
pub(crate) fn remove_unset(jwk: &mut Map<String, Value>) {
    jwk.retain(|name, value| {
        let is_empty_list = value.as_array().is_some_and(Vec::is_empty);
        let is_unset_list = is_empty_list && matches!(name.as_str(), "key_ops" | "oth");
        !(value.is_null() || is_unset_list)
    });
}

const NO_ALGORITHM: &str = "its alg does not fit its kty or crv";

/// Prepares a JWK for the algorithms it may be used with, or for one of them, or says why it may
/// verify nothing.
fn verifiers(
    jwk: &Map<String, Value>,
    only: Option<SigningAlgorithm>,
) -> Result<Vec<Verifier>, &'static str> {
    if SECRET_MEMBERS.iter().any(|member| jwk.contains_key(*member)) {
        return Err("it is private or symmetric");
    }
    if jwk.get("use").is_some_and(|purpose| purpose != "sig") {
        return Err("its use is not sig");
    }
    let operations = jwk.get("key_ops");
    if operations.is_some_and(|operations| !lists(operations, "verify")) {
        return Err("its key_ops do not include verify");
    }
    let kty = string(jwk, "kty").unwrap_or_default();
    if !["RSA", "EC", "OKP"].contains(&kty) {
        return Err("its kty is not RSA, EC or OKP");
    }
    let pinned = match jwk.get("alg") {
        None => only,
        Some(name) => {
            let algorithm = name.as_str().and_then(SigningAlgorithm::from_name);
            Some(algorithm.ok_or("its alg is not an accepted signature algorithm")?)
        }
    };
    if only.is_some() && pinned != only {
        return Err(NO_ALGORITHM);
    }
    let mut verifiers = match kty {
        "RSA" => rsa_verifiers(jwk, pinned)?,
        "EC" => ec_verifiers(jwk)?,
        _ => okp_verifiers(jwk)?,
    };
    verifiers.retain(|verifier| pinned.is_none_or(|alg| alg == verifier.algorithm));
    match verifiers.is_empty() {
        true => Err(NO_ALGORITHM),
        false => Ok(verifiers),
    }
}

/// RFC 7518 §6.3.1. Without `alg`, an RSA key fits all six RSA algorithms.
fn rsa_verifiers(
    jwk: &Map<String, Value>,
    pinned: Option<SigningAlgorithm>,
) -> Result<Vec<Verifier>, &'static str> {
    const ALGORITHMS: [(SigningAlgorithm, &RsaParameters); 6] = [
        (SigningAlgorithm::Rs256, &signature::RSA_PKCS1_2048_8192_SHA256),
        (SigningAlgorithm::Rs384, &signature::RSA_PKCS1_2048_8192_SHA384),
        (SigningAlgorithm::Rs512, &signature::RSA_PKCS1_2048_8192_SHA512),
        (SigningAlgorithm::Ps256, &signature::RSA_PSS_2048_8192_SHA256),
        (SigningAlgorithm::Ps384, &signature::RSA_PSS_2048_8192_SHA384),
        (SigningAlgorithm::Ps512, &signature::RSA_PSS_2048_8192_SHA512),
    ];
    let modulus = unsigned_integer(jwk, "n").ok_or("its n is not unpadded base64url")?;
    let exponent = unsigned_integer(jwk, "e").ok_or("its e is not unpadded base64url")?;
    let leading_zeros = modulus.first().map_or(0, |octet| octet.leading_zeros() as usize);
    if !RSA_BITS.contains(&(modulus.len() * 8 - leading_zeros)) {
        return Err("its modulus does not have 2048 to 8192 bits");
    }
    let is_odd = exponent.last().is_some_and(|octet| octet % 2 == 1);
    if !is_odd || exponent == [1] || exponent.len() > 4 {
        return Err("its exponent is not an odd number above 1 of at most 4 bytes");
    }
    let components = RsaPublicKeyComponents { n: modulus, e: exponent };
    let algorithms =
        ALGORITHMS.into_iter().filter(|(algorithm, _)| pinned.is_none_or(|alg| alg == *algorithm));
    algorithms
        .map(|(algorithm, parameters)| {
            let key = components.to_parsed_public_key(parameters);
            Ok(Verifier { algorithm, key: key.map_err(|_| "its n and e are not an RSA key")? })
        })
        .collect()
}

/// RFC 7518 §6.2.1: the curve decides the algorithm, and each coordinate has its full length.
fn ec_verifiers(jwk: &Map<String, Value>) -> Result<Vec<Verifier>, &'static str> {
    let (algorithm, verification, length): (_, &'static dyn VerificationAlgorithm, _) =
        match string(jwk, "crv") {
            Some("P-256") => (SigningAlgorithm::Es256, &signature::ECDSA_P256_SHA256_FIXED, 32),
            Some("P-384") => (SigningAlgorithm::Es384, &signature::ECDSA_P384_SHA384_FIXED, 48),
            Some("P-521") => (SigningAlgorithm::Es512, &signature::ECDSA_P521_SHA512_FIXED, 66),
            _ => return Err("its crv is not P-256, P-384 or P-521"),
        };
    let x = octets(jwk, "x").ok_or("its x is not unpadded base64url")?;
    let y = octets(jwk, "y").ok_or("its y is not unpadded base64url")?;
    if x.len() != length || y.len() != length {
        return Err("its x or y does not have the full length of its curve (RFC 7518 §6.2.1)");
    }
    let uncompressed_point = [&[4], x.as_slice(), &y].concat();
    let key = ParsedPublicKey::new(verification, uncompressed_point)
        .map_err(|_| "its x and y are not a point of its curve")?;
    Ok(vec![Verifier { algorithm, key }])
}

/// RFC 8037 §2.
fn okp_verifiers(jwk: &Map<String, Value>) -> Result<Vec<Verifier>, &'static str> {
    if string(jwk, "crv") != Some("Ed25519") {
        return Err("its crv is not Ed25519");
    }
    let x = octets(jwk, "x").ok_or("its x is not unpadded base64url")?;
    // A SubjectPublicKeyInfo would be taken for a key too.
    if x.len() != 32 {
        return Err("its x does not have 32 bytes");
    }
    let key = ParsedPublicKey::new(&signature::ED25519, x).map_err(|_| "its x is not a key")?;
    Ok(vec![Verifier { algorithm: SigningAlgorithm::EdDsa, key }])
}

/// Whether a member is a list with this string in it.
pub(crate) fn lists(member: &Value, word: &str) -> bool {
    member.as_array().is_some_and(|list| list.iter().any(|entry| entry == word))
}

fn string<'a>(jwk: &'a Map<String, Value>, member: &str) -> Option<&'a str> {
    jwk.get(member).and_then(Value::as_str)
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

#[cfg(test)]
mod tests {
    use InvalidToken::{AmbiguousKey, UnknownKey};
    use SigningAlgorithm::{EdDsa, Es256, Es384, Ps256, Rs256, Rs512};
    use serde_json::json;

    use super::*;

    /// A P-256 key (RFC 7515 A.3.1) with members set, or removed where the value is null.
    fn ec(members: &Value) -> Value {
        let x = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
        let y = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";
        with(json!({"kty": "EC", "crv": "P-256", "x": x, "y": y, "kid": "1"}), members)
    }

    /// An RSA key whose modulus is all ones.
    fn rsa(bits: usize, members: &Value) -> Value {
        let mut modulus = vec![0xff; bits.div_ceil(8)];
        modulus[0] >>= (8 - bits % 8) % 8;
        let modulus = BASE64_URL_SAFE_NO_PAD.encode(modulus);
        with(json!({"kty": "RSA", "n": modulus, "e": "AQAB", "kid": "1"}), members)
    }

    fn with(mut key: Value, members: &Value) -> Value {
        for (name, value) in members.as_object().unwrap() {
            match value {
                Value::Null => key.as_object_mut().unwrap().remove(name),
                value => key.as_object_mut().unwrap().insert(name.clone(), value.clone()),
            };
        }
        key
    }

    fn parse(document: &Value) -> Result<KeySet, &'static str> {
        KeySet::parse(document.to_string().as_bytes())
    }

    fn set(keys: &[Value]) -> KeySet {
        parse(&json!({ "keys": keys })).unwrap()
    }

    /// The algorithm of the key that verifies a token of this header.
    fn found(
        keys: &[Value],
        kid: Option<&str>,
        algorithm: SigningAlgorithm,
    ) -> Result<SigningAlgorithm, InvalidToken> {
        set(keys).find(kid, algorithm).map(|verifier| verifier.algorithm)
    }

    /// Whether a key can be used with the one algorithm it is meant for.
    fn is_usable(key: Value, algorithm: SigningAlgorithm) -> bool {
        found(&[key], Some("1"), algorithm).is_ok()
    }

    #[test]
    fn a_set_is_an_object_with_one_key_or_up_to_256() {
        for odd in [json!([]), json!({}), json!({"keys": {}}), json!(null)] {
            let refused = parse(&odd).err();
            assert_eq!(refused, Some("it is not a JSON object with an array of keys"), "{odd}");
        }
        let of = |count: usize| parse(&json!({ "keys": vec![json!({}); count] })).err();
        assert_eq!(of(0), Some("it holds no key"));
        assert_eq!(of(1), None);
        assert_eq!(of(256), None);
        assert_eq!(of(257), Some("it holds more than 256 keys"));
    }

    #[test]
    fn a_set_is_usable_by_one_good_key_and_knows_the_kids_of_the_others_too() {
        let other = ec(&json!({"kid": "2", "use": "enc"}));
        assert!(!set(std::slice::from_ref(&other)).is_usable());
        let both = set(&[other, ec(&json!({}))]);
        assert!(both.is_usable());
        assert!(both.contains("1") && both.contains("2") && !both.contains("3"));
        assert!(!set(&[ec(&json!({"kid": null}))]).contains(""));
    }

    #[test]
    fn a_key_is_found_by_its_kid_or_as_the_only_one_that_fits() {
        let (one, two) = (ec(&json!({})), ec(&json!({"kid": "2"})));
        let (bare, rsa) = (ec(&json!({"kid": null})), rsa(2048, &json!({})));
        for (keys, kid, expected) in [
            (vec![one.clone(), two.clone()], Some("1"), Ok(Es256)),
            (vec![one.clone(), two.clone()], Some("3"), Err(UnknownKey)),
            (vec![one.clone(), two], None, Err(AmbiguousKey)),
            (vec![one.clone(), one.clone()], Some("1"), Ok(Es256)),
            (vec![one.clone(), rsa.clone()], Some("1"), Ok(Es256)),
            (vec![rsa.clone(), one], None, Ok(Es256)),
            (vec![bare.clone()], None, Ok(Es256)),
            (vec![bare], Some("1"), Err(UnknownKey)),
            (vec![rsa], None, Err(UnknownKey)),
        ] {
            assert_eq!(found(&keys, kid, Es256), expected, "{kid:?} in {keys:?}");
        }
    }

    #[test]
    fn a_key_is_used_only_as_it_says_and_only_if_it_is_public() {
        for (members, expected) in [
            (json!({}), true),
            (json!({"use": "sig", "key_ops": ["verify"], "alg": "ES256"}), true),
            (json!({"key_ops": ["sign", "verify"]}), true),
            (json!({"use": "enc"}), false),
            (json!({"use": ["sig"]}), false),
            (json!({"use": "enc", "key_ops": ["verify"]}), false),
            (json!({"use": "sig", "key_ops": ["encrypt"]}), false),
            (json!({"key_ops": []}), true),
            (json!({"key_ops": {}}), false),
            (json!({"key_ops": "verify"}), false),
            (json!({"alg": "ES384"}), false),
            (json!({"alg": "ECDH-ES"}), false),
            (json!({"alg": 256}), false),
            (json!({"kty": "OKP"}), false),
        ] {
            assert_eq!(is_usable(ec(&members), Es256), expected, "{members}");
        }
        for member in ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"] {
            assert!(!is_usable(ec(&json!({member: "AQAB"})), Es256), "{member}");
        }
    }

    #[test]
    fn an_rsa_key_fits_all_six_algorithms_unless_it_names_one() {
        for algorithm in [Rs256, Rs512, Ps256] {
            let any = rsa(2048, &json!({}));
            assert_eq!(found(&[any], Some("1"), algorithm), Ok(algorithm));
            let pinned = rsa(2048, &json!({"alg": "RS256"}));
            assert_eq!(is_usable(pinned, algorithm), algorithm == Rs256, "{algorithm:?}");
        }
    }

    #[test]
    fn an_rsa_key_has_2048_to_8192_bits_and_an_odd_exponent_above_one_of_at_most_four_octets() {
        for (bits, expected) in [
            (1024, false),
            (2047, false),
            (2048, true),
            (2049, true),
            (8191, true),
            (8192, true),
            (8193, false),
            (16384, false),
        ] {
            assert_eq!(is_usable(rsa(bits, &json!({})), Rs256), expected, "{bits} bits");
        }
        for (exponent, expected) in [
            (vec![3], true),
            (vec![0, 3], true),
            (vec![0xff; 4], true),
            (vec![], false),
            (vec![0], false),
            (vec![1], false),
            (vec![0, 1], false),
            (vec![2], false),
            (vec![1, 0, 2], false),
            (vec![1, 0, 0, 0, 1], false),
        ] {
            let e = BASE64_URL_SAFE_NO_PAD.encode(&exponent);
            assert_eq!(is_usable(rsa(2048, &json!({"e": e})), Rs256), expected, "{exponent:?}");
        }
        let padded = rsa(2048, &json!({}))["n"].as_str().unwrap().to_owned() + "=";
        assert!(!is_usable(rsa(2048, &json!({"n": padded})), Rs256));
        assert!(!is_usable(rsa(2048, &json!({"n": null})), Rs256));
    }

    #[test]
    fn a_point_is_one_of_its_curve_with_coordinates_of_full_length() {
        let octets = |name| octets(ec(&json!({})).as_object().unwrap(), name).unwrap();
        let (x, y) = (octets("x"), octets("y"));
        let point = |x: &[u8], y: &[u8]| {
            let [x, y] = [x, y].map(|octets| BASE64_URL_SAFE_NO_PAD.encode(octets));
            ec(&json!({"x": x, "y": y}))
        };
        assert!(is_usable(point(&x, &y), Es256));
        let all = [x.as_slice(), &y].concat();
        for at in [0, 1, 31, 33, 63, 64] {
            let (x, y) = all.split_at(at);
            assert!(!is_usable(point(x, y), Es256), "split at {at}");
        }
        assert!(!is_usable(point(&x[..31], &y), Es256));
        assert!(!is_usable(point(&x, &y[..31]), Es256));
        assert!(!is_usable(point(&[&[0], x.as_slice()].concat(), &y), Es256));
        assert!(!is_usable(point(&y, &x), Es256));
        for (curve, algorithm) in [("P-384", Es384), ("secp256k1", Es256), ("p-256", Es256)] {
            assert!(!is_usable(ec(&json!({"crv": curve})), algorithm), "{curve}");
        }
    }

    #[test]
    fn an_octet_key_pair_is_one_of_ed25519() {
        // RFC 8037 A.2.
        let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
        let okp = |curve: &str, x: &str| json!({"kty": "OKP", "crv": curve, "x": x, "kid": "1"});
        assert!(is_usable(okp("Ed25519", x), EdDsa));
        for curve in ["X25519", "Ed448", "ed25519"] {
            assert!(!is_usable(okp(curve, x), EdDsa), "{curve}");
        }
        // The same key as a SubjectPublicKeyInfo (RFC 8410 §4).
        let octets = BASE64_URL_SAFE_NO_PAD.decode(x).unwrap();
        let prefix = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
        let spki = BASE64_URL_SAFE_NO_PAD.encode([prefix.as_slice(), &octets].concat());
        assert!(!is_usable(okp("Ed25519", &spki), EdDsa));
    }

    #[test]
    fn the_key_that_verified_a_token_is_selected_as_long_as_the_set_has_it_and_no_other_fits() {
        let selected =
            |key: Value, kid: Option<&str>| set(&[key]).select(kid.map(Box::from), Es256).unwrap();
        let named = selected(ec(&json!({})), Some("1"));
        let unnamed = selected(ec(&json!({})), None);
        let other_point = {
            let (x, y) = (ec(&json!({}))["x"].clone(), ec(&json!({}))["y"].clone());
            let octets = |value: &Value| BASE64_URL_SAFE_NO_PAD.decode(value.as_str().unwrap());
            // The point of the same x below the axis.
            let prime = "ffffffff00000001000000000000000000000000ffffffffffffffffffffffff";
            let negative = subtract(&hex(prime), &octets(&y).unwrap());
            ec(&json!({"x": x, "y": BASE64_URL_SAFE_NO_PAD.encode(negative)}))
        };
        for (keys, with_kid, without) in [
            (vec![ec(&json!({}))], true, true),
            (vec![ec(&json!({"alg": "ES256", "x5c": ["AAAA"]}))], true, true),
            (vec![rsa(2048, &json!({})), ec(&json!({}))], true, true),
            (vec![ec(&json!({"kid": "2"}))], false, true),
            (vec![ec(&json!({})), ec(&json!({"kid": "2"}))], true, false),
            (vec![other_point.clone()], false, false),
            (vec![ec(&json!({})), other_point], false, false),
            (vec![ec(&json!({"use": "enc"}))], false, false),
            (vec![rsa(2048, &json!({}))], false, false),
        ] {
            let keys = set(&keys);
            let still = (keys.still_selects(&named), keys.still_selects(&unnamed));
            assert_eq!(still, (with_kid, without), "{keys:?}");
        }
    }

    fn hex(text: &str) -> Vec<u8> {
        let octet = |at| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
        (0..text.len()).step_by(2).map(octet).collect()
    }

    /// Big-endian numbers of one length, the first of which is larger.
    fn subtract(one: &[u8], other: &[u8]) -> Vec<u8> {
        let mut difference = vec![0; one.len()];
        let mut borrowed = 0;
        for index in (0..one.len()).rev() {
            let digit = i16::from(one[index]) - i16::from(other[index]) - borrowed;
            borrowed = i16::from(digit < 0);
            difference[index] = digit.rem_euclid(256) as u8;
        }
        difference
    }

    #[test]
    fn a_few_short_headers_are_known_once_they_were_remembered() {
        let keys = set(&[ec(&json!({}))]);
        let key = Arc::new(keys.select(Some("1".into()), Es256).unwrap());
        assert!(keys.known("header").is_none());
        keys.remember("header", &key);
        assert!(keys.known("header").is_some() && keys.known("heade").is_none());
        keys.remember(&"h".repeat(1025), &key);
        assert!(keys.known(&"h".repeat(1025)).is_none());
        keys.remember(&"h".repeat(1024), &key);
        assert!(keys.known(&"h".repeat(1024)).is_some());
        for number in 0..20 {
            keys.remember("header", &key);
            keys.remember(&number.to_string(), &key);
        }
        let known = (0..20).filter(|number| keys.known(&number.to_string()).is_some());
        assert_eq!(known.count(), 14);
    }

    #[test]
    fn a_set_tells_its_keys_and_what_each_is_good_for() {
        let keys = set(&[
            ec(&json!({})),
            ec(&json!({"kid": "2", "use": "enc"})),
            ec(&json!({"kid": null})),
        ]);
        assert_eq!(keys.kids().collect::<Vec<_>>(), ["1"]);
        let usable = keys.usable().map(|(kid, algorithms)| (kid, algorithms.collect()));
        assert_eq!(usable.collect::<Vec<_>>(), [(Some("1"), vec![Es256]), (None, vec![Es256])]);
        assert_eq!(keys.ignored().collect::<Vec<_>>(), [(Some("2"), "its use is not sig")]);
    }

    #[test]
    fn a_key_that_is_ignored_has_a_reason() {
        let x = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
        let modulus = rsa(2048, &json!({}))["n"].as_str().unwrap().to_owned();
        for (key, kid, reason) in [
            (json!("key"), None, "it is not a JSON object whose members are unique"),
            (ec(&json!({"kid": 7})), None, "its kid is not a string"),
            (ec(&json!({"d": x})), Some("1"), "it is private or symmetric"),
            (ec(&json!({"oth": ["x"]})), Some("1"), "it is private or symmetric"),
            (json!({"kty": "oct", "k": x}), None, "it is private or symmetric"),
            (ec(&json!({"use": "enc"})), Some("1"), "its use is not sig"),
            (ec(&json!({"key_ops": ["sign"]})), Some("1"), "its key_ops do not include verify"),
            (
                ec(&json!({"alg": "ES256K"})),
                Some("1"),
                "its alg is not an accepted signature algorithm",
            ),
            (ec(&json!({"alg": "ES384"})), Some("1"), "its alg does not fit its kty or crv"),
            (rsa(2048, &json!({"alg": "ES256"})), Some("1"), "its alg does not fit its kty or crv"),
            (
                json!({"kty": "AKP", "alg": "ML-DSA-44", "pub": x, "kid": "pq"}),
                Some("pq"),
                "its kty is not RSA, EC or OKP",
            ),
            (rsa(2048, &json!({"n": modulus + "="})), Some("1"), "its n is not unpadded base64url"),
            (rsa(2048, &json!({"e": "AQ+B"})), Some("1"), "its e is not unpadded base64url"),
            (rsa(2047, &json!({})), Some("1"), "its modulus does not have 2048 to 8192 bits"),
            (
                rsa(2048, &json!({"n": ""})),
                Some("1"),
                "its modulus does not have 2048 to 8192 bits",
            ),
            (
                rsa(2048, &json!({"e": "Ag"})),
                Some("1"),
                "its exponent is not an odd number above 1 of at most 4 bytes",
            ),
            (ec(&json!({"crv": "secp256k1"})), Some("1"), "its crv is not P-256, P-384 or P-521"),
            (ec(&json!({"x": "f83="})), Some("1"), "its x is not unpadded base64url"),
            (ec(&json!({"y": null})), Some("1"), "its y is not unpadded base64url"),
            (
                ec(&json!({"x": "AQAB"})),
                Some("1"),
                "its x or y does not have the full length of its curve (RFC 7518 §6.2.1)",
            ),
            (ec(&json!({"y": x})), Some("1"), "its x and y are not a point of its curve"),
            (json!({"kty": "OKP", "crv": "X25519", "x": x}), None, "its crv is not Ed25519"),
            (json!({"kty": "OKP", "crv": "Ed25519"}), None, "its x is not unpadded base64url"),
            (
                json!({"kty": "OKP", "crv": "Ed25519", "x": "AQAB"}),
                None,
                "its x does not have 32 bytes",
            ),
        ] {
            let keys = set(&[key.clone(), ec(&json!({"kid": "good"}))]);
            assert_eq!(keys.ignored().collect::<Vec<_>>(), [(kid, reason)], "{key}");
            assert_eq!(keys.kids().collect::<Vec<_>>(), ["good"], "{key}");
        }
    }

    /// A key with members set, null ones too.
    fn keep(mut key: Value, members: Value) -> Value {
        key.as_object_mut().unwrap().append(&mut members.as_object().unwrap().clone());
        key
    }

    #[test]
    fn members_that_are_null_are_absent() {
        for name in ["use", "key_ops", "alg", "x5c", "d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
            for key in [ec(&json!({})), rsa(2048, &json!({}))] {
                let key = keep(key, json!({name: null}));
                let [keys, bare] =
                    [key.clone(), keep(key, json!({"kid": null}))].map(|key| set(&[key]));
                assert!(keys.is_usable() && keys.contains("1"), "{name}");
                assert!(bare.is_usable() && bare.usable().all(|(kid, _)| kid.is_none()), "{name}");
            }
        }
        for needed in ["kty", "crv", "x", "y"] {
            assert!(!is_usable(keep(ec(&json!({})), json!({needed: null})), Es256), "{needed}");
        }
    }

    #[test]
    fn the_empty_lists_of_a_dotnet_issuer_say_nothing() {
        let unset = json!({"key_ops": [], "oth": [], "x5c": []});
        assert!(is_usable(keep(ec(&json!({})), unset.clone()), Es256));
        assert!(is_usable(keep(rsa(2048, &json!({})), unset.clone()), Rs256));
        assert!(!is_usable(keep(ec(&json!({"d": "AQAB"})), unset), Es256));
        for odd in [
            json!({"d": []}),
            json!({"use": []}),
            json!({"alg": []}),
            json!({"kid": []}),
            json!({"oth": {}}),
        ] {
            assert!(!set(&[keep(ec(&json!({})), odd.clone())]).is_usable(), "{odd}");
        }
    }

    #[test]
    fn a_key_that_is_published_twice_is_one_key() {
        for key in [ec(&json!({})), ec(&json!({"alg": "ES256"}))] {
            let again = keep(key.clone(), json!({"x5c": ["AAAA"], "d": null, "key_ops": []}));
            for keys in [vec![key.clone(), key.clone()], vec![key, again]] {
                assert_eq!(found(&keys, Some("1"), Es256), Ok(Es256), "{keys:?}");
                assert_eq!(found(&keys, None, Es256), Ok(Es256), "{keys:?}");
                assert_eq!(set(&keys).kids().count(), 1);
            }
        }
        let zero_first = {
            let modulus = octets(rsa(2048, &json!({})).as_object().unwrap(), "n").unwrap();
            BASE64_URL_SAFE_NO_PAD.encode([&[0], modulus.as_slice()].concat())
        };
        let twice = [rsa(2048, &json!({})), rsa(2048, &json!({"n": zero_first}))];
        assert_eq!(found(&twice, Some("1"), Rs256), Ok(Rs256));

        let other_modulus = [rsa(2048, &json!({})), rsa(2056, &json!({}))];
        let other_exponent = [rsa(2048, &json!({})), rsa(2048, &json!({"e": "Aw"}))];
        for two in [other_modulus, other_exponent] {
            assert_eq!(found(&two, Some("1"), Rs256), Err(AmbiguousKey), "{two:?}");
        }
        let other_kid = [ec(&json!({})), ec(&json!({"kid": "2"}))];
        assert_eq!(found(&other_kid, None, Es256), Err(AmbiguousKey));
        let more_algorithms = [rsa(2048, &json!({"alg": "RS256"})), rsa(2048, &json!({}))];
        assert_eq!(found(&more_algorithms, Some("1"), Rs256), Err(AmbiguousKey));
        assert_eq!(found(&more_algorithms, Some("1"), Rs512), Ok(Rs512));
    }

    #[test]
    fn debug_shows_the_kids_and_algorithms_of_a_set() {
        let shown = format!("{:?}", set(&[ec(&json!({}))]));
        assert_eq!(shown, r#"KeySet { keys: [Key { kid: Some("1"), verifiers: Ok([Es256]) }] }"#);
    }

    #[test]
    fn a_key_that_is_odd_is_as_good_as_not_there() {
        for odd in
            [json!(null), json!(1), json!([]), ec(&json!({"kid": 1})), ec(&json!({"kid": []}))]
        {
            assert_eq!(found(&[odd.clone(), ec(&json!({}))], None, Es256), Ok(Es256), "{odd}");
            assert!(!set(&[odd]).is_usable());
        }
    }
}
