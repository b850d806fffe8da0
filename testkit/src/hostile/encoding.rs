//! How the token is written: its segments, its JSON, its length.

use base64::{Engine as _, alphabet, engine::general_purpose::STANDARD_NO_PAD};
use serde_json::{Value, json};

use crate::{
    MockTenant,
    hostile::table::{Chosen, Row, chosen_rows},
    token::base64url,
};

pub(super) fn structure(tenant: &MockTenant, chosen: Chosen<'_>) -> Vec<Row> {
    let control = tenant.token().unsigned();
    let (header, payload) = (base64url(&control.header), base64url(&control.payload));
    let token = control.sign();
    let signature = base64url(control.signature());
    // The signature is valid for the segments as they are written.
    let signed = |header: &str, payload: &str| {
        let input = format!("{header}.{payload}");
        format!("{input}.{}", base64url(control.key.sign(input.as_bytes())))
    };
    let says = |payload: &[u8]| tenant.token().raw_payload(payload).mint();
    let nested = tenant.token().header("cty", "JWT").raw_payload(token.as_str());
    let jwe = |alg: &str, segments: &str| {
        let header = json!({ "alg": alg, "enc": "A256GCM", "cty": "JWT", "zip": "DEF" });
        format!("{}.{segments}", base64url(header.to_string()))
    };
    let by_user = tenant.token().subject("test-user").unsigned().payload;
    let with_user = |user| replaced(&by_user, b"test-user", user);
    let with_type = |typ| replaced(&control.header, b"at+jwt", typ);
    // Segments of four letters each and `rest` more, by a member of this length.
    let padded_payload =
        |rest| of_remainder(rest, |x| tenant.token().claim("x", x).unsigned().payload);
    let padded_header =
        |rest| of_remainder(rest, |x| tenant.token().header("x", x).unsigned().header);
    let slashes = tenant.token().claim("x", "?????").unsigned().payload;
    chosen_rows! { chosen;
        "RFC 7515 §3.1 and §7.1" {
            "one-segment": header.clone(),
            "two-segments": control.input(),
            "four-segments": format!("{token}.{signature}"),
            "dot-before": format!(".{token}"),
            "dot-after": format!("{token}."),
            "dot-doubled": format!("{header}..{payload}.{signature}"),
            "one-dot": ".".into(),
            "two-dots": "..".into(),
            "three-dots": "...".into(),
            "many-dots": ".".repeat(1000),
            "header-empty": signed("", &payload),
            "payload-empty": signed(&header, ""),
            "payload-detached": format!("{header}..{signature}"),
            "header-and-payload-swapped": signed(&payload, &header),
        }
        "RFC 7519 §5.2, RFC 7516 §9" {
            "nested-jwt": nested.mint(),
            "jwe-compact": jwe("RSA-OAEP-256", &format!("{signature}.MTIz.{payload}.MTIz")),
            "jwe-direct": jwe("dir", &format!(".MTIz.{payload}.MTIz")),
            "jwe-of-a-password": jwe("PBES2-HS256+A128KW", &format!("MTIz.MTIz.{payload}.MTIz")),
            "jwe-around-a-plain-jwt": jwe("none", &format!(".MTIz.{payload}.MTIz")),
            "jwe-empty": "....".into(),
        }
        "RFC 7515 §2, RFC 4648 §3.2 and §5" {
            "signature-padded": format!("{token}="),
            "signature-padded-twice": format!("{token}=="),
            "header-with-tilde": signed(&format!("{header}~"), &payload),
            "payload-with-tilde": signed(&header, &format!("{payload}~")),
            "signature-with-tilde": format!("{token}~"),
            "payload-in-standard-alphabet": signed(&header, &STANDARD_NO_PAD.encode(slashes)),
            "header-with-plus": signed(&format!("+{header}"), &payload),
            "payload-with-one-letter-more": signed(&header, &(padded_payload(0) + "A")),
            "header-with-one-letter-more": signed(&(padded_header(0) + "A"), &payload),
        }
        "RFC 4648 §3.5" {
            "payload-with-loose-bits": signed(&header, &loosened(&padded_payload(2))),
            "header-with-loose-bits": signed(&loosened(&padded_header(2)), &payload),
        }
        "RFC 8259 §8.1" {
            "payload-not-utf8": says(&with_user(b"test-\xFFser")),
            "payload-latin1": says(&with_user(b"us\xE9r")),
            "payload-overlong-utf8": says(&with_user(b"test\xC0\xAFuser")),
            "payload-surrogate-in-utf8": says(&with_user(b"\xED\xA0\x80")),
            "payload-utf16": says(&utf16(&control.payload)),
            "header-not-utf8": signed(&base64url(with_type(b"at+jwt\xFF")), &payload),
            "header-utf16": signed(&base64url(utf16(&control.header)), &payload),
        }
    }
}

