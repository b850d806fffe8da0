//! A client certificate that is renewed while the API runs.

use std::{
    fs,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use harness::support::{Log, get, internal, ok, protect, serve};
use monocloud_backend::ProtectApiBuilder;
use monocloud_testkit::{Certificate, ClientAuth, Endpoint, Introspection, MockTenant};
use tempfile::TempDir;
use tokio::task::JoinSet;
use tracing::Level;

use crate::mutual_tls::{check, last_introspection, mutual_tls_tenant, presenting};

/// The files of a client's certificate and key, which are replaced atomically.
struct Files(TempDir);

impl Files {
    fn new(certificate: &Certificate) -> Self {
        let files = Self(TempDir::new().unwrap());
        files.put("certificate.pem", &certificate.chain_pem());
        files.put("key.pem", &certificate.key_pem());
        files
    }

    fn put(&self, name: &str, content: &str) {
        fs::write(self.path("new"), content).unwrap();
        fs::rename(self.path("new"), self.path(name)).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn presented_to(&self, tenant: &MockTenant) -> ProtectApiBuilder {
        presenting(tenant).client_certificate(self.path("certificate.pem"), self.path("key.pem"))
    }
}

/// Another certificate by which the tenant knows its client.
fn issued_by(tenant: &MockTenant) -> Certificate {
    tenant.client_authority().client("the API")
}

#[tokio::test]
async fn the_next_request_presents_the_renewed_certificate() {
    for method in [ClientAuth::Tls, ClientAuth::SelfSignedTls, ClientAuth::SpiffeX509] {
        let tenant = mutual_tls_tenant().await;
        let api = serve(&protect(&tenant).vars(tenant.vars_for(method)).build().unwrap());
        // The tenant rejects the replaced certificate, even on existing connections.
        for _ in 0..3 {
            check(method.as_str(), &api, &tenant, &ok()).await;
            tenant.renew_client_certificate();
        }
        let mut seen: Vec<_> =
            tenant.introspections().into_iter().map(|it| it.certificate.unwrap()).collect();
        seen.dedup();
        assert_eq!(seen.len(), 3);
    }
}

#[tokio::test]
async fn no_request_is_dropped_by_a_renewal() {
    let tenant = mutual_tls_tenant().await;
    let files = Files::new(&issued_by(&tenant));
    let api = serve(&files.presented_to(&tenant).build().unwrap());
    let (mut callers, is_done) = (JoinSet::new(), Arc::new(AtomicBool::new(false)));
    for _ in 0..8 {
        let (api, is_done) = (api.clone(), Arc::clone(&is_done));
        let tokens: Vec<_> = (0..500).map(|_| tenant.opaque_token().mint()).collect();
        callers.spawn(async move {
            for token in tokens.iter().take_while(|_| !is_done.load(Ordering::Relaxed)) {
                api.check("during renewals", get("/any").bearer(token), &ok()).await;
            }
        });
    }
    // Between the two writes, a few calls find a key that does not match the certificate.
    for _ in 0..5 {
        let renewed = issued_by(&tenant);
        files.put("certificate.pem", &renewed.chain_pem());
        let before = tenant.requests(Endpoint::Introspection);
        while tenant.requests(Endpoint::Introspection) < before + 10 {
            tokio::task::yield_now().await;
        }
        files.put("key.pem", &renewed.key_pem());
        check("renewed", &api, &tenant, &ok()).await;
        let seen = tenant.introspections();
        let is_shown = |it: &Introspection| it.certificate == Some(renewed.thumbprint());
        assert!(seen.iter().any(is_shown));
    }
    is_done.store(true, Ordering::Relaxed);
    callers.join_all().await;
}

#[tokio::test]
async fn the_last_good_pair_is_used_while_its_files_are_unusable_and_one_warning_is_logged() {
    let tenant = mutual_tls_tenant().await;
    let (old, new) = (issued_by(&tenant), issued_by(&tenant));
    let files = Files::new(&old);
    let api = serve(&files.presented_to(&tenant).build().unwrap());
    let log = Log::capture();
    let half = |pem: String| pem[..pem.len() / 2].to_owned();
    let states: [(&str, &dyn Fn()); 5] = [
        ("half a certificate", &|| files.put("certificate.pem", &half(new.chain_pem()))),
        ("the old key", &|| files.put("certificate.pem", &new.chain_pem())),
        ("an empty key", &|| files.put("key.pem", "")),
        ("half a key", &|| files.put("key.pem", &half(new.key_pem()))),
        ("no key", &|| fs::remove_file(files.path("key.pem")).unwrap()),
    ];
    for (case, change) in states {
        change();
        let warned = log.lines(Level::WARN).len();
        for _ in 0..3 {
            check(case, &api, &tenant, &ok()).await;
            assert_eq!(last_introspection(&tenant).certificate, Some(old.thumbprint()), "{case}");
        }
        let warnings = log.lines(Level::WARN).split_off(warned);
        assert!(warnings.len() <= 1, "{case}: {warnings:?}");
    }
    let warnings = log.lines(Level::WARN).concat();
    for file in ["certificate.pem", "key.pem"] {
        assert!(warnings.contains(&files.path(file).display().to_string()), "{warnings}");
    }
    let secret = new.key_pem().lines().nth(1).unwrap().to_owned();
    assert!(!log.lines(Level::TRACE).concat().contains(&secret));
    files.put("key.pem", &new.key_pem());
    check("complete again", &api, &tenant, &ok()).await;
    assert_eq!(last_introspection(&tenant).certificate, Some(new.thumbprint()),);
}

#[tokio::test]
async fn a_rejected_certificate_is_replaced_once_the_right_one_is_in_its_file() {
    for in_handshake in [false, true] {
        let tenant = mutual_tls_tenant().await;
        tenant.refuse_in_handshake(in_handshake);
        let files = Files::new(&Certificate::self_signed("a stranger"));
        let api = serve(&files.presented_to(&tenant).build().unwrap());
        check("a stranger's", &api, &tenant, &internal()).await;
        let known = issued_by(&tenant);
        files.put("certificate.pem", &known.chain_pem());
        files.put("key.pem", &known.key_pem());
        check("the client's own", &api, &tenant, &ok()).await;
    }
}
