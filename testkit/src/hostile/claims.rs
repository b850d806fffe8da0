//! Claims about the issuer, audience, time, subject and binding.

use serde_json::{Value, json};

use crate::{
    Endpoint, MockTenant,
    clock::unix_seconds,
    hostile::table::{Chosen, Row, chosen_rows},
};

pub(super) fn issuer(tenant: &MockTenant, chosen: Chosen<'_>) -> Vec<Row> {
    let ours = tenant.issuer();
    let iss = |iss: Value| tenant.token().claim("iss", iss).mint();
    let (scheme, rest) = ours.split_once("://").unwrap_or(("", ours));
    let host = if rest.starts_with('[') {
        rest.find(']').map(|end| end + 1)
    } else {
        rest.find([':', '/'])
    };
    let (host, after) = rest.split_at(host.unwrap_or(rest.len()));
    let other_scheme = if scheme == "https" { "http" } else { "https" };
    let other_name = if host == "localhost" { "127.0.0.1" } else { "localhost" };
    chosen_rows! { chosen;
        "RFC 9068 §2.2 and §4" {
            "iss-missing": tenant.token().without("iss").mint(),
            "iss-other-tenant": iss(json!("https://other.eu.monocloud.com")),
            "iss-other-port": iss(json!("http://127.0.0.1:1")),
            "iss-in-another-claim": tenant.token().without("iss").claim("issuer", ours).mint(),
        }
        "OpenID Connect Discovery §4.3" {
            "iss-slash-after": iss(json!(format!("{ours}/"))),
            "iss-path-after": iss(json!(format!("{ours}/other"))),
            "iss-query-after": iss(json!(format!("{ours}?"))),
            "iss-fragment-after": iss(json!(format!("{ours}#"))),
            "iss-upper-case": iss(json!(ours.to_uppercase())),
            "iss-other-scheme": iss(json!(format!("{other_scheme}://{rest}"))),
            "iss-without-scheme": iss(json!(rest)),
            "iss-other-name-of-the-host": iss(json!(format!("{scheme}://{other_name}{after}"))),
            "iss-dot-after-host": iss(json!(format!("{scheme}://{host}.{after}"))),
            "iss-discovery-url": iss(json!(tenant.url(Endpoint::Discovery))),
        }
        "CVE-2024-53861" {
            "iss-empty": iss(json!("")),
            "iss-shortened": iss(json!(&ours[..ours.len() - 1])),
            "iss-scheme-only": iss(json!("http://")),
            "iss-as-prefix-of-a-host": iss(json!(format!("{ours}.example.com"))),
            "iss-as-user-of-a-host": iss(json!(format!("{ours}@example.com"))),
            "iss-as-path-of-a-host": iss(json!(format!("https://example.com/{ours}"))),
            "iss-blank-before": iss(json!(format!(" {ours}"))),
            "iss-blank-after": iss(json!(format!("{ours} "))),
            "iss-nul-after": iss(json!(format!("{ours}\0"))),
        }
        "RFC 7519 §4.1.1, CVE-2025-30144" {
            "iss-null": iss(json!(null)),
            "iss-number": iss(json!(1)),
            "iss-true": iss(json!(true)),
            "iss-array": iss(json!([ours])),
            "iss-array-with-another": iss(json!(["https://attacker.example.com", ours])),
            "iss-object": iss(json!({ "iss": ours })),
        }
    }
}

pub(super) fn audience(tenant: &MockTenant, chosen: Chosen<'_>) -> Vec<Row> {
    let ours = tenant.audience();
    let upper = ours.to_uppercase();
    let other_case = if upper == ours { ours.to_lowercase() + "a" } else { upper };
    let shortened = ours.strip_suffix(|_: char| true).unwrap_or_default();
    let aud = |aud: Value| tenant.token().claim("aud", aud).mint();
    chosen_rows! { chosen;
        "RFC 9068 §2.2 and §4" {
            "aud-missing": tenant.token().without("aud").mint(),
            "aud-other-api": aud(json!("https://other.example.com")),
            "aud-client": aud(json!("test-client")),
            "aud-issuer": aud(json!(tenant.issuer())),
            "aud-empty": aud(json!("")),
            "aud-slash-after": aud(json!(format!("{ours}/"))),
            "aud-path-after": aud(json!(format!("{ours}/posts"))),
            "aud-shortened": aud(json!(shortened)),
            "aud-longer": aud(json!(format!("{ours}.example.com"))),
            "aud-upper-case": aud(json!(other_case)),
            "aud-blank-before": aud(json!(format!(" {ours}"))),
            "aud-blank-after": aud(json!(format!("{ours} "))),
            "aud-wildcard": aud(json!("*")),
            "aud-blank-separated": aud(json!(format!("https://other.example.com {ours}"))),
            "aud-comma-separated": aud(json!(format!("{ours},https://other.example.com"))),
            "aud-in-resource-only": tenant.token().without("aud").claim("resource", ours).mint(),
            "aud-array-empty": aud(json!([])),
            "aud-array-of-others": aud(json!(["https://other.example.com", "test-client"])),
        }
        "RFC 7519 §4.1.3" {
            "aud-null": aud(json!(null)),
            "aud-number": aud(json!(1)),
            "aud-true": aud(json!(true)),
            "aud-object": aud(json!({ "aud": ours })),
            "aud-object-keyed": aud(json!({ ours: true })),
            "aud-array-nested": aud(json!([[ours]])),
            "aud-array-of-null": aud(json!([null])),
            "aud-array-with-a-number": aud(json!([ours, 1])),
            "aud-array-of-objects": aud(json!([{ "aud": ours }])),
        }
    }
}

