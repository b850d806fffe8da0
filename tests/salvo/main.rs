//! What only salvo has: routes that are read from its routers, endpoints that describe themselves,
//! hoops, its TLS listener.

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
mod endpoints;
mod enforced;
#[path = "../given/promises.rs"]
mod promises;
mod start_up;
mod tls;
#[path = "../given/world.rs"]
mod world;

mod host {
    pub(crate) use salvo::Router;
    use salvo::{Server, conn::tcp::TcpAcceptor};
    use tokio::net::TcpListener;

    pub(crate) async fn serve(app: Router, listener: TcpListener) {
        Server::new(TcpAcceptor::try_from(listener).unwrap()).serve(app).await;
    }
}
