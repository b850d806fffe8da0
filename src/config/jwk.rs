//! A client secret that is a JWK: is it a key one can sign with, and for its own `alg`?

use std::ops::RangeInclusive;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value};
use thiserror::Error;

use crate::token::keys::{lists, remove_unset};

/// A private or symmetric key (RFC 7517) whose members fit its `alg`.
pub(super) struct SecretJwk {
    alg: &'static str,
    members: Map<String, Value>,
}

/// Why a text is not the JWK that is needed. No value of the key is in it.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub(super) enum JwkError {
    #[error("is a JWK whose `alg` is none of {}", .0.join(", "))]
    Algorithm(Vec<&'static str>),
    #[error("is an asymmetric JWK; client_secret_jwt needs an `oct` key")]
    Asymmetric,
    #[error("is a JWK with inconsistent members")]
    Inconsistent,
    #[error("is a JWK without `{0}`; add it")]
    Missing(&'static str),
    #[error("is not a JWK in JSON")]
    NotJwk,
    #[error("is a public JWK; private_key_jwt needs the private key, with `d`")]
    Public,
    #[error("is a JWK whose `use` or `key_ops` do not allow signing; use a key that may sign")]
    Purpose,
    #[error("is a symmetric JWK; private_key_jwt needs a private key")]
    Symmetric,
    #[error("is a JWK whose `{0}` does not fit its `alg`, {1}")]
    Unfit(&'static str, &'static str),
}

/// What an `alg` asks of its key: members with the number of bytes each must have.
struct Shape {
    alg: &'static str,
    kty: &'static str,
    crv: Option<&'static str>,
    members: &'static [(&'static str, RangeInclusive<usize>)],
}

impl SecretJwk {
    /// Reads the private key of `private_key_jwt`.
    pub(super) fn private(text: &str) -> Result<Self, JwkError> {
        let members = object(text).ok_or(JwkError::NotJwk)?;
        match string(&members, "kty")? {
            "oct" => Err(JwkError::Symmetric),
            _ if !members.contains_key("d") => Err(JwkError::Public),
            _ => Self::fit(members, PRIVATE),
        }
    }

    /// Reads the symmetric key of `client_secret_jwt`.
    pub(super) fn symmetric(text: &str) -> Result<Self, JwkError> {
        let members = object(text).ok_or(JwkError::NotJwk)?;
        match string(&members, "kty")? {
            "oct" => Self::fit(members, SYMMETRIC),
            _ => Err(JwkError::Asymmetric),
        }
    }

    /// The algorithm the key signs with.
    pub(super) fn alg(&self) -> &'static str {
        self.alg
    }

    /// The whole key. Secret.
    pub(super) fn members(&self) -> &Map<String, Value> {
        &self.members
    }

    fn fit(members: Map<String, Value>, shapes: &[Shape]) -> Result<Self, JwkError> {
        let alg = string(&members, "alg")?;
        let Some(shape) = shapes.iter().find(|shape| shape.alg == alg) else {
            let known = shapes.iter().map(|shape| shape.alg);
            return Err(JwkError::Algorithm(known.collect()));
        };
        if string(&members, "kty")? != shape.kty {
            return Err(JwkError::Unfit("kty", shape.alg));
        }
        if let Some(crv) = shape.crv
            && string(&members, "crv")? != crv
        {
            return Err(JwkError::Unfit("crv", shape.alg));
        }
        for (name, length) in shape.members {
            let member = URL_SAFE_NO_PAD.decode(string(&members, name)?);
            if !member.is_ok_and(|bytes| length.contains(&bytes.len())) {
                return Err(JwkError::Unfit(name, shape.alg));
            }
        }
        if !may_sign(&members) {
            return Err(JwkError::Purpose);
        }
        Ok(Self { alg: shape.alg, members })
    }
}

/// Whether a text can only have been meant as a JWK, right or wrong.
pub(super) fn is_meant(text: &str) -> bool {
    object(text).is_some()
}

/// RFC 7518: 2048 to 8192 bits, and all that a signer needs to use the remainder theorem.
const RSA: &[(&str, RangeInclusive<usize>)] = &[
    ("n", 256..=1024),
    ("e", 1..=8),
    ("d", 1..=1024),
    ("p", 1..=1024),
    ("q", 1..=1024),
    ("dp", 1..=1024),
    ("dq", 1..=1024),
    ("qi", 1..=1024),
];

