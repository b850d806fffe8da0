use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::process::{run, run_with_input};

const HEADER: &str = r#"{"alg":"ES256","kid":"1"}"#;

fn jwt(header: &str, claims: &str) -> String {
    format!("{}.{}.c2ln", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims))
}

#[test]
fn a_token_is_shown_with_its_times_in_words() {
    let token = jwt(HEADER, r#"{"sub":"alice","iat":0,"nbf":86400,"exp":253402300799}"#);
    let shown = run(&["decode", &token]).success();
    for expected in [
        r#""alg": "ES256""#,
        r#""sub": "alice""#,
        "issued     Thu, 01 Jan 1970 00:00:00 GMT, ",
        "valid from Fri, 02 Jan 1970 00:00:00 GMT, ",
        "expires    Fri, 31 Dec 9999 23:59:59 GMT, in ",
        "days ago",
        "The signature is not verified.",
    ] {
        assert!(shown.contains(expected), "{expected}: {shown}");
    }
}

#[test]
fn a_token_is_read_from_standard_input_or_a_header() {
    let token = jwt(HEADER, r#"{"sub":"bob"}"#);
    let shown = run(&["decode", &format!("Authorization: Bearer {token}")]).success();
    assert!(shown.contains(r#""sub": "bob""#), "{shown}");
    let input = format!("{token}\n");
    assert_eq!(run_with_input(&["decode", "-"], input.as_bytes()).success(), shown);
}

#[test]
fn what_cannot_be_decoded_is_named() {
    for (token, expected) in [
        ("", "not a JWT"),
        ("opaque", "introspection"),
        ("a.b", "has 2"),
        ("a.b.c.d", "has 4"),
        ("a.b.c.d.e", "encrypted"),
        ("!.e30.", "the header is not base64url"),
        ("e30.!.", "the payload is not base64url"),
        ("e30.e3.", "the payload is not"),
        ("YQ.e30.", "the header is not JSON"),
    ] {
        let error = run(&["decode", token]).usage_error();
        assert!(error.contains(expected), "{token}: {error}");
    }
    let error = run_with_input(&["decode", "-"], b"\xFF\xFE").usage_error();
    assert!(error.contains("standard input cannot be read"), "{error}");
}

#[test]
fn unusual_tokens_are_shown_too() {
    for (header, claims) in [
        (r#"{"alg":"none"}"#, "[]"),
        ("1", "null"),
        (HEADER, r#"{"exp":-1,"iat":1e300,"nbf":"soon"}"#),
    ] {
        let shown = run(&["decode", &jwt(header, claims)]).success();
        assert!(shown.contains("The signature is not verified."), "{shown}");
    }
    // Nothing in a token controls the terminal.
    let shown = run(&["decode", &jwt(HEADER, r#"{"sub":"\u001b[2J"}"#)]).success();
    assert!(!shown.contains('\u{1b}'), "{shown}");
}
