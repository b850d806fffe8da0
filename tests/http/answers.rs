//! What a refused request is answered with (contract §8), spelled out once.

use monocloud_backend::InvalidToken;
use monocloud_testkit::{Endpoint, MockTenant};
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};

use crate::{
    hosts::HOSTS,
    support::{
        Call, call, frozen_tenant, get, head, internal, invalid_token, missing, missing_scope, ok,
        post, protect, says, served, unavailable,
    },
};

#[tokio::test]
async fn every_refusal_has_its_status_its_one_challenge_and_its_body() {
    const REALM: &str = r#"Bearer realm="https://api.example.com""#;
    const UNAUTHORIZED: &str = r#"{"message":"unauthorized"}"#;
    for host in HOSTS {
        let tenant = frozen_tenant().await;
        let api = served(*host, &tenant);
        let token = || tenant.token();
        let read = |token: String| get("/read").bearer(&token);
        for (call, status, parameters, body) in [
            (get("/any"), 401, "", UNAUTHORIZED),
            (
                get("/any").bearer("a b"),
                400,
                r#", error="invalid_request""#,
                r#"{"message":"bad request"}"#,
            ),
            (
                read(token().expires_in(-3600).mint()),
                401,
                r#", error="invalid_token", error_description="the token has expired""#,
                UNAUTHORIZED,
            ),
            (
                read(token().without("exp").mint()),
                401,
                r#", error="invalid_token", error_description="a claim of the token is missing or malformed (exp)""#,
                UNAUTHORIZED,
            ),
            (
                read(token().mint()),
                403,
                r#", error="insufficient_scope", scope="posts:read""#,
                r#"{"message":"forbidden"}"#,
            ),
            (
                get("/admin").bearer(&token().mint()),
                403,
                r#", error="insufficient_scope""#,
                r#"{"message":"forbidden"}"#,
            ),
        ] {
            let answer = api.send(call).await;
            let seen = (answer.status, answer.header(WWW_AUTHENTICATE), answer.body.as_str());
            let challenge = format!("{REALM}{parameters}");
            assert_eq!(seen, (status, Some(challenge.as_str()), body), "{}", host.name);
            assert_eq!(answer.header(CONTENT_TYPE), Some("application/json"), "{}", host.name);
            assert_eq!(answer.header(RETRY_AFTER), None, "{}", host.name);
        }
    }
}

