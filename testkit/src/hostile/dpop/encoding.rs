//! How the proof is written: its segments, its JSON, its length.

use serde_json::json;

use crate::{
    DpopRequest,
    hostile::{
        dpop::Row,
        encoding::{after, before, loosened, of_remainder, text, utf16},
        table::table,
    },
    token::base64url,
};

/// The longest proof that a server reads, in bytes.
pub(super) const LIMIT: usize = 8 * 1024;

pub(super) fn structure(request: &DpopRequest<'_>) -> Vec<Row> {
    let good = request.good();
    let control = good.proof().unsigned();
    let (header, payload) = (base64url(&control.header), base64url(&control.payload));
    let (proof, signature) = (control.sign(), base64url(control.signature()));
    let is = |text: &str| good.send_text(text);
    // The signature is valid for the segments as they are written.
    let signed = |header: &str, payload: &str| {
        let input = format!("{header}.{payload}");
        let signature = base64url(control.key.sign(input.as_bytes()));
        is(&format!("{input}.{signature}"))
    };
    let says = |payload: &[u8]| good.send(good.proof().raw_payload(payload));
    let padded_payload =
        |rest| of_remainder(rest, |x| good.proof().claim("x", x).unsigned().payload);
    let padded_header =
        |rest| of_remainder(rest, |x| good.proof().header("x", x).unsigned().header);
    let (begin, end) = proof.split_at(proof.len() / 2);
    let flattened = json!({ "protected": header, "payload": payload, "signature": signature });
    table! {
        "RFC 9449 §4.3 rules 1 and 2" {
            "proof-and-another-with-a-comma": is(&format!("{proof},{}", good.proof().mint())),
            "proof-and-another-with-a-blank": is(&format!("{proof} {}", good.proof().mint())),
            "proof-twice-with-a-comma": is(&format!("{proof}, {proof}")),
            "proof-comma-before": is(&format!(",{proof}")),
            "proof-comma-after": is(&format!("{proof},")),
            "proof-blank-inside": is(&format!("{begin} {end}")),
            "proof-quoted": is(&format!("\"{proof}\"")),
            "proof-with-its-scheme": is(&format!("DPoP {proof}")),
            "proof-is-text": is("proof"),
            "proof-is-the-token": is(&good.token),
            "proof-as-json": is(&flattened.to_string()),
        }
        "RFC 7515 §3.1 and §7.1" {
            "proof-one-segment": is(&header),
            "proof-two-segments": is(&control.input()),
            "proof-four-segments": is(&format!("{proof}.{signature}")),
            "proof-five-segments": is(&format!("{header}..{payload}.{signature}.{signature}")),
            "proof-dot-before": is(&format!(".{proof}")),
            "proof-dot-after": is(&format!("{proof}.")),
            "proof-dots-only": is(".."),
            "proof-header-empty": signed("", &payload),
            "proof-payload-empty": signed(&header, ""),
            "proof-payload-detached": is(&format!("{header}..{signature}")),
            "proof-header-and-payload-swapped": signed(&payload, &header),
            "proof-nested": says(proof.as_bytes()),
        }
        "RFC 7515 §2, RFC 4648 §3.2 and §5" {
            "proof-header-padded": signed(&format!("{header}="), &payload),
            "proof-payload-padded": signed(&header, &format!("{}=", padded_payload(3))),
            "proof-signature-padded": is(&format!("{proof}=")),
            "proof-signature-padded-twice": is(&format!("{proof}==")),
            "proof-header-with-tilde": signed(&format!("{header}~"), &payload),
            "proof-payload-with-tilde": signed(&header, &format!("{payload}~")),
            "proof-signature-with-tilde": is(&format!("{proof}~")),
            "proof-header-with-plus": signed(&format!("+{header}"), &payload),
            "proof-payload-with-one-letter-more": signed(&header, &(padded_payload(0) + "A")),
            "proof-header-with-one-letter-more": signed(&(padded_header(0) + "A"), &payload),
        }
        "RFC 4648 §3.5" {
            "proof-header-with-loose-bits": signed(&loosened(&padded_header(2)), &payload),
            "proof-payload-with-loose-bits": signed(&header, &loosened(&padded_payload(2))),
        }
        "RFC 8259 §8.1" {
            "proof-payload-not-utf8": says(&spliced(&control.payload, b"\"x\":\"\xFF\"")),
            "proof-payload-surrogate-in-utf8":
                says(&spliced(&control.payload, b"\"x\":\"\xED\xA0\x80\"")),
            "proof-payload-utf16": says(&utf16(&control.payload)),
            "proof-header-utf16": signed(&base64url(utf16(&control.header)), &payload),
        }
    }
}

