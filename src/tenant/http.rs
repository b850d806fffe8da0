//! Requests to the tenant, and what its responses mean.

use std::{
    error::Error as StdError,
    fmt,
    future::Future,
    io, iter,
    pin::Pin,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Request, Response, StatusCode,
    header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER},
};
use httpdate::parse_http_date;
use rustls::{AlertDescription, Error as TlsError};
use url::{Url, form_urlencoded};

use super::body;
use crate::{
    clock::Clock,
    error::{Cause, TenantError},
    token::json,
};

/// A tenant's own Retry-After is honoured up to this.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(300);

/// A longer OAuth error code is not shown, in bytes.
const MAX_OAUTH_ERROR: usize = 64;

/// What an [`HttpClient`] hands back.
pub type HttpFuture<'c> = Pin<
    Box<dyn Future<Output = Result<Response<Bytes>, Box<dyn StdError + Send + Sync>>> + Send + 'c>,
>;

/// Sends requests to the tenant. Implement it to bring an HTTP client of your own.
///
/// An implementation must not follow redirects, or tokens and secrets go where the tenant did not
/// send them; it must verify TLS certificates; and it must not read a body beyond `max_body`. The
/// response time-out is applied around it. A body that is compressed with gzip may be handed over as
/// it is, together with its `Content-Encoding`.
pub trait HttpClient: Send + Sync + 'static {
    /// Sends one request, and fails if the body of the answer has more than `max_body` bytes.
    fn send(&self, request: Request<Bytes>, max_body: usize) -> HttpFuture<'_>;
}

/// In the extensions of a request: a connection that was kept from an earlier one must not be used.
#[derive(Clone, Copy, Debug)]
pub(super) struct FreshConnection;

/// A request was lost with a connection that was kept from an earlier one, and may be repeated.
#[derive(Debug, thiserror::Error)]
#[error("the connection was closed while the request was on its way")]
pub(super) struct ConnectionLost(#[source] pub(super) BoxError);

pub(super) type BoxError = Box<dyn StdError + Send + Sync>;

/// What is requested.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Resource {
    /// What errors call it.
    pub(crate) name: &'static str,
    /// The media types it may have (RFC 9110 §12.5.1).
    pub(crate) accept: &'static str,
    /// A longer body is not read, in bytes.
    pub(crate) max_body: usize,
}

/// The body of a POST, and what authenticates it.
pub(crate) struct Form {
    pub(crate) authorization: Option<HeaderValue>,
    pub(crate) body: String,
}

/// A client with the tenant's time-out, and the meaning of its responses.
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

    /// Fetches a document, within `limit` if that is less than the response time-out.
    pub(crate) async fn get(
        &self,
        url: &Url,
        resource: &Resource,
        limit: Duration,
    ) -> Result<Response<Bytes>, TenantError> {
        let request = || async { Ok((Request::get(url.as_str()), Bytes::new())) };
        self.look_up(url, resource, limit, request).await
    }

    /// Posts a form that changes nothing at the tenant. It is made anew for each request, as
    /// credentials may be good for one alone.
    pub(crate) async fn post_form<F>(
        &self,
        url: &Url,
        resource: &Resource,
        form: impl Fn() -> F,
    ) -> Result<Response<Bytes>, TenantError>
    where
        F: Future<Output = Result<Form, TenantError>>,
    {
        let request = || {
            let form = form();
            async move {
                let Form { authorization, body } = form.await?;
                let mut request = Request::post(url.as_str())
                    .header(CONTENT_TYPE, "application/x-www-form-urlencoded");
                if let Some(authorization) = authorization {
                    request = request.header(AUTHORIZATION, authorization);
                }
                Ok((request, body.into()))
            }
        };
        self.look_up(url, resource, Duration::MAX, request).await
    }

    /// Makes one exchange, and another one where the first was lost with a kept connection. The
    /// time-out covers both, bodies included.
    async fn look_up<R>(
        &self,
        url: &Url,
        resource: &Resource,
        limit: Duration,
        request: impl Fn() -> R,
    ) -> Result<Response<Bytes>, TenantError>
    where
        R: Future<Output = Result<(http::request::Builder, Bytes), TenantError>>,
    {
        let deadline = self.clock.monotonic() + self.response_timeout.min(limit);
        let (builder, body) = request().await?;
        match self.exchange(url, resource, builder, body, deadline).await {
            Err(TenantError::Unreachable { source, .. })
                if source.get().downcast_ref::<ConnectionLost>().is_some() =>
            {
                tracing::debug!(
                    name: "request.repeated",
                    url = url.as_str(),
                    "a kept connection was closed as a request was sent; it is sent once more"
                );
                let (builder, body) = request().await?;
                let builder = builder.extension(FreshConnection);
                self.exchange(url, resource, builder, body, deadline).await
            }
            outcome => outcome,
        }
    }

    /// Only status 200 is a success.
    async fn exchange(
        &self,
        url: &Url,
        resource: &Resource,
        builder: http::request::Builder,
        body: Bytes,
        deadline: Instant,
    ) -> Result<Response<Bytes>, TenantError> {
        let target: Arc<str> = url.as_str().into();
        let unreachable = |source| TenantError::Unreachable { url: Arc::clone(&target), source };
        let request = builder
            .header(ACCEPT, resource.accept)
            .header(ACCEPT_ENCODING, "identity")
            .body(body.clone())
            .map_err(|error| unreachable(Cause::new(error)))?;
        let left = deadline.saturating_duration_since(self.clock.monotonic());
        let exchange = self.client.send(request, resource.max_body);
        let response = self
            .clock
            .timeout(left, exchange)
            .await
            .ok_or_else(|| TenantError::Timeout { url: Arc::clone(&target) })?
            .map_err(|error| match is_certificate_refused(&*error) {
                true => {
                    let (url, source) = (Arc::clone(&target), Cause::new(error));
                    TenantError::Certificate { url, source }
                }
                false => unreachable(Cause::new(error)),
            })?;
        let status = response.status();
        if status != StatusCode::OK {
            let retry_after = retry_after(response.headers(), self.clock.wall());
            let response = body::decode(response, resource.max_body).ok();
            return Err(TenantError::Status {
                url: target,
                status: status.as_u16(),
                // Documents are not protected by OAuth, and have no such errors.
                code: response
                    .filter(|_| !body.is_empty())
                    .and_then(|response| oauth_error(response.body(), &body)),
                retry_after,
            });
        }
        body::decode(response, resource.max_body).map_err(|reason| TenantError::Document {
            document: resource.name,
            reason: reason.as_ref().into(),
        })
    }
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http")
            .field("response_timeout", &self.response_timeout)
            .finish_non_exhaustive()
    }
}

