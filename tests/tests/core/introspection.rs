//! Introspection requests, and how each response is handled (RFC 7662).

use std::time::Duration;

use harness::support::{
    Act, Expected, Log, Scripted, frozen_tenant, get, gzip, internal, introspecting, invalid_token,
    missing_group, missing_scope, ok, ok_with, ok_with_header, serve, served, unavailable,
};
use monocloud_backend::{ProtectApiBuilder, error::InvalidToken};
use monocloud_testkit::{Endpoint, Fault, MockTenant};
use serde_json::{Value, json};
use tracing::Level;

fn inactive() -> Expected {
    invalid_token(InvalidToken::Inactive)
}

#[tokio::test]
async fn a_token_lives_until_it_is_revoked_or_expires() {
    let tenant = frozen_tenant().await;
    let api = serve(&introspecting(&tenant).build().unwrap());
    let (first, second) = (tenant.opaque_token().mint(), tenant.opaque_token().mint());
    api.check("good", get("/any").bearer(&first), &ok()).await;
    tenant.revoke(&first);
    api.check("revoked", get("/any").bearer(&first), &inactive()).await;
    tenant.clock().advance(Duration::from_secs(3599));
    api.check("its last second", get("/any").bearer(&second), &ok()).await;
    tenant.clock().advance(Duration::from_secs(1));
    api.check("expired", get("/any").bearer(&second), &inactive()).await;
    api.check("never issued", get("/any").bearer("made-up"), &inactive()).await;
}

#[tokio::test]
async fn only_true_is_active() {
    let tenant = frozen_tenant().await;
    let api = serve(&introspecting(&tenant).build().unwrap());
    let claims = json!({"iss": tenant.issuer(), "aud": tenant.audience()});
    for active in
        [json!("true"), json!("false"), json!(1), json!(0), json!(null), json!([true]), json!({})]
    {
        let mut answer = claims.clone();
        answer["active"] = active;
        tenant.introspection_answer(answer.clone());
        let call = get("/any").bearer(&tenant.opaque_token().mint());
        api.check(&answer.to_string(), call, &inactive()).await;
    }
    tenant.introspection_answer(claims);
    let call = get("/any").bearer(&tenant.opaque_token().mint());
    api.check("not there", call, &inactive()).await;
    tenant.recover(Endpoint::Introspection);
    api.check("next", get("/any").bearer(&tenant.opaque_token().mint()), &ok()).await;
}

#[tokio::test]
async fn an_unusable_response_is_503_and_rejected_credentials_are_500() {
    let garbage = [
        "",
        "null",
        "[]",
        "true",
        r#"{"active":true"#,
        "<html>active</html>",
        "\u{feff}\u{feff}{}",
        r#"{"active":false,"active":true}"#,
    ];
    let tenant = frozen_tenant().await;
    let api = serve(&introspecting(&tenant).build().unwrap());
    let token = tenant.opaque_token().mint();
    for body in garbage {
        tenant
            .fault(
                Endpoint::Introspection,
                Fault::Answer { status: 200, content_type: "text/html", body: body.into() },
            )
            .until_recovered();
        api.check(body, get("/any").bearer(&token), &unavailable()).await;
    }
    for (statuses, expected) in [
        (&[201, 204, 408, 429, 500, 502, 503, 504][..], unavailable()),
        (&[300, 304, 400, 401, 403, 404, 405, 410], internal()),
    ] {
        for status in statuses {
            tenant.fault(Endpoint::Introspection, Fault::Status(*status)).until_recovered();
            api.check(&status.to_string(), get("/any").bearer(&token), &expected).await;
        }
    }
    tenant.recover(Endpoint::Introspection);
    api.check("next", get("/any").bearer(&token), &ok()).await;
}

/// The API of a tenant that says it introspects at this URL.
fn introspecting_at(tenant: &MockTenant, url: impl Into<Value>) -> ProtectApiBuilder {
    let mut metadata = tenant.metadata();
    metadata["introspection_endpoint"] = url.into();
    tenant.serve_metadata(metadata);
    introspecting(tenant)
}

