//! How authentication sits among the rest of HTTP: bodies, methods, paths, CORS.

use harness::{
    hosts::HOSTS,
    support::{
        Call, call, frozen_tenant, get, head, internal, invalid_token, missing, missing_scope,
        post, says, served,
    },
};
use monocloud_backend::InvalidToken;
use monocloud_testkit::Endpoint;
use reqwest::header::WWW_AUTHENTICATE;

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
