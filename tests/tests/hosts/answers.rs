//! The answers to rejected requests, spelled out once.

use harness::{
    hosts::Host,
    support::{frozen_tenant, get, missing, missing_scope, says, unavailable},
};
use monocloud_testkit::{Endpoint, Fault};
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};

on_every_host! {
    every_rejection_has_its_status_one_challenge_and_its_body,
    server_errors_have_no_challenge,
    the_error_is_in_the_extensions_so_an_application_can_replace_the_body,
}

async fn every_rejection_has_its_status_one_challenge_and_its_body(host: Host) {
    const REALM: &str = r#"Bearer realm="https://api.example.com""#;
    const UNAUTHORIZED: &str = r#"{"message":"unauthorized"}"#;
    let tenant = frozen_tenant().await;
    let api = host.protected_by(&tenant);
    let token = || tenant.token();
    let read = |token: String| get("/read").bearer(&token);
    for (call, status, parameters, body) in [
        (get("/any"), 401, "", UNAUTHORIZED),
        (get("/read"), 401, r#", scope="posts:read""#, UNAUTHORIZED),
        (
            get("/any").bearer("a b"),
            400,
            r#", error="invalid_request""#,
            r#"{"message":"bad request"}"#,
        ),
        (
            read(token().expires_in(-3600).mint()),
            401,
            r#", error="invalid_token", error_description="the token has expired", scope="posts:read""#,
            UNAUTHORIZED,
        ),
        (
            read(token().without("exp").mint()),
            401,
            r#", error="invalid_token", error_description="a claim of the token is missing or malformed (exp)", scope="posts:read""#,
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
        assert_eq!(seen, (status, Some(challenge.as_str()), body));
        assert_eq!(answer.header(CONTENT_TYPE), Some("application/json"));
        assert_eq!(answer.header(RETRY_AFTER), None);
    }
}

async fn server_errors_have_no_challenge(host: Host) {
    for (failure, status, body) in [
        (503, 503, r#"{"message":"service unavailable"}"#),
        (401, 500, r#"{"message":"internal server error"}"#),
    ] {
        let tenant = frozen_tenant().await;
        tenant.fault(Endpoint::Discovery, Fault::Status(failure)).until_recovered();
        let answer =
            host.protected_by(&tenant).send(get("/any").bearer(&tenant.token().mint())).await;
        assert_eq!((answer.status, answer.body.as_str()), (status, body));
        assert_eq!(answer.header(WWW_AUTHENTICATE), None);
        assert_eq!(answer.header(CONTENT_TYPE), Some("application/json"));
        assert_eq!(answer.retry_after().is_some(), status == 503);
    }
}

async fn the_error_is_in_the_extensions_so_an_application_can_replace_the_body(host: Host) {
    let tenant = frozen_tenant().await;
    let api = host.protected_by(&tenant);
    let forbidden = get("/branded/read").bearer(&tenant.token().mint());
    let reader = get("/branded/read").bearer(&tenant.token().scope("posts:read").mint());
    let sorry = |text| Some(format!("sorry: {text}"));
    let brand = |mut expected: harness::support::Expected, body| {
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
    let cold = host.protected_by(&tenant);
    let call = get("/branded/any").bearer(&tenant.token().mint());
    cold.check("503", call, &brand(unavailable(), sorry("the tenant is unavailable"))).await;
}
