//! Every fault of every endpoint: the answer to a request, the number of requests to the tenant,
//! and the time until requests succeed again.

use std::time::Duration;

use harness::support::{
    Api, Expected, at_once, fetches_done, get, internal, introspecting, invalid_token, ok, protect,
    serve, unavailable,
};
use monocloud_backend::error::InvalidToken;
use monocloud_testkit::{Clock, Endpoint, Fault, MockTenant};

use crate::keys::{DAY, seconds};

/// One row of the table.
struct Row {
    fault: Fault,
    /// The seconds that must pass before there is an answer.
    takes: u64,
    /// The answer while no document is cached yet.
    cold: Expected,
    /// Whether the connection is lost before the answer; a request on a reused one is repeated.
    is_lost: bool,
    /// The maximum number of seconds until a cold API works again after the fault has ended.
    recovers: f64,
}

/// A fault that is detected immediately and retried after a second.
fn row(fault: Fault, cold: Expected) -> Row {
    let is_lost = matches!(fault, Fault::Reset | Fault::CloseBeforeAnswer | Fault::BrokenTls);
    Row { fault, takes: 0, cold, is_lost, recovers: 1.1 }
}

/// A fault that is detected only by a timeout.
fn slow(fault: Fault) -> Row {
    Row { takes: 10, ..row(fault, unavailable()) }
}

/// Faults that every endpoint can have.
fn everywhere() -> Vec<Row> {
    let wait = Duration::from_secs(7);
    vec![
        row(Fault::Status(500), unavailable()),
        row(Fault::Status(502), unavailable()),
        row(Fault::Status(503), unavailable()),
        row(Fault::Status(204), unavailable()),
        row(Fault::Status(400), internal()),
        row(Fault::Status(401), internal()),
        row(Fault::Status(403), internal()),
        row(Fault::Status(404), internal()),
        row(Fault::Status(408), unavailable()),
        Row { recovers: 7.0, ..row(Fault::RetryAfter { status: 429, after: wait }, unavailable()) },
        Row { recovers: 7.0, ..row(Fault::RetryAfter { status: 503, after: wait }, unavailable()) },
        Row { takes: 7, ..row(Fault::Latency(Duration::from_secs(7)), ok()) },
        slow(Fault::Latency(Duration::from_secs(11))),
        slow(Fault::NeverAnswer),
        slow(Fault::SlowDrip { chunk: 1, every: Duration::from_secs(1) }),
        row(Fault::Empty, unavailable()),
        row(Fault::Malformed, unavailable()),
        row(Fault::ContentType("text/html"), ok()),
        row(Fault::Huge(1024 * 1024), ok()),
        row(Fault::Huge(1024 * 1024 + 1), unavailable()),
        row(Fault::DeepJson(10_000), unavailable()),
        row(Fault::Redirect("/canary".to_owned()), internal()),
        row(Fault::Truncated { after: 0 }, unavailable()),
        row(Fault::Truncated { after: 20 }, unavailable()),
        row(Fault::Reset, unavailable()),
        row(Fault::CloseBeforeAnswer, unavailable()),
        row(Fault::BrokenTls, unavailable()),
    ]
}

fn of_metadata() -> Vec<Row> {
    let mut rows = everywhere();
    for row in &mut rows {
        if row.fault == Fault::Huge(1024 * 1024) {
            row.fault = Fault::Huge(256 * 1024);
        }
    }
    rows.extend([
        row(Fault::WrongIssuer("https://evil.example.com".to_owned()), internal()),
        row(Fault::MissingField("issuer"), internal()),
        row(Fault::MissingField("jwks_uri"), internal()),
    ]);
    rows
}

fn of_keys() -> Vec<Row> {
    let mut rows = everywhere();
    for row in &mut rows {
        if matches!(row.fault, Fault::DeepJson(_)) {
            // Members beside `keys` are skipped without recursion.
            row.cold = ok();
        }
    }
    rows.push(row(Fault::MissingField("keys"), unavailable()));
    rows
}

