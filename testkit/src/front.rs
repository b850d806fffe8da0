//! The HTTP server of one tenant: it terminates TLS, lets the site answer, and lets answers go
//! wrong.

use crate::Entrance;
use crate::ending::{Ending, Wire};
use crate::entrance::Arrival;
use crate::site::Site;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use std::error::Error as _;
use std::fmt;
use std::future::poll_fn;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::runtime;
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;

/// Ports that requests come in by, on a thread of their own until this is dropped.
pub(crate) struct Front {
    /// Both are taken by `drop` alone.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// A port, what it is known as, and the TLS that is spoken there, if any.
pub(crate) struct Door {
    pub(crate) entrance: Entrance,
    listener: TcpListener,
    tls: Option<Arc<ServerConfig>>,
}

/// Answers what one connection asks.
#[derive(Clone)]
struct Usher {
    site: Arc<Site>,
}

impl Front {
    /// Opens the doors of the site.
    pub(crate) fn open(doors: Vec<Door>, site: Arc<Site>) -> Self {
        let (stop, stopped) = oneshot::channel();
        let runtime = runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()
            .expect("a runtime can be made");
        let thread = thread::spawn(move || {
            runtime.block_on(async {
                let usher = Usher { site };
                for door in doors {
                    tokio::spawn(door.receive(usher.clone()));
                }
                // Ends with an error, once the sender is gone.
                let _ = stopped.await;
            });
        });
        Self { stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for Front {
    /// Returns once the ports are free and the connections closed. Nothing on the
    /// thread blocks, so it ends at its next step, and its runtime with it.
    fn drop(&mut self) {
        drop(self.stop.take());
        // A panic was printed, and a drop could do nothing about it.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

impl fmt::Debug for Front {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Front").finish_non_exhaustive()
    }
}

impl Door {
    /// Takes a port for the issuer, where nobody is let in before there is a front.
    pub(crate) fn plain() -> Self {
        Self { entrance: Entrance::Issuer, listener: loopback_listener(), tls: None }
    }

    /// The same with TLS, for any entrance.
    pub(crate) fn with_tls(entrance: Entrance, tls: Arc<ServerConfig>) -> Self {
        Self { entrance, tls: Some(tls), ..Self::plain() }
    }

    /// What URLs of this door begin with.
    pub(crate) fn origin(&self) -> String {
        let address = self.listener.local_addr().expect("a bound listener has an address");
        match self.tls {
            Some(_) => format!("https://localhost:{}", address.port()),
            None => format!("http://{address}"),
        }
    }

    async fn receive(self, usher: Usher) {
        self.listener.set_nonblocking(true).expect("a listener can be made non-blocking");
        let listener = tokio::net::TcpListener::from_std(self.listener).expect("inside a runtime");
        let tls = self.tls.map(TlsAcceptor::from);
        loop {
            // A client that hangs up before it is let in is no matter of the others.
            if let Ok((connection, _)) = listener.accept().await {
                tokio::spawn(usher.clone().let_in(connection, tls.clone(), self.entrance.clone()));
            }
        }
    }
}

impl Usher {
    async fn let_in(self, connection: TcpStream, tls: Option<TlsAcceptor>, entrance: Entrance) {
        // Without it a response in two parts waits for the client's acknowledgement.
        let _ = connection.set_nodelay(true);
        let mut arrival = Arrival { entrance, certificates: Vec::new() };
        let Some(tls) = tls else { return self.serve(connection, &arrival).await };
        // Who fails the handshake got to know by an alert.
        let Ok(stream) = tls.accept(connection).await else { return };
        let certificates = stream.get_ref().1.peer_certificates().unwrap_or_default();
        arrival.certificates = certificates.to_vec();
        self.serve(stream, &arrival).await;
    }

    /// Serves one connection until either side ends it.
    async fn serve(&self, wire: impl Wire, arrival: &Arrival) {
        let service = service_fn(|request| Box::pin(self.answer(request, arrival)));
        let mut served = http1::Builder::new().serve_connection(TokioIo::new(wire), service);
        let end = poll_fn(|context| served.poll_without_shutdown(context)).await;
        let mut wire = served.into_parts().io.into_inner();
        // Who has left does not hear the last words.
        let _ = match &end {
            Ok(()) => wire.shutdown().await,
            Err(error) => match error.source().and_then(|error| error.downcast_ref::<Ending>()) {
                Some(ending) => ending.play(wire, &self.site.clock).await,
                None => return,
            },
        };
    }

    async fn answer(
        &self,
        request: Request<Incoming>,
        arrival: &Arrival,
    ) -> Result<Response<Full<Bytes>>, Ending> {
        // Before it is counted: whoever waits for that may move the clock.
        let arrived = self.site.clock.monotonic();
        let met = self.site.meet(request.uri().path());
        let (head, body) = request.into_parts();
        let body = body.collect().await.map_err(|_| Ending::Closed)?.to_bytes();
        let right = self.site.respond(&Request::from_parts(head, body), arrival);
        let answer = match met {
            Some(met) => met.spoil(right, arrived, &self.site.clock).await?,
            None => right,
        };
        Ok(answer.map(Full::new))
    }
}

fn loopback_listener() -> TcpListener {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a loopback port is free")
}
