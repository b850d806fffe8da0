use crate::asker::{client_trusting, frozen_tenant};
use monocloud_testkit::{Authority, Endpoint, MockTenant, ServerCertificate};
use serde_json::Value;
use std::error::Error as _;
use std::fs;
use std::net::TcpListener;
use std::path::Path;

fn setting(vars: &[(String, String)], name: &str) -> Option<String> {
    let var = vars.iter().find(|(var, _)| var.strip_prefix("MONOCLOUD_BACKEND_") == Some(name));
    var.map(|(_, value)| value.clone())
}

/// What goes wrong when a client that trusts the tenant connects.
async fn failure(tenant: &MockTenant) -> String {
    let client = client_trusting(&tenant.authority().certificate_pem()).build().unwrap();
    let error = client.get(tenant.url(Endpoint::Jwks)).send().await.unwrap_err();
    let mut text = String::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = error.to_string();
        cause = error.source();
    }
    text
}

#[tokio::test]
async fn the_tenant_answers_over_tls_for_those_who_trust_its_authority() {
    let tenant = MockTenant::builder().tls().path("acme").start().await;
    assert!(tenant.issuer().starts_with("https://localhost:"));
    assert!(tenant.issuer().ends_with("/acme"));

    let file = setting(&tenant.vars(), "CA_CERTIFICATE_FILE").unwrap();
    let client = client_trusting(&fs::read_to_string(&file).unwrap()).build().unwrap();
    for url in [
        tenant.url(Endpoint::Discovery),
        tenant.url(Endpoint::Discovery).replace("localhost", "127.0.0.1"),
    ] {
        let metadata = client.get(url).send().await.unwrap().text().await.unwrap();
        assert_eq!(serde_json::from_str::<Value>(&metadata).unwrap(), tenant.metadata());
    }
    assert_eq!(tenant.requests(Endpoint::Discovery), 2);
    assert_eq!(tenant.metadata()["issuer"], tenant.issuer());
    assert_eq!(tenant.metadata()["jwks_uri"], tenant.url(Endpoint::Jwks));
    assert!(reqwest::get(tenant.url(Endpoint::Jwks)).await.is_err());

    drop(tenant);
    assert!(!Path::new(&file).exists());
}

#[tokio::test]
async fn a_tenant_without_tls_names_no_authority() {
    assert_eq!(setting(&frozen_tenant().await.vars(), "CA_CERTIFICATE_FILE"), None);
}
