//! Many callers, and a tenant that has enough to do.

use std::{
    collections::HashSet,
    error::Error as StdError,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, header::AUTHORIZATION};
use monocloud_backend::{
    AccessToken, Caller, Error, Guard, HttpClient, HttpFuture, InvalidToken, Policy, ProtectApi,
    ProtectApiBuilder, Refusal, TenantError,
};
use monocloud_testkit::{Clock, Endpoint};
use serde_json::json;
use tokio::{sync::watch, task::JoinSet};

use crate::{
    hosts::HOSTS,
    memory::resident_kilobytes,
    support::{frozen_tenant, get, introspecting, ok, unavailable},
};

const ISSUER: &str = "https://acme.test";
const AUDIENCE: &str = "https://api.example.com";

/// A tenant without a network. It holds its answers while the door is shut.
#[derive(Clone)]
pub(crate) struct Tenant(Arc<State>);

struct State {
    door: watch::Sender<bool>,
    calls: watch::Sender<usize>,
    in_flight: AtomicUsize,
    most_in_flight: AtomicUsize,
    revoked: Mutex<HashSet<String>>,
}

impl Tenant {
    pub(crate) fn new() -> Self {
        Self(Arc::new(State {
            door: watch::Sender::new(true),
            calls: watch::Sender::new(0),
            in_flight: AtomicUsize::new(0),
            most_in_flight: AtomicUsize::new(0),
            revoked: Mutex::default(),
        }))
    }

    pub(crate) fn protect(&self) -> ProtectApiBuilder {
        ProtectApi::builder()
            .tenant_domain(ISSUER)
            .audience(AUDIENCE)
            .client("api", "secret")
            .response_timeout(Duration::from_secs(1))
            .introspection_cache_in_memory()
            .clock(Clock::frozen().reading())
            .http_client(self.clone())
    }

    fn guard(&self) -> Guard {
        self.protect().build().unwrap().require(Policy::ANY_TOKEN)
    }

    pub(crate) fn shut(&self) {
        self.0.door.send_replace(false);
    }

    pub(crate) fn open(&self) {
        self.0.door.send_replace(true);
    }

    pub(crate) fn revoke(&self, token: &str) {
        self.0.revoked.lock().unwrap().insert(format!("token={token}&"));
    }

    pub(crate) fn calls(&self) -> usize {
        *self.0.calls.borrow()
    }

    /// Waits until so many calls have come in.
    pub(crate) async fn called(&self, count: usize) {
        self.0.calls.subscribe().wait_for(|calls| *calls >= count).await.unwrap();
    }

    fn most_in_flight(&self) -> usize {
        self.0.most_in_flight.load(Ordering::SeqCst)
    }

    async fn introspect(&self, form: &str) -> Result<String, Box<dyn StdError + Send + Sync>> {
        // What it says is true when it is asked, and may be old when it arrives.
        let is_revoked = self.0.revoked.lock().unwrap().iter().any(|it| form.starts_with(it));
        let is_active = form.starts_with("token=good") && !is_revoked;
        let in_flight = InFlight::enter(&self.0);
        self.0.calls.send_modify(|calls| *calls += 1);
        self.0.door.subscribe().wait_for(|is_open| *is_open).await?;
        drop(in_flight);
        Ok(json!({"active": is_active, "iss": ISSUER, "aud": AUDIENCE}).to_string())
    }
}

/// Counts a call until it is answered or given up.
struct InFlight<'t>(&'t State);

impl<'t> InFlight<'t> {
    fn enter(state: &'t State) -> Self {
        let now = state.in_flight.fetch_add(1, Ordering::SeqCst) + 1;
        state.most_in_flight.fetch_max(now, Ordering::SeqCst);
        Self(state)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::SeqCst);
    }
}

impl HttpClient for Tenant {
    fn send(&self, request: Request<Bytes>, _: usize) -> HttpFuture<'_> {
        Box::pin(async move {
            let body = match request.uri().path() {
                "/introspect" => self.introspect(str::from_utf8(request.body())?).await?,
                _ => json!({
                    "issuer": ISSUER,
                    "jwks_uri": format!("{ISSUER}/jwks"),
                    "introspection_endpoint": format!("{ISSUER}/introspect"),
                })
                .to_string(),
            };
            Ok(Response::new(body.into()))
        })
    }
}