#[rustfmt::skip]
const PRIVATE: &[Shape] = &[
    Shape { alg: "RS256", kty: "RSA", crv: None, members: RSA },
    Shape { alg: "RS384", kty: "RSA", crv: None, members: RSA },
    Shape { alg: "RS512", kty: "RSA", crv: None, members: RSA },
    Shape { alg: "PS256", kty: "RSA", crv: None, members: RSA },
    Shape { alg: "PS384", kty: "RSA", crv: None, members: RSA },
    Shape { alg: "PS512", kty: "RSA", crv: None, members: RSA },
    Shape { alg: "ES256", kty: "EC", crv: Some("P-256"), members: &[("x", 32..=32), ("y", 32..=32), ("d", 32..=32)] },
    Shape { alg: "ES384", kty: "EC", crv: Some("P-384"), members: &[("x", 48..=48), ("y", 48..=48), ("d", 48..=48)] },
    Shape { alg: "ES512", kty: "EC", crv: Some("P-521"), members: &[("x", 66..=66), ("y", 66..=66), ("d", 66..=66)] },
    Shape { alg: "EdDSA", kty: "OKP", crv: Some("Ed25519"), members: &[("x", 32..=32), ("d", 32..=32)] },
    Shape { alg: "Ed25519", kty: "OKP", crv: Some("Ed25519"), members: &[("x", 32..=32), ("d", 32..=32)] },
];

/// RFC 7518 §3.2: a key at least as long as the hash.
#[rustfmt::skip]
const SYMMETRIC: &[Shape] = &[
    Shape { alg: "HS256", kty: "oct", crv: None, members: &[("k", 32..=1024)] },
    Shape { alg: "HS384", kty: "oct", crv: None, members: &[("k", 48..=1024)] },
    Shape { alg: "HS512", kty: "oct", crv: None, members: &[("k", 64..=1024)] },
];

fn object(text: &str) -> Option<Map<String, Value>> {
    let mut members = serde_json::from_str(text).ok()?;
    remove_unset(&mut members);
    Some(members)
}

fn string<'a>(members: &'a Map<String, Value>, name: &'static str) -> Result<&'a str, JwkError> {
    let member = members.get(name).and_then(Value::as_str);
    member.ok_or(JwkError::Missing(name))
}

