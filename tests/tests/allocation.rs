//! Rejecting a hostile token takes memory in proportion to its length, and rejecting an oversized
//! one takes none. The cache of introspection results is bounded by the memory that they occupy. Claims
//! in the application's own type take what that type holds.
//!
//! The allocator of this binary counts all bytes that are allocated, even if they are freed again.

use std::{
    alloc::System,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use harness::support::request_head;
use http::{HeaderMap, HeaderValue, Request, Response, header::AUTHORIZATION};
use monocloud_backend::{
    Claims, Error, Guard, Policy, ProtectApi,
    error::InvalidToken,
    http_client::{HttpClient, HttpFuture},
};
use monocloud_testkit::{Algorithm, MockTenant};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use tokio::sync::Mutex;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// The allocator counts for the whole process, so the tests run one after another.
static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());

/// The maximum length of a token, in bytes.
const MAX_TOKEN: usize = 16 * 1024;

/// The maximum length of the JSON of a payload in such a token, in bytes.
const MAX_JSON: usize = (MAX_TOKEN - 300) / 4 * 3;

/// The bytes that the labels of a rejection's metric take, whatever the token.
const COUNTING: usize = 160;

/// A tenant and a guard that has fetched its documents.
async fn world() -> (MockTenant, Guard) {
    let tenant = MockTenant::builder().algorithm(Algorithm::EdDsa).start().await;
    let protect = ProtectApi::from_vars(tenant.vars()).unwrap();
    protect.warm_up().await.unwrap();
    (tenant, protect.require(Policy::ANY_TOKEN))
}

/// The bytes that a rejection allocates. Other threads may allocate now and then, so the minimum of
/// several attempts counts.
async fn allocated(guard: &Guard, token: &str, reason: InvalidToken) -> usize {
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, HeaderValue::try_from(format!("Bearer {token}")).unwrap());
    let mut least = usize::MAX;
    for _ in 0..5 {
        let region = Region::new(ALLOCATOR);
        let refusal = guard.check(request_head(&headers)).await.unwrap_err();
        least = least.min(region.change().bytes_allocated);
        assert!(
            matches!(refusal.error(), Error::InvalidToken(found) if *found == reason),
            "{refusal:?}"
        );
    }
    least
}

