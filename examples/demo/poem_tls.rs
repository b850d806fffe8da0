//! Serves the API of `examples/poem_tls.rs`, against a mock tenant unless one is configured.

#[path = "../poem_tls.rs"]
#[allow(dead_code, reason = "the API's own `main` is not called")]
mod api;

use std::error::Error;

use monocloud_backend::poem::TlsAcceptor;
use poem::{Server, listener::TcpAcceptor};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let start = quickstart::start_tls().await;
    let acceptor = TlsAcceptor::new(TcpAcceptor::from_std(start.listener)?, start.tls)?;
    Server::new_with_acceptor(acceptor).run(api::app(&start.protect)).await?;
    Ok(())
}
