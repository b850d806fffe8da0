//! TLS to the tenant: which certificates are trusted.

use std::{env, fs, process::Command};

use harness::support::{
    Log, frozen_tenant, get, internal, ok, protect, serve, served, unavailable,
};
use monocloud_backend::{ProtectApi, ProtectApiBuilder};
use monocloud_testkit::{Clock, Endpoint, MockTenant, ServerCertificate};
use rcgen::KeyPair;
use tempfile::TempDir;
use tracing::Level;

use crate::keys::seconds;

/// A tenant behind TLS, with a certificate of an authority that is not in the system's store.
async fn secure_tenant() -> MockTenant {
    MockTenant::builder().tls().clock(Clock::frozen()).start().await
}

/// The configuration of an API that does not trust the tenant's authority.
fn untrusting(tenant: &MockTenant) -> ProtectApiBuilder {
    ProtectApi::builder()
        .tenant_domain(tenant.issuer())
        .audience(tenant.audience())
        .clock(tenant.clock().reading())
        .timer(tenant.clock().timer())
}

#[tokio::test]
async fn a_private_authority_is_trusted_if_configured() {
    let tenant = secure_tenant().await;
    for trusting in [
        protect(&tenant),
        untrusting(&tenant).ca_certificate_file(tenant.authority().certificate_file()),
    ] {
        let api = serve(&trusting.build().unwrap());
        api.check("trusted", get("/any").bearer(&tenant.token().mint()), &ok()).await;
    }
    assert_eq!(tenant.requests(Endpoint::Jwks), 2);
}

#[tokio::test]
async fn no_other_authority_is_trusted_and_nothing_is_sent() {
    let (tenant, other) = (secure_tenant().await, secure_tenant().await);
    for (case, trusting) in [
        ("unknown authority", untrusting(&tenant)),
        (
            "another authority",
            untrusting(&tenant).ca_certificate_file(other.authority().certificate_file()),
        ),
    ] {
        let api = serve(&trusting.build().unwrap());
        api.check(case, get("/any").bearer(&tenant.token().mint()), &unavailable()).await;
    }
    assert_eq!(tenant.requests(Endpoint::Discovery), 0);
}

#[tokio::test]
async fn an_invalid_server_certificate_is_an_outage_until_it_is_replaced() {
    for (certificate, reason) in [
        (ServerCertificate::Expired, "certificate expired"),
        (ServerCertificate::OtherHost, "not valid for name"),
        (ServerCertificate::OtherAuthority, "UnknownIssuer"),
    ] {
        let tenant = secure_tenant().await;
        tenant.serve_certificate(certificate);
        let (api, log) = (served(&tenant), Log::capture());
        let token = tenant.token().mint();
        api.check(reason, get("/any").bearer(&token), &unavailable()).await;
        assert_eq!(tenant.requests(Endpoint::Discovery), 0, "{reason}");
        let warnings = log.lines(Level::WARN);
        assert!(
            !warnings.is_empty() && warnings.iter().all(|line| line.contains(reason)),
            "{warnings:?}"
        );
        tenant.serve_certificate(ServerCertificate::Valid);
        tenant.clock().advance(seconds(9.0));
        api.check("renewed", get("/any").bearer(&token), &ok()).await;
    }
}

#[tokio::test]
async fn keys_of_a_tenant_behind_tls_are_never_fetched_over_plain_http() {
    let (tenant, plain) = (secure_tenant().await, frozen_tenant().await);
    let mut metadata = tenant.metadata();
    metadata["jwks_uri"] = plain.url(Endpoint::Jwks).into();
    tenant.serve_metadata(metadata);
    let api = serve(&protect(&tenant).build().unwrap());
    api.check("plain", get("/any").bearer(&tenant.token().mint()), &internal()).await;
    assert_eq!(plain.requests(Endpoint::Jwks), 0);
}

#[test]
fn a_file_without_a_certificate_is_a_configuration_error() {
    let folder = TempDir::new().unwrap();
    for (name, text) in [
        ("empty.pem", ""),
        ("text.pem", "hello"),
        ("key.pem", &KeyPair::generate().unwrap().serialize_pem()),
    ] {
        let file = folder.path().join(name);
        fs::write(&file, text).unwrap();
        let builder = ProtectApi::builder().tenant_domain("acme.us.monocloud.com").audience("api");
        let error = builder.ca_certificate_file(&file).build().unwrap_err();
        assert!(error.to_string().contains("ca_certificate_file"), "{name}: {error}");
    }
}

/// The environment belongs to a process, so the test below runs in a separate one.
#[test]
fn missing_trusted_certificates_are_one_warning() {
    let folder = TempDir::new().unwrap();
    let missing = folder.path().join("missing.pem");
    let output = Command::new(env::current_exe().unwrap())
        .args(["--exact", "tls::ssl_cert_file_is_missing", "--ignored", "--nocapture"])
        .env("SSL_CERT_FILE", &missing)
        .env_remove("SSL_CERT_DIR")
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && printed.contains("1 passed"), "{output:?}");
}

#[test]
#[ignore = "needs an environment that the test above sets"]
fn ssl_cert_file_is_missing() {
    let Some(missing) = env::var_os("SSL_CERT_FILE") else { return };
    let log = Log::capture();
    let builder = ProtectApi::builder().tenant_domain("acme.us.monocloud.com").audience("api");
    builder.build().unwrap();
    let lines = log.lines(Level::WARN);
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains("SSL_CERT_FILE"), "{lines:?}");
    assert!(lines[0].contains(missing.to_str().unwrap()), "{lines:?}");
}
