//! Serves the MCP server of `examples/mcp.rs`, against a mock tenant unless one is configured.

#[path = "../mcp.rs"]
#[allow(dead_code, reason = "the server's own `main` is not called")]
mod server;

use std::error::Error;

use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let start = quickstart::start_mcp().await;
    let app = server::app(start.protect)?;
    axum::serve(TcpListener::from_std(start.listener)?, app).await?;
    Ok(())
}
