//! Which requests the control API takes.

use monocloud_testkit::{MockTenant, TenantConfig};
use reqwest::Method;
use serde_json::json;

use crate::caller::{controlled_tenant, rejected, request, sent};

#[tokio::test]
async fn the_control_api_is_off_by_default() {
    let tenant = MockTenant::start().await;
    for (method, path) in [(Method::POST, "tokens"), (Method::GET, "openapi.json")] {
        let response = request(&tenant, method, path).send().await.unwrap();
        assert_eq!(response.status(), 404, "{path}");
        assert_eq!(response.text().await.unwrap(), "", "{path}");
    }
}

#[tokio::test]
async fn web_pages_of_other_origins_cannot_control_the_tenant() {
    let tenant = controlled_tenant().await;
    let port = tenant.address().port();
    let mint = |origin: &str| {
        let request = request(&tenant, Method::POST, "tokens").header("origin", origin);
        request.header("content-type", "application/json").body("{}")
    };
    for origin in ["null", "https://evil.example.com", "http://localhost:1", ""] {
        let (status, answer) = sent(mint(origin)).await;
        assert_eq!(status, 403, "{origin}: {answer}");
        assert!(answer["error"].as_str().unwrap().contains("Origin"), "{answer}");
    }
    let other_scheme = format!("https://127.0.0.1:{port}");
    assert_eq!(sent(mint(&other_scheme)).await.0, 403);
    // Two of them, of which one is right.
    assert_eq!(sent(mint(tenant.issuer()).header("origin", "http://a")).await.0, 403);
    for origin in [tenant.issuer().to_owned(), format!("http://localhost:{port}")] {
        assert_eq!(sent(mint(&origin)).await.0, 200, "{origin}");
    }
    // Reading is for pages of the tenant too.
    let log = request(&tenant, Method::GET, "requests").header("origin", "http://a");
    assert_eq!(sent(log).await.0, 403);
}

#[tokio::test]
async fn no_answer_is_readable_across_origins() {
    let tenant = controlled_tenant().await;
    let own = tenant.issuer();
    for method in [Method::GET, Method::OPTIONS] {
        for path in ["requests", "openapi.json", "nothing"] {
            let request = request(&tenant, method.clone(), path).header("origin", own);
            let request = request.header("access-control-request-method", "POST");
            let response = request.send().await.unwrap();
            let cors = |name: &str| name.starts_with("access-control-");
            assert!(!response.headers().keys().any(|name| cors(name.as_str())), "{method} {path}");
            assert_eq!(response.headers()["cache-control"], "no-store");
        }
    }
}

#[tokio::test]
async fn a_body_has_the_media_type_of_json() {
    let tenant = controlled_tenant().await;
    let with = |media_type: &str, body: &'static str| {
        let request = request(&tenant, Method::POST, "tokens");
        request.header("content-type", media_type).body(body)
    };
    for media_type in ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", ""] {
        let (status, answer) = sent(with(media_type, "{}")).await;
        assert_eq!(status, 415, "{media_type}");
        assert!(answer["error"].as_str().unwrap().contains("Content-Type"), "{answer}");
    }
    for media_type in ["application/json", "Application/JSON; charset=utf-8"] {
        assert_eq!(sent(with(media_type, "{}")).await.0, 200, "{media_type}");
    }
    // curl sends neither a body nor its type with `-X POST`.
    assert_eq!(sent(request(&tenant, Method::POST, "keys/rotate")).await.0, 200);
}

#[tokio::test]
async fn mistakes_are_named_and_the_valid_names_listed() {
    let tenant = controlled_tenant().await;
    let (status, answer) = sent(request(&tenant, Method::GET, "token")).await;
    assert_eq!(status, 404);
    assert!(answer["error"].as_str().unwrap().contains("there is no /_control/token"), "{answer}");
    assert!(answer["valid"].as_array().unwrap().contains(&json!("/_control/tokens")), "{answer}");
    for path in ["", "tokens/", "/tokens", "openapi"] {
        assert_eq!(sent(request(&tenant, Method::GET, path)).await.0, 404, "{path}");
    }

    for (method, path, allow) in [
        (Method::GET, "tokens", "POST"),
        (Method::PUT, "faults", "POST, DELETE"),
        (Method::POST, "requests", "GET"),
        (Method::DELETE, "reset", "POST"),
    ] {
        let response = request(&tenant, method, path).send().await.unwrap();
        assert_eq!(response.status(), 405, "{path}");
        assert_eq!(response.headers()["allow"], allow, "{path}");
        assert!(response.text().await.unwrap().contains(allow), "{path}");
    }

    let post = |path: &str, body: &'static str| {
        let request = request(&tenant, Method::POST, path);
        request.header("content-type", "application/json").body(body)
    };
    for (path, body, expected) in [
        ("tokens", "[]", "not a JSON object"),
        ("tokens", "{", "EOF"),
        ("tokens", "{}{}", "trailing"),
        ("tokens", r#"{"scop":"a"}"#, "unknown field `scop`, expected one of `user`"),
        ("tokens", r#"{"scope":1}"#, "invalid type: integer"),
        ("tokens", r#"{"scope":"a","scope":"b"}"#, "duplicate field `scope`"),
        ("revoke", "{}", "missing field `token`"),
        ("revoke", r#"{"token":"a","kind":"b"}"#, "unknown field `kind`, expected `token`"),
        ("reset", r#"{"all":true}"#, "unknown field `all`"),
        ("keys/rotate", r#"{"kid":"a"}"#, "unknown field `kid`"),
        ("keys/withdraw", r#"{"key":"a"}"#, "unknown field `key`, expected `kid`"),
    ] {
        let error = rejected(sent(post(path, body)).await);
        assert!(error.contains(expected), "{path} {body}: {error}");
    }
}

#[tokio::test]
async fn large_bodies_are_refused() {
    let tenant = controlled_tenant().await;
    let body = |length: usize| {
        let padding = " ".repeat(length - 2);
        let request = request(&tenant, Method::POST, "tokens");
        request.header("content-type", "application/json").body(format!("{{{padding}}}"))
    };
    assert_eq!(sent(body(64 * 1024)).await.0, 200);
    let (status, answer) = sent(body(64 * 1024 + 1)).await;
    assert_eq!(status, 413, "{answer}");
}

#[tokio::test]
async fn a_tenant_that_cannot_start_says_why() {
    let tenant = MockTenant::start().await;
    let taken = MockTenant::builder().listen(tenant.address()).try_start().await.unwrap_err();
    assert_eq!(taken.kind(), std::io::ErrorKind::AddrInUse);
    let config: TenantConfig = serde_json::from_value(json!({ "auto_login": "eve" })).unwrap();
    for builder in [
        MockTenant::builder().config(config),
        MockTenant::builder().issuer("tenant.internal"),
        MockTenant::builder().issuer("http://tenant.internal/#here"),
    ] {
        let error = builder.try_start().await.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput, "{error}");
    }
}
