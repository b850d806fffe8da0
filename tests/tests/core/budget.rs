//! How many fetches tokens with an unknown `kid` can cause.

use std::{sync::Arc, time::Duration};

use harness::support::{
    Api, fetches_done, frozen_tenant, get, invalid_token, ok, protect, serve, served, unavailable,
};
use monocloud_backend::error::InvalidToken::UnknownKey;
use monocloud_testkit::{Algorithm, Clock, Endpoint, Fault, MockTenant};

use crate::keys::{fetches, recovering_after, send_a_hundred};

/// An API that has fetched its documents, and its tenant.
async fn warm() -> (MockTenant, Api) {
    let builder = MockTenant::builder().algorithm(Algorithm::EdDsa).clock(Clock::frozen());
    let tenant = builder.start().await;
    let api = served(&tenant);
    api.check("warm", get("/any").bearer(&tenant.token().mint()), &ok()).await;
    assert_eq!(tenant.requests(Endpoint::Jwks), 1);
    (tenant, api)
}

fn bogus(tenant: &MockTenant, kid: &str) -> harness::support::Call {
    get("/any").bearer(&tenant.token().header("kid", kid).mint())
}

#[tokio::test]
async fn a_rotated_key_works_immediately() {
    let (tenant, api) = warm().await;
    let old = tenant.token().mint();
    tenant.rotate_keys();
    api.check("the new key", get("/any").bearer(&tenant.token().mint()), &ok()).await;
    api.check("the old key", get("/any").bearer(&old), &ok()).await;
    assert_eq!(tenant.requests(Endpoint::Jwks), 2);
    tenant.replace_keys();
    api.check("a third key", get("/any").bearer(&tenant.token().mint()), &ok()).await;
    api.check("the old key", get("/any").bearer(&old), &invalid_token(UnknownKey)).await;
    assert_eq!(tenant.requests(Endpoint::Jwks), 3);
    assert_eq!(tenant.requests(Endpoint::Discovery), 1);
}

#[tokio::test]
async fn a_flood_of_made_up_kids_causes_two_fetches_and_then_one_every_thirty_seconds() {
    let (tenant, api) = warm().await;
    let good = tenant.token().expires_in(24 * 3600).mint();
    let mut number = 0;
    for (advanced, tokens, fetched) in
        [(0, 1000, 3), (29, 100, 3), (1, 100, 4), (29, 100, 4), (1, 100, 5), (3600, 100, 8)]
    {
        tenant.clock().advance(Duration::from_secs(advanced));
        for _ in 0..tokens {
            number += 1;
            let call = bogus(&tenant, &format!("made-up-{number}"));
            api.check("made up", call, &invalid_token(UnknownKey)).await;
            if number % 50 == 0 {
                api.check("a known kid", get("/any").bearer(&good), &ok()).await;
            }
        }
        // After an hour the key set itself is due too.
        let seen = tenant.requests(Endpoint::Jwks);
        assert_eq!(seen, fetched, "after {advanced} s");
    }
}

#[tokio::test]
async fn a_kid_missing_from_the_last_set_causes_no_fetch_for_one_window() {
    let (tenant, api) = warm().await;
    for (advanced, kid, fetched) in [
        (0, "x", 2),
        (0, "x", 2),
        (29, "x", 2),
        (1, "x", 3),
        (29, "x", 3),
        (0, "y", 4),
        (0, "x", 4),
        (0, "y", 4),
        (1, "x", 5),
        (0, "y", 5),
    ] {
        tenant.clock().advance(Duration::from_secs(advanced));
        api.check(kid, bogus(&tenant, kid), &invalid_token(UnknownKey)).await;
        assert_eq!(tenant.requests(Endpoint::Jwks), fetched, "{kid}");
    }
}

#[tokio::test]
async fn a_kid_requested_just_before_its_key_is_published_works_within_one_window() {
    let builder = MockTenant::builder().algorithm(Algorithm::EdDsa).clock(Clock::frozen());
    let tenant = builder.start().await;
    let duration = [("MONOCLOUD_BACKEND_JWKS_CACHE_DURATION", "3600")];
    let api = serve(&protect(&tenant).vars(duration).build().unwrap());
    let old = tenant.token().mint();
    api.check("warm", get("/any").bearer(&old), &ok()).await;
    let published = tenant.jwks();
    tenant.rotate_keys();
    let early = tenant.token().expires_in(3600).mint();
    let rotated = tenant.jwks();
    tenant.publish(published);
    for (advanced, expected) in [(0, invalid_token(UnknownKey)), (1, invalid_token(UnknownKey))] {
        tenant.clock().advance(Duration::from_secs(advanced));
        api.check("too early", get("/any").bearer(&early), &expected).await;
    }
    assert_eq!(tenant.requests(Endpoint::Jwks), 2);
    tenant.publish(rotated);
    tenant.clock().advance(Duration::from_secs(29));
    api.check("published", get("/any").bearer(&early), &ok()).await;
    assert_eq!(tenant.requests(Endpoint::Jwks), 3);
}