/// A failed introspection needs no pause, unless the tenant asks for one.
fn of_introspection() -> Vec<Row> {
    let mut rows = everywhere();
    rows.extend([
        row(Fault::MissingField("active"), invalid_token(InvalidToken::Inactive)),
        row(Fault::MissingField("iss"), invalid_token(InvalidToken::Claim("iss"))),
        row(Fault::MissingField("aud"), invalid_token(InvalidToken::Claim("aud"))),
        row(
            Fault::WrongIssuer("https://evil.example.com".to_owned()),
            invalid_token(InvalidToken::Issuer),
        ),
    ]);
    for row in &mut rows {
        if row.recovers < 2.0 {
            row.recovers = match row.cold.status {
                // Rejections are cached for ten seconds.
                401 => 10.0,
                _ => 0.0,
            };
        }
    }
    rows
}

/// The seconds after which the fetch of a document that is not cached is cancelled.
const COLD_LIMIT: u64 = 8;

/// A tenant for one row.
async fn tenant(row: &Row) -> MockTenant {
    let builder = MockTenant::builder().clock(Clock::frozen());
    match row.fault {
        Fault::BrokenTls => builder.tls().start().await,
        _ => builder.start().await,
    }
}

/// Makes a call that sends the endpoint its `number`th request, and lets the time of the fault
/// pass. Returns the number of requests after that.
async fn check(
    (api, tenant): (&Api, &MockTenant),
    (endpoint, number): (Endpoint, usize),
    row: &Row,
    token: &str,
    expected: &Expected,
) -> usize {
    let case = format!("{endpoint:?}: {:?}", row.fault);
    let call = api.check(&case, get("/any").bearer(token), expected);
    let time = async {
        at_once(tenant.requested(endpoint, number)).await;
        for _ in 0..row.takes {
            // Time passes in steps, as the answer may come in parts.
            tenant.clock().advance(Duration::from_secs(1));
            tokio::task::yield_now().await;
        }
    };
    at_once(async { tokio::join!(call, time) }).await;
    assert_eq!(tenant.requests(Endpoint::Canary), 0, "{case}");
    assert_requests(tenant, (endpoint, number), row)
}

/// Checks the number of requests, which is one more if a reused connection was lost.
fn assert_requests(tenant: &MockTenant, (endpoint, number): (Endpoint, usize), row: &Row) -> usize {
    let requests = tenant.requests(endpoint);
    let expected = number..=number + usize::from(row.is_lost);
    assert!(expected.contains(&requests), "{endpoint:?}: {:?}, {requests} requests", row.fault);
    requests
}

/// Without a cached document, the answer reports the fault, one request is made, and requests
/// succeed soon after the fault has ended.
async fn assert_cold(endpoint: Endpoint, row: &Row) {
    let tenant = tenant(row).await;
    let protect = protect(&tenant).build().unwrap();
    let api = serve(&protect);
    let token = tenant.token().expires_in(DAY).mint();
    let fault = tenant.fault(endpoint, row.fault.clone());
    let requests = if row.takes > COLD_LIMIT {
        let case = format!("{endpoint:?}: {:?}", row.fault);
        let call = api.check(&case, get("/any").bearer(&token), &row.cold);
        let time = async {
            at_once(tenant.requested(endpoint, 1)).await;
            tenant.clock().advance(Duration::from_secs(COLD_LIMIT));
        };
        at_once(async { tokio::join!(call, time) }).await;
        // The next attempt starts immediately.
        at_once(tenant.requested(endpoint, 2)).await;
        drop(fault);
        tenant.clock().advance(Duration::from_secs(COLD_LIMIT));
        2
    } else {
        let requests = check((&api, &tenant), (endpoint, 1), row, &token, &row.cold).await;
        if row.cold == ok() {
            return;
        }
        // No attempt is made before the pause is over.
        api.check("paused", get("/any").bearer(&token), &row.cold).await;
        assert_eq!(tenant.requests(endpoint), requests, "{endpoint:?}: {:?}", row.fault);
        drop(fault);
        tenant.clock().advance(seconds(row.recovers));
        requests
    };
    at_once(tenant.requested(endpoint, requests + 1)).await;
    at_once(api.check("recovered", get("/any").bearer(&token), &ok())).await;
    assert_eq!(tenant.requests(endpoint), requests + 1, "{endpoint:?}: {:?}", row.fault);
}

