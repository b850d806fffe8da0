//! The number of headers, and the members of the proof's header that name its type.

use http::header::AUTHORIZATION;
use serde_json::{Value, json};

use crate::{
    DpopRequest,
    dpop::{DPOP, header},
    hostile::{
        dpop::{Row, request::Attempt},
        table::table,
    },
};

pub(super) fn missing(request: &DpopRequest<'_>) -> Vec<Row> {
    let good = request.good();
    table! {
        "RFC 9449 §4.3 rule 1 and §7.1" {
            "proof-missing": Attempt::new([good.authorization("DPoP")]),
            "proof-empty": good.send_text(""),
        }
    }
}

pub(super) fn repeated(request: &DpopRequest<'_>) -> Vec<Row> {
    let good = request.good();
    let proof = || header(DPOP, &good.proof().mint());
    let text = |text| header(DPOP, text);
    let proofs = |first, second| Attempt::new([good.authorization("DPoP"), first, second]);
    let tokens = |schemes: [&str; 2]| {
        let [first, second] = schemes.map(|scheme| good.authorization(scheme));
        Attempt::new([first, second, proof()])
    };
    let token = &good.token;
    let authorization = |value: &str| Attempt::new([header(AUTHORIZATION, value), proof()]);
    let same = proof();
    table! {
        "RFC 9449 §4.3 rule 1" {
            "two-proofs": proofs(proof(), proof()),
            "two-proofs-that-are-the-same": proofs(same.clone(), same),
            "two-proofs-of-which-the-first-is-empty": proofs(text(""), proof()),
            "two-proofs-of-which-the-second-is-empty": proofs(proof(), text("")),
            "two-proofs-of-which-the-first-is-text": proofs(text("x"), proof()),
            "two-proofs-of-which-the-second-is-text": proofs(proof(), text("x")),
        }
        "RFC 9449 §7.2" {
            "two-schemes-dpop-first": tokens(["DPoP", "Bearer"]),
            "two-schemes-bearer-first": tokens(["Bearer", "DPoP"]),
        }
        "RFC 9110 §11.6.2" {
            "two-authorizations": tokens(["DPoP", "DPoP"]),
            "two-tokens": authorization(&format!("DPoP {token} {token}")),
            "two-tokens-with-a-comma": authorization(&format!("DPoP {token},{token}")),
            "two-schemes-in-one-header": authorization(&format!("DPoP {token}, Bearer {token}")),
        }
    }
}

pub(super) fn proof_type(request: &DpopRequest<'_>) -> Vec<Row> {
    let good = request.good();
    let typ = |typ: Value| good.send(good.proof().header("typ", typ));
    table! {
        "RFC 9449 §4.2 and §4.3 rule 4, RFC 8725 §3.11" {
            "proof-typ-missing": good.send(good.proof().without_header("typ")),
            "proof-typ-jwt": typ(json!("JWT")),
            "proof-typ-access-token": typ(json!("at+jwt")),
            "proof-typ-client-assertion": typ(json!("client-authentication+jwt")),
            "proof-typ-key-binding": typ(json!("kb+jwt")),
            "proof-typ-empty": typ(json!("")),
            "proof-typ-dpop-only": typ(json!("dpop")),
            "proof-typ-shorter": typ(json!("dpop+jw")),
            "proof-typ-longer": typ(json!("dpop+jwt2")),
            "proof-typ-substring": typ(json!("not-dpop+jwt")),
            "proof-typ-blank-before": typ(json!(" dpop+jwt")),
            "proof-typ-blank-after": typ(json!("dpop+jwt ")),
            "proof-typ-form-encoded": typ(json!("dpop jwt")),
            "proof-typ-text-media-type": typ(json!("text/dpop+jwt")),
        }
        "RFC 7515 §4.1.9" {
            "proof-typ-null": typ(json!(null)),
            "proof-typ-number": typ(json!(1)),
            "proof-typ-true": typ(json!(true)),
            "proof-typ-array": typ(json!(["dpop+jwt"])),
            "proof-typ-object": typ(json!({ "typ": "dpop+jwt" })),
        }
    }
}

pub(super) fn crit(request: &DpopRequest<'_>) -> Vec<Row> {
    let good = request.good();
    let header = |name: &str, value: Value| good.proof().header(name, value);
    let crit = |names: Value| good.proof().header("crit", names);
    table! {
        "RFC 7515 §4.1.11" {
            "proof-crit-unknown": good.send(crit(json!(["x"])).header("x", 1)),
            "proof-crit-unknown-and-absent": good.send(crit(json!(["x"]))),
            "proof-crit-claim": good.send(crit(json!(["htu"])).header("htu", request.url())),
            "proof-crit-registered": good.send(crit(json!(["jwk"]))),
            "proof-crit-empty": good.send(crit(json!([]))),
            "proof-crit-null": good.send(crit(json!(null))),
            "proof-crit-string": good.send(crit(json!("x")).header("x", 1)),
        }
        "RFC 7797 §3 and §6" {
            "proof-b64-false": good.send(header("b64", json!(false))),
            "proof-b64-true": good.send(header("b64", json!(true))),
            "proof-b64-true-in-crit": good.send(crit(json!(["b64"])).header("b64", true)),
        }
    }
}
