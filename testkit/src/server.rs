use crate::entrance::Arrival;
use crate::front::{Door, Front};
use crate::site::Site;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread;
use std::time::Duration;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request};

/// The HTTP server of one tenant, on threads of its own until it is dropped: a
/// wiremock server, with a front before it if there are doors for one.
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
    pub(crate) async fn start(listener: TcpListener, doors: Vec<Door>, site: Arc<Site>) -> Self {
        let address = address(&listener);
        let wiremock =
            MockServer::builder().listener(listener).disable_request_recording().start().await;
        // Without a front, the header would be the client's.
        let has_front = !doors.is_empty();
        let arrival = move |request: &Request| {
            let header = request.headers.get(Arrival::HEADER).filter(|_| has_front);
            header.map_or(Arrival::PLAIN, Arrival::from_header)
        };
        Mock::given(any())
            .respond_with(move |request: &Request| site.respond(request, &arrival(request)))
            .mount(&wiremock)
            .await;
        let front = has_front.then(|| Front::open(doors, address));
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
