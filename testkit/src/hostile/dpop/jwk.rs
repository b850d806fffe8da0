//! The key in the header of the proof.

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use serde_json::{Value, json};

use crate::{
    Algorithm, DpopKey, DpopRequest, Endpoint,
    dpop::thumbprint_of,
    hostile::{
        dpop::{
            Row,
            alg::attackers,
            request::{Attempt, Good},
            weak_rsa,
        },
        encoding::loosened,
        key_choice::ATTACKER_CERTIFICATE,
        table::table,
    },
    token::base64url,
};

pub(super) fn rows(request: &DpopRequest<'_>) -> Vec<Row> {
    let mut rows = missing(request);
    rows.extend(private(request));
    rows.extend(of_ec(request));
    rows.extend(of_other_types(request));
    rows
}

fn missing(request: &DpopRequest<'_>) -> Vec<Row> {
    let good = request.good();
    let jwk = request.own_key().jwk();
    let is = |jwk: Value| good.send(good.proof().header("jwk", jwk));
    let without = || good.proof().without_header("jwk");
    let url = request.tenant().url(Endpoint::Canary);
    let kid = request.own_key().thumbprint();
    let certificate = STANDARD.encode(ATTACKER_CERTIFICATE);
    table! {
        "RFC 9449 §4.2, RFC 7515 §4.1.3" {
            "proof-jwk-missing": good.send(without()),
            "proof-jwk-null": is(json!(null)),
            "proof-jwk-true": is(json!(true)),
            "proof-jwk-number": is(json!(1)),
            "proof-jwk-text": is(json!(jwk.to_string())),
            "proof-jwk-array": is(json!([jwk])),
            "proof-jwk-empty": is(json!({})),
            "proof-jwk-set": is(json!({ "keys": [jwk] })),
            "proof-jwk-as-a-claim-only": good.send(without().claim("jwk", &jwk)),
        }
        "RFC 9449 §4.2, RFC 8725 §3.10" {
            "proof-jku-instead-of-jwk": good.send(without().header("jku", &url)),
            "proof-x5u-instead-of-jwk": good.send(without().header("x5u", &url)),
            "proof-x5c-instead-of-jwk": good.send(without().header("x5c", [certificate])),
            "proof-kid-instead-of-jwk": good.send(without().header("kid", kid)),
        }
    }
}

fn private(request: &DpopRequest<'_>) -> Vec<Row> {
    let with_private = |key: &DpopKey, names: &[&str]| {
        let good = request.good_by(key);
        let (mut jwk, private) = (key.jwk(), key.signing_key().private_jwk());
        for name in names {
            jwk[name] = private[name].clone();
        }
        good.send(good.proof().header("jwk", jwk))
    };
    let rsa = attackers(Algorithm::Rs256);
    table! {
        "RFC 9449 §4.2 and §4.3 rule 7" {
            "proof-jwk-private-ec": with_private(&DpopKey::generate(), &["d"]),
            "proof-jwk-private-ed25519": with_private(&DpopKey::of(Algorithm::EdDsa), &["d"]),
            "proof-jwk-private-rsa": with_private(&rsa, &["d", "p", "q", "dp", "dq", "qi"]),
            "proof-jwk-private-rsa-exponent-alone": with_private(&rsa, &["d"]),
        }
    }
}

