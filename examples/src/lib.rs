//! What the examples do before they serve, so that an example shows nothing but its API.
//!
//! With a tenant in the environment (or in `.env`) an example uses it. Without one it starts a
//! mock tenant and prints requests to paste. An API of your own needs none of this:
//! `ProtectApi::from_env()` is enough.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "the terminal is the interface")]

use std::{
    env,
    fmt::Write as _,
    net::{Ipv4Addr, TcpListener},
    process,
};

use monocloud_backend::{ConfigError, ProtectApi};
use monocloud_testkit::{ClientAuth, MockTenant};

const TENANT_DOMAIN: &str = "MONOCLOUD_BACKEND_TENANT_DOMAIN";

/// How long the printed tokens last, in seconds.
const TOKEN_LIFETIME: i64 = 12 * 60 * 60;

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

/// Configures an example and binds its port; a mistake is told on stderr and ends the process with
/// code 2.
pub async fn start() -> Start {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    match try_start().await {
        Ok(start) => start,
        Err(message) => {
            eprintln!("{message}");
            process::exit(2)
        }
    }
}

async fn try_start() -> Result<Start, String> {
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
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    listener.set_nonblocking(true).map_err(|error| error.to_string())?;
    if let Some(tenant) = &mock_tenant {
        println!("{}", tour(tenant, &format!("http://{address}")));
    }
    println!("listening on http://{address}");
    Ok(Start { protect, listener, mock_tenant })
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

/// Requests to paste, and what each is answered with.
fn tour(tenant: &MockTenant, api: &str) -> String {
    let token = || tenant.token().subject("alice").expires_in(TOKEN_LIFETIME);
    let reader = token().scope("posts:read").mint();
    let writer = token().scope("posts:read posts:write").mint();
    let admin = token().groups(["admin"]).mint();
    let opaque = tenant.opaque_token().scope("posts:read").expires_in(TOKEN_LIFETIME).mint();
    let post = r#"-X POST -H 'Content-Type: application/json' -d '{"title":"Hello"}'"#;
    let mut text = format!(
        "NO TENANT IS CONFIGURED: THIS IS A MOCK TENANT, FOR TRYING THINGS OUT ONLY.\n\
         Set {TENANT_DOMAIN} and MONOCLOUD_BACKEND_AUDIENCE to use your own.\n"
    );
    for (comment, arguments, path, token) in [
        ("200: a reader reads", "", "/api/posts", Some(&reader)),
        ("200: so does an opaque token", "", "/api/posts", Some(&opaque)),
        ("401: without a token", "", "/api/posts", None),
        ("403: a reader does not write", post, "/api/posts", Some(&reader)),
        ("201: a writer writes", post, "/api/posts", Some(&writer)),
        ("204: an admin deletes", "-X DELETE", "/api/posts/1", Some(&admin)),
        ("200: who am I?", "", "/api/me", Some(&reader)),
    ] {
        let authorization = token.map(|token| format!("-H 'Authorization: Bearer {token}'"));
        let arguments = [arguments, authorization.as_deref().unwrap_or_default()];
        let arguments: String = arguments
            .iter()
            .filter(|argument| !argument.is_empty())
            .map(|argument| format!(" {argument}"))
            .collect();
        let _ = write!(text, "\n# {comment}\ncurl -i{arguments} {api}{path}\n");
    }
    text
}
