//! What works during an outage of the tenant, and when fetches are retried.

use std::time::Duration;

use harness::support::{
    Log, fetches_done, frozen_tenant, get, ok, protect, serve, served, unavailable, until,
};
use monocloud_backend::health::DocumentState;
use monocloud_testkit::{Endpoint, Fault};

use crate::keys::{DAY, fetches, seconds};

#[tokio::test]
async fn the_last_good_documents_are_used_during_an_outage_for_the_configured_time() {
    for failing in [&[Endpoint::Jwks][..], &[Endpoint::Discovery, Endpoint::Jwks]] {
        let tenant = frozen_tenant().await;
        let builder = protect(&tenant).keys_outage_tolerance(Duration::from_secs(600));
        let protect = builder.build().unwrap();
        let api = serve(&protect);
        let token = tenant.token().expires_in(DAY).mint();
        let call = || get("/any").bearer(&token);
        api.check("warm", call(), &ok()).await;
        failing
            .iter()
            .for_each(|endpoint| tenant.fault(*endpoint, Fault::Status(503)).until_recovered());
        for advanced in [300.0, 300.0, 299.9] {
            tenant.clock().advance(seconds(advanced));
            api.check("during the outage", call(), &ok()).await;
        }
        tenant.clock().advance(seconds(0.1));
        api.check("beyond the tolerance", call(), &unavailable()).await;
        fetches_done(&protect).await;
        failing.iter().for_each(|endpoint| tenant.recover(*endpoint));
        tenant.clock().advance(seconds(67.0));
        api.check("after the outage", call(), &ok()).await;
    }
}

/// The keys are fetched from their last known URL.
/// The pause after the last attempt within the tolerance may be a minute long.
#[tokio::test]
async fn a_tenant_that_returns_after_the_tolerance_is_noticed_within_ten_seconds() {
    for endpoint in [Endpoint::Discovery, Endpoint::Jwks] {
        let tenant = frozen_tenant().await;
        let protect = protect(&tenant)
            .keys_outage_tolerance(Duration::from_secs(900))
            .jwks_cache_duration(Duration::from_secs(100))
            .metadata_cache_duration(Duration::from_secs(100))
            .build()
            .unwrap();
        let document = || {
            let health = protect.health().tenants.remove(0);
            if endpoint == Endpoint::Jwks { health.keys } else { health.metadata }
        };
        protect.warm_up().await.unwrap();
        let fault = tenant.fault(endpoint, Fault::Status(503));
        for failed in 1..=9 {
            tenant.clock().advance(seconds(110.0));
            until(|| document().failure.is_some_and(|failure| failure.attempts == failed)).await;
        }
        tenant.clock().advance(seconds(10.1));
        assert_eq!(document().state, DocumentState::Expired, "{endpoint:?}");
        drop(fault);
        tenant.clock().advance(seconds(8.8));
        until(|| document().state == DocumentState::Fresh).await;
    }
}

#[tokio::test]
async fn keys_are_refreshed_while_only_the_metadata_is_unavailable() {
    let tenant = frozen_tenant().await;
    let api = served(&tenant);
    api.check("warm", get("/any").bearer(&tenant.token().mint()), &ok()).await;
    tenant.fault(Endpoint::Discovery, Fault::Status(503)).until_recovered();
    tenant.replace_keys();
    tenant.clock().advance(seconds(300.0));
    api.check("rotated", get("/any").bearer(&tenant.token().mint()), &ok()).await;
    assert_eq!(fetches(&tenant), (2, 2));
}

#[tokio::test]
async fn pauses_during_an_outage_grow_from_a_second_to_a_minute() {
    let log = Log::capture();
    let tenant = frozen_tenant().await;
    let api = served(&tenant);
    let token = tenant.token().expires_in(DAY).mint();
    api.check("warm", get("/any").bearer(&token), &ok()).await;
    tenant.fault(Endpoint::Jwks, Fault::Status(500)).until_recovered();
    tenant.clock().advance(seconds(300.0));
    api.check("the first failure", get("/any").bearer(&token), &ok()).await;
    let mut attempts = 2;
    for pause in [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0] {
        assert_eq!(fetches(&tenant).1, attempts, "before {pause}");
        tenant.clock().advance(seconds(pause * 0.89));
        api.check("paused", get("/any").bearer(&token), &ok()).await;
        assert_eq!(fetches(&tenant).1, attempts, "within {pause}");
        tenant.clock().advance(seconds(pause * 0.22));
        // The old set is used while the attempt is in progress.
        api.check("attempted", get("/any").bearer(&token), &ok()).await;
        attempts += 1;
        log.wait_for("a fetch from the tenant failed", attempts - 1).await;
    }
}

#[tokio::test]
async fn a_failed_start_is_retried_after_1_2_4_and_then_every_8_seconds() {
    let tenant = frozen_tenant().await;
    tenant.fault(Endpoint::Discovery, Fault::Status(503)).until_recovered();
    let api = served(&tenant);
    let token = tenant.token().mint();
    let mut attempts = 0;
    for pause in [1.0, 2.0, 4.0, 8.0, 8.0, 8.0] {
        let answer = api.send(get("/any").bearer(&token)).await;
        attempts += 1;
        assert_eq!(fetches(&tenant), (attempts, 0), "{pause}");
        let (soonest, latest) = ((pause * 0.9_f64).ceil() as u64, (pause * 1.1_f64).ceil() as u64);
        let retry_after = answer.retry_after().unwrap();
        assert!((soonest..=latest).contains(&retry_after), "{retry_after} for {pause}");
        tenant.clock().advance(seconds(pause * 0.89));
        api.check("paused", get("/any").bearer(&token), &unavailable()).await;
        assert_eq!(fetches(&tenant).0, attempts, "within {pause}");
        tenant.clock().advance(seconds(pause * 0.22));
    }
    tenant.recover(Endpoint::Discovery);
    tenant.clock().advance(seconds(10.0));
    api.check("recovered", get("/any").bearer(&token), &ok()).await;
}

#[tokio::test]
async fn the_tenants_retry_after_is_observed_if_it_is_longer() {
    for (requested, expected) in [
        (0, 1..=2),
        (1, 1..=2),
        (7, 7..=7),
        (60, 60..=60),
        (299, 299..=299),
        (301, 300..=300),
        (86_400, 300..=300),
    ] {
        for endpoint in [Endpoint::Discovery, Endpoint::Jwks] {
            let tenant = frozen_tenant().await;
            tenant
                .fault(
                    endpoint,
                    Fault::RetryAfter { status: 429, after: Duration::from_secs(requested) },
                )
                .until_recovered();
            let answer = served(&tenant).send(get("/any").bearer(&tenant.token().mint())).await;
            let retry_after = answer.retry_after().unwrap();
            assert_eq!(answer.status, 503, "{requested}");
            assert!(expected.contains(&retry_after), "{retry_after} for {requested}");
        }
    }
}
