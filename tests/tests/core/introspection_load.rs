//! Introspection for many callers, at a tenant that is slow, busy or unavailable.

use std::{
    collections::HashSet,
    error::Error as StdError,
    future::{pending, poll_fn},
    ops::Range,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::Poll,
    time::{Duration, UNIX_EPOCH},
};

use bytes::Bytes;
use harness::{
    memory::resident_kilobytes,
    support::{
        FLEET_KEY, Log, at_once, frozen_tenant, get, introspecting, mock, ok, protect,
        request_head, serve, unavailable, until,
    },
};
use http::{
    HeaderMap, HeaderValue, Request, Response,
    header::{AUTHORIZATION, RETRY_AFTER},
};
use monocloud_backend::{
    Caller, Error, Guard, Policy, ProtectApi, ProtectApiBuilder, Refusal,
    cache::{CacheFuture, CacheKey, IntrospectionCache},
    config::ClientAuthMethod,
    error::{InvalidToken, TenantError},
    http_client::{HttpClient, HttpFuture},
    token::AccessToken,
};
use monocloud_testkit::{Clock, Endpoint, Fault};
use serde_json::json;
use tokio::{sync::watch, task::JoinSet};
use tracing::Level;
use wiremock::ResponseTemplate;

const ISSUER: &str = "https://acme.test";
const AUDIENCE: &str = "https://api.example.com";

/// A tenant without a network, which can hold back its answers.
#[derive(Clone)]
pub(crate) struct Tenant(Arc<State>);

struct State {
    answering: watch::Sender<bool>,
    calls: watch::Sender<usize>,
    in_progress: AtomicUsize,
    most_in_progress: AtomicUsize,
    revoked: Mutex<HashSet<String>>,
    behavior: Mutex<Behavior>,
    clock: Clock,
}

/// What happens to a call that has reached the tenant.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Behavior {
    Answers,
    Panics,
    Fails,
}

impl Tenant {
    pub(crate) fn new() -> Self {
        Self(Arc::new(State {
            answering: watch::Sender::new(true),
            calls: watch::Sender::new(0),
            in_progress: AtomicUsize::new(0),
            most_in_progress: AtomicUsize::new(0),
            revoked: Mutex::default(),
            behavior: Mutex::new(Behavior::Answers),
            clock: Clock::frozen(),
        }))
    }

    pub(crate) fn protect(&self) -> ProtectApiBuilder {
        self.protect_without_client().client("api", "secret")
    }

    /// Without a client's credentials.
    fn protect_without_client(&self) -> ProtectApiBuilder {
        ProtectApi::builder()
            .tenant_domain(ISSUER)
            .audience(AUDIENCE)
            .response_timeout(Duration::from_secs(1))
            .introspection_cache_in_memory()
            .clock(self.0.clock.reading())
            .http_client(self.clone())
    }

    fn guard(&self) -> Guard {
        self.protect().build().unwrap().require(Policy::ANY_TOKEN)
    }

    /// A guard whose callers wait for a minute, for tests that do not move the clock.
    fn patient_guard(&self) -> Guard {
        let builder = self.protect().response_timeout(Duration::from_secs(60));
        builder.build().unwrap().require(Policy::ANY_TOKEN)
    }

    fn set_behavior(&self, behavior: Behavior) {
        *self.0.behavior.lock().unwrap() = behavior;
    }

    fn advance(&self, by: Duration) {
        self.0.clock.advance(by);
    }

    pub(crate) fn hold(&self) {
        self.0.answering.send_replace(false);
    }

    pub(crate) fn release(&self) {
        self.0.answering.send_replace(true);
    }

    pub(crate) fn revoke(&self, token: &str) {
        self.0.revoked.lock().unwrap().insert(format!("token={token}&"));
    }

    pub(crate) fn calls(&self) -> usize {
        *self.0.calls.borrow()
    }

    /// Waits until this many calls have arrived.
    pub(crate) async fn called(&self, count: usize) {
        self.0.calls.subscribe().wait_for(|calls| *calls >= count).await.unwrap();
    }

    fn most_in_progress(&self) -> usize {
        self.0.most_in_progress.load(Ordering::SeqCst)
    }

