//! Some two hundred proofs that no API may accept, and the unusual ones that it must.

use std::{collections::BTreeSet, time::Duration};

use harness::support::{Api, frozen_tenant, get, introspecting, serve};
use monocloud_backend::dpop::DpopMode;
use monocloud_testkit::{DpopRequest, Endpoint, HostileProof, ProofClass, ProofControl};
use reqwest::header::WWW_AUTHENTICATE;

use super::{URL, dpop_error};

async fn assert_refused(api: &Api, hostile: &HostileProof) {
    if let Some(first) = &hostile.first {
        let answer = api.send(get("/read").headers(first.clone())).await;
        assert_eq!(answer.status, 200, "before {}: {answer:?}", hostile.name);
    }
    let answer = api.send(get("/read").headers(hostile.headers.clone())).await;
    let challenges = answer.headers.get_all(WWW_AUTHENTICATE);
    hostile.assert_refused(answer.status, challenges);
}

async fn assert_accepted(api: &Api, controls: &[ProofControl]) {
    for control in controls {
        let answer = api.send(get("/read").headers(control.headers.clone())).await;
        control.assert_accepted(answer.status);
    }
}

#[tokio::test]
async fn every_hostile_proof_is_rejected_and_every_control_is_accepted() {
    let tenant = frozen_tenant().await;
    for (mode, lifetime) in
        [(DpopMode::Allowed, 60), (DpopMode::Required, 60), (DpopMode::Allowed, 300)]
    {
        let builder = introspecting(&tenant).dpop(mode);
        let builder = builder.dpop_proof_lifetime(Duration::from_secs(lifetime));
        let api = serve(&builder.build().unwrap());
        for token in [tenant.token(), tenant.opaque_token()] {
            let request = DpopRequest::new(token.scope("posts:read"), "GET", format!("{URL}/read"));
            let request = request.lifetime(lifetime.try_into().unwrap());
            let hostile = HostileProof::all(&request);
            assert!(hostile.len() > 100, "{}", hostile.len());
            assert_accepted(&api, &ProofControl::all(&request)).await;
            for hostile in &hostile {
                assert_refused(&api, hostile).await;
            }
            assert_accepted(&api, &ProofControl::all(&request)).await;
        }
    }
    assert_eq!(tenant.requests(Endpoint::Canary), 0);
}

#[tokio::test]
async fn where_nonces_are_demanded_every_hostile_proof_is_rejected_too() {
    let tenant = frozen_tenant().await;
    let builder = introspecting(&tenant).dpop(DpopMode::Required).dpop_nonce(true);
    let api = serve(&builder.build().unwrap());
    let request = || {
        let token = tenant.token().scope("posts:read");
        DpopRequest::new(token, "GET", format!("{URL}/read"))
    };
    let mut nonces = Vec::new();
    for _ in 0..2 {
        let without = HostileProof::of(&request().nonce("any"), ProofClass::Nonce);
        let answer = api.send(get("/read").headers(without[0].headers.clone())).await;
        assert_eq!(dpop_error(&answer), Some("use_dpop_nonce"));
        nonces.push(answer.header("dpop-nonce").unwrap().to_owned());
        tenant.clock().advance(Duration::from_secs(61));
    }
    // The last one is of a minute ago, too.
    let answer = {
        let without = HostileProof::of(&request().nonce("any"), ProofClass::Nonce);
        api.send(get("/read").headers(without[0].headers.clone())).await
    };
    let current = answer.header("dpop-nonce").unwrap();
    let request = request().nonce(current).stale_nonce(&nonces[0]);
    assert_accepted(&api, &ProofControl::all(&request)).await;
    let hostile = HostileProof::all(&request);
    let classes: BTreeSet<_> = hostile.iter().map(|hostile| hostile.class).collect();
    assert_eq!(classes, BTreeSet::from(ProofClass::ALL));
    for hostile in &hostile {
        assert_refused(&api, hostile).await;
    }
}
