//! Where a token may be in a request (RFC 6750 §2).

use harness::{
    hosts::Host,
    support::{call, get, invalid_token, missing, ok, post, token_of_length},
};
use monocloud_backend::error::InvalidToken;
use monocloud_testkit::{Endpoint, MockTenant};

on_every_host! {
    a_token_outside_the_authorization_header_is_ignored,
    a_token_in_the_query_does_not_affect_the_one_in_the_header,
    invalid_bytes_and_repeated_headers_never_reach_a_handler,
    a_token_may_have_up_to_16_kib,
}

async fn a_token_outside_the_authorization_header_is_ignored(host: Host) {
    let tenant = MockTenant::start().await;
    let (api, token) =
        (host.protected_by(&tenant), tenant.token().scope("posts:read posts:write").mint());
    let form = call("POST", "/write").header("content-type", "application/x-www-form-urlencoded");
    for (case, call) in [
        ("no header", get("/any")),
        ("an empty header", get("/any").authorization("")),
        ("only the scheme", get("/any").authorization("Bearer")),
        ("the scheme and a space", get("/any").authorization("Bearer ")),
        ("the scheme and a tab", get("/any").authorization("Bearer\t")),
        ("Basic", get("/any").authorization("Basic YWxpY2U6c2VjcmV0")),
        ("DPoP", get("/any").authorization(format!("DPoP {token}"))),
        ("only the token", get("/any").authorization(&token)),
        ("no space", get("/any").authorization(format!("Bearer{token}"))),
        ("an equals sign", get("/any").authorization(format!("Bearer={token}"))),
        ("a colon", get("/any").authorization(format!("Bearer: {token}"))),
        ("another header", get("/any").header("x-access-token", &token)),
        ("a proxy's header", get("/any").header("proxy-authorization", format!("Bearer {token}"))),
        ("a cookie", get("/any").header("cookie", format!("access_token={token}"))),
        ("the query", get(&format!("/any?access_token={token}"))),
    ] {
        api.check(case, call, &missing()).await;
    }
    for (case, call) in [
        ("a form", form.body(&format!("access_token={token}"))),
        ("a JSON body", post("/write", &format!(r#"{{"title":"x","access_token":"{token}"}}"#))),
    ] {
        api.check(case, call, &missing().naming("posts:read posts:write")).await;
    }
    assert_eq!(tenant.requests(Endpoint::Discovery), 0);
}

async fn a_token_in_the_query_does_not_affect_the_one_in_the_header(host: Host) {
    let tenant = MockTenant::start().await;
    let (api, token) = (host.protected_by(&tenant), tenant.token().mint());
    api.check("query ignored", get("/any?access_token=x").bearer(&token), &ok()).await;
}

async fn invalid_bytes_and_repeated_headers_never_reach_a_handler(host: Host) {
    let tenant = MockTenant::start().await;
    let (api, token) = (host.protected_by(&tenant), tenant.token().mint());
    for bad in ["\0", "\u{1b}", "\x7f"] {
        let request = format!(
            "GET /any HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {token}{bad}\r\n\r\n"
        );
        let answer = api.send_raw(request.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{bad:?}: {answer}");
    }
    let names = ["authorization", "AUTHORIZATION", "aUtHoRiZaTiOn"];
    for (first, second) in [(names[0], names[1]), (names[1], names[2])] {
        let request = format!(
            "GET /any HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{first}: Bearer {token}\r\n{second}: Bearer {token}\r\n\r\n"
        );
        let answer = api.send_raw(request.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{first}: {answer}");
        assert!(answer.contains(r#"error="invalid_request""#), "{answer}");
    }
}

async fn a_token_may_have_up_to_16_kib(host: Host) {
    let tenant = MockTenant::start().await;
    let api = host.protected_by(&tenant);
    let oversized = invalid_token(InvalidToken::Oversized);
    for (case, token, expected) in [
        ("a JWT, one byte more", token_of_length(&tenant, 16 * 1024 + 1), &oversized),
        ("opaque, one byte more", "x".repeat(16 * 1024 + 1), &oversized),
        (
            "opaque, as long as can be",
            "x".repeat(16 * 1024),
            &invalid_token(InvalidToken::Unsupported),
        ),
        ("five segments, one byte more", "x.".repeat(4) + &"x".repeat(16 * 1024 - 7), &oversized),
    ] {
        api.check(case, get("/any").bearer(&token), expected).await;
    }
    assert_eq!(tenant.requests(Endpoint::Discovery), 0);
    let longest = token_of_length(&tenant, 16 * 1024);
    api.check("of the maximum length", get("/any").bearer(&longest), &ok()).await;
}
