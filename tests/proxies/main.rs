//! Certificate-bound tokens behind real proxies, with the configurations of the manual's page.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test's mistake is best told by a panic"
)]

mod client;
mod proxy;

use std::net::SocketAddr;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use client::Client;
use monocloud_backend::{Policy, ProtectApi};
use monocloud_testkit::{Authority, Certificate, MockTenant};
use poem::{
    EndpointExt, Route, Server, get, handler,
    http::HeaderMap,
    listener::{Acceptor, Listener, TcpListener},
};
use proxy::{APACHE, CADDY, HAPROXY, NGINX, Program, Proxy};
use rustls::version::{TLS12, TLS13};

const HEADER: &str = "X-Client-Cert";

#[tokio::test]
#[ignore = "needs nginx, see CONTRIBUTING.md"]
async fn behind_nginx_a_bound_token_needs_its_certificate() {
    assert_binding(NGINX, percent_encoded_pem).await;
}

#[tokio::test]
#[ignore = "needs haproxy, see CONTRIBUTING.md"]
async fn behind_haproxy_a_bound_token_needs_its_certificate() {
    assert_binding(HAPROXY, base64_der).await;
}

#[tokio::test]
#[ignore = "needs apache2, see CONTRIBUTING.md"]
async fn behind_apache_a_bound_token_needs_its_certificate() {
    assert_binding(APACHE, pem_with_spaces).await;
}

#[tokio::test]
#[ignore = "needs caddy, see CONTRIBUTING.md"]
async fn behind_caddy_a_bound_token_needs_its_certificate() {
    assert_binding(CADDY, base64_der).await;
}

/// Answers with the lines of the header that the API received.
#[handler]
fn seen(headers: &HeaderMap) -> String {
    let values = headers.get_all(HEADER).iter();
    values.map(|value| format!("{}\n", value.to_str().unwrap())).collect()
}

/// An API on loopback that reads certificates from the header.
async fn serve(tenant: &MockTenant) -> SocketAddr {
    let protect = ProtectApi::builder()
        .vars(tenant.vars())
        .client_certificate_header(HEADER)
        .build()
        .unwrap();
    let app = Route::new().at("/", get(seen.with(protect.require(Policy::ANY_TOKEN))));
    let acceptor = TcpListener::bind("127.0.0.1:0").into_acceptor().await.unwrap();
    let address = *acceptor.local_addr()[0].as_socket_addr().unwrap();
    tokio::spawn(Server::new_with_acceptor(acceptor).run(app));
    address
}

async fn assert_binding(program: Program, write: fn(&Certificate) -> String) {
    let (tenant, authority) = (MockTenant::start().await, Authority::new());
    let api = serve(&tenant).await;
    let proxy = Proxy::start(program, api, &authority.server("localhost")).await;
    let client = |own: Option<&Certificate>| Client::new(proxy.address, &authority, own);
    let thief = authority.client("thief");
    let (nobody, known) = (client(None), client(Some(&thief)));
    let unbound = tenant.token().mint();

    for own in [
        Certificate::self_signed("self-signed"),
        authority.client("of an authority"),
        authority.intermediate().client("of an intermediate authority"),
    ] {
        let own_client = client(Some(&own));
        let bound = tenant.token().bound_to(&own).mint();
        let passed_on = |certificate| format!("{}\n", write(certificate));

        assert_eq!(own_client.get(&bound, "").await.unwrap().ok(), passed_on(&own));
        let resumed = own_client.get(&bound, "").await.unwrap();
        assert!(resumed.is_resumed);
        assert_eq!(resumed.ok(), passed_on(&own));
        assert_eq!(own_client.get(&unbound, "").await.unwrap().ok(), passed_on(&own));
        for version in [&TLS12, &TLS13] {
            let impostor = Client::impostor(proxy.address, &authority, version, &own, &thief);
            assert!(impostor.get(&bound, "").await.is_err(), "the key is another: {version:?}");
        }

        for thief in [&nobody, &known] {
            assert_eq!(thief.get(&bound, "").await.unwrap().status, 401);
            for (case, lines) in forged(&write(&own)) {
                assert_eq!(thief.get(&bound, &lines).await.unwrap().status, 401, "{case}");
            }
            for (case, lines) in malformed(&write(&own)) {
                let status = thief.get(&bound, &lines).await.unwrap().status;
                assert!(matches!(status, 400 | 401), "{case}: {status}");
            }
        }
        for (case, lines) in forged(&write(&own)) {
            assert_eq!(nobody.get(&unbound, &lines).await.unwrap().ok(), "", "{case}");
        }
        for (case, lines) in forged(&write(&thief)) {
            // A client can have the proxy drop its certificate as a header of this hop.
            let answer = own_client.get(&bound, &lines).await.unwrap();
            let is_own = answer.status == 200 && answer.body == passed_on(&own);
            assert!(is_own || answer.status == 401, "{case}: {answer:?}");
        }
    }
}

/// Well-formed header lines that claim a certificate.
fn forged(value: &str) -> Vec<(&'static str, String)> {
    let line = format!("X-Client-Cert: {value}");
    vec![
        ("in lower case", format!("x-client-cert: {value}")),
        ("in upper case", format!("X-CLIENT-CERT: {value}")),
        ("with underscores", format!("X_Client_Cert: {value}")),
        ("with one underscore", format!("X-Client_Cert: {value}")),
        ("twice", format!("{line}\r\n{line}")),
        ("empty and once more", format!("X-Client-Cert:\r\n{line}")),
        ("declared to be of this hop", format!("{line}\r\nConnection: X-Client-Cert")),
        ("as it is", line),
    ]
}

/// Header lines that some parsers read as a claim to a certificate and others do not.
fn malformed(value: &str) -> [(&'static str, String); 6] {
    [
        ("a space before the colon", format!("X-Client-Cert : {value}")),
        ("a folded value", format!("X-Client-Cert:\r\n {value}")),
        ("a folded line", format!("X-Other: value\r\n X-Client-Cert: {value}")),
        ("a bare line feed", format!("X-Other: value\nX-Client-Cert: {value}")),
        ("a bare carriage return", format!("X-Other: value\rX-Client-Cert: {value}")),
        ("a null byte", format!("X-Client-Cert\0: {value}")),
    ]
}

/// What `$ssl_client_escaped_cert` of nginx holds.
fn percent_encoded_pem(certificate: &Certificate) -> String {
    let escaped = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    lines(certificate)
        .iter()
        .flat_map(|line| format!("{line}\n").into_bytes())
        .map(escaped)
        .collect()
}

fn pem_with_spaces(certificate: &Certificate) -> String {
    lines(certificate).join(" ")
}

fn base64_der(certificate: &Certificate) -> String {
    BASE64_STANDARD.encode(certificate.der())
}

fn lines(certificate: &Certificate) -> Vec<&str> {
    certificate.certificate_pem().lines().collect()
}
