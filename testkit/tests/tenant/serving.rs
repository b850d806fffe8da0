use std::{net::TcpListener, time::Duration};

use monocloud_testkit::{Algorithm, Clock, Endpoint, Fault, Hostile, MockTenant};
use serde_json::json;

use crate::reader::{fetch, get, plain_client, verify};

const ALLOW_ORIGIN: &str = "access-control-allow-origin";

#[tokio::test]
async fn the_issuer_is_the_same_string_everywhere() {
    for path in ["", "/acme", "acme/eu/"] {
        let tenant = MockTenant::builder().path(path).start().await;
        let issuer = tenant.issuer();
        assert!(!issuer.ends_with('/'));

        let discovery = tenant.url(Endpoint::Discovery);
        assert_eq!(discovery, format!("{issuer}/.well-known/openid-configuration"));
        let metadata = fetch(&discovery).await;
        assert_eq!(metadata["issuer"], issuer);
        assert_eq!(metadata["jwks_uri"], tenant.url(Endpoint::Jwks));
        assert_eq!(metadata, tenant.metadata());

        let claims = verify(&tenant, &tenant.token().mint()).await.unwrap();
        assert_eq!(claims["iss"], issuer);
        assert!(tenant.vars().contains(&("MONOCLOUD_BACKEND_TENANT_DOMAIN".into(), issuer.into())));
    }
}

#[tokio::test]
async fn requests_are_counted_by_endpoint() {
    let tenant = MockTenant::start().await;
    assert_eq!(tenant.requests(Endpoint::Discovery), 0);
    fetch(&tenant.url(Endpoint::Discovery)).await;
    fetch(&tenant.url(Endpoint::Jwks)).await;
    fetch(&tenant.url(Endpoint::Jwks)).await;

    let counts = [Endpoint::Discovery, Endpoint::Jwks, Endpoint::Canary];
    assert_eq!(counts.map(|endpoint| tenant.requests(endpoint)), [1, 2, 0]);
}

#[tokio::test]
async fn documents_may_be_read_across_origins_and_other_paths_are_not_found() {
    let tenant = MockTenant::builder().path("/acme").start().await;
    for endpoint in [Endpoint::Discovery, Endpoint::Jwks] {
        let response = get(&tenant.url(endpoint)).await;
        assert_eq!(response.headers()[ALLOW_ORIGIN], "*");
        assert_eq!(response.headers()["content-type"], "application/json");
    }
    let elsewhere = tenant.url(Endpoint::Jwks).replace("/acme", "");
    assert_eq!(get(&elsewhere).await.status(), 404);
}

#[tokio::test]
async fn an_endpoint_fails_until_it_recovers() {
    let tenant = MockTenant::start().await;
    let url = tenant.url(Endpoint::Jwks);

    tenant.fault(Endpoint::Jwks, Fault::Status(503)).until_recovered();
    let response = get(&url).await;
    assert_eq!(response.status(), 503);
    assert!(!response.headers().contains_key("retry-after"));

    tenant
        .fault(Endpoint::Jwks, Fault::RetryAfter { status: 429, after: Duration::from_secs(7) })
        .until_recovered();
    let response = get(&url).await;
    assert_eq!(response.status(), 429);
    assert_eq!(response.headers()["retry-after"], "7");

    fetch(&tenant.url(Endpoint::Discovery)).await;
    tenant.recover(Endpoint::Jwks);
    assert_eq!(fetch(&url).await, tenant.jwks());
    assert_eq!(tenant.requests(Endpoint::Jwks), 3);
}

#[tokio::test]
async fn metadata_can_be_replaced() {
    let tenant = MockTenant::start().await;
    let url = tenant.url(Endpoint::Discovery);
    let mut document = tenant.metadata();
    document["issuer"] = json!("https://attacker.example.com");

    tenant.serve_metadata(document.clone());
    assert_eq!(fetch(&url).await, document);
    tenant.serve_metadata(tenant.metadata());
    assert_eq!(fetch(&url).await["issuer"], tenant.issuer());
}

#[tokio::test]
async fn dropping_a_tenant_frees_its_port() {
    for _ in 0..20 {
        let tenant = MockTenant::start().await;
        // The client's connection stays open.
        let client = plain_client();
        client.get(tenant.url(Endpoint::Jwks)).send().await.unwrap();
        let address = tenant.issuer().strip_prefix("http://").unwrap().to_owned();

        drop(tenant);
        TcpListener::bind(address).expect("the port is free");
    }
}

/// Takes the 128 steps that tokio grants a task before it must yield.
pub(crate) async fn use_up_budget() {
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
    for item in 0..1000 {
        sender.send(item).unwrap();
    }
    for _ in 0..128 {
        receiver.recv().await;
    }
}

#[tokio::test]
async fn a_tenant_can_be_dropped_by_a_task_with_no_budget_left() {
    let tenant = MockTenant::start().await;
    use_up_budget().await;
    drop(tenant);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_tenants_live_side_by_side() {
    let tenants = (0..32).map(|index| {
        tokio::spawn(async move {
            let algorithm = Algorithm::ALL[index % Algorithm::ALL.len()];
            let tenant = MockTenant::builder().algorithm(algorithm).start().await;
            verify(&tenant, &tenant.token().mint()).await.unwrap();
            assert_eq!(tenant.requests(Endpoint::Jwks), 1);
            tenant
        })
    });
    let mut issuers = std::collections::HashSet::new();
    let mut alive = Vec::new();
    for tenant in tenants.collect::<Vec<_>>() {
        let tenant = tenant.await.unwrap();
        assert!(issuers.insert(tenant.issuer().to_owned()));
        alive.push(tenant);
    }
}

#[tokio::test]
#[ignore = "a measurement: run it alone, with --nocapture"]
async fn the_time_that_a_tenant_takes() {
    let clock = Clock::system();
    let builders = [
        ("first", MockTenant::builder()),
        ("second", MockTenant::builder()),
        ("TLS", MockTenant::builder().tls()),
        ("TLS again", MockTenant::builder().tls()),
        ("mutual TLS", MockTenant::builder().mutual_tls()),
        ("two trust stores", MockTenant::builder().trust_store("a").trust_store("b")),
    ];
    for (name, builder) in builders {
        let start = clock.monotonic();
        let tenant = builder.start().await;
        let started = clock.monotonic();
        let token = tenant.token().mint();
        let minted = clock.monotonic();
        let hostile = Hostile::all(&tenant).len();
        let collected = clock.monotonic();
        drop((tenant, token));
        let dropped = clock.monotonic();
        println!(
            "{name}: start {:?}, mint {:?}, {hostile} hostile tokens {:?}, drop {:?}",
            started - start,
            minted - started,
            collected - minted,
            dropped - collected,
        );
    }
}

#[test]
fn a_tenant_may_be_sent_and_shared() {
    const fn check<T: Send + Sync + std::fmt::Debug + 'static>() {}
    check::<MockTenant>();
}
