//! The settings about DPoP.

use std::time::Duration;

use harness::support::{FLEET_KEY, get, ok, serve};
use monocloud_backend::{ConfigError, ProtectApi, dpop::DpopMode};
use monocloud_testkit::{Clock, DpopKey, MockTenant};

use super::proven;

fn from_vars(vars: &[(&str, &str)]) -> Result<ProtectApi, ConfigError> {
    let base = [("TENANT_DOMAIN", "acme.us.monocloud.com")];
    let prefixed =
        |(name, value): &(&str, &str)| (format!("MONOCLOUD_BACKEND_{name}"), (*value).to_owned());
    ProtectApi::from_vars(base.iter().chain(vars).map(prefixed))
}

fn problem(vars: &[(&str, &str)]) -> String {
    let error = from_vars(vars).expect_err("it is invalid").to_string();
    error.replace("invalid configuration:\nMONOCLOUD_BACKEND_", "")
}

#[test]
fn each_value_has_its_rule() {
    let url = ("AUDIENCE", "https://api.example.com");
    for good in [
        vec![("DPOP", "allowed")],
        vec![("DPOP", " required "), ("DPOP_NONCE", "TRUE")],
        vec![("DPOP", "disabled"), ("DPOP_NONCE", "false"), ("DPOP_REPLAY_CACHE", "memory")],
        vec![("DPOP", "allowed"), ("DPOP_PROOF_LIFETIME", "1")],
        vec![("DPOP", "allowed"), ("DPOP_PROOF_LIFETIME", "300"), ("DPOP_REPLAY_CACHE", "memory")],
        vec![("DPOP_PROOF_LIFETIME", "10")],
        vec![("DPOP", "")],
    ] {
        let vars: Vec<_> = good.iter().copied().chain([url]).collect();
        assert!(from_vars(&vars).is_ok(), "{good:?}");
    }
    for (vars, expected) in [
        (
            vec![("DPOP", "Allowed")],
            r#"DPOP: must be one of disabled, allowed, required, not "Allowed"; did you mean allowed?"#,
        ),
        (
            vec![("DPOP", "true")],
            r#"DPOP: must be one of disabled, allowed, required, not "true"; did you mean required?"#,
        ),
        (
            vec![("DPOP", "allowed"), ("DPOP_PROOF_LIFETIME", "0")],
            r#"DPOP_PROOF_LIFETIME: must be a whole number of seconds from 1 to 300, not "0""#,
        ),
        (
            vec![("DPOP_PROOF_LIFETIME", "301")],
            r#"DPOP_PROOF_LIFETIME: must be a whole number of seconds from 1 to 300, not "301""#,
        ),
        (
            vec![("DPOP", "allowed"), ("DPOP_NONCE", "yes")],
            r#"DPOP_NONCE: must be true or false, not "yes""#,
        ),
        (
            vec![("DPOP_NONCE", "true")],
            "DPOP_NONCE: needs MONOCLOUD_BACKEND_DPOP to be `allowed` or `required`",
        ),
        (
            vec![("DPOP_REPLAY_CACHE", "redis://cache"), ("FLEET_KEY", FLEET_KEY)],
            "DPOP_REPLAY_CACHE: needs MONOCLOUD_BACKEND_DPOP to be `allowed` or `required`",
        ),
    ] {
        let vars: Vec<_> = vars.into_iter().chain([url]).collect();
        assert_eq!(problem(&vars), expected, "{vars:?}");
    }
}

