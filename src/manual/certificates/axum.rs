use std::net::SocketAddr;

use axum::Router;
use monocloud_backend::{axum::TlsAcceptor, certificate::ServerTls};

async fn serve(app: Router) -> std::io::Result<()> {
    let tls = TlsAcceptor::new(ServerTls::new("api.pem", "api-key.pem"))?;
    let address = SocketAddr::from(([0, 0, 0, 0], 8443));
    axum_server::bind(address).acceptor(tls).serve(app.into_make_service()).await
}
