//! Who am I, over HTTPS: a token that is bound to a client certificate is worth nothing without it.

use std::error::Error;

use monocloud_backend::{Authenticated, Claims, Policy, ProtectApi, poem::TlsAcceptor};
use poem::{EndpointExt, Route, Server, get, handler, listener::TcpAcceptor, web::Json};

#[handler]
fn me(caller: Authenticated) -> Json<Claims> {
    Json(caller.claims().clone())
}

fn app(protect: &ProtectApi) -> Route {
    Route::new().at("/api/me", get(me.with(protect.require(Policy::ANY_TOKEN))))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let start = quickstart::start_tls().await;
    let acceptor = TlsAcceptor::new(TcpAcceptor::from_std(start.listener)?, start.tls)?;
    Server::new_with_acceptor(acceptor).run(app(&start.protect)).await?;
    Ok(())
}
