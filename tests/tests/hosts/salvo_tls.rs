//! Errors before the server starts.

use monocloud_backend::certificate::ServerTls;
use salvo::conn::{Listener, TcpListener};

#[tokio::test]
async fn an_unusable_file_is_named_in_the_error() {
    let tls = ServerTls::new("no-such.pem", "no-such-key.pem");
    let listener = TcpListener::new("127.0.0.1:0").rustls(tls);
    let error = listener.try_bind().await.err().unwrap().to_string();
    assert!(error.contains("no-such.pem cannot be read"), "{error}");
}
