//! What a refused request is answered with, spelled out once.

use monocloud_backend::InvalidToken;
use monocloud_testkit::{Endpoint, Fault, MockTenant};
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};

use crate::{
    hosts::HOSTS,
    support::{frozen_tenant, get, missing, missing_scope, ok, protect, says, served, unavailable},
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
            tenant.fault(Endpoint::Discovery, Fault::Status(failure)).until_recovered();
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
        tenant.fault(Endpoint::Jwks, Fault::Status(500)).until_recovered();
        let cold = served(*host, &tenant);
        let call = get("/branded/any").bearer(&tenant.token().mint());
        cold.check("503", call, &brand(unavailable(), sorry("the tenant is unavailable"))).await;
    }
}
