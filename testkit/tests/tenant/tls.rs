use std::{error::Error as _, fs, iter, net::TcpListener, path::Path, sync::Arc};

use monocloud_testkit::{
    Authority, Certificate, Endpoint, Entrance, MockTenant, ServerCertificate,
};
use reqwest::Client;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio_rustls::TlsAcceptor;

use crate::{asker::frozen_tenant, reader::client_trusting};

fn setting(vars: &[(String, String)], name: &str) -> Option<String> {
    let var = vars.iter().find(|(var, _)| var.strip_prefix("MONOCLOUD_BACKEND_") == Some(name));
    var.map(|(_, value)| value.clone())
}

/// The status for a client that trusts this authority, or its error.
async fn visit(url: &str, authority: &Authority) -> Result<u16, String> {
    let client = client_trusting(&authority.certificate_pem()).build().unwrap();
    visit_by(&client, url).await
}

async fn visit_by(client: &Client, url: &str) -> Result<u16, String> {
    match client.get(url).send().await {
        Ok(response) => Ok(response.status().as_u16()),
        Err(error) => {
            let causes = iter::successors(error.source(), |&error| error.source());
            Err(causes.last().unwrap().to_string())
        }
    }
}

#[tokio::test]
async fn the_tenant_answers_over_tls_for_clients_that_trust_its_authority() {
    let tenant = MockTenant::builder().tls().path("acme").start().await;
    assert!(tenant.issuer().starts_with("https://localhost:"));
    assert!(tenant.issuer().ends_with("/acme"));
    assert_eq!(tenant.metadata()["jwks_uri"], tenant.url(Endpoint::Jwks));

    let file = setting(&tenant.vars(), "CA_CERTIFICATE_FILE").unwrap();
    let client = client_trusting(&fs::read_to_string(&file).unwrap()).build().unwrap();
    let by_name = tenant.url(Endpoint::Discovery);
    for url in [&by_name, &by_name.replace("localhost", "127.0.0.1")] {
        let response = client.get(url).send().await.unwrap();
        assert_eq!(response.headers()["content-type"], "application/json");
        let metadata: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
        assert_eq!(metadata, tenant.metadata());
    }
    assert_eq!(tenant.requests(Endpoint::Discovery), 2);
    assert_eq!(tenant.requests_with_certificate(Endpoint::Discovery), 0);
    assert!(visit(&by_name, &Authority::new()).await.unwrap_err().contains("UnknownIssuer"));

    drop(tenant);
    assert!(!Path::new(&file).exists());
}

#[tokio::test]
async fn the_settings_without_tls_name_no_authority() {
    assert_eq!(setting(&frozen_tenant().await.vars(), "CA_CERTIFICATE_FILE"), None);
}

#[tokio::test]
async fn the_certificate_can_be_invalid_and_valid_again() {
    let tenant = MockTenant::builder().mutual_tls().start().await;
    let urls = [Entrance::Issuer, Entrance::MutualTls]
        .map(|entrance| tenant.url_at(&entrance, Endpoint::Jwks));
    // A client with an earlier session, which it would resume if it could.
    let client = client_trusting(&tenant.authority().certificate_pem()).build().unwrap();
    for url in &urls {
        assert_eq!(visit_by(&client, url).await, Ok(200));
    }
    for (certificate, reason) in [
        (ServerCertificate::Expired, "expired"),
        (ServerCertificate::OtherHost, "not valid for name"),
        (ServerCertificate::OtherAuthority, "UnknownIssuer"),
    ] {
        tenant.serve_certificate(certificate);
        for url in &urls {
            let failure = visit_by(&client, url).await.unwrap_err();
            assert!(failure.contains(reason), "{certificate:?}: {failure}");
        }
    }
    assert_eq!(tenant.requests(Endpoint::Jwks), 2);
    tenant.serve_certificate(ServerCertificate::Valid);
    for url in &urls {
        assert_eq!(visit_by(&client, url).await, Ok(200));
    }
}

#[tokio::test]
#[should_panic(expected = "the tenant was built without TLS")]
async fn a_tenant_without_tls_has_no_certificate() {
    frozen_tenant().await.serve_certificate(ServerCertificate::Expired);
}