#[tokio::test]
async fn a_server_that_misbehaves_costs_its_own_request_alone() {
    let head = |rest: &str| format!("HTTP/1.1 200 OK\r\nConnection: close\r\n{rest}\r\n\r\n");
    let padded = |length: usize| " ".repeat(length);
    let sized = |length: usize| head(&format!("Content-Length: {length}")) + &padded(length);
    let tenant = frozen_tenant().await;
    let active =
        json!({"active": true, "iss": tenant.issuer(), "aud": tenant.audience()}).to_string();
    let fitting = active.clone() + &padded(1024 * 1024 - active.len());
    let moved = |status: u16| {
        let location = tenant.url(Endpoint::Canary);
        let head = format!(
            "HTTP/1.1 {status} Moved\r\nConnection: close\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"
        );
        Act::Says(head.into())
    };
    for (case, act, expected) in [
        ("reset at once", Act::Resets(String::new()), unavailable()),
        ("reset within the head", Act::Resets("HTTP/1.1 200".into()), unavailable()),
        ("reset within the body", Act::Resets(head("Content-Length: 9") + "{"), unavailable()),
        ("cut off", Act::Says((head("Content-Length: 999") + &active).into()), unavailable()),
        ("no HTTP", Act::Says("hello\r\n\r\n".into()), unavailable()),
        ("endless", Act::Endless, unavailable()),
        ("60 MB", Act::Says(sized(60 << 20).into()), unavailable()),
        ("one byte too long", ok_with(&(fitting.clone() + " ")), unavailable()),
        ("just not too long", ok_with(&fitting), ok()),
        ("moved for good", moved(301), internal()),
        ("found elsewhere", moved(302), internal()),
        ("see other", moved(303), internal()),
        ("moved for now", moved(307), internal()),
        ("moved for good, POST again", moved(308), internal()),
    ] {
        let server = Scripted::start(vec![act, ok_with(&active)]).await;
        let api = serve(&introspecting_at(&tenant, server.url()).build().unwrap());
        let token = tenant.opaque_token().mint();
        api.check(case, get("/any").bearer(&token), &expected).await;
        api.check(&format!("after: {case}"), get("/any").bearer(&token), &ok()).await;
        assert_eq!(server.played(), 2, "{case}");
    }
    assert_eq!(tenant.requests(Endpoint::Canary), 0);
}

#[tokio::test]
async fn an_endpoint_that_cannot_be_used_is_500_and_one_that_cannot_be_found_503() {
    for (url, expected) in [
        (json!(null), internal()),
        (json!("http://example.com/introspect"), internal()),
        (json!("https://me:pw@localhost/introspect"), internal()),
        (json!("/introspect"), internal()),
        (json!("https://nowhere.invalid/introspect"), unavailable()),
    ] {
        let tenant = frozen_tenant().await;
        let api = serve(&introspecting_at(&tenant, url.clone()).build().unwrap());
        let token = tenant.opaque_token().mint();
        api.check(&url.to_string(), get("/any").bearer(&token), &expected).await;
        api.check("a JWT", get("/any").bearer(&tenant.token().mint()), &ok()).await;
        assert_eq!(tenant.requests(Endpoint::Introspection), 0, "{url}");
        tenant.serve_metadata(tenant.metadata());
        tenant.clock().advance(Duration::from_secs(301));
        api.check("mended", get("/any").bearer(&token), &ok()).await;
    }
}

