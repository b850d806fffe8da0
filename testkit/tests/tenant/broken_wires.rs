//! Faults of the connection and of time, as the client's socket sees them.

use std::{
    io::{self, ErrorKind},
    iter,
    net::TcpListener,
    time::Duration,
};

use monocloud_testkit::{Clock, Endpoint, Fault, MockTenant};
use reqwest::Client;
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinHandle,
};

use crate::{
    asker::frozen_tenant,
    reader::{client_trusting, fetch, plain_client},
};

const SECOND: Duration = Duration::from_secs(1);

fn address(tenant: &MockTenant) -> String {
    let (_, rest) = tenant.issuer().split_once("://").unwrap();
    rest.split('/').next().unwrap().replace("localhost", "127.0.0.1")
}

/// A connection that has requested the key set.
async fn requesting(tenant: &MockTenant) -> TcpStream {
    let mut stream = TcpStream::connect(address(tenant)).await.unwrap();
    let url = tenant.url(Endpoint::Jwks);
    let path = url.strip_prefix("http://").unwrap().split_once('/').unwrap().1;
    let request = format!("GET /{path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

async fn rest(mut stream: TcpStream) -> io::Result<String> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await?;
    Ok(String::from_utf8(bytes).unwrap())
}

/// The error of a client with TLS.
async fn failure(client: &Client, url: &str) -> String {
    let response = match client.get(url).send().await {
        Ok(response) => response.bytes().await.map(drop),
        Err(error) => Err(error),
    };
    let error: Box<dyn std::error::Error> = Box::new(response.unwrap_err());
    let causes = iter::successors(Some(&*error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// A request that has arrived and waits for its answer.
async fn pending(tenant: &MockTenant) -> JoinHandle<Value> {
    let (url, before) = (tenant.url(Endpoint::Jwks), tenant.requests(Endpoint::Jwks));
    let request = tokio::spawn(async move { fetch(&url).await });
    tenant.requested(Endpoint::Jwks, before + 1).await;
    // An answer would have arrived before this one.
    fetch(&tenant.url(Endpoint::Discovery)).await;
    assert!(!request.is_finished());
    request
}

#[tokio::test]
async fn a_reset_differs_from_a_close() {
    let tenant = MockTenant::start().await;
    tenant.fault(Endpoint::Jwks, Fault::Reset).times(1);
    let error = rest(requesting(&tenant).await).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);

    tenant.fault(Endpoint::Jwks, Fault::CloseBeforeAnswer).times(1);
    assert_eq!(rest(requesting(&tenant).await).await.unwrap(), "");
    assert_eq!(tenant.requests(Endpoint::Jwks), 2);
}

#[tokio::test]
async fn a_truncated_body_ends_before_its_content_length() {
    let tenant = MockTenant::start().await;
    let right = tenant.jwks().to_string();
    for after in [0, 1, 100, right.len() - 1] {
        let _guard = tenant.fault(Endpoint::Jwks, Fault::Truncated { after });
        let answer = rest(requesting(&tenant).await).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        assert!(head.contains(&format!("content-length: {}\r\n", right.len())), "{head}");
        assert!(head.contains("content-type: application/json\r\n"), "{head}");
        assert_eq!(body, &right[..after]);

        let response = plain_client().get(tenant.url(Endpoint::Jwks)).send().await.unwrap();
        assert!(response.text().await.is_err());
    }
    let _guard = tenant.fault(Endpoint::Jwks, Fault::Truncated { after: usize::MAX });
    assert_eq!(fetch(&tenant.url(Endpoint::Jwks)).await, tenant.jwks());
}

#[tokio::test]
async fn the_same_happens_with_tls() {
    let tenant = MockTenant::builder().tls().start().await;
    let client = client_trusting(&tenant.authority().certificate_pem()).build().unwrap();
    let url = tenant.url(Endpoint::Jwks);
    let drip = Fault::SlowDrip { chunk: 100, every: Duration::ZERO };
    for fault in [drip, Fault::Huge(100_000), Fault::Latency(Duration::ZERO)] {
        let _guard = tenant.fault(Endpoint::Jwks, fault);
        let body = client.get(&url).send().await.unwrap().text().await.unwrap();
        assert_eq!(serde_json::from_str::<Value>(&body).unwrap(), tenant.jwks());
    }
    for (fault, reason) in [
        (Fault::Reset, "reset by peer"),
        (Fault::CloseBeforeAnswer, "close_notify"),
        (Fault::BrokenTls, "InvalidContentType"),
        (Fault::Truncated { after: 7 }, "end of file before message length reached"),
    ] {
        tenant.fault(Endpoint::Jwks, fault.clone()).times(1);
        let failure = failure(&client, &url).await;
        assert!(failure.contains(reason), "{fault:?}: {failure}");
    }
    assert_eq!(tenant.requests(Endpoint::Jwks), 7);
}

#[tokio::test]
async fn latency_is_on_the_clock() {
    let tenant = frozen_tenant().await;
    let _guard = tenant.fault(Endpoint::Jwks, Fault::Latency(5 * SECOND));
    let request = pending(&tenant).await;
    tenant.clock().advance(4 * SECOND);
    fetch(&tenant.url(Endpoint::Discovery)).await;
    assert!(!request.is_finished());
    tenant.clock().advance(SECOND);
    assert_eq!(request.await.unwrap(), tenant.jwks());

    let running = MockTenant::builder().clock(Clock::system()).start().await;
    let _guard = running.fault(Endpoint::Jwks, Fault::Latency(Duration::from_millis(2)));
    assert_eq!(fetch(&running.url(Endpoint::Jwks)).await, running.jwks());
}

#[tokio::test]
async fn a_slow_body_comes_in_parts_as_the_clock_moves() {
    let tenant = frozen_tenant().await;
    let right = tenant.jwks().to_string();
    let fault = Fault::SlowDrip { chunk: 10, every: SECOND };
    let _guard = tenant.fault(Endpoint::Jwks, fault);
    let mut stream = requesting(&tenant).await;
    tenant.requested(Endpoint::Jwks, 1).await;

    let mut arrived = String::new();
    let mut body = async |length| {
        loop {
            // As much as arrives before the clock moves.
            fetch(&tenant.url(Endpoint::Discovery)).await;
            let body = arrived.split_once("\r\n\r\n").map_or("", |(_, body)| body);
            if body.len() >= length {
                return body.to_owned();
            }
            let mut bytes = [0; 1000];
            let count = stream.read(&mut bytes).await.unwrap();
            arrived += str::from_utf8(&bytes[..count]).unwrap();
        }
    };
    assert_eq!(body(1).await, right[..10]);
    tenant.clock().advance(2 * SECOND);
    assert_eq!(body(30).await, right[..30]);
    tenant.clock().advance(1000 * SECOND);
    assert_eq!(body(right.len()).await, right);
}

#[tokio::test]
async fn held_requests_are_answered_when_the_fault_is_lifted() {
    let tenant = MockTenant::start().await;
    let guard = tenant.fault(Endpoint::Jwks, Fault::NeverAnswer);
    let request = pending(&tenant).await;
    // Another fault affects only later requests.
    let _later = tenant.fault(Endpoint::Jwks, Fault::Status(500));
    drop(guard);
    assert_eq!(request.await.unwrap(), tenant.jwks());
}

#[tokio::test]
async fn a_request_stays_held_after_it_used_up_its_fault() {
    let tenant = MockTenant::start().await;
    tenant.fault(Endpoint::Jwks, Fault::NeverAnswer).times(1);
    let request = pending(&tenant).await;
    assert_eq!(fetch(&tenant.url(Endpoint::Jwks)).await, tenant.jwks());
    assert!(!request.is_finished());
    tenant.recover(Endpoint::Jwks);
    assert_eq!(request.await.unwrap(), tenant.jwks());
}

#[tokio::test]
async fn a_client_whose_request_is_held_may_leave() {
    let tenant = MockTenant::start().await;
    let _guard = tenant.fault(Endpoint::Jwks, Fault::NeverAnswer);
    let mut stream = requesting(&tenant).await;
    tenant.requested(Endpoint::Jwks, 1).await;
    stream.shutdown().await.unwrap();
    // The tenant closes the connection too.
    assert_eq!(rest(stream).await.unwrap(), "");
}

#[tokio::test]
async fn dropping_a_tenant_frees_its_ports_even_if_requests_hang() {
    for builder in [MockTenant::builder(), MockTenant::builder().mutual_tls()] {
        let tenant = builder.clock(Clock::frozen()).start().await;
        let client = client_trusting(&tenant.authority().certificate_pem()).build().unwrap();
        let faults = [
            Fault::NeverAnswer,
            Fault::Latency(SECOND),
            Fault::SlowDrip { chunk: 1, every: SECOND },
            Fault::Huge(1 << 50),
        ];
        let mut requests = Vec::new();
        let mut guards = Vec::new();
        for (fault, number) in faults.into_iter().zip(1..) {
            guards.push(tenant.fault(Endpoint::Jwks, fault));
            let request = client.get(tenant.url(Endpoint::Jwks));
            requests.push(tokio::spawn(async move { request.send().await?.bytes().await }));
            tenant.requested(Endpoint::Jwks, number).await;
        }
        let address = address(&tenant);
        drop(tenant);
        TcpListener::bind(address).expect("the port is free");
        for request in requests {
            request.await.unwrap().unwrap_err();
        }
    }
}
