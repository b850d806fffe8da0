use crate::entrance::Arrival;
use crate::front::{Door, Front};
use crate::site::Site;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread;
use std::time::Duration;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

/// The HTTP server of one tenant, on threads of its own until it is dropped: a
/// wiremock server, and a front before it.
///
/// It is never taken from wiremock's pool: a pooled server keeps its port and
/// its open connections, and would answer for the test before.
pub(crate) struct Server {
    address: SocketAddr,
    /// Both are taken by `drop` alone.
    front: Option<Front>,
    wiremock: Option<MockServer>,
}

impl Server {
    pub(crate) async fn start(doors: Vec<Door>, site: Arc<Site>) -> Self {
        let listener = loopback_listener();
        let address = address(&listener);
        let wiremock =
            MockServer::builder().listener(listener).disable_request_recording().start().await;
        let behind = Arc::clone(&site);
        let respond = move |request: &Request| match request.headers.get(Arrival::HEADER) {
            Some(header) => behind.respond(request, &Arrival::from_header(header)),
            // It passed no front: a client of somebody who had this port before.
            None => ResponseTemplate::new(421),
        };
        Mock::given(any()).respond_with(respond).mount(&wiremock).await;
        let front = Some(Front::open(doors, address, site));
        Self { address, front, wiremock: Some(wiremock) }
    }
}

impl Drop for Server {
    /// Returns once the ports are free, which takes well under a millisecond.
    ///
    /// wiremock blocks on an async lock when it is dropped, which never ends in
    /// a task that has used up its budget; hence a thread, which has no budget
    /// and needs nothing of the runtime that waits for it.
    fn drop(&mut self) {
        drop(self.front.take());
        let (wiremock, address) = (self.wiremock.take(), self.address);
        let stopper = thread::spawn(move || {
            drop(wiremock);
            wait_until_free(address);
        });
        // It does not panic, and a drop could do nothing about it.
        let _ = stopper.join();
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Server({})", self.address)
    }
}

pub(crate) fn loopback_listener() -> TcpListener {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a loopback port is free")
}

pub(crate) fn address(listener: &TcpListener) -> SocketAddr {
    listener.local_addr().expect("a bound listener has an address")
}

/// wiremock closes its listener soon after the drop, on its own thread.
fn wait_until_free(address: SocketAddr) {
    const POLL: Duration = Duration::from_micros(50);
    const POLLS: u32 = 20_000;

    for _ in 0..POLLS {
        if TcpListener::bind(address).is_ok() {
            return;
        }
        thread::sleep(POLL);
    }
}
