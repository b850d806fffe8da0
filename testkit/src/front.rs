//! What stands before wiremock, and does what wiremock cannot: it ends TLS, and
//! tells the site behind how each request arrived.

use crate::Entrance;
use crate::entrance::Arrival;
use crate::server::{address, loopback_listener};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, Uri};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client, Error};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::ServerConfig;
use std::fmt;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use tokio::net::TcpStream;
use tokio::runtime;
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;

/// Ports that pass requests on, on a thread of their own until this is dropped.
pub(crate) struct Front {
    /// Both are taken by `drop` alone.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// A port, what it is known as, and the TLS that is spoken there.
pub(crate) struct Door {
    pub(crate) entrance: Entrance,
    listener: TcpListener,
    tls: Arc<ServerConfig>,
}

/// Passes on what one connection brings.
#[derive(Clone)]
struct Usher {
    client: Client<HttpConnector, Incoming>,
    behind: SocketAddr,
}

impl Front {
    /// Opens the doors, to the server that listens `behind`.
    pub(crate) fn open(doors: Vec<Door>, behind: SocketAddr) -> Self {
        let (stop, stopped) = oneshot::channel();
        let runtime = runtime::Builder::new_current_thread()
            .enable_io()
            .build()
            .expect("a runtime can be made");
        let thread = thread::spawn(move || {
            runtime.block_on(async {
                let usher = Usher::new(behind);
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
    /// Takes a port, where nobody is let in before there is a front.
    pub(crate) fn new(entrance: Entrance, tls: Arc<ServerConfig>) -> Self {
        Self { entrance, listener: loopback_listener(), tls }
    }

    /// What URLs of this door begin with.
    pub(crate) fn origin(&self) -> String {
        format!("https://localhost:{}", address(&self.listener).port())
    }

    async fn receive(self, usher: Usher) {
        self.listener.set_nonblocking(true).expect("a listener can be made non-blocking");
        let listener = tokio::net::TcpListener::from_std(self.listener).expect("inside a runtime");
        let tls = TlsAcceptor::from(self.tls);
        loop {
            // A client that hangs up before it is let in is no matter of the others.
            if let Ok((connection, _)) = listener.accept().await {
                tokio::spawn(usher.clone().serve(connection, tls.clone(), self.entrance.clone()));
            }
        }
    }
}

impl Usher {
    fn new(behind: SocketAddr) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Self { client: Client::builder(TokioExecutor::new()).build(connector), behind }
    }

    /// Serves one connection until either side ends it.
    async fn serve(self, connection: TcpStream, tls: TlsAcceptor, entrance: Entrance) {
        // Without it a response in two parts waits for the client's acknowledgement.
        let _ = connection.set_nodelay(true);
        // Who fails the handshake got to know by an alert.
        let Ok(stream) = tls.accept(connection).await else { return };
        let certificates = stream.get_ref().1.peer_certificates().unwrap_or_default();
        let arrival = Arrival { entrance, certificates: certificates.to_vec() };
        let service = service_fn(|request| self.pass_on(request, &arrival));
        let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
    }

    async fn pass_on(
        &self,
        mut request: Request<Incoming>,
        arrival: &Arrival,
    ) -> Result<Response<Incoming>, Error> {
        // Takes the place of whatever the client says under this name.
        request.headers_mut().insert(Arrival::HEADER, arrival.to_header());
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        *request.uri_mut() = Uri::builder()
            .scheme("http")
            .authority(self.behind.to_string())
            .path_and_query(path)
            .build()
            .expect("the parts of a URI");
        self.client.request(request).await
    }
}
