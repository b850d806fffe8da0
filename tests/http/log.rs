//! What is logged of a request, and what never is.

use std::time::Duration;

use monocloud_backend::ProtectApi;
use monocloud_testkit::Hostile;
use tracing::Level;

use crate::{
    hosts::HOSTS,
    support::{Log, frozen_tenant, get, served},
};

#[tokio::test]
async fn no_value_of_an_unverified_token_is_logged_above_debug_and_no_token_at_all() {
    for host in HOSTS {
        let tenant = frozen_tenant().await;
        let api = served(*host, &tenant);
        let mut tokens: Vec<String> =
            Hostile::all(&tenant).into_iter().map(|it| it.token).collect();
        for claim in ["iss", "aud", "exp", "nbf", "sub", "cnf"] {
            tokens.push(tenant.token().claim(claim, "canary-in-the-coal-mine").mint());
        }
        for header in ["kid", "alg", "typ"] {
            tokens.push(tenant.token().header(header, "canary-in-the-coal-mine").mint());
        }
        tokens.push(tenant.token().claim("scope", "canary-in-the-coal-mine").mint());
        let log = Log::capture();
        for token in &tokens {
            api.send(get("/read").bearer(token)).await;
        }
        assert!(log.lines(Level::TRACE).len() >= tokens.len(), "{}", host.name);
        for line in log.lines(Level::INFO) {
            assert!(!line.contains("canary"), "{line}");
        }
        for line in log.lines(Level::TRACE) {
            let whole = tokens.iter().find(|token| token.len() > 20 && line.contains(*token));
            assert_eq!(whole, None, "{line}");
        }
    }
}

#[tokio::test]
async fn opaque_tokens_that_nobody_introspects_are_one_warning_a_minute() {
    for host in HOSTS {
        let tenant = frozen_tenant().await;
        let (api, log) = (served(*host, &tenant), Log::capture());
        for (advanced, warnings) in [(0, 1), (0, 1), (59, 1), (1, 2), (0, 2), (3600, 3)] {
            tenant.clock().advance(Duration::from_secs(advanced));
            api.send(get("/any").bearer("opaque-canary")).await;
            let warned = log.lines(Level::WARN);
            assert_eq!(warned.len(), warnings, "on {}: {warned:?}", host.name);
            assert!(!warned.concat().contains("canary"), "{warned:?}");
        }
    }
}

#[tokio::test]
async fn a_handler_without_a_guard_is_a_line_that_names_it() {
    for host in HOSTS {
        let tenant = frozen_tenant().await;
        let (api, log) = (served(*host, &tenant), Log::capture());
        api.send(get("/unguarded?secret=canary")).await;
        let lines = log.lines(Level::ERROR);
        assert_eq!(lines.len(), 1, "on {}: {lines:?}", host.name);
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
        assert!(lines[0].contains(cure), "on {}: {lines:?}", host.name);
    }
}

#[tokio::test]
async fn an_unknown_variable_is_one_warning_with_the_nearest_name() {
    let tenant = frozen_tenant().await;
    let log = Log::capture();
    let unknown = ("MONOCLOUD_BACKEND_AUDIENC".to_owned(), "canary".to_owned());
    let other = ("AUDIENC".to_owned(), "x".to_owned());
    ProtectApi::from_vars(tenant.vars().into_iter().chain([unknown, other])).unwrap();
    let lines = log.lines(Level::WARN);
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains("MONOCLOUD_BACKEND_AUDIENC "), "{lines:?}");
    assert!(lines[0].contains("MONOCLOUD_BACKEND_AUDIENCE"), "{lines:?}");
    assert!(!lines[0].contains("canary"), "{lines:?}");
}
