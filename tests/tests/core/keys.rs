//! When the tenant's documents are fetched, and how often.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use harness::support::{
    Api, at_once, body, frozen_tenant, get, mock, ok, protect, request_head, serve, served,
};
use monocloud_backend::Policy;
use monocloud_testkit::{Endpoint, Fault, MockTenant};
use reqwest::header::{AUTHORIZATION, HeaderMap};
use tokio::task::JoinSet;

pub(crate) const DAY: i64 = 24 * 60 * 60;

pub(crate) fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

pub(crate) fn fetches(tenant: &MockTenant) -> (usize, usize) {
    (tenant.requests(Endpoint::Discovery), tenant.requests(Endpoint::Jwks))
}

/// An API whose tenant's endpoint recovers when this many requests have arrived at the API.
pub(crate) fn recovering_after(
    tenant: &Arc<MockTenant>,
    endpoint: Endpoint,
    requests: usize,
) -> Api {
    let (arrived, recovering) = (AtomicUsize::new(0), Arc::clone(tenant));
    let counting = protect(tenant).token_resolver(move |_| {
        if arrived.fetch_add(1, Ordering::SeqCst) + 1 == requests {
            recovering.recover(endpoint);
        }
        Ok(None)
    });
    serve(&counting.build().unwrap())
}

/// Sends a hundred concurrent requests, which must succeed.
pub(crate) async fn send_a_hundred(api: &Api, token: &str) {
    let callers: JoinSet<_> = (0..100)
        .map(|_| {
            let (api, call) = (api.clone(), get("/any").bearer(token));
            async move { api.check("one of a hundred", call, &ok()).await }
        })
        .collect();
    callers.join_all().await;
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
async fn warming_up_fetches_what_the_first_request_would() {
    let tenant = frozen_tenant().await;
    protect(&tenant).build().unwrap().warm_up().await.unwrap();
    assert_eq!(fetches(&tenant), (1, 1));
    tenant.fault(Endpoint::Discovery, Fault::Status(503)).until_recovered();
    let error = protect(&tenant).build().unwrap().warm_up().await.unwrap_err();
    assert!(matches!(error, monocloud_backend::Error::Unavailable { .. }), "{error:?}");
}

/// The tenant does not answer until all hundred have arrived, so that none of them finds a cached
/// document.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_concurrent_requests_cause_one_fetch_of_each_document() {
    let tenant = Arc::new(frozen_tenant().await);
    let api = recovering_after(&tenant, Endpoint::Discovery, 100);
    tenant.fault(Endpoint::Discovery, Fault::NeverAnswer).until_recovered();
    send_a_hundred(&api, &tenant.token().mint()).await;
    assert_eq!(fetches(&tenant), (1, 1));
}

#[tokio::test]
async fn a_caller_that_leaves_neither_fails_the_others_nor_starts_a_second_fetch() {
    let tenant = frozen_tenant().await;
    let hanging = tenant.fault(Endpoint::Discovery, Fault::NeverAnswer);
    let guard = protect(&tenant).build().unwrap().require(Policy::ANY_TOKEN);
    let mut headers = HeaderMap::new();
    let token = format!("Bearer {}", tenant.token().mint());
    headers.insert(AUTHORIZATION, token.parse().unwrap());
    for _ in 0..10 {
        let mut left = std::pin::pin!(guard.check(request_head(&headers)));
        assert!(
            std::future::poll_fn(|context| {
                std::task::Poll::Ready(left.as_mut().poll(context).is_pending())
            })
            .await
        );
    }
    let (answer, ()) = tokio::join!(guard.check(request_head(&headers)), async {
        tenant.requested(Endpoint::Discovery, 1).await;
        drop(hanging);
    });
    assert!(answer.is_ok(), "{answer:?}");
    assert_eq!(fetches(&tenant), (1, 1));
}

#[tokio::test]
async fn setting_the_wall_clock_back_does_not_change_the_age_of_documents() {
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
async fn max_age_shortens_the_lifetime_to_at_least_ten_seconds_and_never_extends_it() {
    for (cache_control, lifetime) in [
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
        let tenant = frozen_tenant().await;
        let keys = body(tenant.jwks().to_string()).insert_header("cache-control", cache_control);
        tenant.mount(mock(&tenant, Endpoint::Jwks, keys)).await;
        let api = served(&tenant);
        let token = tenant.token().mint();
        // A document is renewed between 0.72 and 0.88 of its lifetime.
        for (advanced, fetched) in [(0.0, 1), (lifetime * 0.71, 1), (lifetime * 0.3, 2)] {
            tenant.clock().advance(seconds(advanced));
            api.check(cache_control, get("/any").bearer(&token), &ok()).await;
            assert_eq!(fetches(&tenant).1, fetched, "{cache_control} after {advanced}");
        }
    }
}
