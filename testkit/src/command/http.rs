//! Requests to a tenant, and to other servers.

use std::{env, io, sync::Arc, time::Duration};

use http::{
    HeaderValue, Request, Uri,
    header::{CONTENT_TYPE, HOST},
};
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
    let request = |url: &Uri| {
        Request::post(url.path())
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body.to_string())))
    };
    send(&format!("{tenant}{path}"), request, trust, LARGEST).map_err(|problem| match problem {
        Problem::NotAUrl => not_a_url(tenant),
        Problem::NoAnswer => no_answer(tenant),
        Problem::NotTrusted(error) => Failure::usage(format!(
            "{tenant} is not trusted ({error}): set {CA_FILE} as the tenant prints it"
        )),
        Problem::Failed(failure) => failure,
    })
}

/// The content at a URL of any server, of at most this length in bytes.
pub(crate) fn get(url: &str, largest: usize) -> Result<Vec<u8>, Failure> {
    let request = |url: &Uri| {
        let target = url.path_and_query().map_or("/", |target| target.as_str());
        Request::get(target).body(Full::default())
    };
    let answer = send(url, request, trust_of_system, largest).map_err(|problem| match problem {
        Problem::NotAUrl => Failure::usage(format!("{url:?} is not an http or https URL")),
        Problem::NoAnswer => Failure::usage(format!(
            "{url} cannot be read: no answer, or one that is broken or too long"
        )),
        Problem::NotTrusted(error) => Failure::usage(format!(
            "{url} is not trusted ({error}): name its authority's certificate in {CA_FILE}, or download \
             the document and name the file"
        )),
        Problem::Failed(failure) => failure,
    })?;
    match answer.status {
        200 => Ok(answer.body.into()),
        status => Err(Failure::usage(format!("{url} cannot be read: the answer is {status}"))),
    }
}

/// Why there is no answer.
enum Problem {
    NotAUrl,
    NoAnswer,
    NotTrusted(io::Error),
    Failed(Failure),
}

fn send(
    url: &str,
    request: impl FnOnce(&Uri) -> http::Result<Request<Full<Bytes>>>,
    trust: fn() -> Result<ClientConfig, Failure>,
    largest: usize,
) -> Result<Answer, Problem> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    let runtime =
        runtime.map_err(|error| Problem::Failed(Failure::other(format!("no runtime: {error}"))))?;
    let answer = async {
        let url: Uri = url.parse().map_err(|_| Problem::NotAUrl)?;
        let authority = url.authority().ok_or(Problem::NotAUrl)?;
        let is_tls = match url.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(Problem::NotAUrl),
        };
        let port = authority.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        let mut request = request(&url).map_err(|_| Problem::NotAUrl)?;
        let host = HeaderValue::from_str(authority.as_str()).map_err(|_| Problem::NotAUrl)?;
        request.headers_mut().insert(HOST, host);
        let host = authority.host().trim_matches(['[', ']']);
        let stream = TcpStream::connect((host, port)).await.map_err(|_| Problem::NoAnswer)?;
        if !is_tls {
            return exchange(TokioIo::new(stream), request, largest).await;
        }
        let name = ServerName::try_from(host.to_owned()).map_err(|_| Problem::NotAUrl)?;
        let tls = TlsConnector::from(Arc::new(trust().map_err(Problem::Failed)?));
        let stream = tls.connect(name, stream).await.map_err(Problem::NotTrusted)?;
        exchange(TokioIo::new(stream), request, largest).await
    };
    runtime.block_on(async { timeout(PATIENCE, answer).await.unwrap_or(Err(Problem::NoAnswer)) })
}

async fn exchange(
    stream: impl Read + Write + Unpin + Send + 'static,
    request: Request<Full<Bytes>>,
    largest: usize,
) -> Result<Answer, Problem> {
    let (mut sender, connection) = http1::handshake(stream).await.map_err(|_| Problem::NoAnswer)?;
    tokio::spawn(connection);
    let response = sender.send_request(request).await.map_err(|_| Problem::NoAnswer)?;
    let status = response.status().as_u16();
    let body = Limited::new(response.into_body(), largest).collect().await;
    Ok(Answer { status, body: body.map_err(|_| Problem::NoAnswer)?.to_bytes() })
}

fn trust() -> Result<ClientConfig, Failure> {
    trust_in(RootCertStore::empty())
}

/// What the operating system trusts, too.
fn trust_of_system() -> Result<ClientConfig, Failure> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    trust_in(roots)
}

fn trust_in(mut roots: RootCertStore) -> Result<ClientConfig, Failure> {
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
