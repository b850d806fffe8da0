//! `rediss://`: which certificates the cache trusts.

use harness::{
    hosts::POEM,
    support::{Log, frozen_tenant},
};
use monocloud_backend::cache::RedisCache;
use monocloud_testkit::Authority;
use std::{env, process::Command};
use tracing::Level;

use crate::{
    hold_time, introspecting, introspections, served,
    server::{Redis, free_port},
    warnings,
};

/// The clock runs, as Redis may wait for the rest of what it reads as a command.
#[tokio::test]
async fn tls_to_a_plain_port_fails_no_request() {
    let Some(redis) = Redis::start(&[]) else { return };
    let tenant = frozen_tenant().await;
    let url = format!("rediss://:pa55word@localhost:{}", redis.port);
    let (api, log) = (served(&tenant, &url), Log::capture());
    let token = tenant.opaque_token().mint();
    assert_eq!(introspections(&api, &tenant, &token).await, 1);
    assert_eq!(introspections(&api, &tenant, &token).await, 2);
    assert_eq!(redis.keys(), [""; 0]);
    assert_eq!(log.lines(Level::WARN).len(), 1, "{}", warnings(&log));
    assert!(!warnings(&log).contains("pa55word"), "{}", warnings(&log));
}

/// A Redis with a certificate for `localhost`, and its port for TLS.
fn start_with(authority: &Authority) -> Option<(Redis, String)> {
    let server = authority.server("localhost");
    let [certificate, key] =
        [server.certificate_file(), server.key_file()].map(|path| path.display().to_string());
    let port = free_port().to_string();
    let options = ["--tls-port", &port, "--tls-cert-file", &certificate, "--tls-key-file", &key];
    let redis = Redis::start(&[&options[..], &["--tls-auth-clients", "no"]].concat())?;
    Some((redis, port))
}

/// A variable names the system's roots, so the test runs in a separate process.
#[tokio::test]
async fn tls_accepts_only_a_certificate_of_the_systems_authorities() {
    const PORT: &str = "TEST_TLS_REDIS_PORT";
    if let Ok(port) = env::var(PORT) {
        return with_trusted_authority(&port).await;
    }
    let authority = Authority::new();
    let Some((redis, tls_port)) = start_with(&authority) else { return };

    let child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "tls::tls_accepts_only_a_certificate_of_the_systems_authorities"])
        .env(PORT, &tls_port)
        .env("SSL_CERT_FILE", authority.certificate_file())
        .output()
        .unwrap();
    assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stdout));
    assert_eq!(redis.keys().len(), 1, "the child stored a result");

    let _held_time = hold_time();
    let tenant = frozen_tenant().await;
    let (api, log) = (served(&tenant, &format!("rediss://localhost:{tls_port}")), Log::capture());
    let token = tenant.opaque_token().mint();
    assert_eq!(introspections(&api, &tenant, &token).await, 1);
    assert_eq!(introspections(&api, &tenant, &token).await, 2);
    assert!(warnings(&log).contains("an authority that is not trusted"), "{}", warnings(&log));
}

#[tokio::test]
async fn tls_also_accepts_a_certificate_of_the_configured_authorities() {
    let authority = Authority::new();
    let Some((redis, tls_port)) = start_with(&authority) else { return };
    let _held_time = hold_time();
    let tenant = frozen_tenant().await;
    let url = format!("rediss://localhost:{tls_port}");
    let pem = std::fs::read(authority.certificate_file()).unwrap();
    let ca = authority.certificate_file();
    let by_variable = [
        ("MONOCLOUD_BACKEND_INTROSPECTION_CACHE", url.as_str()),
        ("MONOCLOUD_BACKEND_CA_CERTIFICATE_FILE", ca.to_str().unwrap()),
    ];
    let by_call = RedisCache::with_ca_certificates(&url, &pem).unwrap();
    let log = Log::capture();
    for (number, protect) in [
        introspecting(&tenant).vars(by_variable),
        introspecting(&tenant).introspection_cache(by_call),
    ]
    .into_iter()
    .enumerate()
    {
        let (api, token) = (POEM.serve(&protect.build().unwrap()), tenant.opaque_token().mint());
        for _ in 0..2 {
            assert_eq!(introspections(&api, &tenant, &token).await, number + 1);
        }
    }
    assert_eq!(redis.keys().len(), 2);
    assert_eq!(warnings(&log), "");
    for pem in ["", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        assert!(RedisCache::with_ca_certificates(&url, pem.as_bytes()).is_err(), "{pem}");
    }
}

async fn with_trusted_authority(port: &str) {
    let _held_time = hold_time();
    let tenant = frozen_tenant().await;
    let (api, log) = (served(&tenant, &format!("rediss://localhost:{port}")), Log::capture());
    let token = tenant.opaque_token().mint();
    assert_eq!(introspections(&api, &tenant, &token).await, 1);
    assert_eq!(introspections(&api, &tenant, &token).await, 1);
    let wrong_name = served(&tenant, &format!("rediss://127.0.0.1:{port}"));
    assert_eq!(introspections(&wrong_name, &tenant, &token).await, 2);
    assert!(warnings(&log).contains("for another name"), "{}", warnings(&log));
    assert!(!warnings(&log).contains("127.0.0.1"), "{}", warnings(&log));
}
