//! Serves the API of `examples/axum.rs`, against a mock tenant unless one is configured.

#[path = "../axum.rs"]
#[allow(dead_code, reason = "the API's own `main` is not called")]
mod api;

use std::error::Error;

use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let start = quickstart::start().await;
    let (app, _) = api::app(start.protect)?;
    axum::serve(TcpListener::from_std(start.listener)?, app).await?;
    Ok(())
}