    async fn introspect(&self, form: &str) -> Result<String, Box<dyn StdError + Send + Sync>> {
        // The answer is decided now; it may be outdated when it arrives.
        let is_revoked = self.0.revoked.lock().unwrap().iter().any(|it| form.starts_with(it));
        let is_active = form.starts_with("token=good") && !is_revoked;
        let in_progress = InProgress::start(&self.0);
        self.0.calls.send_modify(|calls| *calls += 1);
        self.0.answering.subscribe().wait_for(|answers| *answers).await?;
        drop(in_progress);
        let behavior = *self.0.behavior.lock().unwrap();
        match behavior {
            Behavior::Answers => {}
            Behavior::Panics => panic!("a client with a defect"),
            Behavior::Fails => return Err("connection refused".into()),
        }
        Ok(json!({"active": is_active, "iss": ISSUER, "aud": AUDIENCE}).to_string())
    }
}

/// Counts a call until it is answered or cancelled.
struct InProgress<'t>(&'t State);

impl<'t> InProgress<'t> {
    fn start(state: &'t State) -> Self {
        let now = state.in_progress.fetch_add(1, Ordering::SeqCst) + 1;
        state.most_in_progress.fetch_max(now, Ordering::SeqCst);
        Self(state)
    }
}

impl Drop for InProgress<'_> {
    fn drop(&mut self) {
        self.0.in_progress.fetch_sub(1, Ordering::SeqCst);
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
    guard.check(request_head(&headers)).await
}

/// Starts this many callers, each with its own token.
fn callers(guard: &Guard, count: usize) -> JoinSet<Result<Caller, Refusal>> {
    let caller = |number| {
        let guard = guard.clone();
        async move { check(&guard, &format!("good-{number}")).await }
    };
    (0..count).map(caller).collect()
}

#[tokio::test]
async fn two_hundred_requests_with_one_token_make_one_call() {
    let tenant = Tenant::new();
    tenant.hold();
    let (arrived, releasing) = (AtomicUsize::new(0), tenant.clone());
    let builder = tenant.protect().token_resolver(move |_| {
        if arrived.fetch_add(1, Ordering::SeqCst) + 1 == 200 {
            releasing.release();
        }
        Ok(None)
    });
    // Without a cache, only the shared call can prevent more.
    let protect = builder.introspection_cache_duration(Duration::ZERO);
    let api = serve(&protect.response_timeout(Duration::from_secs(60)).build().unwrap());
    let mut callers = JoinSet::new();
    for _ in 0..200 {
        let (api, call) = (api.clone(), get("/any").bearer("good"));
        callers.spawn(async move { api.check("one of 200", call, &ok()).await });
    }
    callers.join_all().await;
    assert_eq!(tenant.calls(), 1);
}

#[tokio::test]
async fn a_caller_that_leaves_neither_fails_the_others_nor_starts_a_second_call() {
    let tenant = Tenant::new();
    let guard = tenant.guard();
    tenant.hold();
    let mut first = callers(&guard, 1);
    tenant.called(1).await;
    first.shutdown().await;
    let second = callers(&guard, 1);
    tenant.release();
    assert!(second.join_all().await.iter().all(Result::is_ok));
    assert_eq!(tenant.calls(), 1);
}

#[tokio::test]
async fn a_result_requested_before_its_token_was_forgotten_is_not_cached() {
    let tenant = Tenant::new();
    let protect = tenant.protect().build().unwrap();
    let guard = protect.require(Policy::ANY_TOKEN);
    tenant.hold();
    let early = callers(&guard, 1);
    tenant.called(1).await;
    tenant.revoke("good-0");
    protect.forget(&AccessToken::new("good-0").unwrap()).await.unwrap();
    let late = callers(&guard, 1);
    tenant.called(2).await;
    tenant.release();
    assert!(early.join_all().await.iter().all(Result::is_ok), "requested before");
    assert!(late.join_all().await.iter().all(Result::is_err), "requested after");
    assert!(check(&guard, "good-0").await.is_err(), "the old result was not cached");
}

