//! What a token is bound to, and in which order a request is validated.

use std::time::Duration;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use harness::support::{get, request_head};
use monocloud_backend::{
    Policy, RequestHead,
    certificate::{CertificateBinding, PeerCertificate},
    dpop::DpopMode,
    error::InvalidToken,
};
use monocloud_testkit::{Certificate, DpopKey, Endpoint};
use reqwest::{Method, header::HeaderMap};
use serde_json::json;

use super::{URL, World, dpop_error, proven, reason, seen};

const CERTIFICATE: &str = "x-client-cert";

#[tokio::test]
async fn a_token_is_accepted_with_a_proof_by_the_key_it_is_bound_to_and_by_no_other() {
    let world = World::new(DpopMode::Allowed).await;
    let other = DpopKey::generate();
    let thumbprint = world.key.thumbprint();
    for kind in world.both_kinds() {
        for jkt in [
            json!(other.thumbprint()),
            json!(""),
            json!(thumbprint.to_lowercase()),
            json!(format!("{thumbprint}=")),
            json!([thumbprint]),
            json!(null),
        ] {
            let token = kind.clone().claim("cnf", json!({ "jkt": jkt })).mint();
            let answer = world.get("/any", &token, |proof| proof).await;
            assert_eq!(dpop_error(&answer), Some("invalid_token"), "{jkt}: {answer:?}");
            let expected = InvalidToken::KeyBinding.to_string();
            let is_opaque_and_odd = reason(&answer).contains("cnf");
            assert!(reason(&answer) == expected || is_opaque_and_odd, "{jkt}: {answer:?}");
        }
        let token = kind.bound_to_key(&world.key).mint();
        assert_eq!(world.get("/any", &token, |proof| proof).await.status, 200);
    }
}

/// RFC 9449 §6.2.
#[tokio::test]
async fn an_introspected_token_is_bound_by_the_answer_and_its_proof_stays_here() {
    let world = World::new(DpopMode::Required).await;
    let token = world.tenant.opaque_token().bound_to_key(&world.key).mint();
    assert_eq!(world.get("/any", &token, |proof| proof).await.status, 200);
    assert_eq!(world.tenant.requests(Endpoint::Introspection), 1);
    for request in world.tenant.introspections() {
        let request = format!("{request:?}").to_lowercase();
        assert!(!request.contains("dpop") && !request.contains("proof"), "{request}");
    }
}

/// RFC 8705 and RFC 9449 at once.
#[tokio::test]
async fn a_token_that_is_bound_to_a_certificate_and_a_key_needs_both() {
    let (own, other) = (Certificate::self_signed("client"), Certificate::self_signed("client"));
    for binding in [CertificateBinding::WhenPresent, CertificateBinding::Required] {
        let world = World::with(|builder| {
            let builder = builder.dpop(DpopMode::Required).certificate_binding(binding);
            builder.client_certificate_header(CERTIFICATE)
        })
        .await;
        let both = world.tenant.token().bound_to(&own).bound_to_key(&world.key).mint();
        let to_key = world.bound();
        let with = |certificate: &Certificate, token: &str| {
            let proof = world.proof("/any", token).mint();
            let certificate = BASE64_STANDARD.encode(certificate.der());
            proven("GET", "/any", token, &proof).header(CERTIFICATE, certificate)
        };
        let binding_error = InvalidToken::Binding.to_string();
        assert_eq!(world.api.send(with(&own, &both)).await.status, 200);
        for answer in [
            world.api.send(with(&other, &both)).await,
            world.get("/any", &both, |proof| proof).await,
        ] {
            assert_eq!((answer.status, reason(&answer)), (401, &*binding_error));
        }
        let answer = world.api.send(with(&own, &to_key)).await;
        match binding {
            CertificateBinding::Required => {
                let unbound = InvalidToken::Unbound.to_string();
                assert_eq!((answer.status, reason(&answer)), (401, &*unbound));
            }
            _ => assert_eq!(answer.status, 200),
        }
    }
}

#[tokio::test]
async fn an_ignored_certificate_does_not_ignore_the_key() {
    let world = World::with(|builder| {
        let builder = builder.dpop(DpopMode::Allowed);
        builder.certificate_binding(CertificateBinding::DangerouslyIgnore)
    })
    .await;
    let token = world.bound();
    assert_eq!(world.api.send(get("/any").bearer(&token)).await.status, 401);
    assert_eq!(world.get("/any", &token, |proof| proof).await.status, 200);
    let other = DpopKey::generate();
    let answer = world.get("/any", &token, |proof| proof.header("jwk", other.jwk())).await;
    assert_eq!(dpop_error(&answer), Some("invalid_dpop_proof"));
}

