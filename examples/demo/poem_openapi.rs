//! Serves the API of `examples/poem_openapi.rs`, against a mock tenant unless one is configured.

#[path = "../poem_openapi.rs"]
#[allow(dead_code, reason = "the API's own `main` is not called")]
mod api;

use std::error::Error;

use poem::{Server, listener::TcpAcceptor};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let start = quickstart::start().await;
    let (app, _) = api::app(start.protect)?;
    Server::new_with_acceptor(TcpAcceptor::from_std(start.listener)?).run(app).await?;
    Ok(())
}