/// With a cached document, callers notice nothing, and one request is made.
async fn assert_warm(endpoint: Endpoint, row: &Row) {
    let tenant = tenant(row).await;
    let protect = protect(&tenant).build().unwrap();
    let api = serve(&protect);
    let token = tenant.token().expires_in(DAY).mint();
    let call = || get("/any").bearer(&token);
    let case = format!("{endpoint:?}: {:?}, warm", row.fault);
    api.check(&case, call(), &ok()).await;
    let fault = tenant.fault(endpoint, row.fault.clone());
    tenant.clock().advance(seconds(265.0));
    at_once(tenant.requested(endpoint, 2)).await;
    at_once(api.check(&case, call(), &ok())).await;
    for _ in 0..row.takes {
        tenant.clock().advance(Duration::from_secs(1));
        at_once(api.check(&case, call(), &ok())).await;
    }
    fetches_done(&protect).await;
    let requests = assert_requests(&tenant, (endpoint, 2), row);
    // The health reports the failure, and the old document is used beyond its lifetime.
    let has_failed = row.cold != ok();
    let health = protect.health().tenants.remove(0);
    let document = if endpoint == Endpoint::Jwks { health.keys } else { health.metadata };
    assert_eq!(document.failure.is_some(), has_failed, "{case}");
    drop(fault);
    tenant.clock().advance(seconds(row.recovers));
    if has_failed {
        at_once(tenant.requested(endpoint, requests + 1)).await;
        fetches_done(&protect).await;
        let health = protect.health().tenants.remove(0);
        assert!(health.metadata.failure.is_none() && health.keys.failure.is_none(), "{case}");
    }
}

#[tokio::test]
async fn faults_before_the_metadata_is_known() {
    for row in &of_metadata() {
        assert_cold(Endpoint::Discovery, row).await;
    }
}

#[tokio::test]
async fn faults_while_metadata_is_cached() {
    for row in &of_metadata() {
        assert_warm(Endpoint::Discovery, row).await;
    }
}

#[tokio::test]
async fn faults_before_the_keys_are_known() {
    for row in &of_keys() {
        assert_cold(Endpoint::Jwks, row).await;
    }
}

#[tokio::test]
async fn faults_while_keys_are_cached() {
    for row in &of_keys() {
        assert_warm(Endpoint::Jwks, row).await;
    }
}

/// Checks a token that has not been introspected yet and one whose result is cached.
#[tokio::test]
async fn faults_of_introspection() {
    for row in &of_introspection() {
        let tenant = tenant(row).await;
        let builder = introspecting(&tenant).introspection_cache_in_memory();
        let api = serve(&builder.build().unwrap());
        let [known, unknown] = [(); 2].map(|()| tenant.opaque_token().mint());
        let endpoint = Endpoint::Introspection;
        api.check("warm", get("/any").bearer(&known), &ok()).await;
        let fault = tenant.fault(endpoint, row.fault.clone());
        let requests = check((&api, &tenant), (endpoint, 2), row, &unknown, &row.cold).await;
        at_once(api.check("known", get("/any").bearer(&known), &ok())).await;
        drop(fault);
        tenant.clock().advance(seconds(row.recovers));
        at_once(api.check("recovered", get("/any").bearer(&unknown), &ok())).await;
        let calls = requests + usize::from(row.cold != ok());
        assert_eq!(tenant.requests(endpoint), calls, "{:?}", row.fault);
    }
}
