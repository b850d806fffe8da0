//! An example that serves TLS, for tokens that are bound to a client certificate.

use std::{env, net::TcpListener, path::PathBuf};

use monocloud_backend::{ProtectApi, certificate::ServerTls};
use monocloud_testkit::{Authority, Certificate, MockTenant};
use tempfile::TempPath;

use crate::{Mock, configure_for, diagnose, listen, or_exit, tour, with_mock_tenant};

const REQUESTS: &str = r#"
200: the token comes with its certificate
  curl -i -H "Authorization: Bearer $TOKEN" $API/api/me \
    --cacert $AUTHORITY --cert $CERTIFICATE --key $KEY

401: the token alone, as a thief would send it
  curl -i -H "Authorization: Bearer $TOKEN" $API/api/me \
    --cacert $AUTHORITY
"#;

/// What an example needs to serve over TLS.
#[derive(Debug)]
pub struct TlsStart {
    /// Protects the example's API.
    pub protect: ProtectApi,
    /// Listens on loopback, on the port in `PORT`; non-blocking, as tokio requires.
    pub listener: TcpListener,
    /// With the files in `TLS_CERTIFICATE_FILE` and `TLS_KEY_FILE`, or with generated ones.
    pub tls: ServerTls,
    /// The mock tenant, which stops when it is dropped.
    pub mock: Option<Mock>,
    /// Their files are deleted when they are dropped.
    pub certificates: Option<Certificates>,
}

/// Generated certificates.
#[derive(Debug)]
pub struct Certificates {
    authority: Authority,
    client: Certificate,
    /// Kept for its files, from which the API serves.
    _server: Certificate,
}

/// Like [`start`](crate::start), for an API that serves TLS.
pub async fn start_tls() -> TlsStart {
    or_exit(try_start_tls().await)
}

async fn try_start_tls() -> Result<TlsStart, String> {
    let (listener, address) = listen()?;
    let (protect, tenant) = configure_for(with_mock_tenant()).await?;
    let (tls, certificates) = server_tls()?;
    let mock = match tenant {
        None => {
            diagnose(&protect);
            None
        }
        Some(tenant) => {
            let api = format!("https://localhost:{}", address.port());
            let certificates = certificates.as_ref();
            let tokens =
                certificates.map(|made| print_requests(&tenant, made, &api)).transpose()?;
            Some(Mock { _tenant: tenant, _tokens: tokens })
        }
    };
    println!("listening on https://{address}");
    Ok(TlsStart { protect, listener, tls, mock, certificates })
}

fn server_tls() -> Result<(ServerTls, Option<Certificates>), String> {
    let file = |name| env::var_os(name).filter(|path| !path.is_empty()).map(PathBuf::from);
    match (file("TLS_CERTIFICATE_FILE"), file("TLS_KEY_FILE")) {
        (Some(certificate), Some(key)) => Ok((ServerTls::new(certificate, key), None)),
        (None, None) => {
            let authority = Authority::new();
            let (server, client) = (authority.server("localhost"), authority.client("alice"));
            let tls = ServerTls::new(server.certificate_file(), server.key_file());
            Ok((tls, Some(Certificates { authority, client, _server: server })))
        }
        _ => Err("TLS_CERTIFICATE_FILE and TLS_KEY_FILE: set both or neither".to_owned()),
    }
}

/// Prints requests with a token that is bound to a certificate, with and without that certificate.
fn print_requests(
    tenant: &MockTenant,
    certificates: &Certificates,
    api: &str,
) -> Result<TempPath, String> {
    let Certificates { authority, client, .. } = certificates;
    let variables = [
        ("API", api.to_owned()),
        ("TOKEN", tour::token_of_alice(tenant).bound_to(client).mint()),
        ("AUTHORITY", authority.certificate_file().display().to_string()),
        ("CERTIFICATE", client.certificate_file().display().to_string()),
        ("KEY", client.key_file().display().to_string()),
    ];
    tour::print(REQUESTS, &variables)
}

#[cfg(test)]
mod tests {
    #[test]
    fn requests_fit_a_terminal() {
        crate::tour::tests::assert_fits(super::REQUESTS);
    }
}
