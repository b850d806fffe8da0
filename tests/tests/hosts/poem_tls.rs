//! poem's TLS listener, beyond what all hosts have in common.

use std::{fs, net::SocketAddr, time::Duration};

use monocloud_backend::{certificate::ServerTls, poem::TlsListener};
use monocloud_testkit::Authority;
use poem::{
    Route, Server, get, handler,
    listener::{Acceptor, Listener, TcpListener},
};
use tempfile::TempDir;
use tokio::{io::AsyncReadExt, net::TcpStream};

#[handler]
fn up() -> &'static str {
    "up"
}

async fn serve(tls: ServerTls, handshake_timeout: Duration) -> SocketAddr {
    let listener = TlsListener::new(TcpListener::bind("127.0.0.1:0"), tls);
    let acceptor = listener.handshake_timeout(handshake_timeout).into_acceptor().await.unwrap();
    let address = *acceptor.local_addr()[0].as_socket_addr().unwrap();
    tokio::spawn(Server::new_with_acceptor(acceptor).run(Route::new().at("/", get(up))));
    address
}

#[tokio::test]
async fn a_silent_connection_is_closed() {
    let server = Authority::new().server("localhost");
    let tls = ServerTls::new(server.certificate_file(), server.key_file());
    let address = serve(tls, Duration::from_millis(10)).await;
    let mut silent = TcpStream::connect(address).await.unwrap();
    assert_eq!(silent.read(&mut [0; 16]).await.unwrap(), 0);
}

#[tokio::test]
async fn an_unusable_file_is_named_in_the_error_before_the_server_starts() {
    let authority = Authority::new();
    let (server, other) = (authority.server("localhost"), authority.server("localhost"));
    let folder = TempDir::new().unwrap();
    let text = folder.path().join("text.pem");
    fs::write(&text, "hello").unwrap();
    let missing = folder.path().join("missing.pem");
    let good = || ServerTls::new(server.certificate_file(), server.key_file());
    for (tls, expected) in [
        (ServerTls::new(&missing, server.key_file()), "missing.pem cannot be read"),
        (ServerTls::new(&text, server.key_file()), "text.pem holds no certificate"),
        (
            ServerTls::new(server.certificate_file(), &text),
            "text.pem holds no unencrypted private key",
        ),
        (
            ServerTls::new(server.certificate_file(), other.key_file()),
            "key.pem holds a key that does not belong to the certificate",
        ),
        (good().client_authorities(&missing), "missing.pem cannot be read"),
        (good().client_authorities(&text), "text.pem holds no certificate"),
        (good().client_authorities(server.key_file()), "key.pem holds no certificate"),
    ] {
        let listener = TlsListener::new(TcpListener::bind("127.0.0.1:0"), tls);
        let error = listener.into_acceptor().await.err().unwrap().to_string();
        assert!(error.contains(expected), "{error}");
    }
}
