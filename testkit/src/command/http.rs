//! A request to a tenant.

use std::{env, sync::Arc, time::Duration};

use http::{Request, Uri, header::CONTENT_TYPE, header::HOST};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{
    body::Bytes,
    client::conn::http1,
    rt::{Read, Write},
};
use hyper_util::rt::TokioIo;
use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
};
use serde_json::Value;
use tokio::{net::TcpStream, runtime, time::timeout};
use tokio_rustls::TlsConnector;

use crate::failure::Failure;

/// Names the certificate of the authority that a tenant with TLS is trusted by.
const CA_FILE: &str = "MONOCLOUD_BACKEND_CA_CERTIFICATE_FILE";

/// A tenant answers in milliseconds, and a hostile token of a debug build in a second.
const PATIENCE: Duration = Duration::from_secs(30);

/// The largest answer, in bytes.
const LARGEST: usize = 1024 * 1024;

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Bytes,
}

/// Sends JSON to a path of the tenant at this URL.
pub(crate) fn post(tenant: &str, path: &str, body: &Value) -> Result<Answer, Failure> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::other(format!("no runtime: {error}")))?;
    let answer = async {
        let url: Uri = format!("{tenant}{path}").parse().map_err(|_| not_a_url(tenant))?;
        let host = url.host().ok_or_else(|| not_a_url(tenant))?;
        let is_tls = match url.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(not_a_url(tenant)),
        };
        let port = url.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        let request = Request::post(url.path())
            .header(HOST, url.authority().map_or(host, |authority| authority.as_str()))
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body.to_string())))
            .map_err(|_| not_a_url(tenant))?;
        let host = host.trim_matches(['[', ']']);
        let stream = TcpStream::connect((host, port)).await.map_err(|_| no_answer(tenant))?;
        if !is_tls {
            return exchange(tenant, TokioIo::new(stream), request).await;
        }
        let name = ServerName::try_from(host.to_owned()).map_err(|_| not_a_url(tenant))?;
        let tls = TlsConnector::from(Arc::new(trust()?));
        let stream = tls.connect(name, stream).await.map_err(|error| {
            Failure::usage(format!(
                "{tenant} is not trusted ({error}): set {CA_FILE} as the tenant prints it"
            ))
        })?;
        exchange(tenant, TokioIo::new(stream), request).await
    };
    runtime.block_on(async {
        timeout(PATIENCE, answer).await.unwrap_or_else(|_| Err(no_answer(tenant)))
    })
}

async fn exchange(
    tenant: &str,
    stream: impl Read + Write + Unpin + Send + 'static,
    request: Request<Full<Bytes>>,
) -> Result<Answer, Failure> {
    let (mut sender, connection) = http1::handshake(stream).await.map_err(|_| no_answer(tenant))?;
    tokio::spawn(connection);
    let response = sender.send_request(request).await.map_err(|_| no_answer(tenant))?;
    let status = response.status().as_u16();
    let body = Limited::new(response.into_body(), LARGEST).collect().await;
    Ok(Answer { status, body: body.map_err(|_| no_answer(tenant))?.to_bytes() })
}

fn trust() -> Result<ClientConfig, Failure> {
    let mut roots = RootCertStore::empty();
    if let Some(file) = env::var_os(CA_FILE) {
        let unreadable = |error: &dyn std::fmt::Display| {
            Failure::usage(format!("{CA_FILE} names no certificate: {error}"))
        };
        let certificates =
            CertificateDer::pem_file_iter(file).map_err(|error| unreadable(&error))?;
        for certificate in certificates {
            let certificate = certificate.map_err(|error| unreadable(&error))?;
            roots.add(certificate).map_err(|error| unreadable(&error))?;
        }
    }
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(|error| Failure::other(format!("no TLS: {error}")))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

fn not_a_url(tenant: &str) -> Failure {
    Failure::usage(format!("{tenant:?} is not an http or https URL, such as http://127.0.0.1:4444"))
}

fn no_answer(tenant: &str) -> Failure {
    Failure::usage(format!(
        "no tenant answers at {tenant}: start one with `mock-tenant`, or name another with --tenant \
         or MOCK_TENANT_URL"
    ))
}