fn may_sign(members: &Map<String, Value>) -> bool {
    let for_signatures = members.get("use").is_none_or(|it| it == "sig");
    for_signatures && members.get("key_ops").is_none_or(|operations| lists(operations, "sign"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn bytes(length: usize) -> String {
        URL_SAFE_NO_PAD.encode(vec![0xa5; length])
    }

    fn rsa(alg: &str) -> Value {
        let mut jwk = json!({"kty": "RSA", "alg": alg, "n": bytes(256), "e": "AQAB"});
        for member in ["d", "p", "q", "dp", "dq", "qi"] {
            jwk[member] = json!(bytes(128));
        }
        jwk
    }

    fn ec(alg: &str, crv: &str, length: usize) -> Value {
        let (x, y, d) = (bytes(length), bytes(length), bytes(length));
        json!({"kty": "EC", "alg": alg, "crv": crv, "x": x, "y": y, "d": d})
    }

    fn okp(alg: &str) -> Value {
        json!({"kty": "OKP", "alg": alg, "crv": "Ed25519", "x": bytes(32), "d": bytes(32)})
    }

    fn oct(alg: &str, length: usize) -> Value {
        json!({"kty": "oct", "alg": alg, "k": bytes(length)})
    }

    /// The key with one member changed, or removed by null.
    fn with(mut jwk: Value, member: &str, value: Value) -> Value {
        let members = jwk.as_object_mut().unwrap();
        match value {
            Value::Null => members.remove(member),
            value => members.insert(member.to_owned(), value),
        };
        jwk
    }

    #[test]
    fn a_private_key_that_fits_its_alg_is_kept_whole() {
        let rsa_algs = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"];
        let mut keys: Vec<Value> = rsa_algs.map(rsa).into();
        keys.push(ec("ES256", "P-256", 32));
        keys.push(ec("ES384", "P-384", 48));
        keys.push(ec("ES512", "P-521", 66));
        keys.push(okp("EdDSA"));
        keys.push(okp("Ed25519"));
        keys.push(with(rsa("RS256"), "kid", json!("one")));
        keys.push(with(rsa("RS256"), "use", json!("sig")));
        keys.push(with(rsa("RS256"), "key_ops", json!(["sign", "verify"])));
        for key in keys {
            let jwk = SecretJwk::private(&key.to_string()).unwrap();
            assert_eq!(key, Value::Object(jwk.members().clone()));
            assert_eq!(key["alg"], jwk.alg());
        }
    }

    #[test]
    fn members_that_say_nothing_are_absent() {
        let unset = json!({"use": null, "key_ops": [], "oth": [], "x5c": [], "kid": null});
        let mut key = ec("ES256", "P-256", 32);
        key.as_object_mut().unwrap().append(&mut unset.as_object().unwrap().clone());
        let jwk = SecretJwk::private(&key.to_string()).unwrap();
        assert!(!["use", "key_ops", "oth", "kid"].iter().any(|it| jwk.members().contains_key(*it)));
        let public = with(ec("ES256", "P-256", 32), "d", json!([null]));
        assert_eq!(SecretJwk::private(&public.to_string()).err().unwrap(), JwkError::Missing("d"));
        let public = public.to_string().replace("[null]", "null");
        assert_eq!(SecretJwk::private(&public).err().unwrap(), JwkError::Public);
    }

    #[test]
    fn a_private_key_that_cannot_sign_is_refused_for_what_it_lacks() {
        use JwkError::*;
        for (key, error) in [
            (json!("text"), NotJwk),
            (json!([rsa("RS256")]), NotJwk),
            (json!({"keys": [rsa("RS256")]}), Missing("kty")),
            (with(rsa("RS256"), "alg", Value::Null), Missing("alg")),
            (with(rsa("RS256"), "alg", json!(256)), Missing("alg")),
            (with(rsa("RS256"), "d", Value::Null), Public),
            (with(rsa("RS256"), "qi", Value::Null), Missing("qi")),
            (with(rsa("RS256"), "n", json!(bytes(255))), Unfit("n", "RS256")),
            (with(rsa("RS256"), "d", json!("AQ==")), Unfit("d", "RS256")),
            (with(rsa("RS256"), "d", json!("AR")), Unfit("d", "RS256")),
            (rsa("ES256"), Unfit("kty", "ES256")),
            (okp("RS256"), Unfit("kty", "RS256")),
            (ec("EdDSA", "Ed25519", 32), Unfit("kty", "EdDSA")),
            (ec("ES256", "P-384", 48), Unfit("crv", "ES256")),
            (ec("ES512", "P-521", 64), Unfit("x", "ES512")),
            (with(okp("EdDSA"), "crv", json!("Ed448")), Unfit("crv", "EdDSA")),
            (with(okp("EdDSA"), "crv", Value::Null), Missing("crv")),
            (oct("HS256", 32), Symmetric),
            (with(okp("EdDSA"), "use", json!("enc")), Purpose),
            (with(okp("EdDSA"), "key_ops", json!(["verify"])), Purpose),
        ] {
            let refused = SecretJwk::private(&key.to_string());
            assert_eq!(refused.err().unwrap(), error, "{key}");
        }
        for alg in ["HS256", "none", "ES256K", "rs256"] {
            let refused = SecretJwk::private(&rsa(alg).to_string());
            assert!(matches!(refused, Err(Algorithm(_))), "{alg}");
        }
    }

    #[test]
    fn a_symmetric_key_is_at_least_as_long_as_its_hash() {
        for (alg, length) in [("HS256", 32), ("HS384", 48), ("HS512", 64)] {
            let jwk = SecretJwk::symmetric(&oct(alg, length).to_string()).unwrap();
            assert_eq!(jwk.alg(), alg);
            let short = SecretJwk::symmetric(&oct(alg, length - 1).to_string());
            assert_eq!(short.err().unwrap(), JwkError::Unfit("k", alg));
        }
        let asymmetric = SecretJwk::symmetric(&rsa("RS256").to_string());
        assert_eq!(asymmetric.err().unwrap(), JwkError::Asymmetric);
        let wrong = SecretJwk::symmetric(&oct("RS256", 32).to_string());
        assert!(matches!(wrong, Err(JwkError::Algorithm(_))));
    }
}