#[tokio::test]
async fn the_claims_of_an_introspection_response_are_validated_like_those_of_a_jwt_except_exp() {
    let tenant = frozen_tenant().await;
    let api = serve(&introspecting(&tenant).build().unwrap());
    let now = tenant.clock().now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let with = |name: &str, value: Value| tenant.opaque_token().claim(name, value).mint();
    let without = |name| tenant.opaque_token().without(name).mint();
    let refused = invalid_token;
    use InvalidToken::{Audience, Binding, Claim, Issuer, NotYetValid};
    for (case, path, token, expected) in [
        ("no iss", "/any", without("iss"), refused(Claim("iss"))),
        ("odd iss", "/any", with("iss", json!([tenant.issuer()])), refused(Claim("iss"))),
        ("other iss", "/any", with("iss", json!("https://evil.test")), refused(Issuer)),
        ("no aud", "/any", without("aud"), refused(Claim("aud"))),
        ("odd aud", "/any", with("aud", json!([tenant.audience(), 1])), refused(Claim("aud"))),
        ("other aud", "/any", with("aud", json!("https://evil.test")), refused(Audience)),
        ("aud among others", "/any", with("aud", json!(["x", tenant.audience()])), ok()),
        ("no exp", "/any", without("exp"), ok()),
        ("odd exp", "/any", with("exp", json!("tomorrow")), refused(Claim("exp"))),
        ("exp out of range", "/any", with("exp", json!(1e300)), refused(Claim("exp"))),
        ("nbf in a minute", "/any", with("nbf", json!(now + 60)), ok()),
        ("nbf later", "/any", with("nbf", json!(now + 61)), refused(NotYetValid)),
        ("odd nbf", "/any", with("nbf", json!("now")), refused(Claim("nbf"))),
        ("no sub", "/any", without("sub"), ok()),
        ("odd sub", "/any", with("sub", json!(7)), refused(Claim("sub"))),
        ("bound", "/any", with("cnf", json!({"x5t#S256": "x"})), refused(Binding)),
        ("bound by DPoP", "/read", with("cnf", json!({"jkt": "x"})), refused(Binding)),
        ("not bound", "/any", with("cnf", json!(null)), ok()),
        ("scopes", "/read", with("scope", json!("posts:write posts:read")), ok()),
        ("scope list", "/read", with("scope", json!(["a", "posts:read"])), ok()),
        ("no scope", "/read", without("scope"), missing_scope("posts:read")),
        ("groups", "/admin", with("groups", json!(["admin"])), ok()),
        ("group objects", "/admin", with("groups", json!([null, {"name": "admin"}])), ok()),
        ("no groups", "/admin", without("groups"), missing_group()),
    ] {
        api.check(case, get(path).bearer(&token), &expected).await;
    }
}

#[tokio::test]
async fn active_is_no_claim() {
    let tenant = frozen_tenant().await;
    let api = serve(&introspecting(&tenant).build().unwrap());
    let token = tenant.opaque_token().subject("alice").claim("x", "y").mint();
    let answer = api.send(get("/any").bearer(&token)).await;
    let claims: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!((&claims["sub"], &claims["x"]), (&json!("alice"), &json!("y")), "{claims}");
    assert_eq!(claims.get("active"), None, "{claims}");
}

#[tokio::test]
async fn jwts_are_introspected_only_where_that_is_configured() {
    for (introspect, calls, then) in [(true, 2, inactive()), (false, 0, ok())] {
        let tenant = frozen_tenant().await;
        let builder = introspecting(&tenant).introspect_jwt_tokens(introspect);
        let api = serve(&builder.build().unwrap());
        let token = tenant.token().mint();
        api.check("a JWT", get("/any").bearer(&token), &ok()).await;
        tenant.revoke(&token);
        api.check("revoked", get("/any").bearer(&token), &then).await;
        assert_eq!(tenant.requests(Endpoint::Introspection), calls);
        assert_eq!(tenant.requests(Endpoint::Jwks), usize::from(!introspect));
        let encrypted = invalid_token(InvalidToken::Encrypted);
        api.check("a JWE", get("/any").bearer("a.b.c.d.e"), &encrypted).await;
        assert_eq!(tenant.requests(Endpoint::Introspection), calls);
        let malformed =
            if introspect { inactive() } else { invalid_token(InvalidToken::Malformed) };
        api.check("three words", get("/any").bearer("a.b.c"), &malformed).await;
        assert_eq!(tenant.requests(Endpoint::Introspection), calls + usize::from(introspect));
    }
}

#[tokio::test]
async fn without_introspection_no_request_is_sent() {
    let tenant = frozen_tenant().await;
    let api = served(&tenant);
    let unsupported = invalid_token(InvalidToken::Unsupported);
    api.check("opaque", get("/any").bearer(&tenant.opaque_token().mint()), &unsupported).await;
    assert_eq!(tenant.requests(Endpoint::Discovery), 0);
    assert_eq!(tenant.requests(Endpoint::Introspection), 0);
}

