//! Unusual tokens that are valid.

use serde_json::json;

use crate::{
    Algorithm, Endpoint, MockTenant,
    clock::unix_seconds,
    hostile::table::{Row, table},
};

/// An unusual access token that every resource server must accept.
///
/// The counterpart of the [`Hostile`](crate::Hostile) tokens: a server that accepts these does not
/// reject the others for being unusual. Introspection reports them as active, except for the one
/// whose `exp` is past but within a server's tolerance.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Control {
    /// What is unusual, in kebab-case. Names are unique.
    pub name: &'static str,
    /// The token.
    pub token: String,
    /// The rule that allows it.
    pub reference: &'static str,
}

impl Control {
    /// All controls. They are signed with all ten algorithms, whose keys the tenant publishes from
    /// the start.
    #[must_use]
    pub fn all(tenant: &MockTenant) -> Vec<Self> {
        let control = |(name, reference, token)| Self { name, token, reference };
        rows(tenant).into_iter().map(control).collect()
    }

    /// Checks the status of a response to a request with this token.
    ///
    /// # Panics
    ///
    /// If the token was not accepted.
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

fn rows(tenant: &MockTenant) -> Vec<Row> {
    let now = unix_seconds(tenant.clock().now());
    let ours = tenant.audience();
    let other = "https://other.example.com";

    let token = || tenant.token();
    let by = |algorithm| token().algorithm(algorithm).mint();
    let aud = |aud| token().claim("aud", aud).mint();
    let typ = |typ| token().header("typ", typ).mint();
    let header = |name, value| token().header(name, value).mint();
    let padded = |length| token().claim("x", "x".repeat(length)).mint();
    let room = (16 * 1024 - padded(0).len()) * 3 / 4;
    let respelt = |typ: &str| {
        let header = token().unsigned().header;
        let header = String::from_utf8_lossy(&header).replace("at+jwt", typ);
        token().raw_header(header).mint()
    };
    table! {
        "RFC 7518 §3, RFC 8037 §3.1" {
            "signed-rs256": by(Algorithm::Rs256),
            "signed-rs384": by(Algorithm::Rs384),
            "signed-rs512": by(Algorithm::Rs512),
            "signed-ps256": by(Algorithm::Ps256),
            "signed-ps384": by(Algorithm::Ps384),
            "signed-ps512": by(Algorithm::Ps512),
            "signed-es256": by(Algorithm::Es256),
            "signed-es384": by(Algorithm::Es384),
            "signed-es512": by(Algorithm::Es512),
            "signed-eddsa": by(Algorithm::EdDsa),
        }
        "RFC 7519 §4.1.3" {
            "aud-array-of-one": aud(json!([ours])),
            "aud-array-ours-first": aud(json!([ours, other])),
            "aud-array-ours-second": aud(json!([other, ours])),
            "aud-array-ours-twice": aud(json!([ours, ours])),
        }
        "RFC 7519 §4.1.4 to §4.1.6" {
            "exp-inside-the-tolerance": token().expires_in(-30).mint(),
            "exp-with-a-fraction": token().claim("exp", json!(now as f64 + 3600.5)).mint(),
            "exp-in-a-hundred-years": token().expires_in(100 * 365 * 24 * 3600).mint(),
            "nbf-inside-the-tolerance": token().claim("nbf", now + 30).mint(),
            "nbf-missing": token().without("nbf").mint(),
            "nbf-zero": token().claim("nbf", 0).mint(),
            "iat-missing": token().without("iat").mint(),
            "iat-in-an-hour": token().claim("iat", now + 3600).mint(),
        }
        "RFC 9068 §2.1 and §4, RFC 7515 §4.1.9" {
            "typ-missing": token().without_header("typ").mint(),
            "typ-jwt": typ("JWT"),
            "typ-jwt-lower-case": typ("jwt"),
            "typ-upper-case": typ("AT+JWT"),
            "typ-mixed-case": typ("At+Jwt"),
            "typ-media-type": typ("application/at+jwt"),
            "typ-media-type-upper-case": typ("APPLICATION/AT+JWT"),
            "typ-escaped": respelt(r"\u0061t+jwt"),
        }
        "RFC 7515 §4" {
            "header-unknown-member": header("x", json!({ "y": [1, 2] })),
            "header-content-type": header("cty", json!("JSON")),
            "header-jku-is-never-fetched": header("jku", json!(tenant.url(Endpoint::Canary))),
        }
        "RFC 7519 §4" {
            "claim-unknown": token().claim("x", json!({ "y": [1, null, "z"] })).mint(),
            "claim-not-ascii": token().subject("Zoë 🦀 \u{2028}\"\\").mint(),
            "claim-ten-deep": token().claim("x", json!([[[[[[[[[1]]]]]]]]])).mint(),
            "claim-name-at-two-depths": token().claim("x", json!({ "sub": 1 })).mint(),
            "sub-missing": token().without("sub").mint(),
            "jti-missing": token().without("jti").mint(),
            "client-id-missing": token().without("client_id").mint(),
            "cnf-null": token().claim("cnf", json!(null)).mint(),
        }
        "RFC 8259 §2" {
            "payload-with-white-space": {
                let payload = token().unsigned().payload;
                token().raw_payload([b"\r\n\t ", payload.as_slice(), b"\n"].concat()).mint()
            },
        }
        "RFC 7519 §11" {
            "size-just-under-16-kib": padded(room - 3),
        }
    }
}
