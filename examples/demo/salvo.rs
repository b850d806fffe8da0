//! Serves the API of `examples/salvo.rs`, against a mock tenant unless one is configured.

#[path = "../salvo.rs"]
#[allow(dead_code, reason = "the API's own `main` is not called")]
mod api;

use std::error::Error;

use salvo::{Server, conn::tcp::TcpAcceptor};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let start = quickstart::start().await;
    let (app, _) = api::app(start.protect)?;
    let listener = TcpListener::from_std(start.listener)?;
    Server::new(TcpAcceptor::try_from(listener)?).serve(app).await;
    Ok(())
}
