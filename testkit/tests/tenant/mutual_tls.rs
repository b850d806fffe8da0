use std::{fs, io, path::Path, sync::Arc};

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use monocloud_testkit::{
    Authority, Certificate, ClientAuth, ClientCertificate, Clock, Endpoint, Entrance,
    Introspection, MockTenant,
};
use rustls::{
    ClientConfig, RootCertStore, SignatureScheme, client::ResolvesClientCert,
    pki_types::CertificateDer, sign::CertifiedKey,
};
use serde_json::json;

use crate::{
    asker::{Asker, assert_rejected},
    reader::{client_trusting, segment, verify},
};

const BY_CERTIFICATE: [ClientAuth; 3] =
    [ClientAuth::Tls, ClientAuth::SelfSignedTls, ClientAuth::SpiffeX509];

async fn mutual_tenant() -> MockTenant {
    let builder = MockTenant::builder().clock(Clock::frozen()).path("acme");
    builder.trust_store("partners: é").start().await
}

fn last(tenant: &MockTenant) -> Introspection {
    tenant.introspections().pop().unwrap()
}

#[tokio::test]
async fn a_certificate_authenticates_the_client_at_the_aliases() {
    let tenant = mutual_tenant().await;
    let token = tenant.opaque_token().mint();
    for method in BY_CERTIFICATE {
        let asker = Asker::new(&tenant, method);
        for entrance in [Entrance::MutualTls, Entrance::TrustStore("partners: é".into())] {
            let ask = asker.ask(&token).at(tenant.url_at(&entrance, Endpoint::Introspection));
            let (status, answer) = ask.send().await;
            assert_eq!((status, &answer["active"]), (200, &json!(true)), "{method:?}: {answer}");
            let seen = last(&tenant);
            assert_eq!((seen.client_auth, seen.refusal), (Some(method), None));
            assert_eq!(seen.entrance, entrance);
            let file = fs::read(asker.setting("CLIENT_CERTIFICATE_FILE")).unwrap();
            assert_eq!(seen.certificate, Some(thumbprint_of_pem(&file)));
        }
    }
    assert_eq!(tenant.requests(Endpoint::Introspection), 6);
    assert_eq!(tenant.requests_with_certificate(Endpoint::Introspection), 6);
}

#[tokio::test]
async fn the_metadata_names_the_aliases() {
    let tenant = mutual_tenant().await;
    let metadata = tenant.metadata();
    let ports = [
        (&metadata, Entrance::Issuer),
        (&metadata["mtls_endpoint_aliases"], Entrance::MutualTls),
        (
            &metadata["mtls_additional_endpoint_aliases"]["partners: é"],
            Entrance::TrustStore("partners: é".into()),
        ),
    ];
    let mut origins = Vec::new();
    for (document, entrance) in &ports {
        let introspection = tenant.url_at(entrance, Endpoint::Introspection);
        assert_eq!(document["introspection_endpoint"], introspection);
        for name in ["token_endpoint", "revocation_endpoint", "introspection_endpoint"] {
            let (origin, path) = document[name].as_str().unwrap().split_once("/acme/").unwrap();
            assert!(path.starts_with("connect/"), "{path}");
            origins.push(origin.to_owned());
        }
    }
    origins.dedup();
    assert_eq!(origins.len(), 3);
    let methods = metadata["token_endpoint_auth_methods_supported"].as_array().unwrap();
    assert!(BY_CERTIFICATE.iter().all(|method| methods.contains(&json!(method.as_str()))));

    let metadata = MockTenant::builder().tls().start().await.metadata();
    assert!(!metadata.to_string().contains("mtls_"));
    assert!(!metadata.to_string().contains("tls_client_auth"));
}

#[tokio::test]
async fn another_clients_certificate_is_rejected() {
    let tenant = mutual_tenant().await;
    let authority = tenant.client_authority();
    let asker = Asker::new(&tenant, ClientAuth::Tls);
    let (known, stranger) = ("the API", "neither by the client authority nor registered");
    for (certificate, reason) in [
        (tenant.client_certificate("alice"), "subject"),
        (authority.spiffe("spiffe://example.org/other"), "SPIFFE ID"),
        (authority.expired_client(known), "expired"),
        (authority.server(known), stranger),
        (Certificate::self_signed(known), stranger),
        (Authority::new().client(known), stranger),
        (tenant.authority().client(known), stranger),
    ] {
        let ask = asker.ask("t").by(&certificate);
        assert_rejected(ask.send().await, reason);
        let seen = last(&tenant);
        assert!(seen.refusal.unwrap().contains(reason));
        assert_eq!((seen.client_auth, seen.certificate), (None, Some(certificate.thumbprint())));
    }
    // The registered subject is enough, with any key.
    assert_eq!(asker.ask("t").by(&authority.client(known)).send().await.0, 200);
}

