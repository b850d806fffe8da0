//! The other claims of the proof.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, SHA512, digest};
use serde_json::{Value, json};

use crate::{
    DpopRequest,
    hostile::{dpop::Row, encoding::loosened, table::table},
    token::{base64url, random_id},
};

pub(super) fn method(request: &DpopRequest<'_>) -> Vec<Row> {
    let good = request.good();
    let is = |htm: Value| good.send(good.proof().claim("htm", htm));
    let ours = request.method();
    let other = if ours == "POST" { "GET" } else { "POST" };
    let capitalised = format!("{}{}", &ours[..1], ours[1..].to_lowercase());
    let related = if ours == "HEAD" { "GET" } else { "HEAD" };
    table! {
        "RFC 9449 §4.3 rule 8" {
            "proof-htm-other": is(json!(other)),
            "proof-htm-head-for-get": is(json!(related)),
            "proof-htm-lower-case": is(json!(ours.to_lowercase())),
            "proof-htm-capitalised": is(json!(capitalised)),
            "proof-htm-empty": is(json!("")),
            "proof-htm-wildcard": is(json!("*")),
            "proof-htm-longer": is(json!(format!("{ours}S"))),
            "proof-htm-shorter": is(json!(&ours[..ours.len() - 1])),
            "proof-htm-blank-before": is(json!(format!(" {ours}"))),
            "proof-htm-blank-after": is(json!(format!("{ours} "))),
            "proof-htm-comma-separated": is(json!(format!("{ours},{other}"))),
        }
        "RFC 9449 §4.2" {
            "proof-htm-missing": good.send(good.proof().without("htm")),
            "proof-htm-null": is(json!(null)),
            "proof-htm-true": is(json!(true)),
            "proof-htm-number": is(json!(1)),
            "proof-htm-array": is(json!([ours])),
            "proof-htm-object": is(json!({ "htm": ours })),
        }
    }
}

pub(super) fn token_hash(request: &DpopRequest<'_>) -> Vec<Row> {
    let good = request.good();
    let is = |ath: Value| good.send(good.proof().claim("ath", ath));
    let of = |text: &str| is(json!(base64url(digest(&SHA256, text.as_bytes()))));
    let token = good.token.as_str();
    let hash = digest(&SHA256, token.as_bytes());
    let own = base64url(hash);
    let hexadecimal: String = hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    table! {
        "RFC 9449 §4.3 rule 12" {
            "proof-ath-missing": good.send(good.proof().without("ath")),
            "proof-ath-of-another-token": of(&request.good().token),
            "proof-ath-of-the-upper-case-token": of(&token.to_uppercase()),
            "proof-ath-of-the-header-value": of(&format!("DPoP {token}")),
            "proof-ath-of-nothing": of(""),
            "proof-ath-is-the-token": is(json!(token)),
            "proof-ath-empty": is(json!("")),
        }
        "RFC 9449 §4.2, RFC 7515 §2" {
            "proof-ath-padded": is(json!(format!("{own}="))),
            "proof-ath-with-loose-bits": is(json!(loosened(&own))),
            "proof-ath-shortened": is(json!(&own[..42])),
            "proof-ath-of-the-left-half": is(json!(base64url(&hash.as_ref()[..16]))),
            "proof-ath-upper-case": is(json!(own.to_uppercase())),
            "proof-ath-blank-after": is(json!(format!("{own} "))),
            "proof-ath-hexadecimal": is(json!(hexadecimal)),
            "proof-ath-sha1":
                is(json!(base64url(digest(&SHA1_FOR_LEGACY_USE_ONLY, token.as_bytes())))),
            "proof-ath-sha512": is(json!(base64url(digest(&SHA512, token.as_bytes())))),
            "proof-ath-null": is(json!(null)),
            "proof-ath-true": is(json!(true)),
            "proof-ath-number": is(json!(1)),
            "proof-ath-array": is(json!([own])),
            "proof-ath-object": is(json!({ "ath": own })),
        }
    }
}

