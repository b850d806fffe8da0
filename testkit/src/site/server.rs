//! The HTTP server of one tenant: it terminates TLS and lets the site answer.

use std::{
    error::Error as _,
    fmt,
    future::poll_fn,
    io,
    net::{IpAddr, SocketAddr, TcpListener},
    sync::Arc,
    thread::{self, JoinHandle},
};

use http_body_util::BodyExt as _;
use hyper::{
    Request, Response,
    body::{Bytes, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use tokio::{io::AsyncWriteExt as _, net::TcpStream, runtime, sync::oneshot};
use tokio_rustls::TlsAcceptor;

use crate::{
    Endpoint, Entrance,
    control::{self, Control},
    site::{
        Site,
        body::ResponseBody,
        ending::{Ending, Wire},
        entrance::Arrival,
    },
};

/// A server on a separate thread, until it is dropped.
pub(crate) struct Server {
    /// Both are taken by `drop` alone.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// What a server serves.
struct Served {
    site: Arc<Site>,
    /// `None` if the control API is switched off.
    control: Option<Control>,
}

/// A port that a server listens on.
pub(crate) struct Port {
    pub(crate) entrance: Entrance,
    listener: TcpListener,
    tls: Option<Arc<ServerConfig>>,
}

impl Server {
    pub(crate) fn start(ports: Vec<Port>, site: Arc<Site>, control: Option<Control>) -> Self {
        let served = Arc::new(Served { site, control });
        let (stop, stopped) = oneshot::channel();
        let runtime = runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()
            .expect("a runtime can be built");
        let thread = thread::spawn(move || {
            runtime.block_on(async {
                for port in ports {
                    tokio::spawn(port.serve(Arc::clone(&served)));
                }
                // It ends with an error, when the sender is dropped.
                let _ = stopped.await;
            });
        });
        Self { stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for Server {
    /// Returns once the ports are free and the connections closed. Nothing on the thread blocks, so
    /// it ends at its next step, and its runtime with it.
    fn drop(&mut self) {
        drop(self.stop.take());
        // A panic has been printed already.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").finish_non_exhaustive()
    }
}

impl Port {
    /// Binds a port for the issuer.
    pub(crate) fn plain(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        Ok(Self { entrance: Entrance::Issuer, listener, tls: None })
    }

    /// Binds a port with TLS.
    pub(crate) fn with_tls(
        entrance: Entrance,
        address: SocketAddr,
        tls: Arc<ServerConfig>,
    ) -> io::Result<Self> {
        Ok(Self { entrance, tls: Some(tls), ..Self::plain(address)? })
    }

    /// The address that it listens on.
    pub(crate) fn address(&self) -> SocketAddr {
        self.listener.local_addr().expect("a bound listener has an address")
    }

    /// The origin of the URLs on this port.
    pub(crate) fn origin(&self) -> String {
        let address = self.address();
        if self.tls.is_some() {
            return format!("https://localhost:{}", address.port());
        }
        // No client can connect to the unspecified address.
        match address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => format!("http://127.0.0.1:{}", address.port()),
            IpAddr::V6(ip) if ip.is_unspecified() => format!("http://[::1]:{}", address.port()),
            _ => format!("http://{address}"),
        }
    }

    async fn serve(self, served: Arc<Served>) {
        self.listener.set_nonblocking(true).expect("a listener can be made non-blocking");
        let listener = tokio::net::TcpListener::from_std(self.listener).expect("inside a runtime");
        let tls = self.tls.map(TlsAcceptor::from);
        loop {
            // A client that disconnects too early does not affect the others.
            if let Ok((stream, _)) = listener.accept().await {
                let (entrance, served) = (self.entrance.clone(), Arc::clone(&served));
                tokio::spawn(accept(stream, tls.clone(), entrance, served));
            }
        }
    }
}

async fn accept(
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    entrance: Entrance,
    served: Arc<Served>,
) {
    // Otherwise a response in two parts waits for the client's acknowledgement.
    let _ = stream.set_nodelay(true);
    let Some(tls) = tls else {
        return serve(stream, Arrival { entrance, certificates: Vec::new() }, &served).await;
    };
    // A failed handshake has sent an alert.
    let Ok(stream) = tls.accept(stream).await else { return };
    let certificates = stream.get_ref().1.peer_certificates().unwrap_or_default().to_vec();
    serve(stream, Arrival { entrance, certificates }, &served).await;
}

/// Serves one connection until either side closes it.
async fn serve(wire: impl Wire, arrival: Arrival, served: &Served) {
    let service = service_fn(|request| Box::pin(answer(request, &arrival, served)));
    let mut connection = http1::Builder::new().serve_connection(TokioIo::new(wire), service);
    let end = poll_fn(|context| connection.poll_without_shutdown(context)).await;
    let mut wire = connection.into_parts().io.into_inner();
    // The client may have left already.
    let _ = match &end {
        Ok(()) => wire.shutdown().await,
        Err(error) => match error.source().and_then(|error| error.downcast_ref::<Ending>()) {
            Some(ending) => ending.play(wire, &served.site.clock).await,
            None => return,
        },
    };
}

/// Reads the whole body, and keeps no more than a frame beyond the limit.
async fn read(mut body: Incoming, limit: usize) -> Result<Bytes, hyper::Error> {
    let mut kept = Vec::new();
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame?.into_data()
            && kept.len() <= limit
        {
            kept.extend_from_slice(&data);
        }
    }
    Ok(kept.into())
}

async fn answer(
    request: Request<Incoming>,
    arrival: &Arrival,
    served: &Served,
) -> Result<Response<ResponseBody>, Ending> {
    let site = &*served.site;
    if let Some(control) = &served.control {
        let path = request.uri().path();
        if let Some(path) = control::path_below(path, site) {
            let path = path.to_owned();
            return Ok(control.respond(&path, request).await);
        }
        #[cfg(feature = "pages")]
        if site.is_root(path) {
            return Ok(control.show_start_page(request).await);
        }
    }

    // Before the request is counted: a test that waits for that may move the clock or lift the
    // fault.
    let arrived = site.clock.monotonic();
    let endpoint = site.endpoint_of(&request);
    let fault = endpoint.and_then(|endpoint| site.endpoint(endpoint).next_fault());
    let (method, path) = (request.method(), request.uri().path());
    let mut entry = site.log.arrived(site.clock.now(), method, path, endpoint);

    let (head, body) = request.into_parts();
    let limit = endpoint.map_or(usize::MAX, Endpoint::largest_body);
    let body = read(body, limit).await.map_err(|_| Ending::Closed)?;
    let request = Request::from_parts(head, body);
    entry.set_client(&request);
    let own = site.respond(&request, arrival);
    let mocked = site.mocks.answer(&request).await.map_err(|_| Ending::Closed)?;
    let right = mocked.unwrap_or(own);
    let answer = match fault {
        Some(fault) => fault.apply(right, arrived, &site.clock).await?,
        None => right,
    };
    entry.set_status(answer.status().as_u16());
    Ok(answer.map(ResponseBody::from))
}
