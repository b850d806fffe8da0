//! Who is calling, over HTTPS: a token that is bound to a client certificate is accepted only
//! together with that certificate.
//!
//! `cargo run --example poem_tls --features tls` serves it against a mock tenant.

use std::error::Error;

use monocloud_backend::{
    Authenticated, Claims, Policy, ProtectApi, certificate::ServerTls, poem::TlsListener,
};
use poem::{EndpointExt, Route, Server, get, handler, listener::TcpListener, web::Json};

#[handler]
fn me(caller: Authenticated) -> Json<Claims> {
    Json(caller.claims().clone())
}

pub(crate) fn app(protect: &ProtectApi) -> Route {
    Route::new().at("/api/me", get(me.with(protect.require(Policy::ANY_TOKEN))))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let protect = ProtectApi::from_env()?;
    let tls = ServerTls::new("api.pem", "api-key.pem");
    let listener = TlsListener::new(TcpListener::bind("0.0.0.0:8443"), tls);
    Server::new(listener).run(app(&protect)).await?;
    Ok(())
}