#[tokio::test]
async fn what_is_not_the_callers_fault_carries_no_challenge() {
    for host in HOSTS {
        for (failure, status, body) in [
            (503, 503, r#"{"message":"service unavailable"}"#),
            (401, 500, r#"{"message":"internal server error"}"#),
        ] {
            let tenant = frozen_tenant().await;
            tenant.fail(Endpoint::Discovery, failure);
            let answer =
                served(*host, &tenant).send(get("/any").bearer(&tenant.token().mint())).await;
            assert_eq!((answer.status, answer.body.as_str()), (status, body), "{}", host.name);
            assert_eq!(answer.header(WWW_AUTHENTICATE), None, "{}", host.name);
            assert_eq!(answer.header(CONTENT_TYPE), Some("application/json"), "{}", host.name);
            assert_eq!(answer.retry_after().is_some(), status == 503, "{}", host.name);
        }
    }
}

/// RFC 6750 §3: `%x20-21 / %x23-5B / %x5D-7E`.
#[test]
fn every_error_description_has_only_the_characters_it_may_have() {
    use InvalidToken::*;
    for reason in [
        Algorithm,
        AmbiguousKey,
        Audience,
        Binding,
        Claim("exp"),
        Critical,
        Encrypted,
        Expired,
        Issuer,
        Malformed,
        NotYetValid,
        Oversized,
        Signature,
        Type,
        UnknownKey,
        Unsupported,
    ] {
        let text = reason.to_string();
        let allowed = |byte: u8| matches!(byte, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e);
        assert!(!text.is_empty() && text.bytes().all(allowed), "{text}");
    }
}

#[tokio::test]
async fn no_value_of_a_token_shows_in_its_refusal() {
    for host in HOSTS {
        let tenant = frozen_tenant().await;
        let api = served(*host, &tenant);
        for claim in ["iss", "aud", "exp", "nbf", "cnf", "sub"] {
            let token = tenant.token().claim(claim, ["canary\"value"]).mint();
            let answer = api.send(get("/any").bearer(&token)).await;
            assert_eq!(answer.status, 401, "{claim} on {}", host.name);
            assert!(!format!("{answer:?}").contains("canary"), "{claim}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn the_realm_is_the_audience_unless_one_is_set_and_is_always_one_quoted_string() {
    for host in HOSTS {
        for (audience, realm, shown) in [
            ("urn:my api", None, "urn:my api"),
            ("a\"b\\c", None, r#"a\"b\\c"#),
            ("grün, x=1", None, "gr?n, x=1"),
            ("api", Some("the posts"), "the posts"),
            ("api", Some("say \"posts\""), r#"say \"posts\""#),
        ] {
            let tenant = MockTenant::builder().audience(audience).start().await;
            let mut builder = protect(&tenant);
            if let Some(realm) = realm {
                builder = builder.realm(realm);
            }
            let api = host.serve(&builder.build().unwrap());
            let answer = api.send(get("/any")).await;
            let challenge = format!(r#"Bearer realm="{shown}""#);
            assert_eq!(answer.header(WWW_AUTHENTICATE), Some(challenge.as_str()), "{}", host.name);
            api.check(audience, get("/any").bearer(&tenant.token().mint()), &ok()).await;
        }
    }
}

#[tokio::test]
async fn the_error_rides_in_the_response_and_an_application_can_say_it_in_its_own_words() {
    for host in HOSTS {
        let tenant = frozen_tenant().await;
        let api = served(*host, &tenant);
        let forbidden = get("/branded/read").bearer(&tenant.token().mint());
        let reader = get("/branded/read").bearer(&tenant.token().scope("posts:read").mint());
        let sorry = |text| Some(format!("sorry: {text}"));
        let brand = |mut expected: crate::support::Expected, body| {
            expected.body = body;
            expected
        };
        for (case, call, expected) in [
            (
                "401",
                get("/branded/any"),
                brand(missing(), sorry("the request carries no access token")),
            ),
            (
                "403",
                forbidden,
                brand(
                    missing_scope("posts:read"),
                    sorry("the access token does not permit this operation"),
                ),
            ),
            ("200", reader, says("read")),
        ] {
            api.check(case, call, &expected).await;
        }
        tenant.fail(Endpoint::Jwks, 500);
        let cold = served(*host, &tenant);
        let call = get("/branded/any").bearer(&tenant.token().mint());
        cold.check("503", call, &brand(unavailable(), sorry("the tenant is unavailable"))).await;
    }
}

#[tokio::test]
async fn authentication_comes_before_the_body_is_read() {
    for host in HOSTS {
        let tenant = frozen_tenant().await;
        let api = served(*host, &tenant);
        let reader = tenant.token().scope("posts:read").mint();
        let writer = tenant.token().scope("posts:read posts:write").mint();
        let all = missing_scope("posts:read posts:write");
        for bad in ["", "{", "[]", "{}"] {
            api.check("no token", post("/write", bad), &missing()).await;
            api.check("no scope", post("/write", bad).bearer(&reader), &all).await;
            let answer = api.send(post("/write", bad).bearer(&writer)).await;
            assert_eq!(answer.status, 400, "{bad:?} on {}: {answer:?}", host.name);
        }
        // A body that is announced and never comes.
        let request = "POST /write HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n";
        let answer = api.send_raw(request.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 401 "), "{}: {answer}", host.name);
    }
}

#[tokio::test]
async fn public_routes_stay_public_and_optional_ones_judge_a_token_that_is_there() {
    for host in HOSTS {
        let tenant = frozen_tenant().await;
        let api = served(*host, &tenant);
        let expired = tenant.token().expires_in(-3600).mint();
        for (case, call, expected) in [
            ("public", get("/health"), says("up")),
            ("public, with rubbish", get("/health").bearer("a b"), says("up")),
            ("optional, without", get("/optional"), says("anonymous")),
            (
                "optional, another scheme",
                get("/optional").authorization("Basic YQ=="),
                says("anonymous"),
            ),
            (
                "optional, expired",
                get("/optional").bearer(&expired),
                invalid_token(InvalidToken::Expired),
            ),
        ] {
            api.check(case, call, &expected).await;
        }
    }
}

#[tokio::test]
async fn a_handler_that_asks_for_the_caller_with_no_guard_before_it_is_refused() {
    for host in HOSTS {
        let tenant = frozen_tenant().await;
        let api = served(*host, &tenant);
        for call in [get("/unguarded"), get("/unguarded").bearer(&tenant.token().mint())] {
            api.check("unguarded", call, &internal()).await;
        }
        assert_eq!(tenant.requests(Endpoint::Discovery), 0, "{}", host.name);
    }
}

#[tokio::test]
async fn other_paths_stay_404_other_methods_405_and_head_is_judged_as_get() {
    for host in HOSTS {
        let tenant = frozen_tenant().await;
        let api = served(*host, &tenant);
        let status = async |call: Call| api.send(call).await.status;
        let reader = tenant.token().scope("posts:read").mint();
        for token in [None, Some(&reader)] {
            let with = |call: Call| token.map_or(call.clone(), |token| call.bearer(token));
            for path in ["/none", "/any/more", "/ANY"] {
                assert_eq!(status(with(get(path))).await, 404, "{path} on {}", host.name);
            }
            for (method, path) in
                [("DELETE", "/any"), ("GET", "/write"), ("PUT", "/write"), ("POST", "/health")]
            {
                assert_eq!(
                    status(with(call(method, path))).await,
                    405,
                    "{method} {path} on {}",
                    host.name
                );
            }
        }
        assert_eq!(status(head("/health")).await, 200, "{}", host.name);
        let answer = api.send(head("/read")).await;
        assert_eq!(answer.status, 401, "{}", host.name);
        assert!(answer.header(WWW_AUTHENTICATE).is_some(), "{}", host.name);
        assert_eq!(
            status(head("/read").bearer(&tenant.token().mint())).await,
            403,
            "{}",
            host.name
        );
        let answer = api.send(head("/read").bearer(&reader)).await;
        assert_eq!((answer.status, answer.body.as_str()), (200, ""), "{}", host.name);
    }
}

#[tokio::test]
async fn a_preflight_passes_and_reaches_no_handler() {
    for host in HOSTS {
        let tenant = frozen_tenant().await;
        let api = served(*host, &tenant);
        for (path, method) in [("/write", "POST"), ("/any", "GET"), ("/unguarded", "GET")] {
            let call = call("OPTIONS", path)
                .header("origin", "https://app.example.com")
                .header("access-control-request-method", method)
                .header("access-control-request-headers", "authorization");
            let answer = api.send(call).await;
            assert_eq!((answer.status, answer.body.as_str()), (200, ""), "{path} on {}", host.name);
            assert!(answer.headers.contains_key("access-control-allow-origin"), "{}", host.name);
        }
        let plain = api.send(call("OPTIONS", "/any")).await;
        assert!(matches!(plain.status, 404 | 405), "{}: {plain:?}", host.name);
        assert_eq!(tenant.requests(Endpoint::Discovery), 0, "{}", host.name);
    }
}

#[tokio::test]
async fn a_browser_may_read_why_it_was_refused() {
    for host in HOSTS {
        let tenant = frozen_tenant().await;
        let call = get("/any").header("origin", "https://app.example.com");
        let answer = served(*host, &tenant).send(call).await;
        assert_eq!(answer.status, 401, "{}", host.name);
        assert!(answer.headers.contains_key("access-control-allow-origin"), "{}", host.name);
    }
}