/// Retry-After as seconds or as a date (RFC 9110 §10.2.3).
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let delay = match value.bytes().all(|byte| byte.is_ascii_digit()) {
        true if value.is_empty() => return None,
        // More digits than a number has mean a long time.
        true => value.parse().map_or(MAX_RETRY_AFTER, Duration::from_secs),
        false => parse_http_date(value).ok()?.duration_since(now).unwrap_or_default(),
    };
    Some(delay.min(MAX_RETRY_AFTER))
}

/// The `error` of an error response (RFC 6749 §5.2), if it is in the characters that the RFC allows
/// and repeats nothing of the request, which has a token and perhaps a secret.
fn oauth_error(response: &[u8], request: &[u8]) -> Option<Arc<str>> {
    let members = json::parse_object(response).ok()?;
    let code = members.get("error")?.as_str()?;
    let is_allowed = |byte| matches!(byte, b' ' | b'!' | b'#'..=b'[' | b']'..=b'~');
    if code.is_empty() || code.len() > MAX_OAUTH_ERROR || !code.bytes().all(is_allowed) {
        return None;
    }
    let encoded: String = form_urlencoded::byte_serialize(code.as_bytes()).collect();
    let is_echo = request.windows(encoded.len()).any(|part| part == encoded.as_bytes());
    (!is_echo).then(|| code.into())
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
/// A fault in its own certificate is an error on this side rather than an alert.
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

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date_and_at_most_five_minutes() {
        // Sun, 06 Nov 1994 08:49:37 GMT.
        let now = UNIX_EPOCH + Duration::from_millis(784_111_777_500);
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        for (value, expected) in [
            ("0", seconds(0)),
            ("20", seconds(20)),
            (" 20 ", seconds(20)),
            ("300", seconds(300)),
            ("301", seconds(300)),
            ("99999999999999999999999", seconds(300)),
            ("Sun, 06 Nov 1994 08:49:58 GMT", Some(Duration::from_millis(20_500))),
            ("Sunday, 06-Nov-94 08:49:58 GMT", Some(Duration::from_millis(20_500))),
            ("Sun Nov  6 08:49:58 1994", Some(Duration::from_millis(20_500))),
            ("Sun, 06 Nov 1994 09:49:37 GMT", seconds(300)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", seconds(0)),
            ("Sat, 05 Nov 1994 08:49:37 GMT", seconds(0)),
            ("", None),
            ("-1", None),
            ("1.5", None),
            ("soon", None),
        ] {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, value.parse().unwrap())]);
            assert_eq!(retry_after(&headers, now), expected, "{value}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }

    #[test]
    fn an_oauth_error_has_the_characters_of_its_rfc_and_repeats_no_credential() {
        let code = |body: &str| {
            oauth_error(body.as_bytes(), b"token=opaque%2B1&client_secret=canary-secret")
        };
        for (body, expected) in [
            (r#"{"error":"invalid_client"}"#, Some("invalid_client")),
            (r#"{"error":"not known","error_description":"x"}"#, Some("not known")),
            (r#"{"error":"a\b"}"#, None),
            (r#"{"error":"a"b"}"#, None),
            (
                r#"{"error":"a
b"}"#,
                None,
            ),
            (r#"{"error":"ü"}"#, None),
            (r#"{"error":""}"#, None),
            (r#"{"error":7}"#, None),
            (r#"{"error":"opaque+1"}"#, None),
            (r#"{"error":"canary-secret"}"#, None),
            ("{}", None),
            ("<html>", None),
        ] {
            assert_eq!(code(body).as_deref(), expected, "{body}");
        }
        assert_eq!(code(&format!(r#"{{"error":"{}"}}"#, "x".repeat(65))), None);
    }
}
