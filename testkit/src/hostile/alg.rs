//! The header's `alg` differs from the algorithm of the key.

use aws_lc_rs::hmac;
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use serde_json::json;

use crate::{
    Algorithm, MockTenant,
    hostile::table::{Chosen, Row, chosen_rows},
    token::{Unsigned, base64url},
};

pub(super) fn none(tenant: &MockTenant, chosen: Chosen<'_>) -> Vec<Row> {
    let unsigned = |alg| tenant.token().header("alg", alg).unsigned();
    let bare = |alg| unsigned(alg).with_signature("");
    let undotted = |alg| unsigned(alg).input();
    let signed = |alg| tenant.token().header("alg", alg).mint();
    chosen_rows! { chosen;
        "RFC 7519 §6" {
            "none-unsigned": bare("none"),
            "none-undotted": undotted("none"),
            "none-signed": signed(json!("none")),
        }
        "RFC 8725 §2.1" {
            "none-capitalised-unsigned": bare("None"),
            "none-upper-case-unsigned": bare("NONE"),
            "none-mixed-case-unsigned": bare("nOnE"),
            "none-blank-after-unsigned": bare("none "),
            "none-nul-after-unsigned": bare("none\0"),
            "none-capitalised-undotted": undotted("None"),
            "none-upper-case-undotted": undotted("NONE"),
            "none-mixed-case-undotted": undotted("nOnE"),
            "none-capitalised-signed": signed(json!("None")),
            "none-upper-case-signed": signed(json!("NONE")),
            "none-mixed-case-signed": signed(json!("nOnE")),
        }
        "RFC 7515 §4.1.1" {
            "alg-missing": tenant.token().without_header("alg").mint(),
            "alg-empty-unsigned": bare(""),
            "alg-empty": signed(json!("")),
            "alg-null": signed(json!(null)),
            "alg-number": signed(json!(256)),
            "alg-true": signed(json!(true)),
            "alg-array": signed(json!(["RS256"])),
            "alg-object": signed(json!({ "name": "RS256" })),
        }
    }
}

pub(super) fn key_confusion(tenant: &MockTenant, chosen: Chosen<'_>) -> Vec<Row> {
    // An HMAC with a public property of the key as its secret.
    let hmac_of = |algorithm, alg, secret: fn(&Unsigned) -> Vec<u8>| {
        let token = tenant.token().algorithm(algorithm).header("alg", alg);
        let token = token.unsigned();
        token.with_signature(hmac(alg, &secret(&token), &token.input()))
    };
    let rsa = |secret| hmac_of(Algorithm::Rs256, "HS256", secret);
    let ec = |secret| hmac_of(Algorithm::Es256, "HS256", secret);
    let ed = |secret| hmac_of(Algorithm::EdDsa, "HS256", secret);
    chosen_rows! { chosen;
        "RFC 8725 §2.1, CVE-2015-9235" {
            "hs256-keyed-by-rsa-spki-pem": rsa(spki_pem),
            "hs256-keyed-by-rsa-spki-pem-trimmed": rsa(|t| spki_pem(t).trim_ascii_end().into()),
            "hs256-keyed-by-rsa-spki-der": rsa(|t| t.key.spki()),
            "hs256-keyed-by-rsa-spki-base64": rsa(|t| STANDARD.encode(t.key.spki()).into()),
            "hs256-keyed-by-rsa-pkcs1-pem": rsa(pkcs1_pem),
            "hs256-keyed-by-rsa-pkcs1-der": rsa(|t| t.key.raw_public_key()),
            "hs256-keyed-by-rsa-modulus": rsa(modulus),
            "hs256-keyed-by-rsa-modulus-base64url": rsa(|t| base64url(modulus(t)).into()),
            "hs256-keyed-by-rsa-jwk": rsa(|t| t.key.jwk().to_string().into()),
            "hs256-keyed-by-kid": rsa(|t| t.key.kid.clone().into()),
            "hs384-keyed-by-rsa-spki-pem": hmac_of(Algorithm::Rs256, "HS384", spki_pem),
            "hs512-keyed-by-rsa-spki-pem": hmac_of(Algorithm::Rs256, "HS512", spki_pem),
            "hs256-keyed-by-pss-spki-pem": hmac_of(Algorithm::Ps256, "HS256", spki_pem),
        }
        "RFC 8725 §2.1, CVE-2022-29217" {
            "hs256-keyed-by-ec-spki-pem": ec(spki_pem),
            "hs256-keyed-by-ec-spki-der": ec(|t| t.key.spki()),
            "hs256-keyed-by-ec-point": ec(|t| t.key.raw_public_key()),
            "hs256-keyed-by-ec-jwk": ec(|t| t.key.jwk().to_string().into()),
            "hs256-keyed-by-ed25519-spki-pem": ed(spki_pem),
            "hs256-keyed-by-ed25519-bytes": ed(|t| t.key.raw_public_key()),
        }
    }
}