#[tokio::test(start_paused = true)]
async fn sixty_four_calls_are_in_progress_and_the_next_one_waits() {
    let tenant = Tenant::new();
    let guard = tenant.guard();
    tenant.hold();
    let callers = callers(&guard, 65);
    tenant.called(64).await;
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
    assert_eq!(tenant.calls(), 64);
    tenant.release();
    assert!(callers.join_all().await.iter().all(Result::is_ok));
    assert_eq!((tenant.calls(), tenant.most_in_progress()), (65, 64));
}

#[tokio::test(start_paused = true)]
async fn waiting_longer_than_the_response_timeout_is_503() {
    let tenant = Tenant::new();
    let guard = tenant.guard();
    tenant.hold();
    let callers = callers(&guard, 200);
    let start = tokio::time::Instant::now();
    let answers = callers.join_all().await;
    let overloaded = answers.iter().filter(|answer| {
        let error = answer.as_ref().unwrap_err().error();
        assert!(matches!(error, Error::Unavailable { .. }), "{error:?}");
        matches!(error, Error::Unavailable { source: TenantError::Overloaded, .. })
    });
    // When the first 64 time out, 64 others may start, and the rest have waited too long.
    assert!(overloaded.count() >= 200 - 2 * 64);
    assert_eq!(tenant.most_in_progress(), 64);
    // Tokio's paused time advances by itself and shows how long the calls would have taken.
    assert!(start.elapsed() <= Duration::from_millis(2100), "{:?}", start.elapsed());
    tenant.release();
    // After so many timeouts there is a pause.
    tenant.advance(Duration::from_secs(1));
    assert!(check(&guard, "good").await.is_ok(), "the next one");
}

type Started = Pin<Box<dyn Future<Output = Result<Caller, Refusal>> + Send>>;

/// Polls a caller once, which starts its call.
async fn start(caller: impl Future<Output = Result<Caller, Refusal>> + Send + 'static) -> Started {
    let mut caller: Started = Box::pin(caller);
    poll_fn(|context| {
        let polled = caller.as_mut().poll(context);
        assert!(polled.is_pending(), "{:?}", polled.map(|outcome| outcome.map(drop)));
        Poll::Ready(())
    })
    .await;
    caller
}

/// Starts a caller for each number.
async fn start_callers(guard: &Guard, numbers: Range<usize>) -> Vec<Started> {
    let mut callers = Vec::new();
    for number in numbers {
        callers.push(start(caller(guard, number)).await);
    }
    callers
}

/// A caller with its own token, which has the maximum length.
fn caller(
    guard: &Guard,
    number: usize,
) -> impl Future<Output = Result<Caller, Refusal>> + Send + 'static {
    let (guard, padding) = (guard.clone(), "x".repeat(16 * 1024 - 20));
    async move { check(&guard, &format!("good-{number:08}-{padding}")).await }
}

#[tokio::test]
async fn beyond_the_limit_of_waiting_tokens_a_request_is_503_immediately() {
    let tenant = Tenant::new();
    let guard = tenant.patient_guard();
    tenant.hold();
    let mut callers = start_callers(&guard, 0..64).await;
    tenant.called(64).await;
    callers.extend(start_callers(&guard, 64..64 + 1024).await);
    for number in 2_000..4_000 {
        let refusal = caller(&guard, number).await.unwrap_err();
        let error = refusal.error();
        let is_overloaded =
            matches!(error, Error::Unavailable { source: TenantError::Overloaded, .. });
        assert!(is_overloaded, "{error:?}");
        assert_eq!(refusal.response().headers()[RETRY_AFTER], "1");
    }
    // A second caller with a waiting token waits too.
    callers.push(start(caller(&guard, 100)).await);
    tenant.release();
    for caller in callers {
        assert!(caller.await.is_ok());
    }
    assert_eq!((tenant.calls(), tenant.most_in_progress()), (64 + 1024, 64));
}