pub(super) fn time(tenant: &MockTenant, chosen: Chosen<'_>) -> Vec<Row> {
    const HOUR: i64 = 3600;
    const LAST_YEAR: i64 = 253_402_300_800;

    let now = unix_seconds(tenant.clock().now());
    let exp = |exp: Value| tenant.token().claim("exp", exp).mint();
    let nbf = |nbf: Value| tenant.token().claim("nbf", nbf).mint();
    chosen_rows! { chosen;
        "RFC 7519 §4.1.4" {
            "exp-missing": tenant.token().without("exp").mint(),
            "exp-at-the-tolerance": tenant.token().expires_in(-60).mint(),
            "exp-past-the-tolerance": tenant.token().expires_in(-61).mint(),
            "exp-past-the-tolerance-by-a-fraction": exp(json!(now as f64 - 60.5)),
            "exp-an-hour-ago": tenant.token().expires_in(-HOUR).mint(),
            "exp-a-year-ago": tenant.token().expires_in(-365 * 24 * HOUR).mint(),
            "exp-zero": exp(json!(0)),
            "exp-negative": exp(json!(-1)),
            "exp-null": exp(json!(null)),
            "exp-true": exp(json!(true)),
            "exp-empty": exp(json!("")),
            "exp-string": exp(json!((now + HOUR).to_string())),
            "exp-date": exp(json!("2999-12-31T23:59:59Z")),
            "exp-not-a-number": exp(json!("NaN")),
            "exp-array": exp(json!([now + HOUR])),
            "exp-object": exp(json!({ "exp": now + HOUR })),
            "exp-in-another-claim": tenant.token().without("exp").claim("expires_in", HOUR).mint(),
        }
        "RFC 7519 §2, RFC 8259 §6" {
            "exp-in-milliseconds": exp(json!((now + HOUR) * 1000)),
            "exp-past-the-year-9999": exp(json!(LAST_YEAR)),
            "exp-two-to-the-53": exp(json!(1_i64 << 53)),
            "exp-two-to-the-63": exp(json!(1_u64 << 63)),
            "exp-two-to-the-64-less-one": exp(json!(u64::MAX)),
            "exp-most-negative": exp(json!(i64::MIN)),
            "exp-huge": exp(json!(1e300)),
            "exp-hugely-negative": exp(json!(-1e300)),
        }
        "RFC 7519 §4.1.5" {
            "nbf-in-two-minutes": nbf(json!(now + 120)),
            "nbf-in-an-hour": nbf(json!(now + HOUR)),
            "nbf-in-milliseconds": nbf(json!(now * 1000)),
            "nbf-past-the-year-9999": nbf(json!(LAST_YEAR)),
            "nbf-two-to-the-63": nbf(json!(1_u64 << 63)),
            "nbf-huge": nbf(json!(1e300)),
            "nbf-negative": nbf(json!(-1)),
            "nbf-string": nbf(json!(now.to_string())),
            "nbf-true": nbf(json!(true)),
            "nbf-array": nbf(json!([now])),
            "nbf-object": nbf(json!({ "nbf": now })),
        }
    }
}

pub(super) fn subject(tenant: &MockTenant, chosen: Chosen<'_>) -> Vec<Row> {
    let sub = |sub: Value| tenant.token().claim("sub", sub).mint();
    chosen_rows! { chosen;
        "RFC 7519 §4.1.2" {
            "sub-number": sub(json!(1)),
            "sub-true": sub(json!(true)),
            "sub-array": sub(json!(["test-user", "admin"])),
            "sub-object": sub(json!({ "id": "test-user" })),
        }
    }
}

pub(super) fn binding(tenant: &MockTenant, chosen: Chosen<'_>) -> Vec<Row> {
    const SHA_256: &str = "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg0";
    const SHA_1: &str = "2jmj7l5rSw0yVb_vlWAYkK_YBwk";

    let cnf = |cnf: Value| tenant.token().claim("cnf", cnf).mint();
    let x5t = |thumbprint: Value| cnf(json!({ "x5t#S256": thumbprint }));
    chosen_rows! { chosen;
        "RFC 8705 §3" {
            "cnf-certificate": x5t(json!(SHA_256)),
            "cnf-certificate-padded": x5t(json!(format!("{SHA_256}="))),
            "cnf-certificate-sha1": x5t(json!(SHA_1)),
            "cnf-certificate-empty": x5t(json!("")),
            "cnf-certificate-null": x5t(json!(null)),
            "cnf-certificate-number": x5t(json!(1)),
            "cnf-certificate-array": x5t(json!([SHA_256])),
            "cnf-certificate-by-sha1-member": cnf(json!({ "x5t": SHA_1 })),
        }
        "RFC 9449 §6.1 and §7.2" {
            "cnf-dpop-key": cnf(json!({ "jkt": SHA_256 })),
            "cnf-dpop-key-null": cnf(json!({ "jkt": null })),
            "cnf-dpop-key-and-certificate": cnf(json!({ "jkt": SHA_256, "x5t#S256": SHA_256 })),
        }
        "RFC 7800 §3.1" {
            "cnf-empty": cnf(json!({})),
            "cnf-unknown-member": cnf(json!({ "spice": SHA_256 })),
            "cnf-kid": cnf(json!({ "kid": "client-key" })),
            "cnf-jwk": cnf(json!({ "jwk": { "kty": "oct", "k": SHA_256 } })),
            "cnf-jwe": cnf(json!({ "jwe": "a.b.c.d.e" })),
            "cnf-jku": cnf(json!({ "jku": tenant.url(Endpoint::Canary), "kid": "attacker" })),
            "cnf-string": cnf(json!(SHA_256)),
            "cnf-number": cnf(json!(0)),
            "cnf-false": cnf(json!(false)),
            "cnf-array": cnf(json!([{ "x5t#S256": SHA_256 }])),
        }
    }
}
