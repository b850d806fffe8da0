//! The servers that `compare.py` puts under load, and the tenant whose tokens they accept.
//!
//! - `monocloud-backend-end-to-end tenant FOLDER`: serves a tenant until its standard input ends, and
//!   writes a file of tokens for each algorithm
//! - `monocloud-backend-end-to-end NAME`: serves the API of that name on a free port, which it prints;
//!   `MONOCLOUD_BACKEND_…` name the tenant

mod ours;
mod peers;
mod signature;
mod tenant;
mod unprotected;

use std::{env, error::Error, net::TcpListener};

type Done = Result<(), Box<dyn Error>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Done {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["tenant", folder] => tenant::serve(folder).await,
        [name] => serve(name).await,
        _ => Err("the arguments are the name of a server, or `tenant` and a folder".into()),
    }
}

async fn serve(name: &str) -> Done {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    println!("{}", listener.local_addr()?.port());
    match name {
        "poem" => unprotected::poem(listener).await,
        "poem-openapi" => unprotected::poem_openapi(listener).await,
        "axum" => unprotected::axum(listener).await,
        "salvo" => unprotected::salvo(listener).await,
        "poem-signature" => signature::poem(listener).await,
        "ours-poem" => ours::poem(listener).await,
        "ours-poem-openapi" => ours::poem_openapi(listener).await,
        "ours-axum" => ours::axum(listener).await,
        "ours-salvo" => ours::salvo(listener).await,
        "poem-jsonwebtoken" => peers::poem_jsonwebtoken(listener).await,
        "axum-oauth-resource-server" => peers::axum_oauth_resource_server(listener).await,
        "axum-jwt-authorizer" => peers::axum_jwt_authorizer(listener).await,
        _ => Err(format!("there is no server {name:?}").into()),
    }
}
