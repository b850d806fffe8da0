//! The examples of the RFCs: JWS (RFC 7515 A), the JOSE cookbook (RFC 7520), Ed25519 (RFC 8037 A).
//!
//! Most of their payloads are not claims, so they go through the key set and its verifiers.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::{
    error::InvalidToken,
    token::{algorithm::SigningAlgorithm, jwt::DecodedJwt, keys::KeySet},
};

struct Example {
    section: &'static str,
    algorithm: SigningAlgorithm,
    private_key: Value,
    token: &'static str,
}

impl Example {
    /// The key as a tenant would publish it.
    fn public_key(&self) -> Value {
        let mut key = self.private_key.clone();
        key.as_object_mut().unwrap().remove("d");
        key
    }

    /// The header's `alg` and `kid`.
    fn header(&self) -> (SigningAlgorithm, Option<String>) {
        let header = decode(self.token.split('.').next().unwrap());
        let header: Value = serde_json::from_slice(&header).unwrap();
        let algorithm = SigningAlgorithm::from_name(header["alg"].as_str().unwrap()).unwrap();
        (algorithm, header["kid"].as_str().map(str::to_owned))
    }

    /// Verifies any signature over any input with the example's public key.
    fn verify(&self, input: &str, signature: &[u8]) -> Result<(), InvalidToken> {
        let (algorithm, kid) = self.header();
        let keys = key_set(&self.public_key());
        keys.find(kid.as_deref(), algorithm)?.verify(input, signature)
    }

    /// The signing input and the signature.
    fn parts(&self) -> (&'static str, Vec<u8>) {
        let (input, signature) = self.token.rsplit_once('.').unwrap();
        (input, decode(signature))
    }
}

fn decode(segment: &str) -> Vec<u8> {
    BASE64_URL_SAFE_NO_PAD.decode(segment).unwrap()
}

fn key_set(key: &Value) -> KeySet {
    KeySet::parse(json!({ "keys": [key] }).to_string().as_bytes()).unwrap()
}

#[test]
fn every_signed_example_verifies() {
    for example in examples() {
        let (input, signature) = example.parts();
        assert_eq!(example.header().0, example.algorithm, "{}", example.section);
        assert_eq!(example.verify(input, &signature), Ok(()), "{}", example.section);
    }
}

#[test]
fn the_examples_that_are_jwts_hand_out_their_claims() {
    for example in &examples()[..2] {
        let jwt = DecodedJwt::decode(example.token).unwrap();
        let header = jwt.header(false).unwrap();
        let keys = key_set(&example.public_key());
        let key = keys.find(header.kid.as_deref(), header.algorithm).unwrap();
        let claims = jwt.verified_by(key).unwrap();
        assert_eq!(claims.issuer(), Some("joe"), "{}", example.section);
    }
}

#[test]
fn a_flipped_bit_anywhere_breaks_the_signature() {
    for example in examples() {
        let (input, signature) = example.parts();
        let (algorithm, kid) = example.header();
        let keys = key_set(&example.public_key());
        let key = keys.find(kid.as_deref(), algorithm).unwrap();
        for index in 0..signature.len() {
            let mut forged = signature.clone();
            forged[index] ^= 1 << (index % 8);
            let refused = key.verify(input, &forged);
            assert_eq!(refused, Err(InvalidToken::Signature), "{} at {index}", example.section);
        }
        for index in 0..input.len() {
            let mut forged = input.as_bytes().to_vec();
            forged[index] ^= 1 << (index % 7);
            let refused = key.verify(std::str::from_utf8(&forged).unwrap(), &signature);
            assert_eq!(refused, Err(InvalidToken::Signature), "{} at {index}", example.section);
        }
        for cut in [&signature[1..], &signature[..signature.len() - 1], &[]] {
            assert_eq!(key.verify(input, cut), Err(InvalidToken::Signature), "{}", example.section);
        }
    }
}

#[test]
fn no_example_verifies_with_the_key_of_another() {
    for example in examples() {
        let (input, signature) = example.parts();
        for other in examples().iter().filter(|other| other.public_key() != example.public_key()) {
            let keys = key_set(&other.public_key());
            let verified = keys
                .find(None, example.algorithm)
                .and_then(|verifier| verifier.verify(input, &signature));
            assert!(verified.is_err(), "{} with {}", example.section, other.section);
        }
    }
}

#[test]
fn a_private_or_symmetric_key_verifies_nothing() {
    let private = examples().into_iter().map(|example| (example.section, example.private_key));
    let symmetric = [("RFC 7515 A.1", hmac_key()), ("RFC 7520 §3.5", cookbook_hmac_key())];
    for (section, key) in private.chain(symmetric) {
        assert!(!key_set(&key).is_usable(), "{section}");
    }
}