pub(crate) async fn check(guard: &Guard, token: &str) -> Result<Caller, Refusal> {
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, HeaderValue::try_from(format!("Bearer {token}")).unwrap());
    guard.check(&headers, None).await
}

/// So many callers at once, each with a token of its own.
fn callers(guard: &Guard, count: usize) -> JoinSet<Result<Caller, Refusal>> {
    let caller = |number| {
        let guard = guard.clone();
        async move { check(&guard, &format!("good-{number}")).await }
    };
    (0..count).map(caller).collect()
}

#[tokio::test]
async fn two_hundred_requests_with_one_token_are_one_call() {
    for host in HOSTS {
        let tenant = Tenant::new();
        tenant.shut();
        let (arrived, opener) = (AtomicUsize::new(0), tenant.clone());
        let builder = tenant.protect().token_resolver(move |_| {
            if arrived.fetch_add(1, Ordering::SeqCst) + 1 == 200 {
                opener.open();
            }
            Ok(None)
        });
        // The fewer caches there are, the more the flight alone must do.
        let protect = builder.introspection_cache_duration(Duration::ZERO);
        let api = host.serve(&protect.response_timeout(Duration::from_secs(60)).build().unwrap());
        let mut callers = JoinSet::new();
        for _ in 0..200 {
            let (api, call) = (api.clone(), get("/any").bearer("good"));
            callers.spawn(async move { api.check("one of 200", call, &ok()).await });
        }
        callers.join_all().await;
        assert_eq!(tenant.calls(), 1, "{}", host.name);
    }
}

#[tokio::test]
async fn a_caller_that_leaves_fails_nobody_and_starts_no_second_call() {
    let tenant = Tenant::new();
    let guard = tenant.guard();
    tenant.shut();
    let mut first = callers(&guard, 1);
    tenant.called(1).await;
    first.shutdown().await;
    let second = callers(&guard, 1);
    tenant.open();
    assert!(second.join_all().await.iter().all(Result::is_ok));
    assert_eq!(tenant.calls(), 1);
}

#[tokio::test]
async fn a_verdict_that_was_under_way_when_its_token_was_forgotten_is_not_kept() {
    let tenant = Tenant::new();
    let protect = tenant.protect().build().unwrap();
    let guard = protect.require(Policy::ANY_TOKEN);
    tenant.shut();
    let early = callers(&guard, 1);
    tenant.called(1).await;
    tenant.revoke("good-0");
    protect.forget(&AccessToken::new("good-0").unwrap()).await.unwrap();
    let late = callers(&guard, 1);
    tenant.called(2).await;
    tenant.open();
    assert!(early.join_all().await.iter().all(Result::is_ok), "it asked before");
    assert!(late.join_all().await.iter().all(Result::is_err), "it asked after");
    assert!(check(&guard, "good-0").await.is_err(), "nothing old was kept");
}

#[tokio::test(start_paused = true)]
async fn sixty_four_calls_are_in_flight_and_the_next_one_waits() {
    let tenant = Tenant::new();
    let guard = tenant.guard();
    tenant.shut();
    let callers = callers(&guard, 65);
    tenant.called(64).await;
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
    assert_eq!(tenant.calls(), 64);
    tenant.open();
    assert!(callers.join_all().await.iter().all(Result::is_ok));
    assert_eq!((tenant.calls(), tenant.most_in_flight()), (65, 64));
}

#[tokio::test(start_paused = true)]
async fn who_waits_longer_than_the_response_timeout_is_503() {
    let tenant = Tenant::new();
    let guard = tenant.guard();
    tenant.shut();
    let callers = callers(&guard, 200);
    let start = tokio::time::Instant::now();
    let answers = callers.join_all().await;
    let overloaded = answers.iter().filter(|answer| {
        let error = answer.as_ref().unwrap_err().error();
        assert!(matches!(error, Error::Unavailable { .. }), "{error:?}");
        matches!(error, Error::Unavailable { source: TenantError::Overloaded, .. })
    });
    // When the first 64 give up, 64 others may have their places, and the rest have waited enough.
    assert!(overloaded.count() >= 200 - 2 * 64);
    assert_eq!(tenant.most_in_flight(), 64);
    // Paused time goes by of itself, and says how long it would have been.
    assert!(start.elapsed() <= Duration::from_millis(2100), "{:?}", start.elapsed());
    tenant.open();
    assert!(check(&guard, "good").await.is_ok(), "the next one");
}

