//! Introspection requests, and how each response is handled (RFC 7662).

use std::time::Duration;

use harness::support::{
    Expected, Log, RawServer, Script, body, coded, frozen_tenant, get, gzip, internal,
    introspecting, invalid_token, missing_group, missing_scope, mock, ok, padded, serve, served,
    unavailable,
};
use monocloud_backend::{ProtectApiBuilder, error::InvalidToken};
use monocloud_testkit::{Endpoint, Fault, MockTenant};
use serde_json::{Value, json};
use tracing::Level;
use wiremock::ResponseTemplate;

fn inactive() -> Expected {
    invalid_token(InvalidToken::Inactive)
}

#[tokio::test]
async fn a_token_is_accepted_until_it_is_revoked_or_expires() {
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
    api.check("absent", call, &inactive()).await;
    tenant.recover(Endpoint::Introspection);
    api.check("next", get("/any").bearer(&tenant.opaque_token().mint()), &ok()).await;
}

#[tokio::test]
async fn an_unusable_response_is_503_and_rejected_credentials_are_500() {
    let malformed = [
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
    for body in malformed {
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

/// The body of an introspection response for a valid token.
fn active(tenant: &MockTenant) -> String {
    json!({"active": true, "iss": tenant.issuer(), "aud": tenant.audience()}).to_string()
}

/// The API of a tenant whose metadata has this introspection endpoint.
fn introspecting_at(tenant: &MockTenant, url: impl Into<Value>) -> ProtectApiBuilder {
    let mut metadata = tenant.metadata();
    metadata["introspection_endpoint"] = url.into();
    tenant.serve_metadata(metadata);
    introspecting(tenant)
}

#[tokio::test]
async fn a_broken_response_fails_only_its_own_request() {
    let tenant = frozen_tenant().await;
    let active = active(&tenant);
    let head = |length: usize| {
        format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n")
    };
    for (case, script) in [
        ("reset before the head", Script::Reset(String::new())),
        ("reset within the head", Script::Reset("HTTP/1.1 200".to_owned())),
        ("reset within the body", Script::Reset(head(9) + "{")),
        ("cut off", Script::Send(head(999) + &active)),
        ("not HTTP", Script::Send("hello\r\n\r\n".to_owned())),
        ("endless", Script::Endless),
    ] {
        let server = RawServer::start([script, Script::Send(head(active.len()) + &active)]).await;
        let api = serve(&introspecting_at(&tenant, server.url()).build().unwrap());
        let token = tenant.opaque_token().mint();
        api.check(case, get("/any").bearer(&token), &unavailable()).await;
        api.check(&format!("after: {case}"), get("/any").bearer(&token), &ok()).await;
        assert_eq!(server.connections(), 2, "{case}");
    }
}

#[tokio::test]
async fn a_response_has_a_maximum_length_and_redirects_are_not_followed() {
    let tenant = frozen_tenant().await;
    let api = serve(&introspecting(&tenant).build().unwrap());
    let padded = |length: usize| body(padded(&active(&tenant), length));
    let moved = |status: u16| {
        ResponseTemplate::new(status).insert_header("location", tenant.url(Endpoint::Canary))
    };
    for (number, (case, response, expected)) in [
        ("60 MB", padded(60 << 20), unavailable()),
        ("one byte too long", padded((1 << 20) + 1), unavailable()),
        ("of the maximum length", padded(1 << 20), ok()),
        ("301", moved(301), internal()),
        ("302", moved(302), internal()),
        ("303", moved(303), internal()),
        ("307", moved(307), internal()),
        ("308", moved(308), internal()),
    ]
    .into_iter()
    .enumerate()
    {
        tenant.mount(mock(&tenant, Endpoint::Introspection, response).up_to_n_times(1)).await;
        let token = tenant.opaque_token().mint();
        api.check(case, get("/any").bearer(&token), &expected).await;
        api.check(&format!("after: {case}"), get("/any").bearer(&token), &ok()).await;
        assert_eq!(tenant.requests(Endpoint::Introspection), 2 * (number + 1), "{case}");
    }
    assert_eq!(tenant.requests(Endpoint::Canary), 0);
}

#[tokio::test]
async fn an_unusable_endpoint_is_500_and_an_unreachable_one_503() {
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
        api.check("corrected", get("/any").bearer(&token), &ok()).await;
    }
}

#[tokio::test]
async fn the_claims_of_an_introspection_response_are_validated_like_those_of_a_jwt_except_exp() {
    let tenant = frozen_tenant().await;
    let api = serve(&introspecting(&tenant).build().unwrap());
    let now = tenant.clock().now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let with = |name: &str, value: Value| tenant.opaque_token().claim(name, value).mint();
    let without = |name| tenant.opaque_token().without(name).mint();
    let invalid = invalid_token;
    use InvalidToken::{Audience, Binding, Claim, Issuer, KeyBinding, NotYetValid};
    for (case, path, token, expected) in [
        ("no iss", "/any", without("iss"), invalid(Claim("iss"))),
        ("odd iss", "/any", with("iss", json!([tenant.issuer()])), invalid(Claim("iss"))),
        ("other iss", "/any", with("iss", json!("https://evil.test")), invalid(Issuer)),
        ("no aud", "/any", without("aud"), invalid(Claim("aud"))),
        ("odd aud", "/any", with("aud", json!([tenant.audience(), 1])), invalid(Claim("aud"))),
        ("other aud", "/any", with("aud", json!("https://evil.test")), invalid(Audience)),
        ("several audiences", "/any", with("aud", json!(["x", tenant.audience()])), ok()),
        ("no exp", "/any", without("exp"), ok()),
        ("odd exp", "/any", with("exp", json!("tomorrow")), invalid(Claim("exp"))),
        ("exp out of range", "/any", with("exp", json!(1e300)), invalid(Claim("exp"))),
        ("nbf in a minute", "/any", with("nbf", json!(now + 60)), ok()),
        ("nbf later", "/any", with("nbf", json!(now + 61)), invalid(NotYetValid)),
        ("odd nbf", "/any", with("nbf", json!("now")), invalid(Claim("nbf"))),
        ("no sub", "/any", without("sub"), ok()),
        ("odd sub", "/any", with("sub", json!(7)), invalid(Claim("sub"))),
        ("bound", "/any", with("cnf", json!({"x5t#S256": "x"})), invalid(Binding)),
        ("bound by DPoP", "/any", with("cnf", json!({"jkt": "x"})), invalid(KeyBinding)),
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
async fn active_is_not_a_claim() {
    let tenant = frozen_tenant().await;
    let api = serve(&introspecting(&tenant).build().unwrap());
    let token = tenant.opaque_token().subject("alice").claim("x", "y").mint();
    let answer = api.send(get("/any").bearer(&token)).await;
    let claims: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!((&claims["sub"], &claims["x"]), (&json!("alice"), &json!("y")), "{claims}");
    assert_eq!(claims.get("active"), None, "{claims}");
}

#[tokio::test]
async fn jwts_are_introspected_only_if_that_is_configured() {
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
async fn a_token_type_of_another_kind_of_token_is_rejected() {
    let bound = json!({"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"});
    let tenant = frozen_tenant().await;
    let builder = introspecting(&tenant).introspection_cache_in_memory();
    let api = serve(&builder.build().unwrap());
    let (not_access, binding) = (InvalidToken::Type, InvalidToken::KeyBinding);
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
        (json!("access_token"), bound.clone(), invalid_token(binding)),
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
async fn a_compressed_response_is_read_up_to_its_maximum_length() {
    let tenant = frozen_tenant().await;
    let active = active(&tenant);
    let zipped = |length: usize| coded("gzip", gzip(padded(&active, length).as_bytes()));
    let marked = format!("\u{feff}{active}");
    for (case, response, expected, logged) in [
        ("gzip", coded("gzip", gzip(active.as_bytes())), ok(), ""),
        ("x-gzip", coded("x-gzip", gzip(active.as_bytes())), ok(), ""),
        ("a mark", body(marked.clone()), ok(), ""),
        ("gzip and a mark", coded("gzip", gzip(marked.as_bytes())), ok(), ""),
        ("1 MiB", zipped(1 << 20), ok(), ""),
        ("one byte more", zipped((1 << 20) + 1), unavailable(), "it has more than 1048576 bytes"),
        ("a bomb", zipped(64 << 20), unavailable(), "it has more than 1048576 bytes"),
        ("gzip in name only", coded("gzip", active.clone()), unavailable(), "gzip"),
        ("Brotli", coded("br", active.clone()), unavailable(), "the content coding \"br\""),
    ] {
        tenant.mount(mock(&tenant, Endpoint::Introspection, response).up_to_n_times(1)).await;
        let (api, log) = (serve(&introspecting(&tenant).build().unwrap()), Log::capture());
        let token = tenant.opaque_token().mint();
        api.check(case, get("/any").bearer(&token), &expected).await;
        let warnings = log.lines(Level::WARN);
        assert_eq!(warnings.is_empty(), logged.is_empty(), "{case}: {warnings:?}");
        assert!(warnings.concat().contains(logged), "{case}: {warnings:?}");
    }
}

#[tokio::test]
async fn the_tenants_oauth_error_is_logged_if_it_is_well_formed() {
    let tenant = frozen_tenant().await;
    let token = tenant.opaque_token().mint();
    let echo = json!({ "error": token }).to_string();
    for (status, body, expected) in [
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
        assert!(lines[0].contains(expected.unwrap_or("with status 401 ")), "{body}: {lines:?}");
        for line in log.lines(Level::TRACE) {
            assert!(!line.contains("canary") && !line.contains(&token), "{line}");
        }
    }
}

#[tokio::test]
async fn a_request_lost_with_a_reused_connection_is_repeated_once() {
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