#[test]
fn hmac_and_unsecured_examples_are_refused() {
    for (section, token, reason) in SYMMETRIC {
        let refused = DecodedJwt::decode(token).and_then(|jwt| jwt.header(false)).map(drop);
        assert_eq!(refused, Err(reason), "{section}");
    }
    // With a signature to hide behind, it is the algorithm that is rejected.
    let unsecured = format!("{}AA", SYMMETRIC[1].1);
    let refused = DecodedJwt::decode(&unsecured).and_then(|jwt| jwt.header(false)).map(drop);
    assert_eq!(refused, Err(InvalidToken::Algorithm));
}

/// The signed examples, each with its private key as the RFC prints it.
fn examples() -> [Example; 7] {
    [
        Example {
            section: "RFC 7515 A.2",
            algorithm: SigningAlgorithm::Rs256,
            private_key: jws_rsa_key(),
            token: "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly\
                    9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2\
                    VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQj\
                    bKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB\
                    _eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEU\
                    ipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
        },
        Example {
            section: "RFC 7515 A.3",
            algorithm: SigningAlgorithm::Es256,
            private_key: jws_p256_key(),
            token: "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly\
                    9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4Gawxaepm\
                    XFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
        },
        Example {
            section: "RFC 7515 A.4",
            algorithm: SigningAlgorithm::Es512,
            private_key: jws_p521_key(),
            token: "eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZA.AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZO\
                    YaRI1bKPWROc-mZZqwqT2SI-KGDKB34XO0aw_7XdtAG8GaSwFKdCAPZgoXD2YBJZCPEX3xKpRwcdOO8\
                    KpEHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLzeO_Jn",
        },
        Example {
            section: "RFC 7520 §4.1",
            algorithm: SigningAlgorithm::Rs256,
            private_key: cookbook_rsa_key(),
            token: "eyJhbGciOiJSUzI1NiIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9.SXTigJ\
                    lzIGEgZGFuZ2Vyb3VzIGJ1c2luZXNzLCBGcm9kbywgZ29pbmcgb3V0IHlvdXIgZG9vci4gWW91IHN0Z\
                    XAgb250byB0aGUgcm9hZCwgYW5kIGlmIHlvdSBkb24ndCBrZWVwIHlvdXIgZmVldCwgdGhlcmXigJlz\
                    IG5vIGtub3dpbmcgd2hlcmUgeW91IG1pZ2h0IGJlIHN3ZXB0IG9mZiB0by4.MRjdkly7_-oTPTS3AXP\
                    41iQIGKa80A0ZmTuV5MEaHoxnW2e5CZ5NlKtainoFmKZopdHM1O2U4mwzJdQx996ivp83xuglII7PND\
                    i84wnB-BDkoBwA78185hX-Es4JIwmDLJK3lfWRa-XtL0RnltuYv746iYTh_qHRD68BNt1uSNCrUCTJD\
                    t5aAE6x8wW1Kt9eRo4QPocSadnHXFxnt8Is9UzpERV0ePPQdLuW3IS_de3xyIrDaLGdjluPxUAhb6L2\
                    aXic1U12podGU0KLUQSE_oI-ZnmKJ3F4uOZDnd6QZWJushZ41Axf_fcIe8u9ipH84ogoree7vjbU5y1\
                    8kDquDg",
        },
        Example {
            section: "RFC 7520 §4.2",
            algorithm: SigningAlgorithm::Ps384,
            private_key: cookbook_rsa_key(),
            token: "eyJhbGciOiJQUzM4NCIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9.SXTigJ\
                    lzIGEgZGFuZ2Vyb3VzIGJ1c2luZXNzLCBGcm9kbywgZ29pbmcgb3V0IHlvdXIgZG9vci4gWW91IHN0Z\
                    XAgb250byB0aGUgcm9hZCwgYW5kIGlmIHlvdSBkb24ndCBrZWVwIHlvdXIgZmVldCwgdGhlcmXigJlz\
                    IG5vIGtub3dpbmcgd2hlcmUgeW91IG1pZ2h0IGJlIHN3ZXB0IG9mZiB0by4.cu22eBqkYDKgIlTpzDX\
                    GvaFfz6WGoz7fUDcfT0kkOy42miAh2qyBzk1xEsnk2IpN6-tPid6VrklHkqsGqDqHCdP6O8TTB5dDDI\
                    tllVo6_1OLPpcbUrhiUSMxbbXUvdvWXzg-UD8biiReQFlfz28zGWVsdiNAUf8ZnyPEgVFn442ZdNqiV\
                    JRmBqrYRXe8P_ijQ7p8Vdz0TTrxUeT3lm8d9shnr2lfJT8ImUjvAA2Xez2Mlp8cBE5awDzT0qI0n6ui\
                    P1aCN_2_jLAeQTlqRHtfa64QQSUmFAAjVKPbByi7xho0uTOcbH510a6GYmJUAfmWjwZ6oD4ifKo8DYM\
                    -X72Eaw",
        },
        Example {
            section: "RFC 7520 §4.3",
            algorithm: SigningAlgorithm::Es512,
            private_key: cookbook_p521_key(),
            token: "eyJhbGciOiJFUzUxMiIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9.SXTigJ\
                    lzIGEgZGFuZ2Vyb3VzIGJ1c2luZXNzLCBGcm9kbywgZ29pbmcgb3V0IHlvdXIgZG9vci4gWW91IHN0Z\
                    XAgb250byB0aGUgcm9hZCwgYW5kIGlmIHlvdSBkb24ndCBrZWVwIHlvdXIgZmVldCwgdGhlcmXigJlz\
                    IG5vIGtub3dpbmcgd2hlcmUgeW91IG1pZ2h0IGJlIHN3ZXB0IG9mZiB0by4.AE_R_YZCChjn4791jSQ\
                    CrdPZCNYqHXCTZH0-JZGYNlaAjP2kqaluUIIUnC9qvbu9Plon7KRTzoNEuT4Va2cmL1eJAQy3mtPBu_\
                    u_sDDyYjnAMDxXPn7XrT0lw-kvAD890jl8e2puQens_IEKBpHABlsbEPX6sFY8OcGDqoRuBomu9xQ2",
        },
        Example {
            section: "RFC 8037 A.4",
            algorithm: SigningAlgorithm::EdDsa,
            private_key: ed25519_key(),
            token: "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1\
                    PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
        },
    ]
}

