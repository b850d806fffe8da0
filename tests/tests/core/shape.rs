//! Segments, base64url and JSON: malformed tokens cause no request to the tenant.

use harness::support::{get, ok, served};
use monocloud_backend::error::InvalidToken;
use monocloud_testkit::MockTenant;
use serde_json::json;

use crate::jwt::assert_rejected_locally;

#[tokio::test]
async fn each_segment_is_strict_base64url() {
    let tenant = MockTenant::start().await;
    let good = tenant.token().claim("x", "????????").mint();
    let [header, payload, signature] = segments(&good);
    assert!(payload.contains('_'), "{payload}");
    // 256 octets leave four stray bits in the last character.
    let tail = signature.trim_end_matches(['A', 'Q', 'g', 'w']);
    let stray = ["B", "R", "h", "x"].map(|last| signature[..signature.len() - 1].to_owned() + last);
    assert!(tail.len() < signature.len());
    let cases = [
        ("padding", format!("{good}==")),
        ("the other alphabet", format!("{header}.{}.{signature}", payload.replace('_', "/"))),
        ("an impossible length", format!("{good}AAA")),
        ("no header", format!(".{payload}.{signature}")),
        ("no payload", format!("{header}..{signature}")),
        ("no signature", format!("{header}.{payload}.")),
        ("stray bits, 0001", format!("{header}.{payload}.{}", stray[0])),
        ("stray bits, 0001 of Q", format!("{header}.{payload}.{}", stray[1])),
        ("stray bits, 0001 of g", format!("{header}.{payload}.{}", stray[2])),
        ("a character of neither alphabet", format!("{header}.{payload}.{signature}~~")),
    ];
    assert_rejected_locally(&tenant, &cases, InvalidToken::Malformed).await;
}

#[tokio::test]
async fn header_and_payload_are_strict_json() {
    let tenant = MockTenant::start().await;
    let [_, payload, _] = segments(&tenant.token().mint());
    let payload = String::from_utf8(base64url(&payload)).unwrap();
    let header = |text: &str| tenant.token().raw_header(text).mint();
    let body = |text: &str| tenant.token().raw_payload(text).mint();
    let with = |member: &str| body(&payload.replacen('{', &format!("{{{member},"), 1));
    let nested =
        |levels: usize| with(&format!(r#""x":{}{}"#, "[".repeat(levels), "]".repeat(levels)));
    let deep = |levels: usize| {
        with(&format!(r#""x":{}1{}"#, r#"{"y":"#.repeat(levels), "}".repeat(levels)))
    };
    let cases = [
        ("a header of text", header("text")),
        ("a header that is an array", header(r#"["RS256"]"#)),
        ("a header that is null", header("null")),
        ("alg twice", header(r#"{"alg":"RS256","alg":"RS256"}"#)),
        ("kid twice, once escaped", header(r#"{"alg":"RS256","kid":"a","\u006bid":"b"}"#)),
        ("a number as kid", tenant.token().header("kid", 1).mint()),
        ("null as kid", tenant.token().header("kid", json!(null)).mint()),
        ("a payload of text", body("text")),
        ("a payload that is an array", body("[]")),
        ("a payload that is a string", body(r#""a""#)),
        ("two objects", body(&payload.repeat(2))),
        ("a comment", body(&format!("{payload} // x"))),
        ("a trailing comma", body(&payload.replace('}', ",}"))),
        ("a byte-order mark", body(&format!("\u{feff}{payload}"))),
        (
            "a byte that is not UTF-8",
            tenant.token().raw_payload(b"{\"x\":\"\xff\"}".to_vec()).mint(),
        ),
        ("half a surrogate pair", with(r#""x":"\ud800""#)),
        ("a number out of range", with(r#""x":1e999"#)),
        ("sub twice", with(r#""sub":"a""#)),
        ("sub twice, once escaped", with(r#""\u0073ub":"a""#)),
        ("a nested member twice", with(r#""x":[{"y":{"a":1,"b":2,"a":3}}]"#)),
        ("33 levels of arrays", nested(32)),
        ("33 levels of objects", deep(32)),
        ("10,000 levels", nested(5_000)),
    ];
    assert_rejected_locally(&tenant, &cases, InvalidToken::Malformed).await;
    let api = served(&tenant);
    for (case, token) in [("arrays", nested(31)), ("objects", deep(31))] {
        api.check(&format!("32 levels of {case}"), get("/any").bearer(&token), &ok()).await;
    }
}

fn segments(token: &str) -> [String; 3] {
    let segments: Vec<String> = token.split('.').map(str::to_owned).collect();
    segments.try_into().unwrap()
}

fn base64url(segment: &str) -> Vec<u8> {
    use base64::Engine as _;
    base64::prelude::BASE64_URL_SAFE_NO_PAD.decode(segment).unwrap()
}