#[tokio::test]
async fn a_token_type_that_is_not_an_access_tokens_is_rejected() {
    let bound = json!({"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"});
    let tenant = frozen_tenant().await;
    let builder = introspecting(&tenant).introspection_cache_in_memory();
    let api = serve(&builder.build().unwrap());
    let (not_access, binding) = (InvalidToken::Type, InvalidToken::Binding);
    let incomplete = InvalidToken::Claim("cnf");
    for (token_type, cnf, expected) in [
        (json!("Bearer"), json!(null), ok()),
        (json!("bearer"), json!(null), ok()),
        (json!("access_token"), json!(null), ok()),
        (json!("ACCESS_TOKEN"), json!(null), ok()),
        (json!(null), json!(null), ok()),
        (json!("refresh_token"), json!(null), invalid_token(not_access)),
        (json!("Refresh"), json!(null), invalid_token(not_access)),
        (json!("id_token"), json!(null), invalid_token(not_access)),
        (json!("N_A"), json!(null), invalid_token(not_access)),
        (json!("Bearer "), json!(null), invalid_token(not_access)),
        (json!(""), json!(null), invalid_token(not_access)),
        (json!(["Bearer"]), json!(null), invalid_token(not_access)),
        (json!(7), json!(null), invalid_token(not_access)),
        (json!("DPoP"), json!(null), invalid_token(incomplete)),
        (json!("dpop"), json!({"x5t#S256": "x"}), invalid_token(incomplete)),
        (json!("DPoP"), json!({"jkt": 7}), invalid_token(incomplete)),
        (json!("Bearer"), bound.clone(), invalid_token(binding)),
        (json!("DPoP"), bound.clone(), invalid_token(binding)),
    ] {
        let case = format!("{token_type} with {cnf}");
        let token = tenant.opaque_token().claim("token_type", token_type).claim("cnf", cnf);
        let token = token.mint();
        api.check(&case, get("/any").bearer(&token), &expected).await;
        api.check(&case, get("/any").bearer(&token), &expected).await;
    }
}

#[tokio::test]
async fn members_that_are_null_are_absent() {
    let tenant = frozen_tenant().await;
    let api = serve(&introspecting(&tenant).build().unwrap());
    let mut answer = json!({"active": true, "iss": tenant.issuer(), "aud": tenant.audience()});
    let absent = [
        "exp",
        "nbf",
        "iat",
        "sub",
        "scope",
        "cnf",
        "token_type",
        "client_id",
        "username",
        "groups",
        "jti",
        "custom",
    ];
    for name in absent {
        answer[name] = json!(null);
    }
    tenant.introspection_answer(answer.clone());
    let token = tenant.opaque_token().mint();
    let seen = api.send(get("/any").bearer(&token)).await;
    seen.assert("null", &ok());
    let claims: Value = serde_json::from_str(&seen.body).unwrap();
    assert_eq!(claims, json!({"iss": tenant.issuer(), "aud": tenant.audience()}));
    answer["aud"] = json!(null);
    tenant.introspection_answer(answer);
    let missing = invalid_token(InvalidToken::Claim("aud"));
    api.check("no aud", get("/any").bearer(&token), &missing).await;
}

