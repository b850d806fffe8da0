//! Authentication together with the rest of HTTP: bodies, methods, paths, CORS.

use harness::{
    hosts::Host,
    support::{
        Call, Log, call, frozen_tenant, get, head, internal, invalid_token, missing, missing_scope,
        post, says,
    },
};
use monocloud_backend::error::InvalidToken;
use monocloud_testkit::Endpoint;
use reqwest::header::WWW_AUTHENTICATE;
use tracing::Level;

on_every_host! {
    authentication_comes_before_the_body_is_read,
    public_routes_ignore_tokens_and_optional_ones_validate_them,
    an_extractor_without_a_guard_answers_500,
    other_paths_are_404_other_methods_405_and_head_is_authorized_as_get,
    a_preflight_is_answered_and_reaches_no_handler,
    a_browser_can_read_a_rejection,
    an_extractor_without_a_guard_is_logged_with_its_path_and_the_cause,
}

async fn authentication_comes_before_the_body_is_read(host: Host) {
    let tenant = frozen_tenant().await;
    let api = host.protected_by(&tenant);
    let reader = tenant.token().scope("posts:read").mint();
    let writer = tenant.token().scope("posts:read posts:write").mint();
    let all = missing_scope("posts:read posts:write");
    for bad in ["", "{", "[]", "{}"] {
        api.check("no token", post("/write", bad), &missing().naming("posts:read posts:write"))
            .await;
        api.check("no scope", post("/write", bad).bearer(&reader), &all).await;
        let answer = api.send(post("/write", bad).bearer(&writer)).await;
        assert_eq!(answer.status, 400, "{bad:?}: {answer:?}");
    }
    // A body that is announced and never sent.
    let request = "POST /write HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n";
    let answer = api.send_raw(request.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
}

async fn public_routes_ignore_tokens_and_optional_ones_validate_them(host: Host) {
    let tenant = frozen_tenant().await;
    let api = host.protected_by(&tenant);
    let expired = tenant.token().expires_in(-3600).mint();
    for (case, call, expected) in [
        ("public", get("/health"), says("up")),
        ("public, with a malformed token", get("/health").bearer("a b"), says("up")),
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

async fn an_extractor_without_a_guard_answers_500(host: Host) {
    let tenant = frozen_tenant().await;
    let api = host.protected_by(&tenant);
    for call in [get("/unguarded"), get("/unguarded").bearer(&tenant.token().mint())] {
        api.check("unguarded", call, &internal()).await;
    }
    assert_eq!(tenant.requests(Endpoint::Discovery), 0);
}

async fn other_paths_are_404_other_methods_405_and_head_is_authorized_as_get(host: Host) {
    let tenant = frozen_tenant().await;
    let api = host.protected_by(&tenant);
    let status = async |call: Call| api.send(call).await.status;
    let reader = tenant.token().scope("posts:read").mint();
    for token in [None, Some(&reader)] {
        let with = |call: Call| token.map_or(call.clone(), |token| call.bearer(token));
        for path in ["/none", "/any/more", "/ANY"] {
            assert_eq!(status(with(get(path))).await, 404, "{path}");
        }
        for (method, path) in
            [("DELETE", "/any"), ("GET", "/write"), ("PUT", "/write"), ("POST", "/health")]
        {
            assert_eq!(status(with(call(method, path))).await, 405, "{method} {path}");
        }
    }
    assert_eq!(status(head("/health")).await, 200);
    let answer = api.send(head("/read")).await;
    assert_eq!(answer.status, 401);
    assert!(answer.header(WWW_AUTHENTICATE).is_some());
    assert_eq!(status(head("/read").bearer(&tenant.token().mint())).await, 403,);
    let answer = api.send(head("/read").bearer(&reader)).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, ""));
}

async fn a_preflight_is_answered_and_reaches_no_handler(host: Host) {
    let tenant = frozen_tenant().await;
    let api = host.protected_by(&tenant);
    for (path, method) in [("/write", "POST"), ("/any", "GET"), ("/unguarded", "GET")] {
        let call = call("OPTIONS", path)
            .header("origin", "https://app.example.com")
            .header("access-control-request-method", method)
            .header("access-control-request-headers", "authorization");
        let answer = api.send(call).await;
        assert_eq!((answer.status, answer.body.as_str()), (200, ""), "{path}");
        assert!(answer.headers.contains_key("access-control-allow-origin"));
    }
    let plain = api.send(call("OPTIONS", "/any")).await;
    assert!(matches!(plain.status, 404 | 405), "{plain:?}");
    assert_eq!(tenant.requests(Endpoint::Discovery), 0);
}

async fn a_browser_can_read_a_rejection(host: Host) {
    let tenant = frozen_tenant().await;
    let call = get("/any").header("origin", "https://app.example.com");
    let answer = host.protected_by(&tenant).send(call).await;
    assert_eq!(answer.status, 401);
    assert!(answer.headers.contains_key("access-control-allow-origin"));
}

async fn an_extractor_without_a_guard_is_logged_with_its_path_and_the_cause(host: Host) {
    let tenant = frozen_tenant().await;
    let (api, log) = (host.protected_by(&tenant), Log::capture());
    api.send(get("/unguarded?secret=canary")).await;
    let lines = log.lines(Level::ERROR);
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains("/unguarded") && lines[0].contains("GET"), "{lines:?}");
    assert!(!lines[0].contains("canary"), "{lines:?}");
    let cause = "the handler is not protected: nothing authenticates requests before it; ";
    assert!(lines[0].contains(cause), "as the manual quotes it: {lines:?}");
    let cure = match host.name.split(' ').next().unwrap() {
        "axum" => ".route_layer(protect.require(POLICY))",
        "poem" => "get(handler.with(protect.require(POLICY)))",
        "poem-openapi" => "protect.secure(api)",
        "salvo" => ".hoop(protect.require(POLICY))",
        other => panic!("{other}"),
    };
    assert!(lines[0].contains(cure), "{lines:?}");
}