fn of_ec(request: &DpopRequest<'_>) -> Vec<Row> {
    let es256 = DpopKey::generate();
    let (good, jwk) = (request.good_by(&es256), es256.jwk());
    let set = |name, value| changed(&good, &jwk, name, value);
    let bytes = |name: &str| {
        let text = jwk[name].as_str().expect("a coordinate");
        URL_SAFE_NO_PAD.decode(text).expect("a JWK is base64url")
    };
    let (x, y) = (bytes("x"), bytes("y"));
    let mut next_to_it = y;
    next_to_it[31] ^= 1;
    let text = |bytes: &[u8]| json!(base64url(bytes));
    let swapped = json!({ "kty": "EC", "crv": "P-256", "x": jwk["y"], "y": jwk["x"] });
    let x_text = base64url(&x);
    table! {
        "RFC 7518 §6.2.1, RFC 7517 §4.1" {
            "proof-jwk-kty-missing": set("kty", None),
            "proof-jwk-kty-unknown": set("kty", Some(json!("XY"))),
            "proof-jwk-kty-lower-case": set("kty", Some(json!("ec"))),
            "proof-jwk-kty-of-another-type": set("kty", Some(json!("OKP"))),
            "proof-jwk-crv-missing": set("crv", None),
            "proof-jwk-crv-unknown": set("crv", Some(json!("P-257"))),
            "proof-jwk-crv-secp256k1": set("crv", Some(json!("secp256k1"))),
            "proof-jwk-crv-of-another-size": set("crv", Some(json!("P-384"))),
            "proof-jwk-crv-null": set("crv", Some(json!(null))),
            "proof-jwk-x-missing": set("x", None),
            "proof-jwk-y-missing": set("y", None),
            "proof-jwk-x-number": set("x", Some(json!(1))),
            "proof-jwk-x-empty": set("x", Some(json!(""))),
            "proof-jwk-x-short": set("x", Some(text(&x[1..]))),
            "proof-jwk-x-long": set("x", Some(text(&[&[0], x.as_slice()].concat()))),
        }
        "RFC 7515 §2, RFC 4648 §3.2 and §3.5" {
            "proof-jwk-x-padded": set("x", Some(json!(format!("{x_text}=")))),
            "proof-jwk-x-with-loose-bits": set("x", Some(json!(loosened(&x_text)))),
            "proof-jwk-x-with-tilde": set("x", Some(json!(format!("{x_text}~")))),
        }
        "SP 800-56A §5.6.2.3, CVE-2015-7940" {
            "proof-jwk-not-on-the-curve": set("y", Some(text(&next_to_it))),
            "proof-jwk-coordinates-swapped": good.send(good.proof().header("jwk", swapped)),
            "proof-jwk-coordinates-zero":
                good.send(good.proof().header("jwk", ec_point(&[0; 32], &[0; 32]))),
            "proof-jwk-coordinates-all-ones":
                good.send(good.proof().header("jwk", ec_point(&[0xFF; 32], &[0xFF; 32]))),
        }
    }
}

fn of_other_types(request: &DpopRequest<'_>) -> Vec<Row> {
    let eddsa = DpopKey::of(Algorithm::EdDsa);
    let (good_eddsa, eddsa) = (request.good_by(&eddsa), eddsa.jwk());
    let okp = |name, value| changed(&good_eddsa, &eddsa, name, value);
    let rs256 = attackers(Algorithm::Rs256);
    let (good_rsa, rsa) = (request.good_by(&rs256), rs256.jwk());
    let set = |name, value| changed(&good_rsa, &rsa, name, value);
    // A valid signature by a weak key, to which the token is bound.
    let by = |jwk: &Value, sign: fn(&[u8]) -> Vec<u8>| {
        let good = request.good_of(&thumbprint_of(jwk), &rs256);
        let proof = good.proof().header("jwk", jwk).unsigned();
        good.send_text(&proof.with_signature(sign(proof.input().as_bytes())))
    };
    let of_exponent_one = json!({ "kty": "RSA", "n": rsa["n"], "e": "AQ" });
    table! {
        "RFC 8037 §2" {
            "proof-jwk-crv-ed448": okp("crv", Some(json!("Ed448"))),
            "proof-jwk-crv-x25519": okp("crv", Some(json!("X25519"))),
            "proof-jwk-ed25519-x-missing": okp("x", None),
            "proof-jwk-ed25519-x-short": okp("x", Some(json!(base64url([1; 31])))),
        }
        "RFC 7518 §6.3.1" {
            "proof-jwk-n-missing": set("n", None),
            "proof-jwk-e-missing": set("e", None),
            "proof-jwk-n-zero": set("n", Some(json!("AA"))),
            "proof-jwk-n-empty": set("n", Some(json!(""))),
            "proof-jwk-e-zero": set("e", Some(json!("AA"))),
            "proof-jwk-e-even": set("e", Some(json!("Ag"))),
        }
        "RFC 7518 §3.3, RFC 8725 §3.5" {
            "proof-jwk-of-1024-bits": by(&weak_rsa::jwk(), weak_rsa::sign),
        }
        "RFC 8017 §3.1" {
            "proof-jwk-exponent-one": by(&of_exponent_one, |input| weak_rsa::padded(input, 256)),
        }
    }
}

/// The proof with a member of its `jwk` set or removed.
fn changed(good: &Good, jwk: &Value, name: &str, value: Option<Value>) -> Attempt {
    let mut jwk = jwk.clone();
    let members = jwk.as_object_mut().expect("a JWK is an object");
    match value {
        Some(value) => members.insert(name.to_owned(), value),
        None => members.remove(name),
    };
    good.send(good.proof().header("jwk", jwk))
}

fn ec_point(x: &[u8], y: &[u8]) -> Value {
    json!({ "kty": "EC", "crv": "P-256", "x": base64url(x), "y": base64url(y) })
}