/// RFC 7515 A.2.1.
fn jws_rsa_key() -> Value {
    json!({
        "kty": "RSA",
        "n": "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt\
         0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSX\
         ndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5\
         IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ",
        "e": "AQAB",
        "d": "Eq5xpGnNCivDflJsRQBXHx1hdR1k6Ulwe2JZD50LpXyWPEAeP88vLNO97IjlA7_GQ5sLKMgvfTeXZx9SE-7YwVol\
         2NXOoAJe46sui395IW_GO-pWJ1O0BkTGoVEn2bKVRUCgu-GjBVaYLU6f3l9kJfFNS3E0QbVdxzubSu3Mkqzjkn43\
         9X0M_V51gfpRLI9JYanrC4D4qAdGcopV_0ZHHzQlBjudU2QvXt4ehNYTCBr6XCLQUShb1juUO1ZdiYoFaFQT5Tw8\
         bGUl_x_jTj3ccPDVZFD9pIuhLhBOneufuBiB4cS98l2SR_RQyGWSeWjnczT0QU91p1DhOVRuOopznQ",
    })
}

/// RFC 7515 A.3.1.
fn jws_p256_key() -> Value {
    json!({
        "kty": "EC",
        "crv": "P-256",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
        "d": "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI",
    })
}

/// RFC 7515 A.4.1.
fn jws_p521_key() -> Value {
    json!({
        "kty": "EC",
        "crv": "P-521",
        "x": "AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EOnYG_NjFZ6OvLFV1jSfS9tsz4qUxcWceqwQGk",
        "y": "ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxVg_l2Th-x3S1WDhjDly79ajL4Kkd0AZMaZmh9ubmf63e3kyMj2",
        "d": "AY5pb7A0UFiB3RELSD64fTLOSV_jazdF7fLYyuTw8lOfRhWg6Y6rUrPAxerEzgdRhajnu0ferB0d53vM9mE15j2C",
    })
}