#[tokio::test]
async fn a_tenant_that_asks_for_a_pause_gets_one() {
    for host in HOSTS {
        for (status, asked, told, pause) in
            [(429, 7, 7, 7), (503, 30, 30, 30), (429, 0, 1, 1), (503, 200, 200, 60)]
        {
            let tenant = frozen_tenant().await;
            let builder = introspecting(&tenant).introspection_cache_in_memory();
            let api = host.serve(&builder.build().unwrap());
            let known = tenant.opaque_token().mint();
            api.check("before", get("/any").bearer(&known), &ok()).await;
            tenant.fail_with_retry_after(Endpoint::Introspection, status, asked);
            let token = tenant.opaque_token().mint();
            let case = format!("{status}, Retry-After {asked}, on {}", host.name);
            for (advanced, retry_after, calls) in
                [(0, told, 2), (0, pause, 2), (pause - 1, 1, 2), (1, told, 3)]
            {
                tenant.clock().advance(Duration::from_secs(advanced));
                let answer = api.send(get("/any").bearer(&token)).await;
                answer.assert(&case, &unavailable());
                assert_eq!(answer.retry_after(), Some(retry_after), "{case}");
                assert_eq!(tenant.requests(Endpoint::Introspection), calls, "{case}");
                api.check(&case, get("/any").bearer(&known), &ok()).await;
            }
            tenant.recover(Endpoint::Introspection);
            tenant.clock().advance(Duration::from_secs(pause));
            api.check(&case, get("/any").bearer(&token), &ok()).await;
        }
    }
}

#[tokio::test]
async fn a_failure_without_retry_after_and_other_statuses_pause_nothing() {
    for host in HOSTS {
        let tenant = frozen_tenant().await;
        let api = host.serve(&introspecting(&tenant).build().unwrap());
        let token = tenant.opaque_token().mint();
        tenant.fail(Endpoint::Introspection, 503);
        api.check("503 alone", get("/any").bearer(&token), &unavailable()).await;
        tenant.fail_with_retry_after(Endpoint::Introspection, 500, 30);
        api.check("500", get("/any").bearer(&token), &unavailable()).await;
        tenant.recover(Endpoint::Introspection);
        api.check("at once", get("/any").bearer(&token), &ok()).await;
        assert_eq!(tenant.requests(Endpoint::Introspection), 3, "{}", host.name);
    }
}

/// Floods an API with bad tokens. Whatever it keeps of them is little, and costs no good one.
async fn flood(tokens: usize) {
    let tenant = Tenant::new();
    let guard = tenant.guard();
    assert!(check(&guard, "good").await.is_ok());
    let refused = async |number: usize| {
        let refusal = check(&guard, &format!("random-{number}")).await.unwrap_err();
        let error = refusal.error();
        assert!(matches!(error, Error::InvalidToken(InvalidToken::Inactive)), "{error:?}");
    };
    for number in 0..tokens {
        refused(number).await;
    }
    assert_eq!(tenant.calls(), 1 + tokens);
    assert!(check(&guard, "good").await.is_ok());
    assert_eq!(tenant.calls(), 1 + tokens, "the good one is still known");
    // Time stands still: whatever was kept is a hit.
    let again = tokens.min(20_000);
    for number in tokens - again..tokens {
        refused(number).await;
    }
    let kept = 1 + tokens + again - tenant.calls();
    assert!(kept <= 5_000, "{kept} refusals are kept");
}

#[tokio::test]
async fn a_flood_of_bad_tokens_evicts_no_good_one_and_is_not_kept() {
    flood(10_000).await;
}

#[tokio::test]
#[ignore = "takes minutes where nothing is optimised"]
async fn a_flood_of_a_million_bad_tokens_takes_no_more_memory_than_a_small_one() {
    flood(20_000).await;
    let before = resident_kilobytes();
    flood(1_000_000).await;
    let grown = resident_kilobytes().saturating_sub(before);
    assert!(grown < 16 * 1024, "{grown} kB more");
}
