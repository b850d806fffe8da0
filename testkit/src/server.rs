use crate::site::Site;
use std::fmt;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread;
use std::time::Duration;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request};

/// The HTTP server of one tenant, on a thread of its own until it is dropped.
///
/// It is never taken from wiremock's pool: a pooled server keeps its port and
/// its open connections, and would answer for the test before.
pub(crate) struct Server {
    address: SocketAddr,
    /// Taken by `drop` alone.
    wiremock: Option<MockServer>,
}

impl Server {
    pub(crate) async fn start(listener: TcpListener, site: Arc<Site>) -> Self {
        let address = listener.local_addr().expect("a bound listener has an address");
        let wiremock =
            MockServer::builder().listener(listener).disable_request_recording().start().await;
        Mock::given(any())
            .respond_with(move |request: &Request| site.respond(request))
            .mount(&wiremock)
            .await;
        Self { address, wiremock: Some(wiremock) }
    }
}

impl Drop for Server {
    /// Returns once the port is free, which takes well under a millisecond.
    ///
    /// wiremock blocks on an async lock when it is dropped, which never ends in
    /// a task that has used up its budget; hence a thread, which has no budget
    /// and needs nothing of the runtime that waits for it.
    fn drop(&mut self) {
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