pub(super) fn time(request: &DpopRequest<'_>) -> Vec<Row> {
    const HOUR: i64 = 3600;

    let good = request.good();
    let (now, lifetime) = (request.now(), request.seconds());
    let is = |iat: Value| good.send(good.proof().claim("iat", iat));
    let ago = |seconds| good.send(good.proof().issued_ago(seconds));
    table! {
        "RFC 9449 §4.3 rule 11 and §11.1" {
            "proof-iat-past-the-lifetime": ago(lifetime + 1),
            "proof-iat-past-the-lifetime-by-a-fraction": is(json!((now - lifetime) as f64 - 0.5)),
            "proof-iat-an-hour-past": ago(lifetime + HOUR),
            "proof-iat-a-year-past": ago(lifetime + 365 * 24 * HOUR),
            "proof-iat-zero": is(json!(0)),
            "proof-iat-ahead-of-the-lifetime": ago(-lifetime - 1),
            "proof-iat-ahead-of-the-lifetime-by-a-fraction":
                is(json!((now + lifetime) as f64 + 0.5)),
            "proof-iat-an-hour-ahead": ago(-lifetime - HOUR),
        }
        "RFC 9449 §4.2, RFC 7519 §4.1.6" {
            "proof-iat-missing": good.send(good.proof().without("iat")),
            "proof-iat-in-another-claim":
                good.send(good.proof().without("iat").claim("exp", now + lifetime)),
            "proof-iat-null": is(json!(null)),
            "proof-iat-true": is(json!(true)),
            "proof-iat-empty": is(json!("")),
            "proof-iat-string": is(json!(now.to_string())),
            "proof-iat-date": is(json!("2999-12-31T23:59:59Z")),
            "proof-iat-not-a-number": is(json!("NaN")),
            "proof-iat-array": is(json!([now])),
            "proof-iat-object": is(json!({ "iat": now })),
        }
        "RFC 7519 §2, RFC 8259 §6" {
            "proof-iat-negative": is(json!(-now)),
            "proof-iat-in-milliseconds": is(json!(now * 1000)),
            "proof-iat-past-the-year-9999": is(json!(253_402_300_800_i64)),
            "proof-iat-two-to-the-63": is(json!(1_u64 << 63)),
            "proof-iat-two-to-the-64-less-one": is(json!(u64::MAX)),
            "proof-iat-most-negative": is(json!(i64::MIN)),
            "proof-iat-huge": is(json!(1e300)),
            "proof-iat-hugely-negative": is(json!(-1e300)),
        }
    }
}

pub(super) fn id(request: &DpopRequest<'_>) -> Vec<Row> {
    let good = request.good();
    let is = |jti: Value| good.send(good.proof().claim("jti", jti));
    table! {
        "RFC 9449 §4.2, RFC 7519 §4.1.7" {
            "proof-jti-missing": good.send(good.proof().without("jti")),
            "proof-jti-in-another-claim":
                good.send(good.proof().without("jti").claim("jwtid", random_id())),
            "proof-jti-empty": is(json!("")),
            "proof-jti-null": is(json!(null)),
            "proof-jti-true": is(json!(true)),
            "proof-jti-number": is(json!(1)),
            "proof-jti-array": is(json!([random_id()])),
            "proof-jti-object": is(json!({ "jti": random_id() })),
        }
        "RFC 9449 §11.1" {
            "proof-jti-of-257-characters": is(json!(long_id(257))),
            "proof-jti-of-4096-characters": is(json!(long_id(4096))),
        }
    }
}

pub(super) fn replay(request: &DpopRequest<'_>) -> Vec<Row> {
    let good = request.good();
    let named = |jti: &str| good.proof().claim("jti", jti);
    let (once, again) = (random_id(), random_id());
    let text = good.proof().mint();
    let send = || good.send_text(&text);
    let other_token = request.good();
    let other = other_token.proof().claim("jti", &once);
    table! {
        "RFC 9449 §11.1" {
            "proof-replayed": send().after(send()),
            "proof-jti-reused":
                good.send(named(&again).claim("x", 1)).after(good.send(named(&again))),
            "proof-jti-reused-with-another-token":
                other_token.send(other).after(good.send(named(&once))),
        }
    }
}

pub(super) fn nonce(request: &DpopRequest<'_>) -> Vec<Row> {
    let Some((nonce, stale)) = request.nonces() else {
        return Vec::new();
    };
    let good = request.good();
    let is = |nonce: Value| good.send(good.proof().claim("nonce", nonce));
    let other_letter = if nonce.starts_with('A') { "B" } else { "A" };
    let mut rows = table! {
        "RFC 9449 §4.3 rule 10 and §9" {
            "proof-nonce-missing": good.send(good.proof().without("nonce")),
            "proof-nonce-in-the-header-only":
                good.send(good.proof().without("nonce").header("nonce", nonce)),
            "proof-nonce-empty": is(json!("")),
            "proof-nonce-foreign": is(json!(random_id() + &random_id())),
            "proof-nonce-first-letter-changed": is(json!(format!("{other_letter}{}", &nonce[1..]))),
            "proof-nonce-shortened": is(json!(&nonce[..nonce.len() - 1])),
            "proof-nonce-longer": is(json!(format!("{nonce}A"))),
            "proof-nonce-twice": is(json!(format!("{nonce}{nonce}"))),
            "proof-nonce-wildcard": is(json!("*")),
        }
        "RFC 9449 §4.2 and §8.1" {
            "proof-nonce-blank-before": is(json!(format!(" {nonce}"))),
            "proof-nonce-blank-after": is(json!(format!("{nonce} "))),
            "proof-nonce-not-ascii": is(json!(format!("{nonce}é"))),
            "proof-nonce-null": is(json!(null)),
            "proof-nonce-true": is(json!(true)),
            "proof-nonce-number": is(json!(1)),
            "proof-nonce-array": is(json!([nonce])),
            "proof-nonce-object": is(json!({ "nonce": nonce })),
            "proof-nonce-of-4096-characters": is(json!(long_id(4096))),
        }
    };
    let stale = stale.map(|stale| ("proof-nonce-stale", "RFC 9449 §9", is(json!(stale))));
    rows.extend(stale);
    rows
}

/// A new `jti` of this length.
pub(super) fn long_id(length: usize) -> String {
    let id = random_id();
    let filler = "x".repeat(length - id.len());
    id + &filler
}
