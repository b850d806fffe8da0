//! A TLS listener whose requests know the certificate of their connection.

use std::{collections::VecDeque, fmt, io, time::Duration};

use ::poem::{
    http::uri::Scheme,
    listener::{Acceptor, Listener},
    web::{LocalAddr, RemoteAddr},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    task::{AbortHandle, JoinSet},
};
use tokio_rustls::server::TlsStream;

use super::address;
use crate::certificate::server::{Handshaker, ServerTls};

/// How many handshakes may be under way. One more, and the oldest of them gives way.
const MAX_HANDSHAKES: usize = 1024;

/// Listens with TLS, and hands the client certificate of a connection to the guards.
///
/// poem's own TLS listener does not let a request see the certificate.
///
/// ```no_run
/// use monocloud_backend::{certificate::ServerTls, poem::TlsListener};
/// use poem::{Route, Server, listener::TcpListener};
///
/// # async fn run(app: Route) -> std::io::Result<()> {
/// let tls = ServerTls::new("api.pem", "api-key.pem");
/// Server::new(TlsListener::new(TcpListener::bind("0.0.0.0:8443"), tls)).run(app).await
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a server listens with it"]
pub struct TlsListener<L> {
    inner: L,
    tls: ServerTls,
    handshake_timeout: Option<Duration>,
}

impl<L> TlsListener<L> {
    /// Serves TLS on the connections of another listener.
    pub const fn new(inner: L, tls: ServerTls) -> Self {
        Self { inner, tls, handshake_timeout: None }
    }

    /// How long a handshake may take; ten seconds unless set.
    pub const fn handshake_timeout(mut self, timeout: Duration) -> Self {
        self.handshake_timeout = Some(timeout);
        self
    }
}

impl<L: Listener> Listener for TlsListener<L>
where
    <L::Acceptor as Acceptor>::Io: 'static,
{
    type Acceptor = TlsAcceptor<L::Acceptor>;

    /// # Errors
    ///
    /// A file of the [`ServerTls`] that is of no use, by name, or what the other listener says.
    async fn into_acceptor(self) -> io::Result<Self::Acceptor> {
        let mut acceptor = TlsAcceptor::new(self.inner.into_acceptor().await?, self.tls)?;
        if let Some(timeout) = self.handshake_timeout {
            acceptor.handshaker.timeout = timeout;
        }
        Ok(acceptor)
    }
}

/// The acceptor of a [`TlsListener`], or one on top of an acceptor that is there already.
pub struct TlsAcceptor<A: Acceptor> {
    inner: A,
    handshaker: Handshaker,
    handshakes: Handshakes<TlsStream<A::Io>>,
}

impl<A: Acceptor> TlsAcceptor<A> {
    /// Serves TLS on the connections of another acceptor.
    ///
    /// # Errors
    ///
    /// A file of the [`ServerTls`] that is of no use, by name.
    pub fn new(inner: A, tls: ServerTls) -> io::Result<Self> {
        Ok(Self { inner, handshaker: Handshaker::new(tls)?, handshakes: Handshakes::default() })
    }
}

/// What poem wants to know of a connection.
type Accepted<Io> = (Io, LocalAddr, RemoteAddr, Scheme);

impl<A: Acceptor> Acceptor for TlsAcceptor<A>
where
    A::Io: 'static,
{
    type Io = TlsStream<A::Io>;

    fn local_addr(&self) -> Vec<LocalAddr> {
        self.inner.local_addr()
    }

    /// Handshakes run concurrently, so that a slow one delays no other.
    async fn accept(&mut self) -> io::Result<Accepted<Self::Io>> {
        loop {
            tokio::select! {
                accepted = self.inner.accept() => {
                    self.handshakes.start(handshake(self.handshaker.clone(), accepted?));
                }
                Some(ended) = self.handshakes.tasks.join_next() => match ended {
                    Ok(Ok(connection)) => return Ok(connection),
                    Ok(Err(error)) => tracing::debug!(name: "tls.handshake_failed", %error, "a TLS handshake failed"),
                    Err(_) => tracing::debug!(name: "tls.handshake_displaced", "a TLS handshake gave way to newer ones"),
                },
            }
        }
    }
}

impl<A: Acceptor> fmt::Debug for TlsAcceptor<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsAcceptor").finish_non_exhaustive()
    }
}

/// Handshakes under way.
struct Handshakes<Io> {
    tasks: JoinSet<io::Result<Accepted<Io>>>,
    /// The oldest first, among them some that have ended.
    queue: VecDeque<AbortHandle>,
}

impl<Io> Default for Handshakes<Io> {
    fn default() -> Self {
        Self { tasks: JoinSet::new(), queue: VecDeque::new() }
    }
}

impl<Io: Send + 'static> Handshakes<Io> {
    fn start(
        &mut self,
        handshake: impl Future<Output = io::Result<Accepted<Io>>> + Send + 'static,
    ) {
        if self.queue.len() == MAX_HANDSHAKES {
            self.queue.retain(|task| !task.is_finished());
        }
        if self.queue.len() == MAX_HANDSHAKES
            && let Some(oldest) = self.queue.pop_front()
        {
            oldest.abort();
        }
        self.queue.push_back(self.tasks.spawn(handshake));
    }
}

async fn handshake<Io: AsyncRead + AsyncWrite + Unpin>(
    handshaker: Handshaker,
    (io, local, remote, _): Accepted<Io>,
) -> io::Result<Accepted<TlsStream<Io>>> {
    let (stream, certificate) = handshaker.accept(io).await?;
    let local = match certificate {
        None => local,
        Some(certificate) => address::with_certificate(&local, &certificate),
    };
    Ok((stream, local, remote, Scheme::HTTPS))
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn of_too_many_handshakes_the_oldest_gives_way_and_none_that_has_ended() {
        let mut handshakes = Handshakes::<()>::default();
        let failed = || ready(Err(io::Error::other("failed")));
        handshakes.start(failed());
        assert!(handshakes.tasks.join_next().await.unwrap().unwrap().is_err());
        let (end, ended) = oneshot::channel::<()>();
        for _ in 0..MAX_HANDSHAKES - 1 {
            handshakes.start(pending());
        }
        handshakes.start(async move {
            let _ = ended.await;
            failed().await
        });
        assert_eq!(handshakes.tasks.len(), MAX_HANDSHAKES);
        end.send(()).unwrap();
        assert!(handshakes.tasks.join_next().await.unwrap().unwrap().is_err());
        handshakes.start(pending());
        tokio::task::yield_now().await;
        assert!(handshakes.tasks.try_join_next().is_none(), "none has given way");
        handshakes.start(pending());
        assert!(handshakes.tasks.join_next().await.unwrap().unwrap_err().is_cancelled());
        assert_eq!(handshakes.tasks.len(), MAX_HANDSHAKES);
    }
}