#[tokio::test]
async fn a_token_whose_callers_have_all_left_is_not_introspected() {
    let tenant = Tenant::new();
    let guard = tenant.patient_guard();
    tenant.hold();
    let started = start_callers(&guard, 0..64).await;
    tenant.called(64).await;
    // Far more than may wait at the same time.
    for round in 1..=3 {
        drop(start_callers(&guard, round * 10_000..round * 10_000 + 1024).await);
        // Lets their tasks end.
        for _ in 0..1000 {
            tokio::task::yield_now().await;
        }
    }
    // One of two callers stays.
    let staying = start(caller(&guard, 7_000)).await;
    drop(start(caller(&guard, 7_000)).await);
    // Calls that have started continue.
    drop(started);
    tenant.release();
    assert!(staying.await.is_ok());
    assert!(caller(&guard, 0).await.is_ok(), "its result is cached");
    assert_eq!(tenant.calls(), 65);
}

#[test]
fn a_call_that_ends_with_its_runtime_is_made_again() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (tenant, first) = (Tenant::new(), runtime());
    let guard = tenant.patient_guard();
    tenant.hold();
    let waiting = first.block_on(start(caller(&guard, 0)));
    first.block_on(tenant.called(1));
    drop(first);
    let refusal = runtime().block_on(waiting).unwrap_err();
    assert_eq!(refusal.error().reason(), "tenant_interrupted");
    tenant.release();
    assert!(runtime().block_on(caller(&guard, 0)).is_ok());
    assert_eq!(tenant.calls(), 2);
}

#[tokio::test]
async fn the_pause_grows_while_an_endpoint_is_unreachable() {
    let tenant = Tenant::new();
    let guard = tenant.guard();
    assert!(check(&guard, "good").await.is_ok());
    tenant.set_behavior(Behavior::Fails);
    let log = Log::capture();
    let retry_after = async |number: usize| {
        let refusal = check(&guard, &format!("good-{number}")).await.unwrap_err();
        assert_eq!(refusal.status(), 503);
        assert_eq!(refusal.error().reason(), "tenant_unreachable");
        refusal.response().headers()[RETRY_AFTER].to_str().unwrap().parse::<u64>().unwrap()
    };
    let mut calls = 1;
    for number in 0..2 {
        assert_eq!(retry_after(number).await, 1);
        calls += 1;
    }
    for pause in [1, 2, 4, 8, 10, 10] {
        for number in 0..300 {
            assert_eq!(retry_after(number).await, pause);
        }
        calls += 1;
        assert_eq!(tenant.calls(), calls, "one call, and then a pause of {pause} s");
        tenant.advance(Duration::from_millis(pause * 1000 - 100));
        assert_eq!(retry_after(0).await, 1, "the rest of the pause");
        assert!(check(&guard, "good").await.is_ok(), "a cached result");
        tenant.advance(Duration::from_millis(100));
    }
    assert_eq!(tenant.calls(), calls);
    let warnings = log.lines(Level::WARN);
    assert_eq!(warnings.len(), 1 + 6, "the first failure, and one for each pause: {warnings:?}");
    assert!(warnings[1].contains("failures=2 pause=1s "), "{warnings:?}");
    tenant.set_behavior(Behavior::Answers);
    assert!(check(&guard, "good-again").await.is_ok());
    assert_eq!(log.count("the tenant can be asked about tokens again"), 1);
    tenant.set_behavior(Behavior::Fails);
    for number in 0..2 {
        retry_after(number).await;
    }
    assert_eq!(tenant.calls(), calls + 3, "the count starts again");
}

#[tokio::test]
async fn two_thousand_failures_without_a_pause_are_logged_in_two_lines() {
    let tenant = frozen_tenant().await;
    let guard = introspecting(&tenant).build().unwrap().require(Policy::ANY_TOKEN);
    tenant.fault(Endpoint::Introspection, Fault::Status(500)).until_recovered();
    let log = Log::capture();
    for _ in 0..2_000 {
        assert!(check(&guard, "made-up").await.is_err());
    }
    tenant.clock().advance(Duration::from_secs(1));
    assert!(check(&guard, "made-up").await.is_err());
    let warnings = log.lines(Level::WARN);
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(warnings[1].contains("failures=2000 "), "{warnings:?}");
}

