//! DPoP over HTTP: what of a request reaches the guard, and what of an answer the client.

use std::time::Duration;

use harness::{
    hosts::Host,
    support::{Answer, Call, call, frozen_tenant, get, introspecting, post, protect},
};
use monocloud_backend::dpop::DpopMode;
use monocloud_testkit::{DpopKey, DpopRequest, Endpoint, HostileProof, MockTenant, ProofControl};
use reqwest::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, WWW_AUTHENTICATE,
};

on_every_host! {
    every_hostile_proof_is_rejected_and_every_control_is_accepted,
    the_guard_sees_the_method_and_the_url_that_the_client_sent,
    a_refusal_has_a_challenge_for_each_scheme,
    a_nonce_rides_on_every_answer_to_a_proof_that_needs_one,
    a_preflight_needs_no_proof_and_a_browser_can_read_a_refusal,
}

const URL: &str = "https://api.example.com";

fn challenges(answer: &Answer) -> Vec<&str> {
    let values = answer.headers.get_all(WWW_AUTHENTICATE).iter();
    values.map(|challenge| challenge.to_str().unwrap()).collect()
}

/// A request whose proof is for this method and path.
fn proven(tenant: &MockTenant, key: &DpopKey, token: &str, method: &str, path: &str) -> Call {
    let client = tenant.dpop_client(key, token);
    let path = path.split('?').next().unwrap();
    call(method, path).headers(client.headers(method, format!("{URL}{path}")))
}

async fn every_hostile_proof_is_rejected_and_every_control_is_accepted(host: Host) {
    let tenant = frozen_tenant().await;
    let api = host.serve(&introspecting(&tenant).dpop(DpopMode::Allowed).build().unwrap());
    let request =
        DpopRequest::new(tenant.token().scope("posts:read"), "GET", format!("{URL}/read"));
    for control in ProofControl::all(&request) {
        let answer = api.send(get("/read").headers(control.headers.clone())).await;
        control.assert_accepted(answer.status);
    }
    for hostile in HostileProof::all(&request) {
        for path in ["/read", "/optional"] {
            if let Some(first) = hostile.first.clone().filter(|_| path == "/read") {
                assert_eq!(api.send(get(path).headers(first)).await.status, 200);
            }
            let answer = api.send(get(path).headers(hostile.headers.clone())).await;
            // For the other path, each proof is for another URL.
            if path == "/read" {
                hostile.assert_refused(answer.status, challenges(&answer));
            }
            assert!(matches!(answer.status, 400 | 401), "{}: {answer:?}", hostile.name);
        }
    }
    assert_eq!(tenant.requests(Endpoint::Canary), 0);
}

async fn the_guard_sees_the_method_and_the_url_that_the_client_sent(host: Host) {
    let tenant = frozen_tenant().await;
    let api = host.serve(&protect(&tenant).dpop(DpopMode::Required).build().unwrap());
    let key = DpopKey::generate();
    let token = tenant.token().scope("posts:read posts:write").bound_to_key(&key).mint();
    let title = r#"{"title":"hello"}"#;
    let sent = async |method: &str, path: &str, proven_method: &str, proven_path: &str| {
        let client = tenant.dpop_client(&key, &token);
        let headers = client.headers(proven_method, format!("{URL}{proven_path}"));
        let call = if method == "POST" { post(path, title) } else { call(method, path) };
        api.send(call.headers(headers)).await.status
    };
    for (method, path) in [
        ("GET", "/any"),
        ("GET", "/any?htu=https://api.example.com/read"),
        ("GET", "/branded/any"),
        ("GET", "/branded/read"),
        ("POST", "/write"),
        ("POST", "/branded/write"),
    ] {
        let proven_path = path.split('?').next().unwrap();
        assert_eq!(sent(method, path, method, proven_path).await, 200, "{method} {path}");
        // poem turns HEAD into GET for a handler of GET, before a guard on the handler sees it.
        let is_head_hidden = host.name == "poem";
        if method == "GET" && !is_head_hidden {
            assert_eq!(sent("HEAD", path, "HEAD", proven_path).await, 200, "HEAD {path}");
            assert_eq!(sent("HEAD", path, "GET", proven_path).await, 401, "HEAD {path}");
        }
        for (proven_method, proven_path) in [
            ("PUT", proven_path),
            ("HEAD", proven_path),
            (method, "/"),
            (method, "/other"),
            (method, "/branded"),
            (method, proven_path.strip_prefix("/branded").unwrap_or("/branded/any")),
        ] {
            let status = sent(method, path, proven_method, proven_path).await;
            assert_eq!(status, 401, "{method} {path} with {proven_method} {proven_path}");
        }
    }
    let mut head_of_poem = 0;
    for proven_method in ["HEAD", "GET"] {
        head_of_poem += u32::from(sent("HEAD", "/any", proven_method, "/any").await == 200);
    }
    assert_eq!(head_of_poem, 1, "one of the two");
}

