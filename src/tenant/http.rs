//! The one door to the network.

use std::{
    error::Error as StdError, fmt, future::Future, io, iter, pin::Pin, sync::Arc, time::Duration,
};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Request, Response, StatusCode,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER},
};
use rustls::{AlertDescription, Error as TlsError};
use url::Url;

use crate::{
    clock::Clock,
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
    clock: Clock,
}

impl Http {
    pub(crate) fn new(
        client: Arc<dyn HttpClient>,
        response_timeout: Duration,
        clock: Clock,
    ) -> Self {
        Self { client, response_timeout, clock }
    }

    /// The same client with a response time-out of at most `limit`.
    pub(crate) fn at_most(&self, limit: Duration) -> Self {
        Self { response_timeout: self.response_timeout.min(limit), ..self.clone() }
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
        let response = self
            .clock
            .timeout(self.response_timeout, exchange)
            .await
            .ok_or_else(|| TenantError::Timeout { url: Arc::clone(&target) })?
            .map_err(|error| match is_certificate_refused(&*error) {
                true => {
                    let (url, source) = (Arc::clone(&target), Cause::new(error));
                    TenantError::Certificate { url, source }
                }
                false => unreachable(Cause::new(error)),
            })?;
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

/// An error and all its reasons, the last of which is what went wrong.
pub(crate) fn causes<'e>(
    error: &'e (dyn StdError + 'static),
) -> impl Iterator<Item = &'e (dyn StdError + 'static)> {
    iter::successors(Some(error), |&error| match error.downcast_ref::<io::Error>() {
        // Its `source` leaves out the error that it wraps.
        Some(error) => error.get_ref().map(|wrapped| wrapped as _),
        None => error.source(),
    })
}

/// Whether the tenant ended the handshake over our certificate, or for want of one (RFC 8446 §6.2).
/// What is wrong with its own certificate is an error of ours, and no alert from there.
fn is_certificate_refused(error: &(dyn StdError + 'static)) -> bool {
    use AlertDescription::{
        AccessDenied, BadCertificate, CertificateExpired, CertificateRequired, CertificateRevoked,
        CertificateUnknown, UnknownCA, UnsupportedCertificate,
    };
    let alert = causes(error).find_map(|error| match error.downcast_ref() {
        Some(TlsError::AlertReceived(alert)) => Some(*alert),
        _ => None,
    });
    matches!(
        alert,
        Some(
            AccessDenied
                | BadCertificate
                | CertificateExpired
                | CertificateRequired
                | CertificateRevoked
                | CertificateUnknown
                | UnknownCA
                | UnsupportedCertificate
        )
    )
}
