//! What counts as a bearer token in the Authorization header (RFC 6750 §2.1).

use harness::support::{
    get, internal, invalid_request, invalid_token, ok, protect, says, serve, served,
    token_of_length,
};
use monocloud_backend::error::InvalidToken;
use monocloud_testkit::{Endpoint, MockTenant};

#[tokio::test]
async fn the_scheme_is_case_insensitive_and_spaces_or_a_tab_follow_it() {
    let tenant = MockTenant::start().await;
    let (api, token) = (served(&tenant), tenant.token().mint());
    for before in
        ["Bearer ", "bearer ", "BEARER ", "bEaReR ", "Bearer   ", "Bearer\t", "Bearer \t "]
    {
        for after in ["", " ", "\t"] {
            let value = format!("{before}{token}{after}");
            api.check(&format!("{before:?}…{after:?}"), get("/any").authorization(&value), &ok())
                .await;
        }
    }
}

#[tokio::test]
async fn two_headers_two_tokens_or_invalid_bytes_are_an_invalid_request() {
    let tenant = MockTenant::start().await;
    let (api, token) = (served(&tenant), tenant.token().mint());
    let twice = |first: &str, second: &str| get("/any").authorization(first).authorization(second);
    let good = format!("Bearer {token}");
    for (case, call) in [
        ("the same header twice", twice(&good, &good)),
        ("Basic, then Bearer", twice("Basic YWJj", &good)),
        ("Bearer, then Basic", twice(&good, "Basic YWJj")),
        ("Bearer, then nothing", twice(&good, "")),
        ("two tokens", get("/any").bearer(&format!("{token} {token}"))),
        ("two tokens and a tab", get("/any").bearer(&format!("{token}\t{token}"))),
        ("a list", get("/any").bearer(&format!("{token}, Bearer {token}"))),
        ("a comma", get("/any").bearer(&format!("{token},"))),
        ("a parameter", get("/any").bearer(&format!(r#"token="{token}""#))),
        ("a quoted token", get("/any").bearer(&format!(r#""{token}""#))),
        ("a percent sign", get("/any").bearer("a%20b")),
        ("only padding", get("/any").bearer("==")),
        ("padding inside", get("/any").bearer("a=b")),
        ("a brace", get("/any").bearer("{}")),
        ("a colon", get("/any").bearer("a:b")),
        ("UTF-8", get("/any").authorization("Bearer ü")),
        ("a byte that is not UTF-8", get("/any").authorization(b"Bearer a\xff")),
        ("a no-break space", get("/any").authorization(b"Bearer \xc2\xa0a")),
    ] {
        api.check(case, call, &invalid_request()).await;
    }
    assert_eq!(tenant.requests(Endpoint::Discovery), 0);
}

#[tokio::test]
async fn the_maximum_token_length_can_be_configured() {
    let tenant = MockTenant::start().await;
    let api = serve(&protect(&tenant).max_token_length(1000).build().unwrap());
    api.check("of the maximum length", get("/any").bearer(&token_of_length(&tenant, 1000)), &ok())
        .await;
    let longer = get("/any").bearer(&token_of_length(&tenant, 1001));
    api.check("longer", longer, &invalid_token(InvalidToken::Oversized)).await;
}

#[tokio::test]
async fn the_number_of_segments_determines_the_kind_of_token_without_a_request_to_the_tenant() {
    let tenant = MockTenant::start().await;
    let (api, token) = (served(&tenant), tenant.token().mint());
    let opaque = invalid_token(InvalidToken::Unsupported);
    let jwe = invalid_token(InvalidToken::Encrypted);
    let malformed = invalid_token(InvalidToken::Malformed);
    let (signed, _) = token.rsplit_once('.').unwrap();
    for (case, token, expected) in [
        ("one", "2YotnFZFEjr1zCsicMWpAA==", &opaque),
        ("two", signed, &opaque),
        ("four", &format!("{token}.x"), &opaque),
        ("five", &format!("{token}.x.x"), &jwe),
        ("five empty ones", "....", &jwe),
        ("six", &format!("{token}.x.x.x"), &opaque),
        ("three empty ones", "..", &malformed),
    ] {
        api.check(case, get("/any").bearer(token), expected).await;
    }
    assert_eq!(tenant.requests(Endpoint::Discovery), 0);
    assert_eq!(tenant.requests(Endpoint::Jwks), 0);
}

#[tokio::test]
async fn a_token_resolver_takes_precedence_over_the_authorization_header() {
    let tenant = MockTenant::start().await;
    let resolving = protect(&tenant).token_resolver(|headers| {
        let Some(cookie) = headers.get("cookie") else { return Ok(None) };
        let token = cookie.to_str()?.strip_prefix("token=").ok_or("not a token cookie")?;
        Ok(Some(token.to_owned()))
    });
    let api = serve(&resolving.build().unwrap());
    let alice = tenant.token().subject("alice").mint();
    let bob = tenant.token().subject("bob").mint();
    let cookie = |token: &str| get("/optional").header("cookie", format!("token={token}"));
    for (case, call, expected) in [
        ("the cookie", cookie(&alice), says("alice")),
        ("the cookie before the header", cookie(&alice).bearer(&bob), says("alice")),
        ("only the header", get("/optional").bearer(&bob), says("bob")),
        ("neither", get("/optional"), says("anonymous")),
        ("an empty cookie", cookie(""), says("anonymous")),
        (
            "a bad cookie beside a good header",
            cookie("x").bearer(&bob),
            invalid_token(InvalidToken::Unsupported),
        ),
        ("two tokens in the cookie", cookie("a b"), invalid_request()),
        ("a resolver that fails", get("/optional").header("cookie", "x").bearer(&bob), internal()),
        (
            "a resolver that fails on a byte",
            get("/optional").header("cookie", b"token=\xff"),
            internal(),
        ),
    ] {
        api.check(case, call, &expected).await;
    }
}