#[test]
fn the_url_of_the_api_is_needed() {
    for mode in ["allowed", "required"] {
        let error = problem(&[("AUDIENCE", "posts"), ("DPOP", mode)]);
        let expected = "RESOURCE: is not set; DPoP needs it, as the audience is not an https URL";
        assert!(error.starts_with(expected), "{error}");
        let resource = ("RESOURCE", "https://api.example.com/posts");
        assert!(from_vars(&[("AUDIENCE", "posts"), ("DPOP", mode), resource]).is_ok());
    }
    assert!(from_vars(&[("AUDIENCE", "posts"), ("DPOP", "disabled")]).is_ok());
    // What is wrong with it is said once.
    let odd = problem(&[("AUDIENCE", "posts"), ("DPOP", "allowed"), ("RESOURCE", "posts")]);
    assert!(odd.starts_with(r#"RESOURCE: "posts" must be a URL"#), "{odd}");
    assert_eq!(odd.lines().count(), 1);
}

#[test]
fn a_shared_record_needs_a_fleet_key_that_it_does_not_know() {
    let vars = |rest: &[(&'static str, &'static str)]| {
        let base = [("AUDIENCE", "https://api.example.com"), ("DPOP", "allowed")];
        base.into_iter().chain(rest.iter().copied()).collect::<Vec<_>>()
    };
    let cache = ("DPOP_REPLAY_CACHE", "redis://:0123456789-0123456789-0123456789@cache");
    let error = problem(&vars(&[cache]));
    assert!(error.starts_with("FLEET_KEY: is not set; a shared cache needs a secret"), "{error}");
    assert!(!error.contains("0123456789"), "{error}");
    let error = problem(&vars(&[cache, ("FLEET_KEY", "0123456789-0123456789-0123456789")]));
    assert!(error.contains("FLEET_KEY: must not be a part of"), "{error}");
    assert!(error.contains("DPOP_REPLAY_CACHE"), "{error}");
    assert!(from_vars(&vars(&[cache, ("FLEET_KEY", FLEET_KEY)])).is_ok());
    for odd in ["redis", "http://cache", "cache:6379", "memory "] {
        let result = from_vars(&vars(&[("DPOP_REPLAY_CACHE", odd), ("FLEET_KEY", FLEET_KEY)]));
        assert_eq!(result.is_ok(), odd.trim() == "memory", "{odd}");
    }
}

#[test]
fn a_prefix_is_a_path() {
    let build = |prefix: &str| {
        let builder = ProtectApi::builder().tenant_domain("acme.us.monocloud.com");
        let builder = builder.audience("https://api.example.com").dpop(DpopMode::Allowed);
        builder.stripped_path_prefix(prefix).build()
    };
    for good in ["/api", "/api/", "/a/b%20c", "/"] {
        assert!(build(good).is_ok(), "{good}");
    }
    for odd in ["api", "https://example.com/api", "/api?a", "/api#a", "/a b", "/a\\b", "/ü"] {
        let error = build(odd).unwrap_err().to_string();
        assert!(error.contains("must be a path such as /api/v1"), "{odd}: {error}");
    }
}

#[tokio::test]
async fn builder_calls_override_variables() {
    let tenant = MockTenant::builder().clock(Clock::frozen()).start().await;
    let clock = tenant.clock();
    let builder = ProtectApi::builder()
        .vars([("MONOCLOUD_BACKEND_DPOP", "required"), ("MONOCLOUD_BACKEND_DPOP_NONCE", "true")])
        .vars(tenant.vars())
        .clock(clock.reading())
        .dpop(DpopMode::Allowed)
        .dpop_nonce(false)
        .dpop_proof_lifetime(Duration::from_secs(5));
    let api = serve(&builder.build().unwrap());
    api.check("bearer", get("/any").bearer(&tenant.token().mint()), &ok()).await;
    let key = DpopKey::generate();
    let token = tenant.token().bound_to_key(&key).mint();
    for (ago, status) in [(5, 200), (6, 401), (-5, 200), (-6, 401)] {
        let proof = tenant.proof(&key, "GET", "https://api.example.com/any");
        let proof = proof.for_token(&token).issued_ago(ago).mint();
        let answer = api.send(proven("GET", "/any", &token, &proof)).await;
        assert_eq!(answer.status, status, "{ago}");
    }
}
