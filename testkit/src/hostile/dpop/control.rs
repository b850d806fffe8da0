//! Unusual proofs that are valid.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderName, HeaderValue};
use serde_json::{Value, json};

use crate::{
    Algorithm, DpopKey, DpopRequest, Endpoint,
    dpop::{DPOP, header},
    hostile::{
        dpop::{
            Row,
            alg::attackers,
            claims::long_id,
            encoding::LIMIT,
            request::{Attempt, Headers},
            url::Parts,
        },
        key_choice::ATTACKER_CERTIFICATE,
        table::{Row as Text, table},
    },
};

/// An unusual request that every API which accepts DPoP-bound tokens must accept, once.
///
/// The counterpart of the [`HostileProof`](crate::HostileProof)s: an API that accepts these does
/// not reject the others for being unusual.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ProofControl {
    /// What is unusual, in kebab-case. Names are unique.
    pub name: &'static str,
    /// The rule that allows it.
    pub reference: &'static str,
    /// The `Authorization` and `DPoP` headers of the request.
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

impl ProofControl {
    /// All controls that are made from this good request. One that could not differ from it, such
    /// as an upper-case host in place of `127.0.0.1`, is left out.
    #[must_use]
    pub fn all(request: &DpopRequest<'_>) -> Vec<Self> {
        let rows = [algorithms(request), headers(request), claims(request), urls(request)];
        let control = |(name, reference, attempt): Row| {
            let Attempt { headers, .. } = attempt;
            Self { name, reference, headers }
        };
        rows.into_iter().flatten().map(control).collect()
    }

    /// Checks the status of a response to a request with these headers.
    ///
    /// # Panics
    ///
    /// If the request was not accepted.
    #[track_caller]
    pub fn assert_accepted(&self, status: u16) {
        let accepted = (200..300).contains(&status);
        assert!(
            accepted,
            "{} ({}) must be accepted, not answered with {status}",
            self.name, self.reference,
        );
    }
}

fn algorithms(request: &DpopRequest<'_>) -> Vec<Row> {
    // RSA keys have 2048 bits.
    let by = |algorithm| {
        let good = request.good_by(&attackers(algorithm));
        good.send(good.proof())
    };
    table! {
        "RFC 9449 §4.2, RFC 7518 §3, RFC 8037 §3.1" {
            "proof-signed-rs256": by(Algorithm::Rs256),
            "proof-signed-rs384": by(Algorithm::Rs384),
            "proof-signed-rs512": by(Algorithm::Rs512),
            "proof-signed-ps256": by(Algorithm::Ps256),
            "proof-signed-ps384": by(Algorithm::Ps384),
            "proof-signed-ps512": by(Algorithm::Ps512),
            "proof-signed-es256": by(Algorithm::Es256),
            "proof-signed-es384": by(Algorithm::Es384),
            "proof-signed-es512": by(Algorithm::Es512),
            "proof-signed-eddsa": by(Algorithm::EdDsa),
        }
    }
}

fn headers(request: &DpopRequest<'_>) -> Vec<Row> {
    let good = request.good();
    let with = |name: &str, value: Value| good.send(good.proof().header(name, value));
    let by_scheme = |scheme| {
        let proof = header(DPOP, &good.proof().mint());
        Attempt::new(Headers::from([good.authorization(scheme), proof]))
    };
    let jwk_with = |name: &str, value: Value| {
        let mut jwk = request.own_key().jwk();
        jwk[name] = value;
        with("jwk", jwk)
    };
    let url = request.tenant().url(Endpoint::Canary);
    let chain = json!([STANDARD.encode(ATTACKER_CERTIFICATE)]);
    table! {
        "RFC 9449 §7.1, RFC 9110 §11.1" {
            "proof-scheme-lower-case": by_scheme("dpop"),
            "proof-scheme-upper-case": by_scheme("DPOP"),
            "proof-scheme-mixed-case": by_scheme("dPoP"),
        }
        "RFC 7515 §4" {
            "proof-kid-is-ignored": with("kid", json!("no-such-key")),
            "proof-jku-is-never-fetched": with("jku", json!(url)),
            "proof-x5u-is-never-fetched": with("x5u", json!(url)),
            "proof-x5c-is-ignored": with("x5c", chain),
            "proof-header-unknown-member": with("x", json!({ "y": [1, 2] })),
        }
        "RFC 7517 §4, RFC 7638 §3.2" {
            "proof-jwk-with-a-kid": jwk_with("kid", json!("client-key")),
            "proof-jwk-with-an-alg": jwk_with("alg", json!(request.own_key().algorithm().as_str())),
            "proof-jwk-with-a-use": jwk_with("use", json!("sig")),
            "proof-jwk-with-an-unknown-member": jwk_with("x-comment", json!([1, 2])),
        }
    }
}

