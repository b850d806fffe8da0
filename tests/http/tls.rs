//! TLS to the tenant: whom it trusts, and whom not.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use monocloud_backend::{ProtectApi, ProtectApiBuilder};
use monocloud_testkit::{Endpoint, MockTenant};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{ServerConfig, pki_types::PrivateKeyDer};
use serde_json::json;
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;

use crate::{
    hosts::HOSTS,
    support::{frozen_tenant, get, internal, ok, unavailable},
};

/// A tenant behind TLS, with a certificate of an authority that nobody knows.
struct SecureTenant {
    tenant: MockTenant,
    issuer: String,
    folder: TempDir,
    /// Requests that got through the handshake.
    requests: Arc<AtomicUsize>,
}

/// What is odd about it.
enum Quirk {
    None,
    KeysAt(String),
    Redirects(String),
}

/// What the server answers with.
enum Site {
    Documents { metadata: String, keys: String },
    Redirect { to: String },
}

impl SecureTenant {
    /// Serves with a certificate for `name`; reached as `localhost`.
    async fn start(name: &str, quirk: Quirk) -> Self {
        let tenant = frozen_tenant().await;
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let issuer = format!("https://localhost:{}", listener.local_addr().unwrap().port());
        let (config, authority) = certified_for(name);
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("ca.pem"), authority).unwrap();
        let keys = tenant.jwks().to_string();
        let documents = |jwks_uri| {
            let metadata = json!({"issuer": issuer, "jwks_uri": jwks_uri}).to_string();
            Site::Documents { metadata, keys }
        };
        let site = match quirk {
            Quirk::None => documents(format!("{issuer}/jwks")),
            Quirk::KeysAt(jwks_uri) => documents(jwks_uri),
            Quirk::Redirects(to) => Site::Redirect { to },
        };
        let requests = Arc::new(AtomicUsize::new(0));
        tokio::spawn(serve(listener, TlsAcceptor::from(config), site, Arc::clone(&requests)));
        Self { tenant, issuer, folder, requests }
    }

    fn protect(&self) -> ProtectApiBuilder {
        ProtectApi::builder()
            .tenant_domain(&self.issuer)
            .audience(self.tenant.audience())
            .clock(self.tenant.clock().reading())
    }

    fn authority(&self) -> String {
        self.folder.path().join("ca.pem").display().to_string()
    }

    fn token(&self) -> String {
        self.tenant.token().claim("iss", &self.issuer).mint()
    }

    fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

#[tokio::test]
async fn an_authority_of_ones_own_is_trusted_once_it_is_named() {
    for host in HOSTS {
        let secure = SecureTenant::start("localhost", Quirk::None).await;
        let variable = [("MONOCLOUD_BACKEND_CA_CERTIFICATE_FILE", secure.authority())];
        for trusting in [
            secure.protect().vars(variable),
            secure.protect().ca_certificate_file(secure.authority()),
        ] {
            let api = host.serve(&trusting.build().unwrap());
            api.check("trusted", get("/any").bearer(&secure.token()), &ok()).await;
        }
        assert_eq!(secure.requests(), 4, "{}", host.name);
    }
}

#[tokio::test]
async fn nobody_else_is_trusted_and_nothing_is_sent_to_them() {
    for host in HOSTS {
        let secure = SecureTenant::start("localhost", Quirk::None).await;
        let api = host.serve(&secure.protect().build().unwrap());
        api.check("unknown authority", get("/any").bearer(&secure.token()), &unavailable()).await;

        let other = SecureTenant::start("localhost", Quirk::None).await;
        let trusting = secure.protect().ca_certificate_file(other.authority());
        let api = host.serve(&trusting.build().unwrap());
        api.check("another authority", get("/any").bearer(&secure.token()), &unavailable()).await;
        assert_eq!(secure.requests(), 0, "{}", host.name);
    }
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused() {
    for host in HOSTS {
        for name in ["other.example", "localhost.example", "127.0.0.1"] {
            let secure = SecureTenant::start(name, Quirk::None).await;
            let trusting = secure.protect().ca_certificate_file(secure.authority());
            let api = host.serve(&trusting.build().unwrap());
            api.check(name, get("/any").bearer(&secure.token()), &unavailable()).await;
            assert_eq!(secure.requests(), 0, "{name} on {}", host.name);
        }
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed_neither_to_https_nor_to_http() {
    for host in HOSTS {
        let target = SecureTenant::start("localhost", Quirk::None).await;
        let plain = frozen_tenant().await;
        let discovery = "/.well-known/openid-configuration";
        for to in
            [format!("{}{discovery}", target.issuer), format!("{}{discovery}", plain.issuer())]
        {
            let secure = SecureTenant::start("localhost", Quirk::Redirects(to)).await;
            let trusting = secure.protect().ca_certificate_file(secure.authority());
            let api = host.serve(&trusting.build().unwrap());
            api.check("redirected", get("/any").bearer(&secure.token()), &internal()).await;
            assert_eq!(secure.requests(), 1, "{}", host.name);
        }
        assert_eq!(target.requests(), 0, "{}", host.name);
        assert_eq!(plain.requests(Endpoint::Discovery), 0, "{}", host.name);
    }
}

#[tokio::test]
async fn keys_of_a_tenant_behind_tls_are_never_fetched_over_plain_http() {
    for host in HOSTS {
        let plain = frozen_tenant().await;
        let jwks_uri = plain.url(Endpoint::Jwks);
        let secure = SecureTenant::start("localhost", Quirk::KeysAt(jwks_uri)).await;
        let trusting = secure.protect().ca_certificate_file(secure.authority());
        let api = host.serve(&trusting.build().unwrap());
        api.check("plain", get("/any").bearer(&secure.token()), &internal()).await;
        assert_eq!(plain.requests(Endpoint::Jwks), 0, "{}", host.name);
    }
}

#[test]
fn a_file_that_is_no_certificate_is_a_mistake_of_the_configuration() {
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

/// A server's configuration, and the authority that vouches for it, in PEM.
fn certified_for(name: &str) -> (Arc<ServerConfig>, String) {
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec![name.to_owned()]).unwrap();
    let leaf = leaf.signed_by(&key, &authority).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![leaf.der().clone()],
            PrivateKeyDer::Pkcs8(key.serialize_der().into()),
        )
        .unwrap();
    (Arc::new(config), authority.pem())
}

/// One request a connection, and one response.
async fn serve(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    site: Site,
    requests: Arc<AtomicUsize>,
) {
    loop {
        let (connection, _) = listener.accept().await.unwrap();
        let Ok(mut stream) = acceptor.accept(connection).await else { continue };
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            match stream.read_u8().await {
                Ok(byte) => request.push(byte),
                Err(_) => break,
            }
        }
        if request.is_empty() {
            continue;
        }
        requests.fetch_add(1, Ordering::SeqCst);
        let (head, body) = match &site {
            Site::Redirect { to } => (format!("302 Found\r\nLocation: {to}"), ""),
            Site::Documents { keys, .. } if request.starts_with(b"GET /jwks ") => {
                ("200 OK".to_owned(), keys.as_str())
            }
            Site::Documents { metadata, .. } => ("200 OK".to_owned(), metadata.as_str()),
        };
        let response = format!(
            "HTTP/1.1 {head}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
        let _ = stream.write_all(response.as_bytes()).await;
        let _ = stream.shutdown().await;
    }
}