pub(super) fn swap(tenant: &MockTenant, chosen: Chosen<'_>) -> Vec<Row> {
    use Algorithm::{EdDsa, Es256, Es384, Es512, Ps256, Ps384, Rs256, Rs384, Rs512};

    // The key is published for `own` and really signs with `other`.
    let signs = |own, other: Algorithm| {
        let token = tenant.token().algorithm(own).header("alg", other.as_str());
        let token = token.unsigned();
        let key = token.key.clone().misused_for(other);
        Unsigned { key, ..token }.sign()
    };
    // The key signs with its own algorithm, and the header names another.
    let says = |own, alg| tenant.token().algorithm(own).header("alg", alg).mint();
    let hs256 = |secret: &[u8]| {
        let token = tenant.token().header("alg", "HS256").unsigned();
        token.with_signature(hmac("HS256", secret, &token.input()))
    };
    chosen_rows! { chosen;
        "RFC 8725 §3.1" {
            "rs256-key-signs-ps256": signs(Rs256, Ps256),
            "rs256-key-signs-ps384": signs(Rs256, Ps384),
            "rs256-key-signs-rs384": signs(Rs256, Rs384),
            "rs256-key-signs-rs512": signs(Rs256, Rs512),
            "ps256-key-signs-rs256": signs(Ps256, Rs256),
            "rs256-says-es256": says(Rs256, "ES256"),
            "rs256-says-eddsa": says(Rs256, "EdDSA"),
            "es256-says-rs256": says(Es256, "RS256"),
            "es256-says-es384": says(Es256, "ES384"),
            "es256-says-es512": says(Es256, "ES512"),
            "es256-says-es256k": says(Es256, "ES256K"),
            "es256-says-eddsa": says(Es256, "EdDSA"),
            "es384-says-es256": says(Es384, "ES256"),
            "es512-says-es256": says(Es512, "ES256"),
            "eddsa-says-es256": says(EdDsa, "ES256"),
            "eddsa-says-ed448": says(EdDsa, "Ed448"),
        }
        "RFC 7515 §4.1.1 and §5.2" {
            "alg-lower-case": says(Rs256, "rs256"),
            "alg-blank-after": says(Rs256, "RS256 "),
            "alg-nul-after": says(Rs256, "RS256\0"),
            "alg-sha1": says(Rs256, "RS1"),
            "alg-hash-only": says(Rs256, "SHA256"),
            "alg-of-encryption": says(Rs256, "RSA-OAEP"),
            "alg-of-direct-encryption": says(Rs256, "dir"),
            "alg-post-quantum": says(Rs256, "ML-DSA-44"),
        }
        "RFC 8725 §2.2 and §3.5" {
            "hs256-with-empty-secret": hs256(b""),
            "hs256-with-guessed-secret": hs256(b"secret"),
            "hs256-with-zero-secret": hs256(&[0; 32]),
            "hs256-with-null-secret": hs256(b"null"),
        }
    }
}

pub(super) fn hmac(alg: &str, secret: &[u8], input: &str) -> hmac::Tag {
    let algorithm = match alg {
        "HS256" => hmac::HMAC_SHA256,
        "HS384" => hmac::HMAC_SHA384,
        "HS512" => hmac::HMAC_SHA512,
        _ => panic!("{alg} is not an HMAC"),
    };
    hmac::sign(&hmac::Key::new(algorithm, secret), input.as_bytes())
}

pub(super) fn spki_pem(token: &Unsigned) -> Vec<u8> {
    pem("PUBLIC KEY", &token.key.spki())
}

fn pkcs1_pem(token: &Unsigned) -> Vec<u8> {
    pem("RSA PUBLIC KEY", &token.key.raw_public_key())
}

fn modulus(token: &Unsigned) -> Vec<u8> {
    let jwk = token.key.public_key();
    let modulus = jwk["n"].as_str().expect("an RSA key has a modulus");
    URL_SAFE_NO_PAD.decode(modulus).expect("a JWK is base64url")
}

/// RFC 7468 §2.
fn pem(label: &str, der: &[u8]) -> Vec<u8> {
    let base64 = STANDARD.encode(der);
    let lines: Vec<&[u8]> = base64.as_bytes().chunks(64).collect();
    let begin = format!("-----BEGIN {label}-----\n");
    let end = format!("\n-----END {label}-----\n");
    [begin.as_bytes(), &lines.join(&b'\n'), end.as_bytes()].concat()
}
