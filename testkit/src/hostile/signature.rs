//! The third segment.

use crate::{
    Algorithm, MockTenant, Signer,
    hostile::table::{Chosen, Row, chosen_rows},
    token::{Unsigned, base64url},
};

pub(super) fn bad(tenant: &MockTenant, chosen: Chosen<'_>) -> Vec<Row> {
    let token = tenant.token().unsigned();
    let signature = token.signature();
    let changed = |change: fn(&mut Vec<u8>)| {
        let mut signature = signature.clone();
        change(&mut signature);
        token.with_signature(signature)
    };
    let signature_of = |input: &[u8]| token.with_signature(token.key.sign(input));
    let (header, payload) = (base64url(&token.header), base64url(&token.payload));
    let another = tenant.token().unsigned().signature();
    let with_header =
        Unsigned { header: extended(&token.header, r#""comment":"added""#), ..token.clone() };
    let with_claim =
        Unsigned { payload: extended(&token.payload, r#""role":"admin""#), ..token.clone() };
    let rs256 = tenant.token().algorithm(Algorithm::Rs256).unsigned();
    let rs256_signed_as = |algorithm| {
        let key = rs256.key.clone().misused_for(algorithm);
        rs256.with_signature(key.sign(rs256.input().as_bytes()))
    };
    chosen_rows! { chosen;
        "RFC 7515 §5.2" {
            "signature-empty": token.with_signature(""),
            "signature-all-zero": changed(|s| s.fill(0)),
            "signature-all-ones": changed(|s| s.fill(0xFF)),
            "signature-first-bit-flipped": changed(|s| s[0] ^= 0x80),
            "signature-last-bit-flipped": changed(|s| *s.last_mut().expect("a byte") ^= 1),
            "signature-reversed": changed(|s| s.reverse()),
            "signature-of-another-token": token.with_signature(another),
            "signature-of-header": signature_of(header.as_bytes()),
            "signature-of-payload": signature_of(payload.as_bytes()),
            "signature-of-payload-text": signature_of(&token.payload),
            "signature-of-undotted-input": signature_of(format!("{header}{payload}").as_bytes()),
            "signature-of-nothing": signature_of(b""),
            "signature-by-foreign-key": tenant.token().signed_by(Signer::Foreign).mint(),
            "claim-added-after-signing": with_claim.with_signature(&signature),
            "header-added-after-signing": with_header.with_signature(&signature),
            "rs256-with-rs512-signature": rs256_signed_as(Algorithm::Rs512),
            "rs256-with-ps256-signature": rs256_signed_as(Algorithm::Ps256),
        }
        "RFC 8017 §8.2.2, RFC 7518 §3.4" {
            "signature-one-byte": changed(|s| s.truncate(1)),
            "signature-half": changed(|s| s.truncate(s.len() / 2)),
            "signature-one-byte-short": changed(|s| s.truncate(s.len() - 1)),
            "signature-zero-after": changed(|s| s.push(0)),
            "signature-zero-before": changed(|s| s.insert(0, 0)),
            "signature-twice": changed(|s| s.extend_from_within(..)),
        }
    }
}

pub(super) fn ecdsa_edge(tenant: &MockTenant, chosen: Chosen<'_>) -> Vec<Row> {
    let unsigned = |algorithm| tenant.token().algorithm(algorithm).unsigned();
    let zeroes = |algorithm, length| unsigned(algorithm).with_signature(vec![0; length]);

    let es256 = unsigned(Algorithm::Es256);
    let signature = es256.signature();
    let (r, s) = signature.split_at(32);
    let (zero, one) = (&[0; 32], &number(1));
    let pair = |r: &[u8], s: &[u8]| es256.with_signature([r, s].concat());

    let eddsa = unsigned(Algorithm::EdDsa);
    let eddsa_signature = eddsa.signature();
    let (point, scalar) = eddsa_signature.split_at(32);
    chosen_rows! { chosen;
        "CVE-2022-21449" {
            "es256-r-and-s-zero": pair(zero, zero),
            "es256-r-zero": pair(zero, s),
            "es256-s-zero": pair(r, zero),
            "es384-r-and-s-zero": zeroes(Algorithm::Es384, 96),
            "es512-r-and-s-zero": zeroes(Algorithm::Es512, 132),
        }
        "FIPS 186-5 §6.4.2" {
            "es256-r-is-the-order": pair(&P256_ORDER, s),
            "es256-s-is-the-order": pair(r, &P256_ORDER),
            "es256-r-and-s-are-the-order": pair(&P256_ORDER, &P256_ORDER),
            "es256-r-and-s-are-one": pair(one, one),
            "es256-r-is-one-s-is-zero": pair(one, zero),
            "es256-s-all-ones": pair(r, &[0xFF; 32]),
            "es256-r-and-s-swapped": pair(s, r),
        }
        "RFC 7518 §3.4" {
            "es256-as-der": es256.with_signature(der_sequence(r, s)),
            "es256-first-byte-dropped": es256.with_signature(&signature[1..]),
            "es256-r-alone": es256.with_signature(r),
            "es256-as-wide-as-es384": pair(&[&[0; 16], r].concat(), &[&[0; 16], s].concat()),
            "es256-zero-between": pair(r, &[&[0], s].concat()),
            "es256-zeroes-after": pair(r, &[s, &[0; 8]].concat()),
        }
        "RFC 8032 §5.1.7" {
            "eddsa-all-zero": zeroes(Algorithm::EdDsa, 64),
            "eddsa-scalar-out-of-range": eddsa.with_signature([point, &[0xFF; 32]].concat()),
            "eddsa-scalar-zero": eddsa.with_signature([point, zero].concat()),
            "eddsa-point-is-neutral": eddsa.with_signature([&reversed(one), scalar].concat()),
        }
    }
}

/// The order of P-256's base point, big-endian (FIPS 186-5, SP 800-186 §3.2.1.3).
pub(super) const P256_ORDER: [u8; 32] = [
    0xFF, 0xFF, 0xFF, 0xFF, 0x00, 0x00, 0x00, 0x00, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
    0xBC, 0xE6, 0xFA, 0xAD, 0xA7, 0x17, 0x9E, 0x84, 0xF3, 0xB9, 0xCA, 0xC2, 0xFC, 0x63, 0x25, 0x51,
];

/// A small number as 32 bytes, big-endian.
pub(super) const fn number(value: u8) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes[31] = value;
    bytes
}

fn reversed(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().rev().copied().collect()
}

/// The JSON object with another member.
pub(super) fn extended(object: &[u8], member: &str) -> Vec<u8> {
    let open = object.strip_suffix(b"}").expect("a JSON object");
    [open, b",", member.as_bytes(), b"}"].concat()
}

/// The signature as X.509 writes it, `ECDSA-Sig-Value` (RFC 5480 §A).
pub(super) fn der_sequence(r: &[u8], s: &[u8]) -> Vec<u8> {
    let numbers = [der_integer(r), der_integer(s)].concat();
    tagged(0x30, &numbers)
}

fn der_integer(big_endian: &[u8]) -> Vec<u8> {
    let zeroes = big_endian.iter().take_while(|byte| **byte == 0).count();
    let digits = &big_endian[zeroes..];
    match digits.first() {
        Some(0..0x80) => tagged(2, digits),
        // DER's integers are signed.
        _ => tagged(2, &[&[0], digits].concat()),
    }
}

fn tagged(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u8::try_from(content.len()).expect("short enough for one byte of length");
    [&[tag, length], content].concat()
}
