//! Nonces of the API (RFC 9449 §8 and §9).

use std::time::Duration;

use harness::support::{Answer, get, introspecting, ok, protect, serve};
use monocloud_backend::{ProtectApiBuilder, dpop::DpopMode};
use monocloud_testkit::DpopClient;
use serde_json::json;

use super::{URL, World, bearer, dpop, dpop_error, proven, reason, seen};

fn demanding(builder: ProtectApiBuilder) -> ProtectApiBuilder {
    builder.dpop(DpopMode::Allowed).dpop_nonce(true)
}

async fn world() -> World {
    World::with(demanding).await
}

fn nonce(answer: &Answer) -> Option<&str> {
    let nonce = answer.header("dpop-nonce");
    let cache_control = answer.header("cache-control");
    assert_eq!(cache_control, nonce.map(|_| "no-store"), "{answer:?}");
    nonce
}

/// The nonce of the answer to a proof without one.
async fn first_nonce(world: &World) -> String {
    let answer = world.get("/any", &world.bound(), |proof| proof).await;
    nonce(&answer).unwrap().to_owned()
}

#[tokio::test]
async fn a_proof_without_a_nonce_gets_one_and_is_accepted_with_it() {
    let world = world().await;
    for kind in world.both_kinds() {
        let token = kind.bound_to_key(&world.key).mint();
        let answer = world.get("/any", &token, |proof| proof).await;
        let error = concat!(
            r#", error="use_dpop_nonce", "#,
            r#"error_description="the proof must contain the nonce of this response""#
        );
        assert_eq!(seen(&answer), (401, vec![bearer("").as_str(), dpop(error).as_str()]));
        let nonce = nonce(&answer).unwrap();
        let answer = world.get("/any", &token, |proof| proof.nonce(nonce)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        // Many proofs may contain the same nonce.
        let answer = world.get("/any", &token, |proof| proof.nonce(nonce)).await;
        assert_eq!((answer.status, answer.header("dpop-nonce")), (200, None));
    }
}

#[tokio::test]
async fn a_client_that_repeats_a_request_with_the_nonce_notices_nothing() {
    let world = world().await;
    let mut client = world.tenant.dpop_client(&world.key, world.bound());
    let mut sent = 0;
    for seconds in [0, 31, 31, 31, 600] {
        world.tenant.clock().advance(Duration::from_secs(seconds));
        for _ in 0..3 {
            let mut answer = send(&world, &client).await;
            sent += 1;
            if client.observe(answer.status, &answer.headers) {
                answer = send(&world, &client).await;
                client.observe(answer.status, &answer.headers);
                sent += 1;
            }
            assert_eq!(answer.status, 200, "{seconds}");
        }
    }
    assert_eq!(sent, 15 + 2, "one at the start, and one after ten minutes without a request");
}

async fn send(world: &World, client: &DpopClient) -> Answer {
    world.api.send(get("/any").headers(client.headers("GET", format!("{URL}/any")))).await
}

#[tokio::test]
async fn once_half_of_its_life_has_passed_every_response_brings_the_next() {
    let world = world().await;
    let first = first_nonce(&world).await;
    let (bound, reader) = (world.bound(), world.tenant.token().scope("posts:read"));
    let reader = reader.bound_to_key(&world.key).mint();
    let expired = world.tenant.token().expires_in(-61).bound_to_key(&world.key).mint();
    let unbound = world.tenant.token().mint();
    let clock = world.tenant.clock();
    for (seconds, is_renewed) in [(29, false), (1, true), (30, true)] {
        clock.advance(Duration::from_secs(seconds));
        for (path, token, method, status) in [
            ("/read", &reader, "GET", 200),
            ("/read", &bound, "GET", 403),
            ("/read", &reader, "PUT", 401),
            ("/read", &expired, "GET", 401),
            ("/any", &unbound, "GET", 401),
        ] {
            let change =
                |proof: monocloud_testkit::ProofBuilder| proof.nonce(&first).claim("htm", method);
            let answer = world.get(path, token, change).await;
            assert_eq!(answer.status, status, "{path} {answer:?}");
            let next = nonce(&answer);
            assert_eq!(next.is_some(), is_renewed, "{seconds} {path} {answer:?}");
            assert_ne!(next, Some(&*first));
        }
    }

    clock.advance(Duration::from_millis(1));
    let answer = world.get("/read", &reader, |proof| proof.nonce(&first)).await;
    assert_eq!((answer.status, dpop_error(&answer)), (401, Some("use_dpop_nonce")));
    let next = nonce(&answer).unwrap();
    let answer = world.get("/read", &reader, |proof| proof.nonce(next)).await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn a_nonce_that_this_api_did_not_issue_is_not_accepted() {
    let world = world().await;
    let (token, own) = (world.bound(), first_nonce(&world).await);
    let foreign = {
        let builder = introspecting(&world.tenant).fleet_key("another secret of 32 bytes or more");
        let other = serve(&demanding(builder).build().unwrap());
        let call = proven("GET", "/any", &token, &world.proof("/any", &token).mint());
        nonce(&other.send(call).await).unwrap().to_owned()
    };
    for odd in [
        json!(foreign),
        json!(own.to_lowercase()),
        json!(format!("{own}A")),
        json!("8IBTHwOdqNKAWeKl7plt8g"),
        json!(""),
        json!([own]),
        json!(7),
        json!(null),
    ] {
        let answer = world.get("/any", &token, |proof| proof.claim("nonce", &odd)).await;
        assert_eq!((answer.status, dpop_error(&answer)), (401, Some("use_dpop_nonce")), "{odd}");
        assert!(nonce(&answer).is_some(), "{odd}");
    }
    let answer = world.get("/any", &token, |proof| proof.nonce(&own)).await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn the_rest_of_the_proof_is_validated_before_its_nonce() {
    let world = world().await;
    let token = world.bound();
    let answer = world.get("/any", &token, |proof| proof.issued_ago(61)).await;
    assert_eq!(dpop_error(&answer), Some("invalid_dpop_proof"));
    assert!(nonce(&answer).is_some(), "the next proof can have it already");
    let answer = world.api.send(get("/any").authorization(format!("DPoP {token}"))).await;
    assert_eq!(dpop_error(&answer), Some("invalid_dpop_proof"));
    assert!(nonce(&answer).is_some());
}

#[tokio::test]
async fn bearer_tokens_and_anonymous_callers_get_no_nonce() {
    let world = world().await;
    for (path, status) in [("/any", 200), ("/read", 403)] {
        let answer = world.api.send(get(path).bearer(&world.tenant.token().mint())).await;
        assert_eq!((answer.status, nonce(&answer)), (status, None));
    }
    for (path, status) in [("/any", 401), ("/optional", 200)] {
        let answer = world.api.send(get(path)).await;
        assert_eq!((answer.status, nonce(&answer)), (status, None));
    }
}

#[tokio::test]
async fn instances_with_the_same_fleet_key_accept_each_others_nonces_and_others_do_not() {
    let world = world().await;
    let (token, nonce) = (world.bound(), first_nonce(&world).await);
    let same = serve(&demanding(introspecting(&world.tenant)).build().unwrap());
    let call = || {
        let proof = world.proof("/any", &token).nonce(&nonce).mint();
        proven("GET", "/any", &token, &proof)
    };
    same.check("the same key", call(), &ok()).await;
    for instance in 0..2 {
        let without = serve(&demanding(protect(&world.tenant)).build().unwrap());
        let answer = without.send(call()).await;
        assert_eq!(dpop_error(&answer), Some("use_dpop_nonce"), "{instance}");
    }
}

#[tokio::test]
async fn where_none_is_demanded_a_nonce_is_not_looked_at_and_none_is_given() {
    let world = World::new(DpopMode::Allowed).await;
    for nonce in [json!("of the authorization server"), json!(7)] {
        let answer = world.get("/any", &world.bound(), |proof| proof.claim("nonce", &nonce)).await;
        assert_eq!((answer.status, answer.header("dpop-nonce")), (200, None));
    }
    let answer = world.get("/any", &world.bound(), |proof| proof.claim("htm", "PUT")).await;
    assert_eq!(reason(&answer), "the proof is for another method");
    assert_eq!(answer.header("dpop-nonce"), None);
}
