//! What the examples do before they serve, so that an example shows nothing but its API.
//!
//! With a tenant in the environment (or in `.env`) an example uses it. Without one it starts a
//! mock tenant and prints requests to paste. An API of your own needs none of this:
//! `ProtectApi::from_env()` is enough.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "the terminal is the interface")]

mod tour;

use std::{
    env,
    net::{Ipv4Addr, TcpListener},
    path::PathBuf,
    process,
};

use monocloud_backend::{ConfigError, ProtectApi, ServerTls, Severity};
use monocloud_testkit::{Authority, Certificate, ClientAuth, MockTenant};

const TENANT_DOMAIN: &str = "MONOCLOUD_BACKEND_TENANT_DOMAIN";

/// Everything an example needs to serve.
#[derive(Debug)]
pub struct Start {
    /// Protects the example's API.
    pub protect: ProtectApi,
    /// Listens on loopback, on the port that `PORT` asks for; non-blocking, as tokio wants it.
    pub listener: TcpListener,
    /// Stops when it is dropped.
    pub mock_tenant: Option<MockTenant>,
}

/// Everything an example needs to serve over TLS.
#[derive(Debug)]
pub struct TlsStart {
    /// Protects the example's API.
    pub protect: ProtectApi,
    /// Listens on loopback, on the port that `PORT` asks for; non-blocking, as tokio wants it.
    pub listener: TcpListener,
    /// With the files of `TLS_CERTIFICATE_FILE` and `TLS_KEY_FILE`, or made up.
    pub tls: ServerTls,
    /// Stops when it is dropped.
    pub mock_tenant: Option<MockTenant>,
    /// Its files are gone when it is dropped.
    pub made_up: Option<MadeUp>,
}

/// Certificates for trying things out.
#[derive(Debug)]
pub struct MadeUp {
    authority: Authority,
    client: Certificate,
    /// Kept for its files, from which the API serves.
    _server: Certificate,
}

/// Configures an example and binds its port; a mistake is told on stderr and ends the process with
/// code 2.
pub async fn start() -> Start {
    or_exit(try_start().await)
}

/// As [`start`], for an API that serves TLS.
pub async fn start_tls() -> TlsStart {
    or_exit(try_start_tls().await)
}

fn or_exit<T>(started: Result<T, String>) -> T {
    match started {
        Ok(started) => started,
        Err(message) => {
            eprintln!("{message}");
            process::exit(2)
        }
    }
}

async fn try_start() -> Result<Start, String> {
    let start = configure().await?;
    examine(&start.protect);
    let address = start.listener.local_addr().map_err(|error| error.to_string())?;
    if let Some(tenant) = &start.mock_tenant {
        println!("{}", tour::of_posts(tenant, &format!("http://{address}")));
    }
    println!("listening on http://{address}");
    Ok(start)
}

async fn try_start_tls() -> Result<TlsStart, String> {
    let Start { protect, listener, mock_tenant } = configure().await?;
    examine(&protect);
    let file = |name| env::var_os(name).filter(|path| !path.is_empty()).map(PathBuf::from);
    let (tls, made_up) = match (file("TLS_CERTIFICATE_FILE"), file("TLS_KEY_FILE")) {
        (Some(certificate), Some(key)) => (ServerTls::new(certificate, key), None),
        (None, None) => {
            let authority = Authority::new();
            let (server, client) = (authority.server("localhost"), authority.client("alice"));
            let tls = ServerTls::new(server.certificate_file(), server.key_file());
            (tls, Some(MadeUp { authority, client, _server: server }))
        }
        _ => return Err("TLS_CERTIFICATE_FILE and TLS_KEY_FILE: one needs the other".to_owned()),
    };
    let port = listener.local_addr().map_err(|error| error.to_string())?.port();
    if let (Some(tenant), Some(made_up)) = (&mock_tenant, &made_up) {
        println!(
            "{}",
            tour::of_bound_tokens(tenant, made_up, &format!("https://localhost:{port}"))
        );
    }
    println!("listening on https://127.0.0.1:{port}");
    Ok(TlsStart { protect, listener, tls, mock_tenant, made_up })
}

async fn configure() -> Result<Start, String> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    load_dotenv()?;
    let port = port()?;
    let is_tenant_configured = env::var_os(TENANT_DOMAIN).is_some();
    let (protect, mock_tenant) = if is_tenant_configured {
        (ProtectApi::from_env(), None)
    } else {
        let tenant = MockTenant::start().await;
        (protect_with(&tenant), Some(tenant))
    };
    let protect = protect.map_err(|error| error.to_string())?;
    let bound = TcpListener::bind((Ipv4Addr::LOCALHOST, port));
    let listener = bound.map_err(|error| format!("cannot listen on 127.0.0.1:{port}: {error}"))?;
    listener.set_nonblocking(true).map_err(|error| error.to_string())?;
    Ok(Start { protect, listener, mock_tenant })
}

/// Tells on stderr what is wrong with the tenant or with this API's place there. Serving does not
/// wait for it.
fn examine(protect: &ProtectApi) {
    let protect = protect.clone();
    tokio::spawn(async move {
        let diagnosis = protect.diagnose(None).await.at_least(Severity::Warning);
        match diagnosis.findings() {
            [] => eprintln!("the tenant {} and this API fit together", protect.issuer()),
            _ => eprintln!("{diagnosis}"),
        }
    });
}

fn protect_with(tenant: &MockTenant) -> Result<ProtectApi, ConfigError> {
    ProtectApi::builder().env().vars(tenant.vars_for(ClientAuth::SecretPost)).build()
}

/// A `.env` that is not there is fine; one that cannot be read is not.
fn load_dotenv() -> Result<(), String> {
    match dotenvy::dotenv() {
        Err(error) if !error.not_found() => Err(format!(".env cannot be read: {error}")),
        _ => Ok(()),
    }
}

fn port() -> Result<u16, String> {
    match env::var("PORT").as_deref().map(str::trim) {
        Err(_) | Ok("") => Ok(3000),
        Ok(port) => port
            .parse()
            .map_err(|_| format!("PORT: must be a number from 0 to 65535, not {port:?}")),
    }
}
