//! What only axum has: routes that are found by probes, layers, a TLS acceptor for its server.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test's helper panics where the test would"
)]

#[path = "../given/alternatives.rs"]
mod alternatives;
mod document;
mod enforced;
mod guards;
#[path = "../given/promises.rs"]
mod promises;
mod start_up;
mod tls;
#[path = "../given/world.rs"]
mod world;

mod host {
    pub(crate) use axum::Router;
    use tokio::net::TcpListener;

    pub(crate) async fn serve(app: Router, listener: TcpListener) {
        axum::serve(listener, app).await.unwrap();
    }
}