#[tokio::test]
async fn an_answer_that_is_compressed_unasked_is_read_and_a_bomb_is_not() {
    let tenant = frozen_tenant().await;
    let active =
        json!({"active": true, "iss": tenant.issuer(), "aud": tenant.audience()}).to_string();
    let padded = |length: usize| active.clone() + &" ".repeat(length - active.len());
    let marked = format!("\u{feff}{active}");
    let coded =
        |coding: &str, body: &[u8]| ok_with_header(&format!("Content-Encoding: {coding}"), body);
    for (case, act, expected, logged) in [
        ("gzip", coded("gzip", &gzip(active.as_bytes())), ok(), ""),
        ("x-gzip", coded("x-gzip", &gzip(active.as_bytes())), ok(), ""),
        ("a mark", ok_with(&marked), ok(), ""),
        ("gzip and a mark", coded("gzip", &gzip(marked.as_bytes())), ok(), ""),
        ("1 MiB", coded("gzip", &gzip(padded(1 << 20).as_bytes())), ok(), ""),
        (
            "one byte more",
            coded("gzip", &gzip(padded((1 << 20) + 1).as_bytes())),
            unavailable(),
            "it has more than 1048576 bytes",
        ),
        (
            "a bomb",
            coded("gzip", &gzip(padded(64 << 20).as_bytes())),
            unavailable(),
            "it has more than 1048576 bytes",
        ),
        ("gzip in name only", coded("gzip", active.as_bytes()), unavailable(), "gzip"),
        ("Brotli", coded("br", active.as_bytes()), unavailable(), "the content coding \"br\""),
    ] {
        let server = Scripted::start(vec![act]).await;
        let builder = introspecting_at(&tenant, server.url());
        let (api, log) = (serve(&builder.build().unwrap()), Log::capture());
        let token = tenant.opaque_token().mint();
        api.check(case, get("/any").bearer(&token), &expected).await;
        let told = log.lines(Level::WARN);
        assert_eq!(told.is_empty(), logged.is_empty(), "{case}: {told:?}");
        assert!(told.concat().contains(logged), "{case}: {told:?}");
    }
}

#[tokio::test]
async fn the_tenants_oauth_error_reaches_the_log_if_it_is_one() {
    let tenant = frozen_tenant().await;
    let token = tenant.opaque_token().mint();
    let echo = json!({ "error": token }).to_string();
    for (status, body, told) in [
        (401, r#"{"error":"invalid_client"}"#, Some("status 401 (invalid_client)")),
        (400, r#"{"error":"invalid_request","error_description":"x"}"#, Some("(invalid_request)")),
        (503, r#"{"error":"temporarily_unavailable"}"#, Some("(temporarily_unavailable)")),
        (401, "\u{feff}{\"error\":\"invalid_client\"}", Some("(invalid_client)")),
        (401, r#"{"error":"canary\u001b[2J"}"#, None),
        (401, r#"{"error":["canary"]}"#, None),
        (401, "canary", None),
        (401, echo.as_str(), None),
    ] {
        let api = serve(&introspecting(&tenant).build().unwrap());
        tenant
            .fault(
                Endpoint::Introspection,
                Fault::Answer { status, content_type: "application/json", body: body.into() },
            )
            .until_recovered();
        let log = Log::capture();
        api.send(get("/any").bearer(&token)).await;
        let lines = log.lines(Level::WARN);
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].contains(told.unwrap_or("with status 401 ")), "{body}: {lines:?}");
        for line in log.lines(Level::TRACE) {
            assert!(!line.contains("canary") && !line.contains(&token), "{line}");
        }
    }
}

#[tokio::test]
async fn a_request_that_is_lost_with_a_kept_connection_is_repeated_once() {
    for fault in [Fault::CloseBeforeAnswer, Fault::Reset] {
        let tenant = frozen_tenant().await;
        let api = serve(&introspecting(&tenant).build().unwrap());
        let endpoint = Endpoint::Introspection;
        let case = format!("{fault:?}");
        let requests = || tenant.requests(endpoint);
        for _ in 0..2 {
            let before = requests();
            let tokens = [(); 2].map(|()| tenant.opaque_token().mint());
            api.check("first", get("/any").bearer(&tokens[0]), &ok()).await;
            tenant.fault(endpoint, fault.clone()).times(1);
            api.check(&case, get("/any").bearer(&tokens[1]), &ok()).await;
            assert_eq!(requests() - before, 3, "{case}");
        }
        let token = tenant.opaque_token().mint();
        api.check("first", get("/any").bearer(&token), &ok()).await;
        let before = requests();
        let _fault = tenant.fault(endpoint, fault);
        api.check("lost twice", get("/any").bearer(&token), &unavailable()).await;
        assert_eq!(requests() - before, 2);
    }
}