#[tokio::test]
async fn an_operation_for_bound_tokens_accepts_a_key_and_a_certificate_alike() {
    const BOUND: Policy = Policy::ANY_TOKEN.sender_constrained();
    let world = World::new(DpopMode::Allowed).await;
    let protect = harness::support::protect(&world.tenant).dpop(DpopMode::Allowed);
    let guard = protect.build().unwrap().require(BOUND);
    let certificate = Certificate::self_signed("client");
    let peer = PeerCertificate::from_der(certificate.der().to_vec()).unwrap();
    let url = format!("{URL}/");

    let client = world.tenant.dpop_client(&world.key, world.bound());
    let by_key: HeaderMap = client.headers("GET", &url).into_iter().collect();
    assert!(guard.check(request_head(&by_key)).await.is_ok());

    let by_bearer = |token: String| -> HeaderMap {
        [(reqwest::header::AUTHORIZATION, format!("Bearer {token}").parse().unwrap())]
            .into_iter()
            .collect()
    };
    let by_certificate = by_bearer(world.tenant.token().bound_to(&certificate).mint());
    let head = request_head(&by_certificate).peer(Some(&peer));
    assert!(guard.check(head).await.is_ok());

    let unbound = by_bearer(world.tenant.token().mint());
    let refusal = guard.check(request_head(&unbound).peer(Some(&peer))).await.unwrap_err();
    assert_eq!(refusal.error().reason(), "not_sender_constrained");
}

#[tokio::test]
async fn the_token_is_validated_first_then_the_proof_then_what_the_token_permits() {
    let world = World::new(DpopMode::Allowed).await;
    let bound = || world.tenant.token().bound_to_key(&world.key);
    let readable = || bound().scope("posts:read");
    for (case, token, is_proof_good, expected) in [
        ("expired, and a bad proof", readable().expires_in(-61), false, (401, "invalid_token")),
        ("a bad proof, and no scope", bound(), false, (401, "invalid_dpop_proof")),
        ("no scope", bound(), true, (403, "insufficient_scope")),
        ("nothing", readable(), true, (200, "")),
    ] {
        let method = if is_proof_good { "GET" } else { "PUT" };
        let answer = world.get("/read", &token.mint(), |proof| proof.claim("htm", method)).await;
        let found = (answer.status, dpop_error(&answer).unwrap_or_default());
        assert_eq!(found, expected, "{case}");
    }
}

#[tokio::test]
async fn a_request_without_its_proof_is_rejected() {
    let world = World::new(DpopMode::Allowed).await;
    for kind in world.both_kinds() {
        let token = kind.bound_to_key(&world.key).mint();
        let call = get("/any").authorization(format!("DPoP {token}"));
        let answer = world.api.send(call).await;
        let (status, challenges) = seen(&answer);
        assert_eq!((status, challenges.len()), (401, 2));
        assert_eq!(dpop_error(&answer), Some("invalid_dpop_proof"));
        assert_eq!(reason(&answer), "the request carries no proof");
        assert!(!challenges[0].contains("error"), "{challenges:?}");
    }
}

/// HEAD needs what GET needs, and its proof is for HEAD (RFC 9449 §4.3).
#[tokio::test]
async fn the_method_of_the_proof_is_that_of_the_request() {
    let world = World::new(DpopMode::Required).await;
    let token = world.tenant.token().scope("posts:read").bound_to_key(&world.key).mint();
    for method in ["GET", "HEAD"] {
        for proven_method in ["GET", "HEAD", "get", "POST", ""] {
            let proof = world.proof("/read", &token).claim("htm", proven_method).mint();
            let answer = world.api.send(proven(method, "/read", &token, &proof)).await;
            let expected = if method == proven_method { 200 } else { 401 };
            assert_eq!(answer.status, expected, "{method} with {proven_method}");
        }
    }
    let guard = {
        let protect = harness::support::protect(&world.tenant).dpop(DpopMode::Required);
        protect.build().unwrap().require(Policy::ANY_TOKEN)
    };
    let (method, uri) = (Method::from_bytes(b"PURGE").unwrap(), "/cache".parse().unwrap());
    let client = world.tenant.dpop_client(&world.key, token);
    let headers = client.headers("PURGE", format!("{URL}/cache")).into_iter().collect();
    assert!(guard.check(RequestHead::new(&method, &uri, &headers)).await.is_ok());
}

#[tokio::test]
async fn the_time_of_a_proof_is_compared_with_the_corrected_clock() {
    let world = World::with(|builder| {
        let builder = builder.dpop(DpopMode::Required).clock_skew(Duration::from_secs(30));
        builder.dpop_proof_lifetime(Duration::from_secs(10))
    })
    .await;
    let token = world.bound();
    // By the corrected clock it is half a minute later.
    for (ago, expected) in [(-19, 401), (-20, 200), (-30, 200), (-40, 200), (-41, 401)] {
        let answer = world.get("/any", &token, |proof| proof.issued_ago(ago)).await;
        assert_eq!(answer.status, expected, "{ago}: {answer:?}");
    }
}