/// A payload of the maximum length, whose one claim is a list of as many `entry` as fit.
fn list_of(entry: &str) -> String {
    let entries = vec![entry; (MAX_JSON - 8) / (entry.len() + 1)];
    format!(r#"{{"a":[{}]}}"#, entries.join(","))
}

/// A payload of as many members as fit.
fn members() -> String {
    let members: Vec<String> =
        (0..MAX_JSON / 9).map(|number| format!(r#""{number:04x}":0"#)).collect();
    format!("{{{}}}", members.join(","))
}

fn nested(open: &str, close: &str, levels: usize) -> String {
    format!("{}0{}", open.repeat(levels), close.repeat(levels))
}

/// Asserts that rejecting this payload, which the tenant signed, allocates at most this many times
/// the token's length.
async fn assert_allocates_at_most(times: usize, payload: &str, reason: InvalidToken) {
    let (tenant, guard) = world().await;
    let token = tenant.token().raw_payload(payload).mint();
    assert!((MAX_TOKEN * 9 / 10..=MAX_TOKEN).contains(&token.len()), "{} bytes", token.len());
    let allocated = allocated(&guard, &token, reason).await;
    let start: String = payload.chars().take(40).collect();
    assert!(allocated <= times * token.len(), "{allocated} bytes for {} of {start}", token.len());
}

#[tokio::test]
async fn nesting_beyond_the_limit_takes_at_most_twice_the_memory_of_the_token() {
    let _turn = ONE_AT_A_TIME.lock().await;
    for open in ["[", r#"{"a":"#] {
        let levels = MAX_JSON / open.len();
        assert_allocates_at_most(2, &open.repeat(levels), InvalidToken::Malformed).await;
    }
}

#[tokio::test]
async fn members_lists_and_strings_take_a_small_multiple_of_the_memory_of_the_token() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let no_issuer = InvalidToken::Claim("iss");
    for entry in ["0", r#""""#, r#""a""#, "[]", "{}", "null", "1e-9"] {
        assert_allocates_at_most(20, &list_of(entry), no_issuer).await;
    }
    assert_allocates_at_most(20, &members(), no_issuer).await;
    assert_allocates_at_most(4, &list_of(&format!("{:?}", "x".repeat(MAX_JSON - 20))), no_issuer)
        .await;
}

/// The worst case: for a single member, `serde_json` allocates room for eleven.
#[tokio::test]
async fn nested_objects_of_one_member_take_less_than_a_hundred_times_the_memory_of_the_token() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let no_issuer = InvalidToken::Claim("iss");
    assert_allocates_at_most(60, &list_of(&nested("[", "]", 30)), no_issuer).await;
    assert_allocates_at_most(100, &list_of(&nested(r#"{"":"#, "}", 30)), no_issuer).await;
}

#[tokio::test]
async fn a_long_kid_takes_a_small_multiple_of_the_memory_of_the_token() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let (tenant, guard) = world().await;
    let token = tenant.token().header("kid", "k".repeat(MAX_JSON - 500)).mint();
    let allocated = allocated(&guard, &token, InvalidToken::UnknownKey).await;
    assert!(allocated <= 4 * token.len(), "{allocated} bytes for {}", token.len());
}

#[tokio::test]
async fn many_dots_take_one_copy_of_the_token() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let (_tenant, guard) = world().await;
    let dots = ".".repeat(MAX_TOKEN);
    let allocated = allocated(&guard, &dots, InvalidToken::Unsupported).await;
    assert!(allocated <= MAX_TOKEN + 100 + COUNTING, "{allocated} bytes");
}

#[tokio::test]
async fn an_oversized_token_takes_no_memory() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let (tenant, guard) = world().await;
    let payload = "x".repeat(MAX_TOKEN);
    for token in [
        "a".repeat(MAX_TOKEN + 1),
        ".".repeat(4 * MAX_TOKEN),
        tenant.token().raw_payload(payload).mint(),
    ] {
        let allocated = allocated(&guard, &token, InvalidToken::Oversized).await;
        assert!((0..=COUNTING).contains(&allocated), "{allocated} bytes for {}", token.len());
    }
}

#[derive(serde::Deserialize)]
struct Profile {
    email: String,
}

#[tokio::test]
async fn typed_claims_cost_what_the_type_holds_and_the_claims_themselves_nothing() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let (tenant, guard) = world().await;
    let token = tenant.token().claim("email", "a@b.example").claim("other", vec!["x"; 1_000]);
    let mut headers = HeaderMap::new();
    let authorization = HeaderValue::try_from(format!("Bearer {}", token.mint())).unwrap();
    headers.insert(AUTHORIZATION, authorization);
    let caller = guard.check(request_head(&headers)).await.unwrap();
    let caller = caller.authenticated().unwrap();
    let (mut untyped, mut typed) = (usize::MAX, usize::MAX);
    for _ in 0..5 {
        let region = Region::new(ALLOCATOR);
        let same = caller.typed::<Claims>().unwrap();
        untyped = untyped.min(region.change().bytes_allocated);
        assert!(std::ptr::eq(same.claims(), caller.claims()));
        let region = Region::new(ALLOCATOR);
        let profile = caller.typed::<Profile>().unwrap();
        typed = typed.min(region.change().bytes_allocated);
        assert_eq!(profile.claims().email, "a@b.example");
    }
    assert_eq!(untyped, 0);
    assert!(typed <= 100, "{typed} bytes");
}

#[tokio::test]
async fn verified_tokens_stay_within_the_limit_of_their_cache_whatever_they_contain() {
    const LIMIT: usize = 256 * 1024;
    let _turn = ONE_AT_A_TIME.lock().await;
    let tenant = MockTenant::builder().algorithm(Algorithm::EdDsa).start().await;
    for entry in ["0", r#"{"":0}"#, r#""\n""#, r#""x""#] {
        let list: serde_json::Value =
            serde_json::from_str(&format!("[{}]", vec![entry; 300].join(","))).unwrap();
        let protect = ProtectApi::builder().vars(tenant.vars()).jwt_cache(LIMIT as u64).build();
        let guard = protect.unwrap().require(Policy::ANY_TOKEN);
        let requests: Vec<HeaderMap> = (0..500)
            .map(|_| {
                let token = tenant.token().claim("list", &list).mint();
                let authorization = HeaderValue::try_from(format!("Bearer {token}")).unwrap();
                HeaderMap::from_iter([(AUTHORIZATION, authorization)])
            })
            .collect();
        guard.check(request_head(&requests[0])).await.unwrap();
        let region = Region::new(ALLOCATOR);
        for headers in &requests {
            guard.check(request_head(headers)).await.unwrap();
        }
        let change = region.change();
        let occupied = change.bytes_allocated.saturating_sub(change.bytes_deallocated);
        assert!(occupied <= LIMIT + LIMIT / 8, "{occupied} bytes of {entry}");
        assert!(occupied >= LIMIT / 4, "{occupied} bytes are weighed too heavily: {entry}");
    }
}

