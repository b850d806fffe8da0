//! What stands before wiremock, and does what wiremock cannot: it ends TLS, tells
//! the site behind how each request arrived, and lets answers go wrong. Nothing of it
//! holds wiremock up, which answers each request at once.

use crate::Entrance;
use crate::answer::Answer;
use crate::ending::{Ending, Wire};
use crate::entrance::Arrival;
use crate::server::{address, loopback_listener};
use crate::site::Site;
use http::header::CONTENT_LENGTH;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::ServerConfig;
use std::error::Error as _;
use std::fmt;
use std::future::poll_fn;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use tokio::io::AsyncWriteExt as _;
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

/// A port, what it is known as, and the TLS that is spoken there, if any.
pub(crate) struct Door {
    pub(crate) entrance: Entrance,
    listener: TcpListener,
    tls: Option<Arc<ServerConfig>>,
}

/// Passes on what one connection brings.
#[derive(Clone)]
struct Usher {
    client: Client<HttpConnector, Incoming>,
    behind: SocketAddr,
    site: Arc<Site>,
}

impl Front {
    /// Opens the doors of the site, to the server that listens `behind`.
    pub(crate) fn open(doors: Vec<Door>, behind: SocketAddr, site: Arc<Site>) -> Self {
        let (stop, stopped) = oneshot::channel();
        let runtime = runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()
            .expect("a runtime can be made");
        let thread = thread::spawn(move || {
            runtime.block_on(async {
                let usher = Usher::new(behind, site);
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
        let address = address(&self.listener);
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
    fn new(behind: SocketAddr, site: Arc<Site>) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new()).build(connector);
        Self { client, behind, site }
    }

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
        let right = self.pass_on(request, arrival).await?;
        let answer = match met {
            Some(met) => met.instead_of(right, arrived, &self.site.clock).await?,
            None => right,
        };
        Ok(answer.map(Full::new))
    }

    async fn pass_on(
        &self,
        mut request: Request<Incoming>,
        arrival: &Arrival,
    ) -> Result<Answer, Ending> {
        // Takes the place of whatever the client says under this name.
        request.headers_mut().insert(Arrival::HEADER, arrival.to_header());
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        *request.uri_mut() = Uri::builder()
            .scheme("http")
            .authority(self.behind.to_string())
            .path_and_query(path)
            .build()
            .expect("the parts of a URI");
        // A task of its own: a request that was sent arrives, also if the client leaves.
        let response = tokio::spawn(self.client.request(request)).await;
        let (mut head, body) =
            response.map_err(|_| Ending::Closed)?.map_err(|_| Ending::Closed)?.into_parts();
        let body = body.collect().await.map_err(|_| Ending::Closed)?.to_bytes();
        // Whoever sends the body knows.
        head.headers.remove(CONTENT_LENGTH);
        Ok(Response::from_parts(head, body))
    }
}
