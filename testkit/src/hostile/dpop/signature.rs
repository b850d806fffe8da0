//! The signature of the proof.

use crate::{
    Algorithm, DpopKey, DpopRequest,
    hostile::{
        dpop::{Row, alg::attackers},
        signature::{P256_ORDER, der_sequence, extended, number},
        table::table,
    },
    token::{Unsigned, base64url},
};

pub(super) fn rows(request: &DpopRequest<'_>) -> Vec<Row> {
    let mut rows = generic(request);
    rows.extend(of_algorithms(request));
    rows
}

fn generic(request: &DpopRequest<'_>) -> Vec<Row> {
    let good = request.good();
    let proof = good.proof().unsigned();
    let signature = proof.signature();
    let with = |signature: &[u8]| good.send_text(&proof.with_signature(signature));
    let changed = |change: fn(&mut Vec<u8>)| {
        let mut signature = signature.clone();
        change(&mut signature);
        with(&signature)
    };
    let signature_of = |input: &[u8]| with(&proof.key.sign(input));
    let (header, payload) = (base64url(&proof.header), base64url(&proof.payload));
    let another = good.proof().unsigned().signature();
    let with_header =
        Unsigned { header: extended(&proof.header, r#""comment":"added""#), ..proof.clone() };
    let with_claim =
        Unsigned { payload: extended(&proof.payload, r#""comment":"added""#), ..proof.clone() };
    let other = DpopKey::of(request.own_key().algorithm());
    table! {
        "RFC 9449 §4.3 rule 6, RFC 7515 §5.2" {
            "proof-signature-empty": with(b""),
            "proof-signature-all-zero": changed(|s| s.fill(0)),
            "proof-signature-all-ones": changed(|s| s.fill(0xFF)),
            "proof-signature-first-bit-flipped": changed(|s| s[0] ^= 0x80),
            "proof-signature-last-bit-flipped": changed(|s| *s.last_mut().expect("a byte") ^= 1),
            "proof-signature-one-byte": changed(|s| s.truncate(1)),
            "proof-signature-one-byte-short": changed(|s| s.truncate(s.len() - 1)),
            "proof-signature-zero-after": changed(|s| s.push(0)),
            "proof-signature-zero-before": changed(|s| s.insert(0, 0)),
            "proof-signature-twice": changed(|s| s.extend_from_within(..)),
            "proof-signature-of-another-proof": with(&another),
            "proof-signature-of-header": signature_of(header.as_bytes()),
            "proof-signature-of-payload": signature_of(payload.as_bytes()),
            "proof-signature-of-nothing": signature_of(b""),
            "proof-signature-by-another-key": good.send(good.proof().signed_by(&other)),
            "proof-claim-added-after-signing":
                good.send_text(&with_claim.with_signature(&signature)),
            "proof-header-added-after-signing":
                good.send_text(&with_header.with_signature(&signature)),
        }
    }
}

fn of_algorithms(request: &DpopRequest<'_>) -> Vec<Row> {
    let ecdsa = request.good_by(&DpopKey::generate());
    let es256 = ecdsa.proof().unsigned();
    let signature = es256.signature();
    let (r, s) = signature.split_at(32);
    let (zero, one) = (&[0; 32], &number(1));
    let pair = |r: &[u8], s: &[u8]| ecdsa.send_text(&es256.with_signature([r, s].concat()));
    let zeroes = |algorithm, length| {
        let good = request.good_by(&DpopKey::of(algorithm));
        good.send_text(&good.proof().unsigned().with_signature(vec![0; length]))
    };
    let rsa = request.good_by(&attackers(Algorithm::Rs256));
    let signed_as = |algorithm| {
        let proof = rsa.proof().unsigned();
        let key = proof.key.clone().misused_for(algorithm);
        rsa.send_text(&proof.with_signature(key.sign(proof.input().as_bytes())))
    };
    table! {
        "CVE-2022-21449" {
            "proof-es256-r-and-s-zero": pair(zero, zero),
            "proof-es256-r-zero": pair(zero, s),
            "proof-es256-s-zero": pair(r, zero),
            "proof-es384-r-and-s-zero": zeroes(Algorithm::Es384, 96),
            "proof-es512-r-and-s-zero": zeroes(Algorithm::Es512, 132),
        }
        "FIPS 186-5 §6.4.2" {
            "proof-es256-r-is-the-order": pair(&P256_ORDER, s),
            "proof-es256-s-is-the-order": pair(r, &P256_ORDER),
            "proof-es256-r-and-s-are-one": pair(one, one),
            "proof-es256-r-and-s-swapped": pair(s, r),
        }
        "RFC 7518 §3.4" {
            "proof-es256-as-der": ecdsa.send_text(&es256.with_signature(der_sequence(r, s))),
            "proof-es256-as-wide-as-es384": pair(&[&[0; 16], r].concat(), &[&[0; 16], s].concat()),
        }
        "RFC 8032 §5.1.7" {
            "proof-eddsa-all-zero": zeroes(Algorithm::EdDsa, 64),
        }
        "RFC 7515 §5.2" {
            "proof-rs256-with-rs512-signature": signed_as(Algorithm::Rs512),
            "proof-rs256-with-ps256-signature": signed_as(Algorithm::Ps256),
        }
    }
}
