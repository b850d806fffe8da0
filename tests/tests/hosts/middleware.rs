//! The manual's examples of CORS and of a request log, served unchanged.

#[allow(unreachable_pub, reason = "applications export it")]
#[path = "../../../src/manual/middleware/axum.rs"]
mod axum_example;
#[allow(unreachable_pub, reason = "applications export it")]
#[path = "../../../src/manual/middleware/poem.rs"]
mod poem_example;
#[allow(unreachable_pub, reason = "applications export it")]
#[path = "../../../src/manual/middleware/poem_openapi.rs"]
mod poem_openapi_example;
#[allow(unreachable_pub, reason = "applications export it")]
#[path = "../../../src/manual/middleware/salvo.rs"]
mod salvo_example;

use std::net::TcpListener;

use harness::{
    hosts::bind,
    support::{Api, Log, call, frozen_tenant, get, protect},
};
use monocloud_backend::ProtectApi;
use monocloud_testkit::{Endpoint, Fault};
use salvo::conn::tcp::TcpAcceptor;
use tracing::Level;

type Serve = fn(&ProtectApi, TcpListener);

const EXAMPLES: [(&str, Serve); 4] = [
    ("axum", |protect, listener| {
        let app = axum_example::app(protect).unwrap();
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        tokio::spawn(async { axum::serve(listener, app).await });
    }),
    ("poem", |protect, listener| run_poem(poem_example::app(protect), listener)),
    ("poem-openapi", |protect, listener| {
        run_poem(poem_openapi_example::app(protect).unwrap(), listener);
    }),
    ("salvo", |protect, listener| {
        let service = salvo_example::app(protect).unwrap();
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        let acceptor = TcpAcceptor::try_from(listener).unwrap();
        tokio::spawn(salvo::Server::new(acceptor).serve(service));
    }),
];

fn run_poem(app: impl poem::Endpoint + 'static, listener: TcpListener) {
    let acceptor = poem::listener::TcpAcceptor::from_std(listener).unwrap();
    tokio::spawn(poem::Server::new_with_acceptor(acceptor).run(app));
}

fn served(host: &'static str, serve: Serve, protect: &ProtectApi) -> Api {
    let (listener, address) = bind();
    serve(protect, listener);
    Api::new(host, address)
}

/// The names in a header that lists them, in lower case.
fn names(value: Option<&str>) -> Vec<String> {
    let names = value.unwrap_or_default().split(',');
    names.map(|name| name.trim().to_ascii_lowercase()).collect()
}

const ORIGIN: (&str, &str) = ("origin", "https://app.example.com");

#[tokio::test]
async fn a_browser_passes_the_preflight_and_can_read_every_rejection() {
    for (host, serve) in EXAMPLES {
        let tenant = frozen_tenant().await;
        let api = served(host, serve, &protect(&tenant).build().unwrap());
        let preflight = call("OPTIONS", "/posts")
            .header(ORIGIN.0, ORIGIN.1)
            .header("access-control-request-method", "GET")
            .header("access-control-request-headers", "authorization,dpop");
        let answer = api.send(preflight).await;
        assert!((200..300).contains(&answer.status), "{host}: {answer:?}");
        let allowed = |name| names(answer.header(name));
        for name in ["authorization", "dpop"] {
            let allowed = allowed("access-control-allow-headers");
            assert!(allowed.contains(&name.to_owned()), "{host}: {allowed:?}");
        }
        assert!(allowed("access-control-allow-methods").contains(&"get".to_owned()));
        assert!(answer.header("access-control-allow-origin").is_some(), "{host}");

        let token = tenant.token().subject("alice").mint();
        tenant.fault(Endpoint::Jwks, Fault::Status(503)).until_recovered();
        let unavailable = get("/posts").bearer(&token);
        for (call, status, needed) in [
            (get("/posts"), 401, "www-authenticate"),
            (get("/posts").bearer("a.b.c"), 401, "www-authenticate"),
            (unavailable, 503, "retry-after"),
        ] {
            let answer = api.send(call.header(ORIGIN.0, ORIGIN.1)).await;
            assert_eq!(answer.status, status, "{host}");
            assert!(answer.header(needed).is_some(), "{host}: {answer:?}");
            let origin = answer.header("access-control-allow-origin");
            assert!(origin == Some("*") || origin == Some(ORIGIN.1), "{host}: {origin:?}");
            let exposed = names(answer.header("access-control-expose-headers"));
            for name in [needed, "dpop-nonce"] {
                assert!(exposed.contains(&name.to_owned()), "{host}: {exposed:?}");
            }
        }
    }
}

#[tokio::test]
async fn the_log_has_the_subject_or_the_reason_of_every_request() {
    for (host, serve) in EXAMPLES {
        let tenant = frozen_tenant().await;
        let api = served(host, serve, &protect(&tenant).build().unwrap());
        let alice = tenant.token().subject("alice").mint();
        let log = Log::capture();
        for (call, status, field) in [
            (get("/posts").bearer(&alice), 200, r#"subject="alice""#),
            (get("/posts"), 401, r#"rejected="missing_token""#),
            (get("/posts").bearer("a b"), 400, r#"rejected="malformed_token""#),
            (get("/nowhere"), 404, "answered"),
        ] {
            let before = log.count("answered");
            assert_eq!(api.send(call).await.status, status, "{host}");
            let lines = log.lines(Level::INFO);
            let lines: Vec<_> = lines.iter().filter(|line| line.contains("answered")).collect();
            assert_eq!(lines.len(), before + 1, "{host}: {lines:?}");
            let line = lines.last().unwrap();
            assert!(line.contains(field), "{host}: {line}");
            assert!(line.contains(&format!("status={status}")), "{host}: {line}");
        }
    }
}

#[tokio::test]
async fn on_poem_an_error_of_the_handler_has_the_caller_too() {
    use monocloud_backend::Caller;
    use poem::{Endpoint as _, EndpointExt as _, http::StatusCode};

    let tenant = frozen_tenant().await;
    let protect = protect(&tenant).build().unwrap();
    let token = tenant.token().subject("alice").mint();
    for status in [StatusCode::UNAUTHORIZED, StatusCode::IM_A_TEAPOT] {
        let failing =
            poem::endpoint::make(
                move |_| async move { Err::<(), _>(poem::Error::from_status(status)) },
            );
        let endpoint = failing.with(protect.optional());
        for (token, subject) in [(Some(&token), Some("alice")), (None, None)] {
            let request = match token {
                Some(token) => {
                    poem::Request::builder().header("authorization", format!("Bearer {token}"))
                }
                None => poem::Request::builder(),
            };
            let response = endpoint.get_response(request.finish()).await;
            assert_eq!(response.status(), status);
            let caller = response.extensions().get::<Caller>().expect("a caller");
            assert_eq!(caller.claims().and_then(|claims| claims.subject()), subject);
        }
    }
}
