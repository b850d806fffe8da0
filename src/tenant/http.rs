//! The one door to the network.

use std::{error::Error as StdError, fmt, future::Future, pin::Pin, sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use http::{
    HeaderMap, HeaderValue, Request, Response, StatusCode,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER},
};
use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs, pki_types::CertificateDer};
use url::Url;

use crate::{
    config::is_loopback,
    error::{Cause, TenantError},
};

/// A tenant's own Retry-After is honoured up to this.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(300);

/// What an [`HttpClient`] hands back.
pub type HttpFuture<'c> = Pin<
    Box<dyn Future<Output = Result<Response<Bytes>, Box<dyn StdError + Send + Sync>>> + Send + 'c>,
>;

/// Sends requests to the tenant. Implement it to bring an HTTP client of your own.
///
/// An implementation must not follow redirects, or tokens and secrets go where the tenant did not
/// send them; it must verify TLS certificates; and it must not read a body beyond `max_body`. The
/// response time-out is applied around it.
pub trait HttpClient: Send + Sync + 'static {
    /// Sends one request, and fails if the body of the answer has more than `max_body` bytes.
    fn send(&self, request: Request<Bytes>, max_body: usize) -> HttpFuture<'_>;
}

/// A client with the tenant's time-out, and the meaning of its answers.
#[derive(Clone)]
pub(crate) struct Http {
    client: Arc<dyn HttpClient>,
    response_timeout: Duration,
}

impl Http {
    pub(crate) fn new(client: Arc<dyn HttpClient>, response_timeout: Duration) -> Self {
        Self { client, response_timeout }
    }

    /// Fetches a document.
    pub(crate) async fn get(
        &self,
        url: &Url,
        max_body: usize,
    ) -> Result<Response<Bytes>, TenantError> {
        self.exchange(url, Request::get(url.as_str()), Bytes::new(), max_body).await
    }

    /// Posts a form.
    pub(crate) async fn post_form(
        &self,
        url: &Url,
        authorization: Option<HeaderValue>,
        form: String,
        max_body: usize,
    ) -> Result<Response<Bytes>, TenantError> {
        let mut request =
            Request::post(url.as_str()).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        if let Some(authorization) = authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        self.exchange(url, request, form.into(), max_body).await
    }

    /// Only 200 is an answer; the time-out covers the body.
    async fn exchange(
        &self,
        url: &Url,
        request: http::request::Builder,
        body: Bytes,
        max_body: usize,
    ) -> Result<Response<Bytes>, TenantError> {
        let target: Arc<str> = url.as_str().into();
        let unreachable = |source| TenantError::Unreachable { url: Arc::clone(&target), source };
        let request = request
            .header(ACCEPT, "application/json")
            .body(body)
            .map_err(|error| unreachable(Cause::new(error)))?;
        let exchange = self.client.send(request, max_body);
        let response = tokio::time::timeout(self.response_timeout, exchange)
            .await
            .map_err(|_| TenantError::Timeout { url: Arc::clone(&target) })?
            .map_err(|error| unreachable(Cause::new(error)))?;
        if response.status() != StatusCode::OK {
            return Err(TenantError::Status {
                url: target,
                status: response.status().as_u16(),
                retry_after: retry_after(response.headers()),
            });
        }
        Ok(response)
    }
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http")
            .field("response_timeout", &self.response_timeout)
            .finish_non_exhaustive()
    }
}

/// The delay-seconds form of Retry-After (RFC 9110 §10.2.3).
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(MAX_RETRY_AFTER))
}

/// The built-in client: reqwest over rustls with aws-lc-rs, and nothing process-wide.
pub(crate) struct ReqwestClient(reqwest::Client);

impl ReqwestClient {
    /// Trusts the given certificates beside the system's roots, or beside Mozilla's where the
    /// system has none. A tenant on loopback is reached directly, never through a proxy.
    pub(crate) fn new(
        tenant: &Url,
        ca_certificates: &[CertificateDer<'static>],
        response_timeout: Duration,
    ) -> Result<Self, Box<dyn StdError + Send + Sync>> {
        let roots = if tenant.scheme() == "https" {
            trusted_roots(ca_certificates)?
        } else {
            RootCertStore::empty()
        };
        let mut builder = reqwest::Client::builder()
            .tls_backend_preconfigured(tls_config(roots)?)
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(response_timeout)
            .user_agent(concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION")));
        if is_loopback(tenant) {
            builder = builder.no_proxy();
        }
        Ok(Self(builder.build()?))
    }
}

impl HttpClient for ReqwestClient {
    fn send(&self, request: Request<Bytes>, max_body: usize) -> HttpFuture<'_> {
        Box::pin(async move {
            let request = reqwest::Request::try_from(request)?;
            let mut received = self.0.execute(request).await?;
            let mut body = BytesMut::new();
            while let Some(chunk) = received.chunk().await? {
                if body.len() + chunk.len() > max_body {
                    return Err(format!("the body has more than {max_body} bytes").into());
                }
                body.extend_from_slice(&chunk);
            }
            let mut response = Response::new(body.freeze());
            *response.status_mut() = received.status();
            *response.headers_mut() = std::mem::take(received.headers_mut());
            Ok(response)
        })
    }
}

/// The system's roots, or Mozilla's where the system has none, and the given certificates.
pub(crate) fn trusted_roots(
    ca_certificates: &[CertificateDer<'static>],
) -> Result<RootCertStore, rustls::Error> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    for certificate in ca_certificates {
        roots.add(certificate.clone())?;
    }
    Ok(roots)
}

/// TLS on aws-lc-rs, whatever provider the process has or has not.
pub(super) fn tls_config(roots: RootCertStore) -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth())
}