pub(super) fn json(tenant: &MockTenant, chosen: Chosen<'_>) -> Vec<Row> {
    let control = tenant.token().unsigned();
    let claims: Value = serde_json::from_slice(&control.payload).expect("a JSON object");
    let same_subject = format!(r#""sub":{}"#, claims["sub"]);
    let (header, payload) = (text(&control.header), text(&control.payload));
    let header_is = |header: &str| tenant.token().raw_header(header).mint();
    let payload_is = |payload: &str| tenant.token().raw_payload(payload).mint();
    // Another member, before or after all others.
    let header_with = |member: &str| header_is(&before(header, member));
    let claims_with = |member: &str| payload_is(&before(payload, member));
    let claims_with_last = |member: &str| payload_is(&after(payload, member));
    let nested = |depth| format!(r#""deep":{}{}"#, "[".repeat(depth), "]".repeat(depth));
    chosen_rows! { chosen;
        "RFC 7515 §4 and §5.2" {
            "duplicate-alg": header_with(r#""alg":"RS256""#),
            "duplicate-alg-none": header_with(r#""alg":"none""#),
            "duplicate-alg-none-last": header_is(&after(header, r#""alg":"none""#)),
            "duplicate-kid": header_with(r#""kid":"no-such-key""#),
            "duplicate-typ": header_with(r#""typ":"at+jwt""#),
            "duplicate-header-unknown": header_with(r#""x":1,"x":2"#),
            "duplicate-header-nested": header_with(r#""x":{"y":1,"y":2}"#),
        }
        "RFC 7519 §4" {
            "duplicate-iss": claims_with(r#""iss":"https://attacker.example.com""#),
            "duplicate-iss-last": claims_with_last(r#""iss":"https://attacker.example.com""#),
            "duplicate-aud": claims_with(r#""aud":"https://other.example.com""#),
            "duplicate-aud-last": claims_with_last(r#""aud":"https://other.example.com""#),
            "duplicate-exp": claims_with(r#""exp":0"#),
            "duplicate-exp-last": claims_with_last(r#""exp":253402300799"#),
            "duplicate-nbf": claims_with(r#""nbf":0"#),
            "duplicate-sub": claims_with(r#""sub":"admin""#),
            "duplicate-sub-same": claims_with(&same_subject),
            "duplicate-sub-escaped": claims_with(r#""\u0073ub":"admin""#),
            "duplicate-scope": claims_with(r#""scope":"a","scope":"b""#),
            "duplicate-cnf": claims_with(r#""cnf":null,"cnf":null"#),
            "duplicate-custom": claims_with(r#""x":1,"x":1"#),
            "duplicate-nested": claims_with(r#""x":{"y":1,"y":2}"#),
            "duplicate-nested-in-array": claims_with(r#""x":[[{"y":1,"y":2}]]"#),
            "payload-array": payload_is(&format!("[{payload}]")),
            "payload-string": payload_is(&json!(payload).to_string()),
            "payload-number": payload_is("1"),
            "payload-null": payload_is("null"),
            "payload-true": payload_is("true"),
            "payload-text": payload_is("valid"),
            "payload-empty-object": payload_is("{}"),
            "payload-blank": payload_is(" "),
            "header-array": header_is(&format!("[{header}]")),
            "header-string": header_is(&json!(header).to_string()),
            "header-null": header_is("null"),
            "header-blank": header_is(" "),
            "header-empty-object": header_is("{}"),
        }
        "RFC 8259 §2 to §8" {
            "payload-byte-order-mark": payload_is(&format!("\u{feff}{payload}")),
            "payload-comma-at-the-end": payload_is(&after(payload, "")),
            "payload-cut": payload_is(&payload[..payload.len() - 1]),
            "payload-brace-after": payload_is(&format!("{payload}}}")),
            "payload-text-after": payload_is(&format!("{payload}x")),
            "payload-nul-after": payload_is(&format!("{payload}\0")),
            "payload-twice": payload_is(&format!("{payload}{payload}")),
            "payload-comment": payload_is(&format!("{payload}// valid")),
            "payload-single-quotes": payload_is(&payload.replace('"', "'")),
            "payload-name-without-quotes": claims_with("x:1"),
            "payload-nan": claims_with(r#""x":NaN"#),
            "payload-infinity": claims_with(r#""x":Infinity"#),
            "payload-hexadecimal": claims_with(r#""x":0x10"#),
            "payload-leading-zero": claims_with(r#""x":01"#),
            "payload-leading-plus": claims_with(r#""x":+1"#),
            "payload-raw-newline": claims_with("\"x\":\"a\nb\""),
            "payload-raw-nul": claims_with("\"x\":\"a\0b\""),
            "payload-bad-escape": claims_with(r#""x":"\x41""#),
            "payload-short-escape": claims_with(r#""x":"\u41""#),
            "payload-lone-surrogate": claims_with(r#""x":"\ud800""#),
            "payload-surrogates-reversed": claims_with(r#""x":"\udc00\ud800""#),
            "header-byte-order-mark": header_is(&format!("\u{feff}{header}")),
            "header-comma-at-the-end": header_is(&after(header, "")),
            "header-text-after": header_is(&format!("{header}x")),
            "header-twice": header_is(&format!("{header}{header}")),
            "header-comment": header_is(&format!("/**/{header}")),
            "header-lone-surrogate": header_with(r#""x":"\ud800""#),
        }
        "RFC 8259 §9" {
            "payload-40-deep": claims_with(&nested(40)),
            "payload-200-deep": claims_with(&nested(200)),
            "payload-5000-deep": claims_with(&nested(5000)),
            "payload-cut-5000-deep": claims_with(&format!(r#""deep":{}"#, "[".repeat(5000))),
            "header-40-deep": header_with(&nested(40)),
            "header-5000-deep": header_with(&nested(5000)),
        }
    }
}

pub(super) fn size(tenant: &MockTenant, chosen: Chosen<'_>) -> Vec<Row> {
    const KIB: usize = 1024;

    let letters = |count| "x".repeat(count);
    let claim = |length| tenant.token().claim("x", letters(length)).mint();
    let room = (16 * KIB - claim(0).len()) * 3 / 4;
    let scopes: Vec<_> = (0..5000).map(|index| format!("s{index}")).collect();
    chosen_rows! { chosen;
        "RFC 8725 §3.6, RFC 7519 §11" {
            "size-just-over-16-kib": claim(room + 4),
            "size-24-kib": claim(17 * KIB),
            "size-64-kib": claim(48 * KIB),
            "size-of-header": tenant.token().header("x", letters(16 * KIB)).mint(),
            "size-of-kid": tenant.token().header("kid", letters(16 * KIB)).mint(),
            "size-of-signature": tenant.token().unsigned().with_signature([0; 16 * KIB]),
            "size-of-scopes": tenant.token().scope(&scopes.join(" ")).mint(),
            "size-of-letters": letters(32 * KIB),
            "size-of-dots": ".".repeat(32 * KIB),
            "size-of-jwe": format!("{}.a.b.c.d", base64url(letters(24 * KIB))),
        }
    }
}

/// A base64url segment whose length leaves this remainder when divided by four.
pub(super) fn of_remainder(remainder: usize, json_with: impl Fn(String) -> Vec<u8>) -> String {
    let segments = (0..3).map(|length| base64url(json_with("x".repeat(length))));
    let mut fitting = segments.filter(|segment| segment.len() % 4 == remainder);
    fitting.next().expect("one length in three fits")
}

/// The same bytes, with a bit set in the last letter that belongs to none of them.
pub(super) fn loosened(segment: &str) -> String {
    let (start, last) = segment.split_at(segment.len() - 1);
    let place = alphabet::URL_SAFE.as_str().find(last).expect("a letter of base64url");
    let has_loose_bits = segment.len() % 4 > 1 && place % 4 == 0;
    assert!(has_loose_bits, "the last letter of {segment} has no loose bits");
    let next = &alphabet::URL_SAFE.as_str()[place + 1..];
    format!("{start}{}", &next[..1])
}

fn replaced(json: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut places = json.windows(from.len());
    let at = places.position(|bytes| bytes == from).expect("a default value");
    [&json[..at], to, &json[at + from.len()..]].concat()
}

pub(super) fn utf16(json: &[u8]) -> Vec<u8> {
    text(json).encode_utf16().flat_map(u16::to_be_bytes).collect()
}

pub(super) fn text(json: &[u8]) -> &str {
    str::from_utf8(json).expect("JSON is UTF-8")
}

pub(super) fn before(object: &str, member: &str) -> String {
    let rest = object.strip_prefix('{').expect("a JSON object");
    format!("{{{member},{rest}")
}

pub(super) fn after(object: &str, member: &str) -> String {
    let start = object.strip_suffix('}').expect("a JSON object");
    format!("{start},{member}}}")
}