/// The bytes that the in-process cache of introspection results may occupy, and its tables.
const CACHE: usize = 16 * 1024 * 1024;
const TABLES: usize = 1024 * 1024;

/// A tenant without a network, which has the same claims for every token.
struct FixedTenant {
    claims: String,
    calls: Arc<AtomicUsize>,
}

impl HttpClient for FixedTenant {
    fn send(&self, request: Request<Bytes>, _: usize) -> HttpFuture<'_> {
        let body = match request.uri().path() {
            "/introspect" => {
                self.calls.fetch_add(1, Ordering::SeqCst);
                let claims = &self.claims;
                format!(r#"{{"active":true,"iss":"https://acme.test","aud":"api",{claims}}}"#)
            }
            _ => r#"{"issuer":"https://acme.test","jwks_uri":"https://acme.test/jwks",
                "introspection_endpoint":"https://acme.test/introspect"}"#
                .to_owned(),
        };
        Box::pin(async move { Ok(Response::new(body.into())) })
    }
}

/// Fills the cache with this many results. Returns the bytes that they occupy and how many of them
/// are cached.
async fn occupied(claims: &str, tokens: usize) -> (usize, usize) {
    let calls = Arc::new(AtomicUsize::new(0));
    let tenant = FixedTenant { claims: claims.to_owned(), calls: Arc::clone(&calls) };
    let guard = ProtectApi::builder()
        .tenant_domain("https://acme.test")
        .audience("api")
        .client("api", "secret")
        .introspection_cache_in_memory()
        .http_client(tenant)
        .build()
        .unwrap()
        .require(Policy::ANY_TOKEN);
    let check = async |number: usize| {
        let mut headers = HeaderMap::new();
        let authorization = HeaderValue::try_from(format!("Bearer opaque-{number:06}")).unwrap();
        headers.insert(AUTHORIZATION, authorization);
        guard.check(request_head(&headers)).await.unwrap();
    };
    check(tokens).await;
    let region = Region::new(ALLOCATOR);
    for number in 0..tokens {
        check(number).await;
    }
    let change = region.change();
    let occupied = change.bytes_allocated.saturating_sub(change.bytes_deallocated);
    let before = calls.load(Ordering::SeqCst);
    assert_eq!(before, tokens + 1);
    // From the newest to the oldest, as each miss evicts one.
    for number in (0..tokens).rev() {
        check(number).await;
    }
    (occupied, 2 * tokens + 1 - calls.load(Ordering::SeqCst))
}

#[tokio::test]
async fn cached_results_stay_within_the_limit_of_the_cache_whatever_they_contain() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let list = |entry: &str| format!(r#""a":[{}]"#, vec![entry; 300].join(","));
    let members = (0..300).map(|number| format!(r#""{number}":{{"":0}}"#));
    for (claims, tokens) in [
        (list(r#"{"":0}"#), 1_000),
        (list(r#"{"a":{"":""}}"#), 600),
        (list("[0]"), 1_500),
        (list("\"\""), 2_000),
        (members.collect::<Vec<_>>().join(","), 600),
        (format!(r#""a":"{}""#, "x".repeat(10_000)), 2_000),
        (r#""sub":"a""#.to_owned(), 32_000),
    ] {
        let (occupied, cached) = occupied(&claims, tokens).await;
        let start: String = claims.chars().take(30).collect();
        assert!(occupied <= CACHE + TABLES, "{occupied} bytes for {tokens} of {start}");
        assert!(occupied >= CACHE / 4, "{occupied} bytes are weighed too heavily: {start}");
        assert!(cached > 0 && cached < tokens, "{cached} of {tokens} are cached: {start}");
    }
}

#[tokio::test]
async fn thousands_of_typical_results_are_cached() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let claims = r#""sub":"0123456789","client_id":"abcdefghijkl","token_type":"Bearer",
        "scope":"openid posts:read posts:write","exp":4102444800,"iat":1700000000,
        "nbf":1700000000,"groups":["admin","staff"],"jti":"0123456789abcdef","acr":"1""#;
    let (_, cached) = occupied(claims, 3_000).await;
    assert!(cached > 2_900, "{cached} are cached");
}