#[tokio::test]
async fn a_retry_after_with_a_date_causes_a_pause() {
    let tenant = frozen_tenant().await;
    let seconds = |seconds| Duration::from_secs(seconds);
    let whole = tenant.clock().now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let date = httpdate::fmt_http_date(UNIX_EPOCH + seconds(whole + 20));
    let busy = ResponseTemplate::new(429).insert_header("retry-after", date);
    tenant.mount(mock(&tenant, Endpoint::Introspection, busy).up_to_n_times(1)).await;
    let api = serve(&introspecting(&tenant).build().unwrap());
    for _ in 0..3 {
        let token = tenant.opaque_token().mint();
        let answer = api.send(get("/any").bearer(&token)).await;
        answer.assert("busy", &unavailable());
        assert!((19..=20).contains(&answer.retry_after().unwrap()), "{answer:?}");
        assert_eq!(tenant.requests(Endpoint::Introspection), 1);
    }
    tenant.clock().advance(seconds(20));
    let token = tenant.opaque_token().mint();
    api.check("after the pause", get("/any").bearer(&token), &ok()).await;
}

/// A store that panics in one of its operations.
#[derive(Clone, Copy)]
struct PanickingStore(&'static str);

impl PanickingStore {
    fn operate<T: Default + Send + 'static>(self, operation: &str) -> CacheFuture<'static, T> {
        let panics = operation == self.0;
        Box::pin(async move {
            assert!(!panics, "a store with a defect");
            Ok(T::default())
        })
    }
}

impl IntrospectionCache for PanickingStore {
    fn get(&self, _: CacheKey) -> CacheFuture<'_, Option<Vec<u8>>> {
        self.operate("get")
    }

    fn set(&self, _: CacheKey, _: Vec<u8>, _: Duration) -> CacheFuture<'_, ()> {
        self.operate("set")
    }

    fn compare_and_set(
        &self,
        _: CacheKey,
        _: Option<Vec<u8>>,
        _: Vec<u8>,
        _: Duration,
    ) -> CacheFuture<'_, bool> {
        self.operate("compare_and_set")
    }
}

#[tokio::test]
async fn a_panic_in_code_of_the_application_fails_only_its_own_request() {
    let unavailable = |outcome: Result<Caller, Refusal>| {
        let refusal = outcome.unwrap_err();
        assert_eq!(
            (refusal.status().as_u16(), refusal.error().reason()),
            (503, "tenant_interrupted")
        );
    };
    let tenant = Tenant::new();
    let guard = tenant.guard();
    assert!(check(&guard, "good").await.is_ok());
    tenant.set_behavior(Behavior::Panics);
    for number in 0..3 {
        unavailable(check(&guard, &format!("good-{number}")).await);
    }
    tenant.set_behavior(Behavior::Answers);
    for number in 0..3 {
        assert!(check(&guard, &format!("good-{number}")).await.is_ok());
    }

    let is_broken = Arc::new(AtomicBool::new(true));
    let broken = Arc::clone(&is_broken);
    let builder = tenant
        .protect_without_client()
        .client_id("api")
        .client_auth_method(ClientAuthMethod::SpiffeJwt);
    let builder = builder.svid_provider(move || {
        let broken = Arc::clone(&broken);
        async move {
            assert!(!broken.load(Ordering::SeqCst), "a provider with a defect");
            Ok("svid".to_owned())
        }
    });
    let guard = builder.build().unwrap().require(Policy::ANY_TOKEN);
    unavailable(check(&guard, "good").await);
    is_broken.store(false, Ordering::SeqCst);
    assert!(check(&guard, "good").await.is_ok());

    for operation in ["get", "set", "compare_and_set"] {
        let store = PanickingStore(operation);
        let builder = tenant.protect().introspection_cache(store).fleet_key(FLEET_KEY);
        let guard = builder.build().unwrap().require(Policy::ANY_TOKEN);
        for _ in 0..2 {
            assert!(check(&guard, "good").await.is_ok(), "{operation}: like a failed store");
        }
    }
}

