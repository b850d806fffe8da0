//! The other members of the header.

use serde_json::{Value, json};

use crate::{
    MockTenant,
    hostile::table::{Chosen, Row, chosen_rows},
};

pub(super) fn token_type(tenant: &MockTenant, chosen: Chosen<'_>) -> Vec<Row> {
    let typ = |typ: Value| tenant.token().header("typ", typ).mint();
    chosen_rows! { chosen;
        "RFC 8725 §3.11" {
            "typ-logout-token": typ(json!("logout+jwt")),
            "typ-security-event": typ(json!("secevent+jwt")),
            "typ-dpop-proof": typ(json!("dpop+jwt")),
            "typ-client-assertion": typ(json!("client-authentication+jwt")),
            "typ-authorization-request": typ(json!("oauth-authz-req+jwt")),
            "typ-introspection-response": typ(json!("token-introspection+jwt")),
            "typ-entity-statement": typ(json!("entity-statement+jwt")),
            "typ-verifiable-credential": typ(json!("vc+jwt")),
            "typ-key-binding": typ(json!("kb+jwt")),
            "typ-refresh-token": typ(json!("rt+jwt")),
            "typ-logout-token-as-media-type": typ(json!("application/logout+jwt")),
        }
        "RFC 9068 §4" {
            "typ-empty": typ(json!("")),
            "typ-of-general-jose": typ(json!("JOSE")),
            "typ-json-serialisation": typ(json!("JOSE+JSON")),
            "typ-jwe": typ(json!("JWE")),
            "typ-at-only": typ(json!("at")),
            "typ-longer": typ(json!("at+jwt2")),
            "typ-shorter": typ(json!("at+jw")),
            "typ-substring": typ(json!("not-at+jwt")),
            "typ-blank-before": typ(json!(" at+jwt")),
            "typ-blank-after": typ(json!("at+jwt ")),
            "typ-form-encoded": typ(json!("at jwt")),
            "typ-text-media-type": typ(json!("text/at+jwt")),
        }
        "RFC 7515 §4.1.9" {
            "typ-null": typ(json!(null)),
            "typ-number": typ(json!(1)),
            "typ-true": typ(json!(true)),
            "typ-array": typ(json!(["at+jwt"])),
            "typ-object": typ(json!({ "typ": "at+jwt" })),
        }
    }
}

pub(super) fn crit(tenant: &MockTenant, chosen: Chosen<'_>) -> Vec<Row> {
    let crit = |names: Value| tenant.token().header("crit", names);
    chosen_rows! { chosen;
        "RFC 7515 §4.1.11" {
            "crit-unknown": crit(json!(["x"])).header("x", 1).mint(),
            "crit-unknown-and-absent": crit(json!(["x"])).mint(),
            "crit-unknown-url": crit(json!(["urn:x:y"])).header("urn:x:y", true).mint(),
            "crit-known-claim": crit(json!(["exp"])).header("exp", 1_363_284_000).mint(),
            "crit-empty": crit(json!([])).mint(),
            "crit-registered": crit(json!(["alg"])).mint(),
            "crit-itself": crit(json!(["crit"])).mint(),
            "crit-twice": crit(json!(["x", "x"])).header("x", 1).mint(),
            "crit-null": crit(json!(null)).mint(),
            "crit-string": crit(json!("x")).header("x", 1).mint(),
            "crit-object": crit(json!({ "x": 1 })).header("x", 1).mint(),
            "crit-number": crit(json!(1)).mint(),
            "crit-of-numbers": crit(json!([1])).mint(),
            "crit-of-blank": crit(json!([""])).header("", 1).mint(),
        }
        "RFC 7797 §3 and §6" {
            "b64-false": tenant.token().header("b64", false).mint(),
            "b64-false-in-crit": crit(json!(["b64"])).header("b64", false).mint(),
            "b64-true-in-crit": crit(json!(["b64"])).header("b64", true).mint(),
            "b64-true": tenant.token().header("b64", true).mint(),
            "b64-in-crit-and-absent": crit(json!(["b64"])).mint(),
        }
    }
}