#[tokio::test]
async fn a_certificate_authenticates_only_at_the_aliases_and_only_alone() {
    let tenant = mutual_tenant().await;
    let asker = Asker::new(&tenant, ClientAuth::Tls);
    let secret = tenant.client().secret();
    let mut naked = asker.ask("t");
    naked.identity = None;
    for (ask, reason) in [
        (
            asker.ask("t").at(tenant.url(Endpoint::Introspection)),
            "not sent to a mutual-TLS endpoint",
        ),
        (naked, "sent no certificate"),
        (asker.ask("t").without("client_id"), "no client_id"),
        (asker.ask("t").with("client_id", "another"), "client_id"),
        (asker.ask("t").with("client_secret", secret), "more than one"),
        (asker.ask("t").with("client_assertion", "a"), "more than one"),
        (asker.ask("t").basic("a", "b"), "more than one"),
    ] {
        assert_rejected(ask.send().await, reason);
    }
    let shown: Vec<_> =
        tenant.introspections().iter().map(|seen| seen.certificate.is_some()).collect();
    assert_eq!(shown, [true, false, true, true, true, true, true]);

    // At endpoints without client authentication it has no effect.
    let by_secret = asker.ask("t").at(tenant.url(Endpoint::Introspection));
    assert_eq!(by_secret.with("client_secret", secret).send().await.0, 200);
    assert_eq!(last(&tenant).client_auth, Some(ClientAuth::SecretPost));
}

#[tokio::test]
async fn certificates_are_counted_even_if_none_is_needed() {
    let tenant = mutual_tenant().await;
    let ask = Asker::new(&tenant, ClientAuth::Tls).ask("t");
    for endpoint in [Endpoint::Discovery, Endpoint::Jwks] {
        ask.client().get(tenant.url(endpoint)).send().await.unwrap();
        let without = client_trusting(&tenant.authority().certificate_pem()).build().unwrap();
        without.get(tenant.url(endpoint)).send().await.unwrap();
        assert_eq!(tenant.requests(endpoint), 2);
        assert_eq!(tenant.requests_with_certificate(endpoint), 1);
    }
}

#[tokio::test]
async fn the_handshake_can_reject_unknown_certificates() {
    let tenant = mutual_tenant().await;
    let by_authority = Asker::new(&tenant, ClientAuth::Tls);
    let self_signed = Asker::new(&tenant, ClientAuth::SelfSignedTls);
    let without = client_trusting(&tenant.authority().certificate_pem()).build().unwrap();
    let alias = tenant.url_at(&Entrance::MutualTls, Endpoint::Introspection);

    tenant.refuse_in_handshake(true);
    assert_eq!(by_authority.ask("t").send().await.0, 200);
    for client in [self_signed.ask("t").client(), without.clone()] {
        assert!(client.get(&alias).send().await.is_err());
        assert_eq!(client.get(tenant.url(Endpoint::Jwks)).send().await.unwrap().status(), 200);
    }
    assert_eq!(tenant.requests(Endpoint::Introspection), 1);

    tenant.refuse_in_handshake(false);
    assert_eq!(self_signed.ask("t").send().await.0, 200);
    assert_eq!(without.get(&alias).send().await.unwrap().status(), 400);
}

/// Presents a certificate with any key, to servers of any authority.
#[derive(Debug)]
struct Thief(Arc<CertifiedKey>);

impl ResolvesClientCert for Thief {
    fn resolve(&self, hints: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        hints.is_empty().then(|| Arc::clone(&self.0))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

#[tokio::test]
async fn a_certificate_without_its_key_fails_the_handshake() {
    let tenant = mutual_tenant().await;
    let (stolen, own) = (tenant.client_certificate("alice"), Certificate::self_signed("eve"));
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    for (key, is_let_in) in [(&own, false), (&stolen, true)] {
        let key = rustls::pki_types::pem::PemObject::from_pem_slice(key.key_pem().as_bytes());
        let key = provider.key_provider.load_private_key(key.unwrap()).unwrap();
        let chain = vec![CertificateDer::from(stolen.der().to_vec())];
        let mut roots = RootCertStore::empty();
        roots.add(authority_der(tenant.authority())).unwrap();
        for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
            let thief = Thief(Arc::new(CertifiedKey::new(chain.clone(), Arc::clone(&key))));
            let tls = ClientConfig::builder_with_provider(Arc::new(provider.clone()))
                .with_protocol_versions(&[version])
                .unwrap()
                .with_root_certificates(roots.clone())
                .with_client_cert_resolver(Arc::new(thief));
            let client = reqwest::Client::builder().tls_backend_preconfigured(tls).no_proxy();
            let url = tenant.url_at(&Entrance::MutualTls, Endpoint::Jwks);
            let answer = client.build().unwrap().get(url).send().await;
            assert_eq!(answer.is_ok(), is_let_in, "{version:?}: {answer:?}");
        }
    }
    assert_eq!(tenant.requests_with_certificate(Endpoint::Jwks), 2);
}

fn authority_der(authority: &Authority) -> CertificateDer<'static> {
    rustls::pki_types::pem::PemObject::from_pem_slice(authority.certificate_pem().as_bytes())
        .unwrap()
}

