//! Certificate-bound tokens behind real proxies, with the configurations of the manual's page.

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
async fn nginx_passes_only_the_certificate_of_the_handshake() {
    assert_binding(NGINX, percent_encoded_pem).await;
}

#[tokio::test]
#[ignore = "needs haproxy, see CONTRIBUTING.md"]
async fn haproxy_passes_only_the_certificate_of_the_handshake() {
    assert_binding(HAPROXY, base64_der).await;
}

#[tokio::test]
#[ignore = "needs apache2, see CONTRIBUTING.md"]
async fn apache_passes_only_the_certificate_of_the_handshake() {
    assert_binding(APACHE, pem_with_spaces).await;
}

#[tokio::test]
#[ignore = "needs caddy, see CONTRIBUTING.md"]
async fn caddy_passes_only_the_certificate_of_the_handshake() {
    assert_binding(CADDY, base64_der).await;
}

/// Checks a proxy; `encode` writes a certificate as the proxy does.
async fn assert_binding(program: Program, encode: fn(&Certificate) -> String) {
    let (tenant, authority) = (MockTenant::start().await, Authority::new());
    let proxy = Proxy::start(program, serve(&tenant).await, &authority.server("localhost")).await;
    let site = Site { tenant, authority, proxy, encode };
    for owner in [
        Certificate::self_signed("self-signed"),
        site.authority.client("of an authority"),
        site.authority.intermediate().client("of an intermediate authority"),
    ] {
        site.assert_owner_is_accepted(&owner).await;
        site.assert_others_are_rejected(&owner).await;
        site.assert_forged_headers_are_removed(&owner).await;
    }
}

/// Answers with the header's values as the API received them, one per line.
#[handler]
fn received(headers: &HeaderMap) -> String {
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
    let app = Route::new().at("/", get(received.with(protect.require(Policy::ANY_TOKEN))));
    let acceptor = TcpListener::bind("127.0.0.1:0").into_acceptor().await.unwrap();
    let address = *acceptor.local_addr()[0].as_socket_addr().unwrap();
    tokio::spawn(Server::new_with_acceptor(acceptor).run(app));
    address
}

/// The API behind its proxy.
struct Site {
    tenant: MockTenant,
    authority: Authority,
    proxy: Proxy,
    encode: fn(&Certificate) -> String,
}

impl Site {
    fn client(&self, certificate: Option<&Certificate>) -> Client {
        Client::new(self.proxy.address, &self.authority, certificate)
    }

    fn bound_token(&self, owner: &Certificate) -> String {
        self.tenant.token().bound_to(owner).mint()
    }

    fn header_of(&self, certificate: &Certificate) -> String {
        format!("{}\n", (self.encode)(certificate))
    }

    async fn assert_owner_is_accepted(&self, owner: &Certificate) {
        let (client, token) = (self.client(Some(owner)), self.bound_token(owner));
        let first = client.get(&token, "").await.unwrap();
        assert_eq!(first.body_of_200(), self.header_of(owner));
        let resumed = client.get(&token, "").await.unwrap();
        assert!(resumed.is_resumed, "the TLS session");
        assert_eq!(resumed.body_of_200(), self.header_of(owner));
    }

    async fn assert_others_are_rejected(&self, owner: &Certificate) {
        let token = self.bound_token(owner);
        let attacker = self.authority.client("attacker");
        for client in [self.client(None), self.client(Some(&attacker))] {
            assert_eq!(client.get(&token, "").await.unwrap().status, 401);
            for (case, lines) in forged(&(self.encode)(owner)) {
                assert_eq!(client.get(&token, &lines).await.unwrap().status, 401, "{case}");
            }
            for (case, lines) in malformed(&(self.encode)(owner)) {
                let status = client.get(&token, &lines).await.unwrap().status;
                assert!(matches!(status, 400 | 401), "{case}: {status}");
            }
        }
        for version in [&TLS12, &TLS13] {
            let (address, authority) = (self.proxy.address, &self.authority);
            let impostor = Client::impostor(address, authority, version, owner, &attacker);
            assert!(impostor.get(&token, "").await.is_err(), "without the key, {version:?}");
        }
    }

    async fn assert_forged_headers_are_removed(&self, owner: &Certificate) {
        let unbound = self.tenant.token().mint();
        let client = self.client(None);
        assert_eq!(client.get(&unbound, "").await.unwrap().body_of_200(), "");
        for (case, lines) in forged(&(self.encode)(owner)) {
            let answer = client.get(&unbound, &lines).await.unwrap();
            assert_eq!(answer.body_of_200(), "", "{case}");
        }
        let other = self.authority.client("other");
        let client = self.client(Some(owner));
        for (case, lines) in forged(&(self.encode)(&other)) {
            let body = client.get(&unbound, &lines).await.unwrap().body_of_200();
            // A header that the client lists in `Connection` may be dropped altogether.
            let is_dropped = lines.contains("Connection") && body.is_empty();
            assert!(is_dropped || body == self.header_of(owner), "{case}: {body}");
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
        ("empty, then repeated", format!("X-Client-Cert:\r\n{line}")),
        ("listed in Connection", format!("{line}\r\nConnection: X-Client-Cert")),
        ("unchanged", line),
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

/// The value of nginx's `$ssl_client_escaped_cert`.
fn percent_encoded_pem(certificate: &Certificate) -> String {
    let pem = lines(certificate).join("\n") + "\n";
    pem.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        })
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