/// RFC 7520 §3.4, of which §3.3 is the public part.
fn cookbook_rsa_key() -> Value {
    json!({
        "kty": "RSA",
        "kid": "bilbo.baggins@hobbiton.example",
        "use": "sig",
        "n": "n4EPtAOCc9AlkeQHPzHStgAbgs7bTZLwUBZdR8_KuKPEHLd4rHVTeT-O-XV2jRojdNhxJWTDvNd7nqQ0VEiZQHz_\
         AJmSCpMaJMRBSFKrKb2wqVwGU_NsYOYL-QtiWN2lbzcEe6XC0dApr5ydQLrHqkHHig3RBordaZ6Aj-oBHqFEHYpP\
         e7Tpe-OfVfHd1E6cS6M1FZcD1NNLYD5lFHpPI9bTwJlsde3uhGqC0ZCuEHg8lhzwOHrtIQbS0FVbb9k3-tVTU4fg\
         _3L_vniUFAKwuCLqKnS2BYwdq_mzSnbLY7h_qixoR7jig3__kRhuaxwUkRz5iaiQkqgc5gHdrNP5zw",
        "e": "AQAB",
        "d": "bWUC9B-EFRIo8kpGfh0ZuyGPvMNKvYWNtB_ikiH9k20eT-O1q_I78eiZkpXxXQ0UTEs2LsNRS-8uJbvQ-A1irkwM\
         SMkK1J3XTGgdrhCku9gRldY7sNA_AKZGh-Q661_42rINLRCe8W-nZ34ui_qOfkLnK9QWDDqpaIsA-bMwWWSDFu2M\
         UBYwkHTMEzLYGqOe04noqeq1hExBTHBOBdkMXiuFhUq1BU6l-DqEiWxqg82sXt2h-LMnT3046AOYJoRioz75tSUQ\
         fGCshWTBnP5uDjd18kKhyv07lhfSJdrPdM5Plyl21hsFf4L_mHCuoFau7gdsPfHPxxjVOcOpBrQzwQ",
    })
}

/// RFC 7520 §3.2, of which §3.1 is the public part.
fn cookbook_p521_key() -> Value {
    json!({
        "kty": "EC",
        "kid": "bilbo.baggins@hobbiton.example",
        "use": "sig",
        "crv": "P-521",
        "x": "AHKZLLOsCOzz5cY97ewNUajB957y-C-U88c3v13nmGZx6sYl_oJXu9A5RkTKqjqvjyekWF-7ytDyRXYgCF5cj0Kt",
        "y": "AdymlHvOiLxXkEhayXQnNCvDX4h9htZaCJN34kfmC6pV5OhQHiraVySsUdaQkAgDPrwQrJmbnX9cwlGfP-HqHZR1",
        "d": "AAhRON2r9cqXX1hg-RoI6R1tX5p2rUAYdmpHZoC1XNM56KtscrX6zbKipQrCW9CGZH3T4ubpnoTKLDYJ_fF3_rJt",
    })
}

/// RFC 8037 A.1, of which A.2 is the public part.
fn ed25519_key() -> Value {
    json!({
        "kty": "OKP",
        "use": "sig",
        "crv": "Ed25519",
        "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
        "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
    })
}

/// RFC 7515 A.1.1.
fn hmac_key() -> Value {
    json!({
        "kty": "oct",
        "k": "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
    })
}

/// RFC 7520 §3.5.
fn cookbook_hmac_key() -> Value {
    json!({
        "kty": "oct",
        "kid": "018c0ae5-4d9b-471b-bfd6-eef314bc7037",
        "use": "sig",
        "k": "hJtXIZ2uSN5kbQfbtTNWbpdmhkV8FJG-Onbc6mxCcYg",
        "alg": "HS256",
    })
}

/// The examples without a public key, and why each is rejected.
const SYMMETRIC: [(&str, &str, InvalidToken); 3] = [
    (
        "RFC 7515 A.1, HS256",
        "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQo\
         gImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOE\
         jXk",
        InvalidToken::Algorithm,
    ),
    (
        "RFC 7515 A.5, none",
        "eyJhbGciOiJub25lIn0.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxl\
         LmNvbS9pc19yb290Ijp0cnVlfQ.",
        InvalidToken::Malformed,
    ),
    (
        "RFC 7520 §4.4, HS256 over a text",
        "eyJhbGciOiJIUzI1NiIsImtpZCI6IjAxOGMwYWU1LTRkOWItNDcxYi1iZmQ2LWVlZjMxNGJjNzAzNyJ9.SXTigJl\
         zIGEgZGFuZ2Vyb3VzIGJ1c2luZXNzLCBGcm9kbywgZ29pbmcgb3V0IHlvdXIgZG9vci4gWW91IHN0ZXAgb250byB\
         0aGUgcm9hZCwgYW5kIGlmIHlvdSBkb24ndCBrZWVwIHlvdXIgZmVldCwgdGhlcmXigJlzIG5vIGtub3dpbmcgd2h\
         lcmUgeW91IG1pZ2h0IGJlIHN3ZXB0IG9mZiB0by4.s0h6KThzkfBBBkLspW1h84VsJZFTsPPqMDA7g1Md7p0",
        InvalidToken::Malformed,
    ),
];
