//! When the tenant's documents are fetched, and how often.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use harness::support::{
    Document, Upstream, at_once, frozen_tenant, get, ok, protect, serve, served,
};
use monocloud_backend::{Policy, ProtectApi, ProtectApiBuilder};
use monocloud_testkit::{Endpoint, Fault, MockTenant};
use reqwest::header::{AUTHORIZATION, HeaderMap};
use wiremock::ResponseTemplate;

pub(crate) const DAY: i64 = 24 * 60 * 60;

pub(crate) fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

pub(crate) fn fetches(tenant: &MockTenant) -> (usize, usize) {
    (tenant.requests(Endpoint::Discovery), tenant.requests(Endpoint::Jwks))
}

/// Opens the gate of a hanging tenant once so many requests have come in.
pub(crate) fn open_after(
    builder: ProtectApiBuilder,
    upstream: &Upstream,
    requests: usize,
) -> ProtectApi {
    let (arrived, open) = (AtomicUsize::new(0), upstream.opener());
    let counting = builder.token_resolver(move |_| {
        if arrived.fetch_add(1, Ordering::SeqCst) + 1 == requests {
            open();
        }
        Ok(None)
    });
    counting.build().unwrap()
}

#[tokio::test]
async fn nothing_is_fetched_before_the_first_token_and_then_once() {
    let tenant = frozen_tenant().await;
    let api = served(&tenant);
    api.send(get("/any")).await;
    assert_eq!(fetches(&tenant), (0, 0));
    for _ in 0..3 {
        api.check("a token", get("/any").bearer(&tenant.token().mint()), &ok()).await;
    }
    assert_eq!(fetches(&tenant), (1, 1));
}

#[tokio::test]
async fn warming_up_does_what_the_first_request_would() {
    let tenant = frozen_tenant().await;
    protect(&tenant).build().unwrap().warm_up().await.unwrap();
    assert_eq!(fetches(&tenant), (1, 1));
    tenant.fault(Endpoint::Discovery, Fault::Status(503)).until_recovered();
    let error = protect(&tenant).build().unwrap().warm_up().await.unwrap_err();
    assert!(matches!(error, monocloud_backend::Error::Unavailable { .. }), "{error:?}");
}

/// The tenant hangs until all hundred have come in, so that each of them finds it unknown.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_requests_at_once_cost_one_fetch_of_each_document() {
    let upstream = Upstream::start().await;
    upstream.close();
    let api = serve(&open_after(upstream.protect(), &upstream, 100));
    let token = upstream.token().mint();
    let callers = (0..100).map(|_| {
        let (api, call) = (api.clone(), get("/any").bearer(&token));
        tokio::spawn(async move { api.check("one of a hundred", call, &ok()).await })
    });
    for caller in callers.collect::<Vec<_>>() {
        caller.await.unwrap();
    }
    assert_eq!(upstream.requests(Document::Metadata), 1);
    assert_eq!(upstream.requests(Document::Keys), 1);
}

#[tokio::test]
async fn a_caller_that_leaves_neither_fails_the_others_nor_starts_a_second_fetch() {
    let upstream = Upstream::start().await;
    upstream.close();
    let guard = upstream.protect().build().unwrap().require(Policy::ANY_TOKEN);
    let mut headers = HeaderMap::new();
    let token = format!("Bearer {}", upstream.token().mint());
    headers.insert(AUTHORIZATION, token.parse().unwrap());
    for _ in 0..10 {
        let mut left = std::pin::pin!(guard.check(&headers, None));
        assert!(
            std::future::poll_fn(|context| {
                std::task::Poll::Ready(left.as_mut().poll(context).is_pending())
            })
            .await
        );
    }
    let (open, patient) = (Arc::new(upstream.opener()), guard.check(&headers, None));
    let (answer, ()) = tokio::join!(patient, async { open() });
    assert!(answer.is_ok(), "{answer:?}");
    let counts = [Document::Metadata, Document::Keys].map(|document| upstream.requests(document));
    assert_eq!(counts, [1, 1]);
}

#[tokio::test]
async fn a_wall_clock_that_is_set_back_changes_no_age() {
    let tenant = frozen_tenant().await;
    let api = served(&tenant);
    api.check("warm", get("/any").bearer(&tenant.token().mint()), &ok()).await;
    tenant.clock().shift_wall(-3600);
    api.check("shifted", get("/any").bearer(&tenant.token().mint()), &ok()).await;
    tenant.clock().advance(seconds(300.0 * 0.71));
    api.check("still fresh", get("/any").bearer(&tenant.token().mint()), &ok()).await;
    assert_eq!(fetches(&tenant).1, 1);
    tenant.clock().advance(seconds(300.0 * 0.18));
    at_once(tenant.requested(Endpoint::Jwks, 2)).await;
}

#[tokio::test]
async fn max_age_shortens_a_life_not_below_ten_seconds_and_never_lengthens_it() {
    for (cache_control, life) in [
        ("max-age=20", 20.0),
        ("public, max-age=20", 20.0),
        ("MAX-AGE=20", 20.0),
        ("max-age=\"20\"", 20.0),
        ("must-revalidate,max-age=20 , public", 20.0),
        ("max-age=10", 10.0),
        ("max-age=1", 10.0),
        ("max-age=0", 10.0),
        ("max-age=299", 299.0),
        ("max-age=301", 300.0),
        ("max-age=99999999", 300.0),
        ("s-maxage=20", 300.0),
        ("max-age=soon", 300.0),
        ("max-age=-1", 300.0),
    ] {
        let upstream = Upstream::start().await;
        let keys = ResponseTemplate::new(200).set_body_json(upstream.tenant.jwks());
        upstream.publish(Document::Keys, keys.insert_header("cache-control", cache_control));
        let api = serve(&upstream.protect().build().unwrap());
        let token = upstream.token().mint();
        // Renewed between 0.72 and 0.88 of its life.
        for (advanced, fetched) in [(0.0, 1), (life * 0.71, 1), (life * 0.3, 2)] {
            upstream.tenant.clock().advance(seconds(advanced));
            api.check(cache_control, get("/any").bearer(&token), &ok()).await;
            let seen = upstream.requests(Document::Keys);
            assert_eq!(seen, fetched, "{cache_control} after {advanced}");
        }
    }
}