async fn a_refusal_has_a_challenge_for_each_scheme(host: Host) {
    let tenant = frozen_tenant().await;
    let api = host.serve(&protect(&tenant).dpop(DpopMode::Allowed).build().unwrap());
    let answer = api.send(get("/read")).await;
    let [bearer, dpop] = challenges(&answer)[..] else { panic!("{answer:?}") };
    assert_eq!(bearer, format!(r#"Bearer realm="{URL}", scope="posts:read""#));
    assert!(dpop.starts_with(&format!(r#"DPoP realm="{URL}", algs="ES256 "#)), "{dpop}");
    assert!(dpop.ends_with(r#"", scope="posts:read""#), "{dpop}");

    // What a handler's own argument rejects, after the guard has accepted the proof.
    let key = DpopKey::generate();
    let token = tenant.token().bound_to_key(&key).mint();
    let answer = api.send(proven(&tenant, &key, &token, "GET", "/profile")).await;
    let [bearer, dpop] = challenges(&answer)[..] else { panic!("{answer:?}") };
    assert_eq!((answer.status, bearer), (401, &*format!(r#"Bearer realm="{URL}""#)));
    assert!(dpop.contains(r#"error="invalid_token""#), "{dpop}");
}

async fn a_nonce_rides_on_every_answer_to_a_proof_that_needs_one(host: Host) {
    let tenant = frozen_tenant().await;
    let builder = protect(&tenant).dpop(DpopMode::Allowed).dpop_nonce(true);
    let api = host.serve(&builder.build().unwrap());
    let key = DpopKey::generate();
    let token = tenant.token().scope("posts:read posts:write").bound_to_key(&key).mint();
    let mut client = tenant.dpop_client(&key, &token);
    let answer = api.send(get("/any").headers(client.headers("GET", format!("{URL}/any")))).await;
    assert!(client.observe(answer.status, &answer.headers), "{answer:?}");
    assert_eq!(answer.header("cache-control"), Some("no-store"));

    for is_due in [false, true] {
        if is_due {
            tenant.clock().advance(Duration::from_secs(30));
        }
        for (method, path, body, status) in [
            ("GET", "/any", "", 200),
            ("GET", "/optional", "", 200),
            ("GET", "/admin", "", 403),
            ("GET", "/profile", "", 401),
            ("POST", "/write", r#"{"title":"hello"}"#, 200),
            ("POST", "/write", "{", 400),
        ] {
            let call = if method == "POST" { post(path, body) } else { call(method, path) };
            let call = call.headers(client.headers(method, format!("{URL}{path}")));
            let answer = api.send(call).await;
            assert_eq!(answer.status, status, "{path}: {answer:?}");
            let nonce = answer.header("dpop-nonce");
            assert_eq!(nonce.is_some(), is_due, "{path}: {answer:?}");
            let no_store = answer.header("cache-control") == Some("no-store");
            assert_eq!(no_store, is_due, "{path}: {answer:?}");
        }
        let anonymous = api.send(get("/optional")).await;
        assert_eq!((anonymous.status, anonymous.header("dpop-nonce")), (200, None));
    }
}

async fn a_preflight_needs_no_proof_and_a_browser_can_read_a_refusal(host: Host) {
    let tenant = frozen_tenant().await;
    let api = host.serve(&protect(&tenant).dpop(DpopMode::Required).build().unwrap());
    let preflight = call("OPTIONS", "/read").header(ORIGIN, "https://app.example.com");
    let preflight = preflight.header(ACCESS_CONTROL_REQUEST_METHOD, "GET");
    let answer = api.send(preflight.header("access-control-request-headers", "dpop")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(challenges(&answer).is_empty() && answer.header("dpop-nonce").is_none());
    let refused = api.send(get("/read").header(ORIGIN, "https://app.example.com")).await;
    assert_eq!(refused.status, 401);
    assert!(refused.header(ACCESS_CONTROL_ALLOW_ORIGIN).is_some(), "{refused:?}");
}