/// Repeating one `kid` causes no more fetches than many different ones.
#[tokio::test]
async fn a_flood_of_one_made_up_kid_causes_one_fetch_per_window() {
    let (tenant, api) = warm().await;
    let calls = [(0, 2), (29, 2), (1, 3), (29, 3), (1, 4), (29, 4), (1, 5)];
    for (advanced, fetched) in calls {
        tenant.clock().advance(Duration::from_secs(advanced));
        for _ in 0..50 {
            api.check("again", bogus(&tenant, "x"), &invalid_token(UnknownKey)).await;
        }
        assert_eq!(tenant.requests(Endpoint::Jwks), fetched);
    }
}

#[tokio::test]
async fn fetches_for_other_reasons_do_not_use_up_the_budget() {
    let tenant = frozen_tenant().await;
    let protect = protect(&tenant).build().unwrap();
    let api = serve(&protect);
    // The first fetch also counts for an unknown kid.
    api.check("a", bogus(&tenant, "a"), &invalid_token(UnknownKey)).await;
    for renewed in 2..=4 {
        tenant.clock().advance(Duration::from_secs(265));
        tenant.requested(Endpoint::Jwks, renewed).await;
        fetches_done(&protect).await;
    }
    for (kid, fetched) in [("b", 5), ("c", 6), ("d", 6)] {
        api.check(kid, bogus(&tenant, kid), &invalid_token(UnknownKey)).await;
        assert_eq!(tenant.requests(Endpoint::Jwks), fetched, "{kid}");
    }
}

#[tokio::test]
async fn with_the_budget_used_up_an_unknown_kid_is_503_after_a_failed_fetch_and_401_after_a_good_one()
 {
    let tenant = frozen_tenant().await;
    let protect = protect(&tenant).build().unwrap();
    let api = serve(&protect);
    let good = tenant.token().mint();
    api.check("warm", get("/any").bearer(&good), &ok()).await;
    tenant.fault(Endpoint::Jwks, Fault::Status(503)).until_recovered();
    for kid in ["a", "b", "c", "a"] {
        api.check(kid, bogus(&tenant, kid), &unavailable()).await;
        api.check("a known kid", get("/any").bearer(&good), &ok()).await;
    }
    assert_eq!(tenant.requests(Endpoint::Jwks), 3);
    tenant.recover(Endpoint::Jwks);
    api.check("no fetch left", bogus(&tenant, "d"), &unavailable()).await;
    assert_eq!(tenant.requests(Endpoint::Jwks), 3);
    // The retry does not use the budget.
    tenant.clock().advance(Duration::from_secs(3));
    tenant.requested(Endpoint::Jwks, 4).await;
    fetches_done(&protect).await;
    api.check("the fetch was good", bogus(&tenant, "d"), &invalid_token(UnknownKey)).await;
    tenant.clock().advance(Duration::from_secs(30));
    for kid in ["e", "f"] {
        api.check(kid, bogus(&tenant, kid), &invalid_token(UnknownKey)).await;
    }
    assert_eq!(tenant.requests(Endpoint::Jwks), 5);
}

#[tokio::test]
async fn a_wall_clock_change_does_not_refill_the_budget() {
    let (tenant, api) = warm().await;
    for (shift, kid, fetched) in [(0, "a", 2), (0, "b", 3), (200, "c", 3), (-400, "d", 3)] {
        tenant.clock().shift_wall(shift);
        api.check(kid, bogus(&tenant, kid), &invalid_token(UnknownKey)).await;
        assert_eq!(tenant.requests(Endpoint::Jwks), fetched, "{kid}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_requests_with_a_rotated_key_cause_one_fetch() {
    let tenant = Arc::new(frozen_tenant().await);
    let api = recovering_after(&tenant, Endpoint::Jwks, 101);
    api.check("warm", get("/any").bearer(&tenant.token().mint()), &ok()).await;
    tenant.replace_keys();
    tenant.fault(Endpoint::Jwks, Fault::NeverAnswer).until_recovered();
    send_a_hundred(&api, &tenant.token().mint()).await;
    assert_eq!(fetches(&tenant), (1, 2));
}
