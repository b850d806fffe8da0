//! The algorithm that the proof's header declares.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::{
    Algorithm, DpopKey, DpopRequest,
    dpop::thumbprint_of,
    hostile::{
        alg::{hmac, spki_pem},
        dpop::{
            Row,
            request::{Attempt, Good},
        },
        table::table,
    },
    token::{SigningKey, Unsigned, base64url},
};

pub(super) fn rows(request: &DpopRequest<'_>) -> Vec<Row> {
    let good = request.good();
    let signed = |alg: Value| good.send(good.proof().header("alg", alg));
    let unsigned = |alg: &str| good.proof().header("alg", alg).unsigned();
    let bare = |alg| good.send_text(&unsigned(alg).with_signature(""));
    let es256 = request.good_by(&DpopKey::generate());
    let eddsa = request.good_by(&DpopKey::of(Algorithm::EdDsa));
    let rsa = request.good_by(&attackers(Algorithm::Rs256));
    // The key signs with its own algorithm, and the header names another.
    let says = |good: &Good, alg: &str| good.send(good.proof().header("alg", alg));
    let ec = |secret| keyed_by(&es256, secret);
    table! {
        "RFC 9449 §4.3 rule 5, RFC 8725 §2.1" {
            "proof-alg-none-unsigned": bare("none"),
            "proof-alg-none-capitalised-unsigned": bare("None"),
            "proof-alg-none-upper-case-unsigned": bare("NONE"),
            "proof-alg-none-undotted": good.send_text(&unsigned("none").input()),
            "proof-alg-none-signed": signed(json!("none")),
        }
        "RFC 9449 §4.2, RFC 7515 §4.1.1" {
            "proof-alg-missing": good.send(good.proof().without_header("alg")),
            "proof-alg-empty": signed(json!("")),
            "proof-alg-null": signed(json!(null)),
            "proof-alg-number": signed(json!(256)),
            "proof-alg-array": signed(json!(["ES256"])),
            "proof-alg-object": signed(json!({ "name": "ES256" })),
        }
        "RFC 9449 §4.3 rule 5" {
            "proof-alg-unknown": signed(json!("X256")),
            "proof-alg-lower-case": says(&es256, "es256"),
            "proof-alg-blank-after": says(&es256, "ES256 "),
            "proof-alg-secp256k1": says(&es256, "ES256K"),
            "proof-alg-sha1": says(&rsa, "RS1"),
            "proof-alg-of-encryption": says(&rsa, "RSA-OAEP"),
            "proof-alg-post-quantum": signed(json!("ML-DSA-44")),
        }
        "RFC 8725 §3.1" {
            "proof-es256-says-es384": says(&es256, "ES384"),
            "proof-es256-says-es512": says(&es256, "ES512"),
            "proof-es256-says-rs256": says(&es256, "RS256"),
            "proof-es256-says-eddsa": says(&es256, "EdDSA"),
            "proof-rs256-says-rs512": says(&rsa, "RS512"),
            "proof-rs256-says-ps256": says(&rsa, "PS256"),
            "proof-rs256-says-es256": says(&rsa, "ES256"),
            "proof-eddsa-says-es256": says(&eddsa, "ES256"),
            "proof-eddsa-says-ed448": says(&eddsa, "Ed448"),
        }
        "RFC 9449 §4.3 rule 5, CVE-2015-9235, CVE-2022-29217" {
            "proof-hs256-keyed-by-ec-spki-pem": ec(spki_pem),
            "proof-hs256-keyed-by-ec-spki-der": ec(|it| it.key.spki()),
            "proof-hs256-keyed-by-ec-point": ec(|it| it.key.raw_public_key()),
            "proof-hs256-keyed-by-ec-jwk": ec(|it| it.key.public_key().to_string().into()),
            "proof-hs256-keyed-by-x": ec(|it| text_of(&it.key.public_key()["x"]).into()),
            "proof-hs256-keyed-by-rsa-spki-pem": keyed_by(&rsa, spki_pem),
            "proof-hs256-keyed-by-rsa-spki-base64":
                keyed_by(&rsa, |it| STANDARD.encode(it.key.spki()).into()),
            "proof-hs256-with-an-empty-secret": keyed_by(&good, |_| Vec::new()),
        }
        "RFC 9449 §4.3 rules 5 and 7" {
            "proof-hs256-with-its-own-key": with_symmetric_key(request, "HS256"),
            "proof-hs512-with-its-own-key": with_symmetric_key(request, "HS512"),
        }
    }
}

/// A key that takes no time to create.
pub(super) fn attackers(algorithm: Algorithm) -> DpopKey {
    DpopKey::new(SigningKey::foreign(algorithm, String::new()))
}

/// An HMAC whose secret everyone knows.
fn keyed_by(good: &Good, secret: fn(&Unsigned) -> Vec<u8>) -> Attempt {
    let proof = good.proof().header("alg", "HS256").unsigned();
    let tag = hmac("HS256", &secret(&proof), &proof.input());
    good.send_text(&proof.with_signature(tag))
}

/// A valid HMAC with the key in the header, to which the token is bound.
fn with_symmetric_key(request: &DpopRequest<'_>, alg: &str) -> Attempt {
    let secret = [7; 64];
    let jwk = json!({ "kty": "oct", "k": base64url(secret) });
    let good = request.good_of(&thumbprint_of(&jwk), request.own_key());
    let proof = good.proof().header("alg", alg).header("jwk", jwk).unsigned();
    good.send_text(&proof.with_signature(hmac(alg, &secret, &proof.input())))
}

fn text_of(value: &Value) -> &str {
    value.as_str().expect("a string")
}
