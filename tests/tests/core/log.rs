//! What is logged about a request, and what never is.

use std::time::Duration;

use harness::support::{Log, frozen_tenant, get, invalid_token, ok, protect, serve, served};
use monocloud_backend::{ProtectApi, error::InvalidToken};
use monocloud_testkit::{Certificate, Hostile};
use tracing::Level;

#[tokio::test]
async fn values_of_unverified_tokens_are_logged_only_at_debug_and_tokens_never() {
    let tenant = frozen_tenant().await;
    let api = served(&tenant);
    let mut tokens: Vec<String> = Hostile::all(&tenant).into_iter().map(|it| it.token).collect();
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
    assert!(log.lines(Level::TRACE).len() >= tokens.len());
    for line in log.lines(Level::INFO) {
        assert!(!line.contains("canary"), "{line}");
    }
    for line in log.lines(Level::TRACE) {
        let whole = tokens.iter().find(|token| token.len() > 20 && line.contains(*token));
        assert_eq!(whole, None, "{line}");
    }
}

#[tokio::test]
async fn opaque_tokens_without_introspection_cause_one_warning_a_minute() {
    let tenant = frozen_tenant().await;
    let (api, log) = (served(&tenant), Log::capture());
    for (advanced, warnings) in [(0, 1), (0, 1), (59, 1), (1, 2), (0, 2), (3600, 3)] {
        tenant.clock().advance(Duration::from_secs(advanced));
        api.send(get("/any").bearer("opaque-canary")).await;
        let warned = log.lines(Level::WARN);
        assert_eq!(warned.len(), warnings, "{warned:?}");
        assert!(!warned.concat().contains("canary"), "{warned:?}");
    }
}

#[tokio::test]
async fn an_unknown_variable_causes_one_warning_with_the_nearest_name() {
    let tenant = frozen_tenant().await;
    let log = Log::capture();
    let unknown = ("MONOCLOUD_BACKEND_AUDIENC".to_owned(), "canary".to_owned());
    let other = ("AUDIENC".to_owned(), "x".to_owned());
    let vars = [unknown, other];
    ProtectApi::from_vars(tenant.vars().into_iter().chain(vars.clone())).unwrap();
    // An invalid configuration causes the warning too.
    ProtectApi::from_vars(vars).unwrap_err();
    let lines = log.lines(Level::WARN);
    assert_eq!(lines.len(), 2, "{lines:?}");
    for line in lines {
        assert!(line.contains("MONOCLOUD_BACKEND_AUDIENC "), "{line}");
        assert!(line.contains("MONOCLOUD_BACKEND_AUDIENCE"), "{line}");
        assert!(!line.contains("canary"), "{line}");
    }
}

#[tokio::test]
async fn each_ignored_key_of_a_set_is_logged_with_the_reason() {
    let tenant = frozen_tenant().await;
    let mut jwks = tenant.jwks();
    let keys = jwks["keys"].as_array_mut().unwrap();
    let mut padded = keys[0].clone();
    padded["kid"] = "padded".into();
    padded["n"] = format!("{}=", padded["n"].as_str().unwrap()).into();
    keys.push(padded);
    keys.push(serde_json::json!({"kty": "oct", "k": "canary", "kid": "symmetric"}));
    tenant.publish(jwks);
    let (api, log) = (served(&tenant), Log::capture());
    for _ in 0..3 {
        api.check("good", get("/any").bearer(&tenant.token().mint()), &ok()).await;
    }
    for (kid, reason) in
        [("padded", "its n is not unpadded base64url"), ("symmetric", "it is private or symmetric")]
    {
        let lines = log.lines(Level::DEBUG);
        let naming = lines.iter().filter(|line| line.contains(kid) && line.contains(reason));
        assert_eq!(naming.count(), 1, "{kid}: {lines:?}");
    }
    assert_eq!(log.count("canary"), 0);
}

#[tokio::test]
async fn an_unusable_certificate_header_is_logged_with_its_reason_at_debug_level() {
    let own = Certificate::self_signed("own");
    let tenant = frozen_tenant().await;
    let builder = protect(&tenant).client_certificate_header("X-Forwarded-Client-Cert");
    let (api, log) = (serve(&builder.build().unwrap()), Log::capture());
    let bound = tenant.token().bound_to(&own).mint();
    let call = get("/any").bearer(&bound).header("x-forwarded-client-cert", "Hash=canary,By=a");
    api.check("two", call, &invalid_token(InvalidToken::Certificate)).await;
    assert_eq!(log.count("the header has several elements"), 1);
    assert_eq!(log.count("canary"), 0);
}
