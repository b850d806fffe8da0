//! Turns an example into a demonstration, so that the example itself has only its API.
//!
//! With a tenant in the environment (or in `.env`) a demonstration uses that. Without one it starts a
//! mock tenant, prints requests to paste, and lets users log in on the page at `/docs`. Your own API
//! needs none of this: use `ProtectApi::from_env()`.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "the terminal is the interface")]

#[cfg(feature = "mcp")]
mod mcp;
#[cfg(feature = "tls")]
mod tls;
mod tour;

use std::{
    env,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    process,
};

use monocloud_backend::{ConfigError, ProtectApi, diagnosis::Severity};
use monocloud_testkit::{ClientAuth, MockTenant, OAuthClient, User};
use tempfile::TempPath;
use tracing_subscriber::{
    filter::{LevelFilter, Targets},
    fmt,
    prelude::*,
};

#[cfg(feature = "mcp")]
pub use mcp::start_mcp;
#[cfg(feature = "tls")]
pub use tls::{Certificates, TlsStart, start_tls};

const TENANT_DOMAIN: &str = "MONOCLOUD_BACKEND_TENANT_DOMAIN";
const SWAGGER_CLIENT_ID: &str = "MONOCLOUD_BACKEND_SWAGGER_CLIENT_ID";

/// The client of the page at `/docs`.
const WEB: &str = "web";

/// What an example needs to serve.
#[derive(Debug)]
pub struct Start {
    /// Protects the example's API.
    pub protect: ProtectApi,
    /// Listens on loopback, on the port in `PORT`; non-blocking, as tokio requires.
    pub listener: TcpListener,
    /// The mock tenant, which stops when it is dropped.
    pub mock: Option<Mock>,
}

/// A mock tenant, and the file that its tokens are in. Both are gone when it is dropped.
#[derive(Debug)]
pub struct Mock {
    _tenant: MockTenant,
    _tokens: Option<TempPath>,
}

/// Configures an example and binds its port. An error is printed to stderr and ends the process with
/// code 2.
pub async fn start() -> Start {
    or_exit(try_start().await)
}

fn or_exit<T>(started: Result<T, String>) -> T {
    started.unwrap_or_else(|message| {
        eprintln!("{message}");
        process::exit(2)
    })
}

async fn try_start() -> Result<Start, String> {
    let (listener, address) = listen()?;
    let (protect, tenant) = configure_for(with_mock_tenant()).await?;
    let api = format!("http://{address}");
    let mock = match tenant {
        None => {
            diagnose(&protect);
            println!("documentation: {api}/docs");
            None
        }
        Some(tenant) => {
            let tokens = tour::of_posts(&tenant, &api)?;
            println!("documentation: {api}/docs (Authorize: log in as alice or admin)");
            Some(Mock { _tenant: tenant, _tokens: Some(tokens) })
        }
    };
    println!("listening on {api}");
    Ok(Start { protect, listener, mock })
}

/// Starts a mock tenant, and protects an API by it. Its users `alice` and `admin` can log in on the
/// page at `/docs`. Other settings are those of the environment.
///
/// # Errors
///
/// [`ConfigError`] if the environment has mistakes.
pub async fn with_mock_tenant() -> Result<(ProtectApi, MockTenant), ConfigError> {
    let documentation = OAuthClient::public(WEB).name("API documentation").any_loopback_redirect();
    let email = |name: &str| format!("{name}@example.com");
    let tenant = MockTenant::builder()
        .user(User::new("alice").claim("email", email("alice")))
        .user(User::new("admin").group("admin").claim("email", email("admin")))
        .oauth_client(documentation)
        .start()
        .await;
    let mut vars = tenant.vars_for(ClientAuth::SecretPost);
    vars.push((SWAGGER_CLIENT_ID.to_owned(), WEB.to_owned()));
    Ok((ProtectApi::builder().env().vars(vars).build()?, tenant))
}

/// Reads `.env`, starts the log and binds the port.
fn listen() -> Result<(TcpListener, SocketAddr), String> {
    load_dotenv()?;
    start_log()?;
    let port = port()?;
    let bound = TcpListener::bind((Ipv4Addr::LOCALHOST, port));
    let listener = bound.map_err(|error| format!("cannot listen on 127.0.0.1:{port}: {error}"))?;
    listener.set_nonblocking(true).map_err(|error| error.to_string())?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    Ok((listener, address))
}

/// The API of the tenant in the environment, or else of a mock tenant.
async fn configure_for(
    mock: impl Future<Output = Result<(ProtectApi, MockTenant), ConfigError>>,
) -> Result<(ProtectApi, Option<MockTenant>), String> {
    let configured = if env::var_os(TENANT_DOMAIN).is_some() {
        ProtectApi::from_env().map(|protect| (protect, None))
    } else {
        mock.await.map(|(protect, tenant)| (protect, Some(tenant)))
    };
    configured.map_err(|error| error.to_string())
}

/// Prints to stderr what is wrong with the tenant or with this API's configuration, while the API
/// already serves.
fn diagnose(protect: &ProtectApi) {
    let protect = protect.clone();
    tokio::spawn(async move {
        let diagnosis = protect.diagnose(None).await.at_least(Severity::Warning);
        match diagnosis.findings() {
            [] => eprintln!("the tenant {} is reachable and fits this API", protect.issuer()),
            _ => eprintln!("{diagnosis}"),
        }
    });
}

/// Loads `.env`. It may be missing, but not unreadable.
fn load_dotenv() -> Result<(), String> {
    match dotenvy::dotenv() {
        Err(error) if !error.not_found() => Err(format!("cannot read .env: {error}")),
        _ => Ok(()),
    }
}

/// Warnings, unless `RUST_LOG` says otherwise; as `RUST_LOG=monocloud_backend=debug` does.
fn start_log() -> Result<(), String> {
    let filter = match env::var("RUST_LOG").as_deref() {
        Err(_) | Ok("") => Targets::new().with_default(LevelFilter::WARN),
        Ok(filter) => filter.parse().map_err(|error| format!("RUST_LOG: {error}"))?,
    };
    tracing_subscriber::registry()
        .with(fmt::layer().with_writer(std::io::stderr))
        .with(filter)
        .init();
    Ok(())
}

fn port() -> Result<u16, String> {
    match env::var("PORT").as_deref().map(str::trim) {
        Err(_) | Ok("") => Ok(3000),
        Ok(port) => port
            .parse()
            .map_err(|_| format!("PORT: must be a number from 0 to 65535, not {port:?}")),
    }
}
