//! A TLS acceptor for axum-server, whose requests know the certificate of their connection.

use std::{
    fmt, io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use ::http::Request;
use axum_server::accept::Accept;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::server::TlsStream;
use tower_service::Service;

use crate::certificate::{
    PeerCertificate,
    server::{Handshaker, ServerTls},
};

/// Serves TLS, and hands the client certificate of a connection to the guards.
///
/// ```no_run
/// use std::net::SocketAddr;
///
/// use axum::Router;
/// use monocloud_backend::{axum::TlsAcceptor, certificate::ServerTls};
///
/// # async fn run(app: Router) -> std::io::Result<()> {
/// let tls = TlsAcceptor::new(ServerTls::new("api.pem", "api-key.pem"))?;
/// let address = SocketAddr::from(([0, 0, 0, 0], 8443));
/// axum_server::bind(address).acceptor(tls).serve(app.into_make_service()).await
/// # }
/// ```
#[derive(Clone)]
#[must_use = "a server accepts with it"]
pub struct TlsAcceptor(Handshaker);

impl TlsAcceptor {
    /// Serves TLS on the connections of a server.
    ///
    /// # Errors
    ///
    /// A file of the [`ServerTls`] that is of no use, by name.
    pub fn new(tls: ServerTls) -> io::Result<Self> {
        Handshaker::new(tls).map(Self)
    }

    /// How long a handshake may take; ten seconds unless set.
    pub const fn handshake_timeout(mut self, timeout: Duration) -> Self {
        self.0.timeout = timeout;
        self
    }
}

impl<Io, S> Accept<Io, S> for TlsAcceptor
where
    Io: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    S: Send + 'static,
{
    type Stream = TlsStream<Io>;
    type Service = WithPeerCertificate<S>;
    type Future = Pin<Box<dyn Future<Output = io::Result<(Self::Stream, Self::Service)>> + Send>>;

    fn accept(&self, io: Io, service: S) -> Self::Future {
        let Self(handshaker) = self.clone();
        Box::pin(async move {
            let (stream, certificate) = handshaker.accept(io).await.inspect_err(|error| {
                tracing::debug!(name: "tls.handshake_failed", %error, "a TLS handshake failed");
            })?;
            Ok((stream, WithPeerCertificate { certificate, service }))
        })
    }
}

impl fmt::Debug for TlsAcceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsAcceptor").finish_non_exhaustive()
    }
}

/// A service whose requests come from a caller with this certificate: each has it in its extensions.
#[derive(Clone, Debug)]
pub struct WithPeerCertificate<S> {
    certificate: Option<PeerCertificate>,
    service: S,
}

impl<B, S: Service<Request<B>>> Service<Request<B>> for WithPeerCertificate<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.service.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> S::Future {
        if let Some(certificate) = &self.certificate {
            request.extensions_mut().insert(certificate.clone());
        }
        self.service.call(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::axum::tests::{Busy, is_ready};

    #[test]
    fn a_service_behind_tls_is_ready_when_the_service_is() {
        assert!(!is_ready(&mut WithPeerCertificate { certificate: None, service: Busy }));
    }
}