fn claims(request: &DpopRequest<'_>) -> Vec<Row> {
    let good = request.good();
    let with = |name: &str, value: Value| good.send(good.proof().claim(name, value));
    let ago = |seconds| good.send(good.proof().issued_ago(seconds));
    let edge = request.seconds() - 1;
    let now = request.now();
    let padded = |length| good.proof().claim("x", "x".repeat(length));
    let room = (LIMIT - padded(0).mint().len()) * 3 / 4;
    let payload = good.proof().unsigned().payload;
    // Short ones collide with others of the same client.
    let newcomer = request.good_by(&DpopKey::generate());
    let spaced = [b"\r\n\t ", payload.as_slice(), b"\n"].concat();
    table! {
        "RFC 9449 §4.3 rule 11" {
            "proof-iat-nearly-past-the-lifetime": ago(edge),
            "proof-iat-nearly-ahead-of-the-lifetime": ago(-edge),
            "proof-iat-with-a-fraction": with("iat", json!(now as f64 - 0.5)),
        }
        "RFC 9449 §11.1" {
            "proof-jti-of-one-character": newcomer.send(newcomer.proof().claim("jti", "1")),
            "proof-jti-of-256-characters": with("jti", json!(long_id(256))),
            "proof-jti-not-ascii": with("jti", json!(format!("{}-Zoë", long_id(30)))),
        }
        "RFC 7519 §4" {
            "proof-claim-unknown": with("x", json!({ "y": [1, null, "z"] })),
            "proof-claim-name-at-two-depths": with("x", json!({ "jti": 1 })),
        }
        "RFC 8259 §2" {
            "proof-payload-with-white-space": good.send(good.proof().raw_payload(spaced)),
        }
        "RFC 9449 §4.1" {
            "proof-just-under-8-kib": good.send(padded(room - 3)),
        }
    }
}

fn urls(request: &DpopRequest<'_>) -> Vec<Row> {
    let good = request.good();
    let others = spellings(&Parts::of(request.url())).into_iter();
    let others = others.filter(|(_, _, htu)| htu != request.url());
    let spelt =
        |(name, reference, htu)| (name, reference, good.send(good.proof().claim("htu", htu)));
    others.map(spelt).collect()
}

/// Other spellings of the same URL, some of which may not differ.
fn spellings(it: &Parts<'_>) -> Vec<Text> {
    let Parts { scheme, host, path, .. } = *it;
    let authority = it.authority();
    let default = if scheme == "https" { "443" } else { "80" };
    // Only where there is none.
    let ported =
        |port| if it.port.is_none() { format!("{host}:{port}") } else { authority.clone() };
    let at = |authority: &str| format!("{scheme}://{authority}{path}");
    let to = |path: &str| format!("{scheme}://{authority}{path}");
    let upper_host = authority.replacen(host, &host.to_uppercase(), 1);
    table! {
        "RFC 9449 §4.3, RFC 3986 §6.2.2.1" {
            "proof-htu-scheme-upper-case": format!("{}://{authority}{path}", scheme.to_uppercase()),
            "proof-htu-host-upper-case": at(&upper_host),
            "proof-htu-percent-encodings-lower-case": to(&lower_encodings(path)),
        }
        "RFC 9449 §4.3, RFC 3986 §6.2.2.2" {
            "proof-htu-letter-encoded": to(&it.encoded().unwrap_or_else(|| path.to_owned())),
            "proof-htu-tilde-encoded": to(&path.replacen('~', "%7E", 1)),
            "proof-htu-tilde-encoded-lower-case": to(&path.replacen('~', "%7e", 1)),
        }
        "RFC 9449 §4.3, RFC 3986 §6.2.2.3" {
            "proof-htu-dot-segment": to(&format!("/.{path}")),
            "proof-htu-dot-dot-segment": to(&format!("/x/..{path}")),
        }
        "RFC 9449 §4.3, RFC 3986 §6.2.3" {
            "proof-htu-default-port": at(&ported(default)),
            "proof-htu-empty-port": at(&ported("")),
            "proof-htu-empty-path": to(if path == "/" { "" } else { path }),
        }
    }
}

/// The path with the hexadecimal digits of its percent-encodings in lower case.
fn lower_encodings(path: &str) -> String {
    let mut parts = path.split('%');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |start, part| {
        let (digits, rest) = part.split_at(part.len().min(2));
        format!("{start}%{}{rest}", digits.to_lowercase())
    })
}
