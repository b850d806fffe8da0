//! Every fault of a document endpoint: the answer to a request, the requests to the tenant, and the
//! time until it works again.

use std::time::Duration;

use harness::support::{
    Api, Expected, at_once, get, internal, introspecting, invalid_token, landed, ok, protect,
    serve, unavailable,
};
use monocloud_backend::error::InvalidToken;
use monocloud_testkit::{Clock, Endpoint, Fault, MockTenant};

use crate::keys::{DAY, seconds};

/// One line of the table.
struct Row {
    fault: Fault,
    /// How much time has to pass before there is an answer.
    takes: u64,
    /// The answer where nothing is kept yet.
    cold: Expected,
    /// Whether the connection is lost before the answer: a request on a kept one is repeated.
    is_lost: bool,
    /// When a cold API is well again after the fault has gone, at the latest.
    recovers: f64,
}

/// A fault that is found at once and is tried again after a second.
fn row(fault: Fault, cold: Expected) -> Row {
    let is_lost = matches!(fault, Fault::Reset | Fault::CloseBeforeAnswer | Fault::BrokenTls);
    Row { fault, takes: 0, cold, is_lost, recovers: 1.1 }
}

/// A fault that shows only when the time is over.
fn slow(fault: Fault) -> Row {
    Row { takes: 10, ..row(fault, unavailable()) }
}

/// What can befall every endpoint.
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
            // What stands beside the keys is passed over, without a stack.
            row.cold = ok();
        }
    }
    rows.push(row(Fault::MissingField("keys"), unavailable()));
    rows
}

/// Nothing that goes wrong with an introspection is made up for by waiting, unless it is asked for.
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
                // Refusals are remembered for ten seconds.
                401 => 10.0,
                _ => 0.0,
            };
        }
    }
    rows
}

/// A cold attempt is given up after so many seconds.
const COLD_LIMIT: u64 = 8;

/// A tenant for one line.
async fn tenant(row: &Row) -> MockTenant {
    let builder = MockTenant::builder().clock(Clock::frozen());
    match row.fault {
        Fault::BrokenTls => builder.tls().start().await,
        _ => builder.start().await,
    }
}

/// Makes a call while the tenant's endpoint is asked for the `asked`th time, for as long as the
/// fault takes. Gives back how often it was asked then.
async fn check(
    (api, tenant): (&Api, &MockTenant),
    (endpoint, asked): (Endpoint, usize),
    row: &Row,
    token: &str,
    expected: &Expected,
) -> usize {
    let case = format!("{endpoint:?}: {:?}", row.fault);
    let call = api.check(&case, get("/any").bearer(token), expected);
    let time = async {
        at_once(tenant.requested(endpoint, asked)).await;
        for _ in 0..row.takes {
            // Time goes by in steps, as the answer may come in parts.
            tenant.clock().advance(Duration::from_secs(1));
            tokio::task::yield_now().await;
        }
    };
    at_once(async { tokio::join!(call, time) }).await;
    assert_eq!(tenant.requests(Endpoint::Canary), 0, "{case}");
    assert_requests(tenant, (endpoint, asked), row)
}

/// Checks how often the endpoint was asked: once more where a kept connection was lost.
fn assert_requests(tenant: &MockTenant, (endpoint, asked): (Endpoint, usize), row: &Row) -> usize {
    let requests = tenant.requests(endpoint);
    let expected = asked..=asked + usize::from(row.is_lost);
    assert!(expected.contains(&requests), "{endpoint:?}: {:?}, {requests} requests", row.fault);
    requests
}

/// A document that could not be had yet: the answer tells, one request is made, and soon after the
/// fault has gone all is well.
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
        // The next attempt begins at once.
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

/// A kept document: callers notice nothing, and one request is made.
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
    landed(&protect).await;
    let requests = assert_requests(&tenant, (endpoint, 2), row);
    // A failure is on record, and the old document serves beyond its time.
    let has_failed = row.cold != ok();
    let health = protect.health().tenants.remove(0);
    let document = if endpoint == Endpoint::Jwks { health.keys } else { health.metadata };
    assert_eq!(document.failure.is_some(), has_failed, "{case}");
    drop(fault);
    tenant.clock().advance(seconds(row.recovers));
    if has_failed {
        at_once(tenant.requested(endpoint, requests + 1)).await;
        landed(&protect).await;
        let health = protect.health().tenants.remove(0);
        assert!(health.metadata.failure.is_none() && health.keys.failure.is_none(), "{case}");
    }
}

#[tokio::test]
async fn metadata_cold() {
    for row in &of_metadata() {
        assert_cold(Endpoint::Discovery, row).await;
    }
}

#[tokio::test]
async fn metadata_warm() {
    for row in &of_metadata() {
        assert_warm(Endpoint::Discovery, row).await;
    }
}

#[tokio::test]
async fn keys_cold() {
    for row in &of_keys() {
        assert_cold(Endpoint::Jwks, row).await;
    }
}

#[tokio::test]
async fn keys_warm() {
    for row in &of_keys() {
        assert_warm(Endpoint::Jwks, row).await;
    }
}

/// Cold: a token that nothing is known of. Warm: one whose verdict is kept.
#[tokio::test]
async fn introspection() {
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
