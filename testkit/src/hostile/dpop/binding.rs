//! The binding of the token to the key of the proof.

use aws_lc_rs::digest::{SHA512, digest};
use serde_json::{Value, json};

use crate::{
    Certificate, DpopKey, DpopRequest,
    dpop::{DPOP, header},
    hostile::{
        dpop::{Row, request::Attempt},
        table::table,
    },
    token::base64url,
};

pub(super) fn rows(request: &DpopRequest<'_>) -> Vec<Row> {
    let own = request.own_key();
    let (thumbprint, other) = (own.thumbprint(), DpopKey::generate());
    let token = || request.unbound();
    let with = |token| {
        let good = request.good_with(token, own);
        good.send(good.proof())
    };
    let cnf = |cnf: Value| with(token().claim("cnf", cnf));
    let jkt = |jkt: Value| cnf(json!({ "jkt": jkt }));

    let good = request.good();
    let as_bearer = |scheme| Attempt::new([good.authorization(scheme)]);
    let as_bearer_with_proof = {
        let proof = header(DPOP, &good.proof().mint());
        Attempt::new([good.authorization("Bearer"), proof])
    };
    let by_another = request.good_of(&thumbprint, &other);
    let whole_jwk = digest(&SHA512, own.jwk().to_string().as_bytes());
    table! {
        "RFC 9449 §4.3 rule 12 and §7.1" {
            "proof-by-another-key": by_another.send(by_another.proof()),
            "token-bound-to-another-key": with(token().bound_to_key(&other)),
            "token-unbound": with(token()),
            "token-bound-to-null": cnf(json!(null)),
            "token-bound-to-a-certificate-only":
                with(token().bound_to(&Certificate::self_signed("alice"))),
        }
        "RFC 9449 §6.1" {
            "token-jkt-null": jkt(json!(null)),
            "token-jkt-number": jkt(json!(1)),
            "token-jkt-array": jkt(json!([thumbprint])),
            "token-jkt-empty": jkt(json!("")),
            "token-jkt-padded": jkt(json!(format!("{thumbprint}="))),
            "token-jkt-shortened": jkt(json!(&thumbprint[..42])),
            "token-jkt-upper-case": jkt(json!(thumbprint.to_uppercase())),
            "token-jkt-lower-case": jkt(json!(thumbprint.to_lowercase())),
            "token-jkt-blank-after": jkt(json!(format!("{thumbprint} "))),
            "token-jkt-of-another-hash": jkt(json!(base64url(whole_jwk))),
            "token-jkt-as-a-jwk": jkt(own.jwk()),
            "token-bound-by-its-jwk": cnf(json!({ "jwk": own.jwk() })),
            "token-bound-by-kid": cnf(json!({ "kid": thumbprint })),
            "token-bound-outside-cnf": with(token().claim("jkt", &thumbprint)),
        }
        "RFC 9449 §7.2" {
            "bound-token-as-bearer": as_bearer("Bearer"),
            "bound-token-as-bearer-lower-case": as_bearer("bearer"),
            "bound-token-as-bearer-with-proof": as_bearer_with_proof,
        }
    }
}