#[tokio::test]
async fn a_tenant_with_tls_frees_its_ports_despite_open_connections() {
    for _ in 0..10 {
        let tenant = MockTenant::builder().trust_store("partners").start().await;
        let client = client_trusting(&tenant.authority().certificate_pem());
        let client = client.pool_max_idle_per_host(1).build().unwrap();
        let metadata = tenant.metadata();
        let urls = [
            &metadata["introspection_endpoint"],
            &metadata["mtls_endpoint_aliases"]["introspection_endpoint"],
            &metadata["mtls_additional_endpoint_aliases"]["partners"]["introspection_endpoint"],
        ];
        let addresses = urls.map(|url| {
            let url = url.as_str().unwrap().strip_prefix("https://").unwrap();
            url.split_once('/').unwrap().0.replace("localhost", "127.0.0.1")
        });
        // One connection that is kept, and one that never starts TLS.
        client.get(urls[0].as_str().unwrap()).send().await.unwrap();
        let mut silent = tokio::net::TcpStream::connect(&addresses[1]).await.unwrap();
        silent.write_all(b"\x16").await.unwrap();

        drop(tenant);
        for address in addresses {
            TcpListener::bind(address).expect("the port is free");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_requests_share_connections_and_none_is_lost() {
    let tenant = Arc::new(MockTenant::builder().tls().start().await);
    let client = client_trusting(&tenant.authority().certificate_pem());
    let client = client.pool_max_idle_per_host(8).build().unwrap();
    let body = "x".repeat(100_000);
    let requests = (0..8).map(|_| {
        let (tenant, client, body) = (Arc::clone(&tenant), client.clone(), body.clone());
        tokio::spawn(async move {
            for _ in 0..25 {
                let request = client.post(tenant.url(Endpoint::Jwks)).body(body.clone());
                let answer = request.send().await.unwrap().text().await.unwrap();
                assert_eq!(serde_json::from_str::<Value>(&answer).unwrap(), tenant.jwks());
            }
        })
    });
    for request in requests.collect::<Vec<_>>() {
        request.await.unwrap();
    }
    assert_eq!(tenant.requests(Endpoint::Jwks), 200);
}

/// Serves TLS with the files of this certificate; answers 204.
async fn serve(certificate: Certificate) -> String {
    let chain = CertificateDer::pem_file_iter(certificate.certificate_file()).unwrap();
    let chain = chain.collect::<Result<_, _>>().unwrap();
    let key = PrivateKeyDer::from_pem_file(certificate.key_file()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        if let Ok(mut stream) = TlsAcceptor::from(Arc::new(config)).accept(stream).await {
            stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
            stream.shutdown().await.unwrap();
        }
    });
    format!("https://localhost:{port}")
}

#[tokio::test]
async fn an_authority_makes_certificates_for_servers() {
    let authority = Authority::new();
    let server = authority.server("localhost api.example.com");
    let files = [server.certificate_file(), server.key_file(), authority.certificate_file()];
    assert_eq!(fs::read_to_string(&files[2]).unwrap(), authority.certificate_pem());
    assert_eq!(visit(&serve(server.clone()).await, &authority).await, Ok(204));
    drop((server, authority));
    assert!(files.iter().all(|file| !file.exists()));

    let authority = Authority::new();
    let below = authority.intermediate().intermediate().server("localhost");
    assert_eq!(below.chain_pem().matches("BEGIN CERTIFICATE").count(), 3);
    assert_eq!(visit(&serve(below).await, &authority).await, Ok(204));

    for (certificate, reason) in [
        (authority.expired_server("localhost"), "expired"),
        (authority.server("127.0.0.1"), "not valid for name"),
        (Authority::new().server("localhost"), "UnknownIssuer"),
        (authority.client("localhost"), "extended key usage"),
    ] {
        let failure = visit(&serve(certificate).await, &authority).await.unwrap_err();
        assert!(failure.contains(reason), "{reason}: {failure}");
    }
}

#[test]
fn a_tenant_with_tls_can_be_dropped_outside_of_its_runtime() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let tenant = runtime.block_on(MockTenant::builder().mutual_tls().start());
    let url = tenant.url(Endpoint::Jwks);
    drop(runtime);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    assert_eq!(runtime.block_on(visit(&url, tenant.authority())), Ok(200));
    drop(tenant);
}
