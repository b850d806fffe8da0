//! The guard gets the client certificate of the TLS connection.

use std::{fs, net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, routing::get};
use axum_server::Handle;
use harness::given::world::World;
use monocloud_backend::{
    Policy,
    axum::TlsAcceptor,
    certificate::{PeerCertificate, ServerTls},
};
use rcgen::{CertificateParams, KeyPair};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer},
};
use serde_json::json;
use tempfile::TempDir;
use tokio::{io::AsyncReadExt, net::TcpStream};

/// A self-signed certificate.
struct SelfSigned {
    certificate: CertificateDer<'static>,
    key: KeyPair,
}

fn self_signed() -> SelfSigned {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    SelfSigned { certificate: params.self_signed(&key).unwrap().der().clone(), key }
}

fn pem(tag: &str, der: &[u8]) -> String {
    use base64::{Engine as _, prelude::BASE64_STANDARD};

    format!("-----BEGIN {tag}-----\n{}\n-----END {tag}-----\n", BASE64_STANDARD.encode(der))
}

/// Serves `GET /` for any token, with an acceptor that `change` adjusts.
async fn serve(
    world: &World,
    server: &SelfSigned,
    change: impl FnOnce(TlsAcceptor) -> TlsAcceptor,
) -> SocketAddr {
    let folder = TempDir::new().unwrap();
    let (certificate, key) = (folder.path().join("api.pem"), folder.path().join("api-key.pem"));
    fs::write(&certificate, pem("CERTIFICATE", &server.certificate)).unwrap();
    fs::write(&key, pem("PRIVATE KEY", &server.key.serialize_der())).unwrap();
    let acceptor = change(TlsAcceptor::new(ServerTls::new(certificate, key)).unwrap());
    let hello = async || "hello";
    let app =
        Router::new().route("/", get(hello).route_layer(world.protect.require(Policy::ANY_TOKEN)));
    let handle = Handle::new();
    let server =
        axum_server::bind("127.0.0.1:0".parse().unwrap()).handle(handle.clone()).acceptor(acceptor);
    tokio::spawn(server.serve(app.into_make_service()));
    handle.listening().await.unwrap()
}

/// A client that trusts the server, with or without its own certificate.
fn client(server: &SelfSigned, own: Option<&SelfSigned>) -> reqwest::Client {
    let mut roots = RootCertStore::empty();
    roots.add(server.certificate.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let config = match own {
        None => config.with_no_client_auth(),
        Some(own) => {
            let key = PrivateKeyDer::Pkcs8(own.key.serialize_der().into());
            config.with_client_auth_cert(vec![own.certificate.clone()], key).unwrap()
        }
    };
    reqwest::Client::builder().tls_backend_preconfigured(config).no_proxy().build().unwrap()
}

#[tokio::test]
async fn a_bound_token_is_accepted_only_with_its_certificate() {
    let world = World::new().await;
    let (server, owner, thief) = (self_signed(), self_signed(), self_signed());
    let address = serve(&world, &server, |acceptor| acceptor).await;
    let thumbprint = PeerCertificate::from_der(owner.certificate.to_vec()).unwrap().thumbprint();
    let bound = world.tenant.token().claim("cnf", json!({ "x5t#S256": thumbprint })).mint();
    for (case, token, own, status) in [
        ("the owner", &bound, Some(&owner), 200),
        ("a thief", &bound, Some(&thief), 401),
        ("no certificate", &bound, None, 401),
        ("unbound, with a certificate", &world.token(""), Some(&thief), 200),
        ("unbound, without", &world.token(""), None, 200),
    ] {
        let client = client(&server, own);
        // More than one request, as they share the connection's certificate.
        for _ in 0..2 {
            let url = format!("https://localhost:{}/", address.port());
            let answer = client.get(url).bearer_auth(token).send().await.unwrap();
            assert_eq!(answer.status(), status, "{case}");
        }
    }
}

#[tokio::test]
async fn a_handshake_times_out() {
    let world = World::new().await;
    let server = self_signed();
    let soon = Duration::from_millis(1);
    let address = serve(&world, &server, |acceptor| acceptor.handshake_timeout(soon)).await;
    let mut silent = TcpStream::connect(address).await.unwrap();
    let mut buffer = [0; 9];
    // Less than the default timeout of a handshake.
    let end = tokio::time::timeout(Duration::from_secs(5), silent.read(&mut buffer)).await;
    assert_eq!(end.unwrap().unwrap_or(0), 0);
}

#[test]
fn unusable_files_are_an_error() {
    let error = TlsAcceptor::new(ServerTls::new("no-such.pem", "no-such-key.pem")).unwrap_err();
    assert!(error.to_string().contains("no-such"), "{error}");
}