#[tokio::test]
async fn a_missing_svid_is_an_internal_error() {
    let tenant = frozen_tenant().await;
    let builder = protect(&tenant).client_id("api").client_auth_method(ClientAuthMethod::SpiffeJwt);
    let calls = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&calls);
    let builder = builder.svid_provider(move || {
        count.fetch_add(1, Ordering::SeqCst);
        pending::<Result<String, Box<dyn StdError + Send + Sync>>>()
    });
    let guard = builder.build().unwrap().require(Policy::ANY_TOKEN);
    let waiting = tokio::spawn(async move { check(&guard, "good").await });
    until(|| calls.load(Ordering::SeqCst) == 1).await;
    tenant.clock().advance(Duration::from_secs(10));
    let refusal = at_once(waiting).await.unwrap().unwrap_err();
    assert_eq!(refusal.error().reason(), "tenant_credentials");
}

#[tokio::test]
async fn a_pause_that_the_tenant_requests_is_observed() {
    for (status, requested, reported, pause) in
        [(429, 7, 7, 7), (503, 30, 30, 30), (429, 0, 1, 1), (503, 200, 200, 200)]
    {
        let tenant = frozen_tenant().await;
        let builder = introspecting(&tenant).introspection_cache_in_memory();
        let api = serve(&builder.build().unwrap());
        let known = tenant.opaque_token().mint();
        api.check("before", get("/any").bearer(&known), &ok()).await;
        tenant
            .fault(
                Endpoint::Introspection,
                Fault::RetryAfter { status, after: Duration::from_secs(requested) },
            )
            .until_recovered();
        let token = tenant.opaque_token().mint();
        let case = format!("{status}, Retry-After {requested}");
        for (advanced, retry_after, calls) in
            [(0, reported, 2), (0, pause, 2), (pause - 1, 1, 2), (1, reported, 3)]
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

#[tokio::test]
async fn other_statuses_and_failures_without_retry_after_cause_no_pause() {
    let tenant = frozen_tenant().await;
    let api = serve(&introspecting(&tenant).build().unwrap());
    let token = tenant.opaque_token().mint();
    tenant.fault(Endpoint::Introspection, Fault::Status(503)).until_recovered();
    api.check("503 without Retry-After", get("/any").bearer(&token), &unavailable()).await;
    tenant
        .fault(
            Endpoint::Introspection,
            Fault::RetryAfter { status: 500, after: Duration::from_secs(30) },
        )
        .until_recovered();
    api.check("500", get("/any").bearer(&token), &unavailable()).await;
    tenant.recover(Endpoint::Introspection);
    api.check("no pause", get("/any").bearer(&token), &ok()).await;
    assert_eq!(tenant.requests(Endpoint::Introspection), 3);
}

/// Floods an API with bad tokens, and checks that few of them are cached and good ones stay.
async fn flood(tokens: usize) {
    let tenant = Tenant::new();
    let guard = tenant.guard();
    assert!(check(&guard, "good").await.is_ok());
    let check_rejected = async |number: usize| {
        let refusal = check(&guard, &format!("random-{number}")).await.unwrap_err();
        let error = refusal.error();
        assert!(matches!(error, Error::InvalidToken(InvalidToken::Inactive)), "{error:?}");
    };
    for number in 0..tokens {
        check_rejected(number).await;
    }
    assert_eq!(tenant.calls(), 1 + tokens);
    assert!(check(&guard, "good").await.is_ok());
    assert_eq!(tenant.calls(), 1 + tokens, "the good one is still cached");
    // Time stands still, so every cached rejection is a hit.
    let again = tokens.min(20_000);
    for number in tokens - again..tokens {
        check_rejected(number).await;
    }
    let cached = 1 + tokens + again - tenant.calls();
    assert!(cached <= 5_000, "{cached} rejections are cached");
}

#[tokio::test]
async fn a_flood_of_bad_tokens_is_not_cached_and_evicts_no_good_token() {
    flood(10_000).await;
}

#[tokio::test]
#[ignore = "takes minutes without optimization"]
async fn a_flood_of_a_million_bad_tokens_uses_no_more_memory_than_a_small_one() {
    flood(20_000).await;
    let before = resident_kilobytes();
    flood(1_000_000).await;
    let grown = resident_kilobytes().saturating_sub(before);
    assert!(grown < 16 * 1024, "{grown} kB more");
}