#[tokio::test]
async fn certificates_are_in_files_and_can_be_renewed() {
    let tenant = mutual_tenant().await;
    let askers = BY_CERTIFICATE.map(|method| Asker::new(&tenant, method));
    let old: Vec<_> = askers.iter().map(|asker| asker.ask("t")).collect();
    let file = askers[0].setting("CLIENT_CERTIFICATE_FILE");
    let text = fs::read_to_string(file).unwrap();
    let mut half_read = fs::File::open(file).unwrap();

    tenant.renew_client_certificate();
    assert_ne!(fs::read_to_string(file).unwrap(), text);
    assert_eq!(io::read_to_string(&mut half_read).unwrap(), text);
    for (method, (asker, old)) in BY_CERTIFICATE.iter().zip(askers.iter().zip(old)) {
        assert_rejected(old.send().await, "replaced");
        assert_eq!(asker.ask("t").send().await.0, 200, "{method:?}");
        let again = Asker::new(&tenant, *method);
        for name in ["CLIENT_CERTIFICATE_FILE", "CLIENT_KEY_FILE"] {
            assert_eq!(again.setting(name), asker.setting(name));
        }
    }
    tenant.renew_client_certificate();
    assert_eq!(askers[0].ask("t").send().await.0, 200);

    let files = askers.map(|asker| asker.setting("CLIENT_KEY_FILE").to_owned());
    assert!(files.iter().all(|file| Path::new(file).exists()));
    drop(tenant);
    assert!(!files.iter().any(|file| Path::new(file).exists()));
}

#[tokio::test]
async fn the_certificate_of_a_connection_is_checked_with_every_request() {
    let tenant = mutual_tenant().await;
    let asker = Asker::new(&tenant, ClientAuth::SelfSignedTls);
    let client = asker.ask("t").client_builder().pool_max_idle_per_host(1).build().unwrap();
    assert_eq!(asker.ask("t").over(&client).send().await.0, 200);

    tenant.renew_client_certificate();
    // A second connection would fail, so the first one is used again.
    tenant.refuse_in_handshake(true);
    assert_rejected(asker.ask("t").over(&client).send().await, "replaced");
}

#[tokio::test]
#[should_panic(expected = "the tenant was built without mutual TLS")]
async fn a_tenant_without_mutual_tls_has_no_settings_for_it() {
    let _ = MockTenant::builder().tls().start().await.vars_for(ClientAuth::Tls);
}

#[tokio::test]
#[should_panic(expected = "the tenant was built without mutual TLS")]
async fn a_tenant_without_mutual_tls_cannot_reject_certificates() {
    MockTenant::builder().tls().start().await.refuse_in_handshake(true);
}

#[tokio::test]
#[should_panic(expected = "the tenant was built without TrustStore(\"partners\")")]
async fn a_tenant_has_no_url_at_an_entrance_that_it_was_built_without() {
    let tenant = MockTenant::builder().mutual_tls().start().await;
    let _ = tenant.url_at(&Entrance::TrustStore("partners".into()), Endpoint::Jwks);
}

#[tokio::test]
async fn a_token_is_bound_to_a_certificate() {
    let tenant = MockTenant::start().await;
    for certificate in [
        tenant.client_certificate("alice"),
        ClientCertificate::self_signed("alice"),
        tenant.client_authority().intermediate().client("alice"),
    ] {
        let expected = json!({ "x5t#S256": thumbprint_of_pem(certificate.chain_pem().as_bytes()) });
        let jwt = tenant.token().bound_to(&certificate).mint();
        assert_eq!(segment(&jwt, 1).unwrap()["cnf"], expected);
        assert_eq!(verify(&tenant, &jwt).await.unwrap()["cnf"], expected);

        let opaque = tenant.opaque_token().bound_to(&certificate).mint();
        let (_, answer) = Asker::new(&tenant, ClientAuth::SecretPost).ask(&opaque).send().await;
        assert_eq!(answer["cnf"], expected);
        assert_eq!(certificate.certificate_pem().matches("BEGIN").count(), 1);
    }
}

/// The thumbprint of the first certificate.
fn thumbprint_of_pem(pem: &[u8]) -> String {
    let der: CertificateDer<'_> = rustls::pki_types::pem::PemObject::from_pem_slice(pem).unwrap();
    URL_SAFE_NO_PAD.encode(digest(&SHA256, &der))
}
