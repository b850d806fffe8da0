//! What goes wrong before anything is served.

use monocloud_backend::ServerTls;
use salvo::conn::{Listener, TcpListener};

#[tokio::test]
async fn a_file_of_no_use_is_told_by_name() {
    let tls = ServerTls::new("no-such.pem", "no-such-key.pem");
    let listener = TcpListener::new("127.0.0.1:0").rustls(tls);
    let error = listener.try_bind().await.err().unwrap().to_string();
    assert!(error.contains("no-such.pem cannot be read"), "{error}");
}
