//! Where a token is looked for, and what counts as one (RFC 6750 §2).

use harness::{
    hosts::HOSTS,
    support::{
        call, get, internal, invalid_request, invalid_token, missing, ok, post, protect, says,
        served, token_of_length,
    },
};
use monocloud_backend::InvalidToken;
use monocloud_testkit::{Endpoint, MockTenant};

#[tokio::test]
async fn the_scheme_is_case_insensitive_and_blanks_or_a_tab_follow_it() {
    for host in HOSTS {
        let tenant = MockTenant::start().await;
        let (api, token) = (served(*host, &tenant), tenant.token().mint());
        for before in
            ["Bearer ", "bearer ", "BEARER ", "bEaReR ", "Bearer   ", "Bearer\t", "Bearer \t "]
        {
            for after in ["", " ", "\t"] {
                let value = format!("{before}{token}{after}");
                api.check(
                    &format!("{before:?}…{after:?}"),
                    get("/any").authorization(&value),
                    &ok(),
                )
                .await;
            }
        }
    }
}

#[tokio::test]
async fn where_no_bearer_token_stands_in_the_header_none_was_sent() {
    for host in HOSTS {
        let tenant = MockTenant::start().await;
        let (api, token) =
            (served(*host, &tenant), tenant.token().scope("posts:read posts:write").mint());
        let form =
            call("POST", "/write").header("content-type", "application/x-www-form-urlencoded");
        for (case, call) in [
            ("no header", get("/any")),
            ("an empty header", get("/any").authorization("")),
            ("a scheme alone", get("/any").authorization("Bearer")),
            ("a scheme and a blank", get("/any").authorization("Bearer ")),
            ("a scheme and a tab", get("/any").authorization("Bearer\t")),
            ("Basic", get("/any").authorization("Basic YWxpY2U6c2VjcmV0")),
            ("DPoP", get("/any").authorization(format!("DPoP {token}"))),
            ("a token alone", get("/any").authorization(&token)),
            ("no blank", get("/any").authorization(format!("Bearer{token}"))),
            ("an equals sign", get("/any").authorization(format!("Bearer={token}"))),
            ("a colon", get("/any").authorization(format!("Bearer: {token}"))),
            ("another header", get("/any").header("x-access-token", &token)),
            (
                "a proxy's header",
                get("/any").header("proxy-authorization", format!("Bearer {token}")),
            ),
            ("a cookie", get("/any").header("cookie", format!("access_token={token}"))),
            ("the query", get(&format!("/any?access_token={token}"))),
            ("a form", form.body(&format!("access_token={token}"))),
            (
                "a JSON body",
                post("/write", &format!(r#"{{"title":"x","access_token":"{token}"}}"#)),
            ),
        ] {
            api.check(case, call, &missing()).await;
        }
        assert_eq!(tenant.requests(Endpoint::Discovery), 0, "{}", host.name);
    }
}

#[tokio::test]
async fn a_token_in_the_query_changes_nothing_for_the_one_in_the_header() {
    for host in HOSTS {
        let tenant = MockTenant::start().await;
        let (api, token) = (served(*host, &tenant), tenant.token().mint());
        api.check("query ignored", get("/any?access_token=x").bearer(&token), &ok()).await;
    }
}

#[tokio::test]
async fn two_headers_two_tokens_and_bytes_no_token_has_are_an_invalid_request() {
    for host in HOSTS {
        let tenant = MockTenant::start().await;
        let (api, token) = (served(*host, &tenant), tenant.token().mint());
        let twice =
            |first: &str, second: &str| get("/any").authorization(first).authorization(second);
        let good = format!("Bearer {token}");
        for (case, call) in [
            ("the header twice, alike", twice(&good, &good)),
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
            ("a byte alone", get("/any").authorization(b"Bearer a\xff")),
            ("a no-break space", get("/any").authorization(b"Bearer \xc2\xa0a")),
        ] {
            api.check(case, call, &invalid_request()).await;
        }
        assert_eq!(tenant.requests(Endpoint::Discovery), 0, "{}", host.name);
    }
}

#[tokio::test]
async fn bytes_that_no_header_may_have_never_reach_a_handler() {
    for host in HOSTS {
        let tenant = MockTenant::start().await;
        let (api, token) = (served(*host, &tenant), tenant.token().mint());
        for bad in ["\0", "\u{1b}", "\x7f"] {
            let request = format!(
                "GET /any HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {token}{bad}\r\n\r\n"
            );
            let answer = api.send_raw(request.as_bytes()).await;
            assert!(answer.starts_with("HTTP/1.1 400 "), "{bad:?} on {}: {answer}", host.name);
        }
        let names = ["authorization", "AUTHORIZATION", "aUtHoRiZaTiOn"];
        for (first, second) in [(names[0], names[1]), (names[1], names[2])] {
            let request = format!(
                "GET /any HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{first}: Bearer {token}\r\n{second}: Bearer {token}\r\n\r\n"
            );
            let answer = api.send_raw(request.as_bytes()).await;
            assert!(answer.starts_with("HTTP/1.1 400 "), "{first} on {}: {answer}", host.name);
            assert!(answer.contains(r#"error="invalid_request""#), "{}: {answer}", host.name);
        }
    }
}

#[tokio::test]
async fn a_token_of_16_kib_is_read_and_a_longer_one_is_not() {
    for host in HOSTS {
        let tenant = MockTenant::start().await;
        let api = served(*host, &tenant);
        let oversized = invalid_token(InvalidToken::Oversized);
        for (case, token, expected) in [
            ("a JWT, one byte more", token_of_length(&tenant, 16 * 1024 + 1), &oversized),
            ("opaque, one byte more", "x".repeat(16 * 1024 + 1), &oversized),
            (
                "opaque, as long as can be",
                "x".repeat(16 * 1024),
                &invalid_token(InvalidToken::Unsupported),
            ),
            (
                "five segments, one byte more",
                "x.".repeat(4) + &"x".repeat(16 * 1024 - 7),
                &oversized,
            ),
        ] {
            api.check(case, get("/any").bearer(&token), expected).await;
        }
        assert_eq!(tenant.requests(Endpoint::Discovery), 0, "{}", host.name);
        let longest = token_of_length(&tenant, 16 * 1024);
        api.check("as long as can be", get("/any").bearer(&longest), &ok()).await;
    }
}

#[tokio::test]
async fn the_longest_token_can_be_configured() {
    for host in HOSTS {
        let tenant = MockTenant::start().await;
        let api = host.serve(&protect(&tenant).max_token_length(1000).build().unwrap());
        api.check("at it", get("/any").bearer(&token_of_length(&tenant, 1000)), &ok()).await;
        let longer = get("/any").bearer(&token_of_length(&tenant, 1001));
        api.check("above it", longer, &invalid_token(InvalidToken::Oversized)).await;
    }
}

#[tokio::test]
async fn the_number_of_segments_tells_how_a_token_is_judged_and_no_wrong_one_is_worth_a_request() {
    for host in HOSTS {
        let tenant = MockTenant::start().await;
        let (api, token) = (served(*host, &tenant), tenant.token().mint());
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
        assert_eq!(tenant.requests(Endpoint::Discovery), 0, "{}", host.name);
        assert_eq!(tenant.requests(Endpoint::Jwks), 0, "{}", host.name);
    }
}

#[tokio::test]
async fn a_resolver_finds_the_token_elsewhere_and_the_header_is_second() {
    for host in HOSTS {
        let tenant = MockTenant::start().await;
        let resolving = protect(&tenant).token_resolver(|headers| {
            let Some(cookie) = headers.get("cookie") else { return Ok(None) };
            let token = cookie.to_str()?.strip_prefix("token=").ok_or("an odd cookie")?;
            Ok(Some(token.to_owned()))
        });
        let api = host.serve(&resolving.build().unwrap());
        let alice = tenant.token().subject("alice").mint();
        let bob = tenant.token().subject("bob").mint();
        let cookie = |token: &str| get("/optional").header("cookie", format!("token={token}"));
        for (case, call, expected) in [
            ("the cookie", cookie(&alice), says("alice")),
            ("the cookie before the header", cookie(&alice).bearer(&bob), says("alice")),
            ("the header alone", get("/optional").bearer(&bob), says("bob")),
            ("neither", get("/optional"), says("anonymous")),
            ("an empty cookie", cookie(""), says("anonymous")),
            (
                "a bad cookie beside a good header",
                cookie("x").bearer(&bob),
                invalid_token(InvalidToken::Unsupported),
            ),
            ("two tokens in the cookie", cookie("a b"), invalid_request()),
            (
                "a resolver that fails",
                get("/optional").header("cookie", "x").bearer(&bob),
                internal(),
            ),
            (
                "one that fails on a byte",
                get("/optional").header("cookie", b"token=\xff"),
                internal(),
            ),
        ] {
            api.check(case, call, &expected).await;
        }
    }
}