pub(super) fn json(request: &DpopRequest<'_>) -> Vec<Row> {
    let good = request.good();
    let control = good.proof().unsigned();
    let (header, payload) = (text(&control.header), text(&control.payload));
    let header_is = |header: &str| good.send(good.proof().raw_header(header));
    let payload_is = |payload: &str| good.send(good.proof().raw_payload(payload));
    // Another member, before or after all others.
    let header_with = |member: &str| header_is(&before(header, member));
    let claims_with = |member: &str| payload_is(&before(payload, member));
    let claims_with_last = |member: &str| payload_is(&after(payload, member));
    let nested = |depth| format!(r#""deep":{}{}"#, "[".repeat(depth), "]".repeat(depth));
    let twice_in_jwk = header.replace(r#""kty":"#, r#""kty":"oct","kty":"#);
    table! {
        "RFC 7515 §4 and §5.2" {
            "proof-duplicate-alg-none": header_with(r#""alg":"none""#),
            "proof-duplicate-alg-none-last": header_is(&after(header, r#""alg":"none""#)),
            "proof-duplicate-typ": header_with(r#""typ":"dpop+jwt""#),
            "proof-duplicate-jwk": header_with(&format!(r#""jwk":{}"#, request.own_key().jwk())),
            "proof-duplicate-in-jwk": header_is(&twice_in_jwk),
            "proof-duplicate-header-unknown": header_with(r#""x":1,"x":2"#),
            "proof-header-array": header_is(&format!("[{header}]")),
            "proof-header-null": header_is("null"),
            "proof-header-empty-object": header_is("{}"),
        }
        "RFC 7519 §4" {
            "proof-duplicate-htm": claims_with(r#""htm":"DELETE""#),
            "proof-duplicate-htm-last": claims_with_last(r#""htm":"DELETE""#),
            "proof-duplicate-htu": claims_with(r#""htu":"https://other.example.com/""#),
            "proof-duplicate-htu-last": claims_with_last(r#""htu":"https://other.example.com/""#),
            "proof-duplicate-iat": claims_with(r#""iat":0"#),
            "proof-duplicate-jti": claims_with(r#""jti":"x""#),
            "proof-duplicate-jti-last": claims_with_last(r#""jti":"x""#),
            "proof-duplicate-jti-escaped": claims_with(r#""\u006ati":"x""#),
            "proof-duplicate-ath": claims_with(r#""ath":"x""#),
            "proof-duplicate-custom": claims_with(r#""x":1,"x":1"#),
            "proof-duplicate-nested": claims_with(r#""x":{"y":1,"y":2}"#),
            "proof-payload-array": payload_is(&format!("[{payload}]")),
            "proof-payload-string": payload_is(&json!(payload).to_string()),
            "proof-payload-null": payload_is("null"),
            "proof-payload-empty-object": payload_is("{}"),
        }
        "RFC 8259 §2 to §8" {
            "proof-payload-byte-order-mark": payload_is(&format!("\u{feff}{payload}")),
            "proof-payload-comma-at-the-end": payload_is(&after(payload, "")),
            "proof-payload-cut": payload_is(&payload[..payload.len() - 1]),
            "proof-payload-text-after": payload_is(&format!("{payload}x")),
            "proof-payload-twice": payload_is(&format!("{payload}{payload}")),
            "proof-payload-nan": claims_with(r#""x":NaN"#),
            "proof-payload-leading-zero": claims_with(r#""x":01"#),
            "proof-payload-raw-newline": claims_with("\"x\":\"a\nb\""),
            "proof-payload-lone-surrogate": claims_with(r#""x":"\ud800""#),
            "proof-header-comma-at-the-end": header_is(&after(header, "")),
            "proof-header-text-after": header_is(&format!("{header}x")),
            "proof-header-comment": header_is(&format!("/**/{header}")),
        }
        "RFC 8259 §9" {
            "proof-payload-40-deep": claims_with(&nested(40)),
            "proof-payload-1000-deep": claims_with(&nested(1000)),
            "proof-payload-cut-1000-deep": claims_with(&format!(r#""deep":{}"#, "[".repeat(1000))),
            "proof-header-40-deep": header_with(&nested(40)),
            "proof-header-1000-deep": header_with(&nested(1000)),
        }
    }
}

pub(super) fn size(request: &DpopRequest<'_>) -> Vec<Row> {
    let good = request.good();
    let letters = |count| "x".repeat(count);
    let claim = |length| good.proof().claim("x", letters(length));
    let room = (LIMIT - claim(0).mint().len()) * 3 / 4;
    table! {
        "RFC 8725 §3.6, RFC 9449 §11.1" {
            "proof-just-over-8-kib": good.send(claim(room + 4)),
            "proof-16-kib": good.send(claim(LIMIT * 3 / 2)),
            "proof-size-of-header": good.send(good.proof().header("x", letters(LIMIT))),
            "proof-size-of-jti": good.send(good.proof().claim("jti", letters(LIMIT))),
            "proof-size-of-signature":
                good.send_text(&good.proof().unsigned().with_signature([0; LIMIT])),
            "proof-size-of-letters": good.send_text(&letters(LIMIT + 1)),
        }
    }
}

/// The JSON object with another member, which need not be text.
fn spliced(object: &[u8], member: &[u8]) -> Vec<u8> {
    let rest = object.strip_prefix(b"{").expect("a JSON object");
    [b"{", member, b",", rest].concat()
}
