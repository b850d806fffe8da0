//! The wiremock mocks that a test mounts on its tenant.

use std::{
    collections::HashSet,
    error::Error,
    net::SocketAddr,
    panic::resume_unwind,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use http::{
    HeaderName, HeaderValue, Request, Uri,
    header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING},
};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Bytes, client::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, runtime, sync::OnceCell};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::{lock::locked, site::answer::Answer};

/// Carries the id of a request to the [catch-all](Mocks::catch_all) mock.
const ID: HeaderName = HeaderName::from_static("x-testkit-request");

/// Mocks on a wiremock server, which starts with the first of them.
///
/// The server does not come from wiremock's pool: a pooled one would keep its connections from one
/// test to the next.
#[derive(Debug, Default)]
pub(crate) struct Mocks {
    server: OnceCell<MockServer>,
    next_id: AtomicU64,
    unmatched: Arc<Mutex<HashSet<u64>>>,
}

impl Mocks {
    pub(crate) async fn mount(&self, mock: Mock) {
        let server = self.server.get_or_init(async || {
            let server = MockServer::builder().disable_request_recording().start().await;
            server.register(self.catch_all()).await;
            server
        });
        server.await.register(mock).await;
    }

    /// The answer of the first mock that matches, or `None` if none does. It is an error if the
    /// mock closes the connection instead.
    pub(crate) async fn answer(
        &self,
        request: &Request<Bytes>,
    ) -> Result<Option<Answer>, Box<dyn Error + Send + Sync>> {
        let Some(server) = self.server.get() else { return Ok(None) };
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let (address, request) = (*server.address(), forwarded(request, id));
        let unmatched = Arc::clone(&self.unmatched);
        // In a separate task, a request reaches the mocks even if the client leaves.
        let exchange = tokio::spawn(async move {
            let answer = exchange(address, request).await;
            let is_unmatched = locked(&unmatched).remove(&id);
            Ok((!is_unmatched).then_some(answer?))
        });
        exchange.await?
    }

    /// Panics with wiremock's message if an expectation of a mock is not met.
    pub(crate) fn verify(&self) {
        let Some(server) = self.server.get() else { return };
        let verified = thread::scope(|scope| scope.spawn(|| block_on(server.verify())).join());
        if let Err(panic) = verified {
            resume_unwind(panic);
        }
    }

    /// A mock that comes after all others and never matches: it records the requests that no
    /// other mock matched. wiremock's own 404 could be the answer of a mock as well.
    fn catch_all(&self) -> Mock {
        let unmatched = Arc::clone(&self.unmatched);
        let take_down = move |request: &wiremock::Request| {
            let id: Option<u64> =
                request.headers.get(ID).and_then(|id| id.to_str().ok()?.parse().ok());
            locked(&unmatched).extend(id);
            false
        };
        Mock::given(take_down).respond_with(ResponseTemplate::new(404)).with_priority(u8::MAX)
    }
}

impl Drop for Mocks {
    /// Stops the server, whose expectations the tenant has verified.
    fn drop(&mut self) {
        if let Some(server) = self.server.take() {
            let stop = move || {
                block_on(server.reset());
                drop(server);
            };
            let _ = thread::spawn(stop).join();
        }
    }
}

/// Runs a future of wiremock to its end, on a thread that was started for it: wiremock's locks are
/// tokio's, and they never open in a task that has used up its budget.
fn block_on(future: impl Future<Output = ()>) {
    let runtime = runtime::Builder::new_current_thread().build();
    runtime.expect("a runtime can be built").block_on(future);
}

/// The request as the mocks receive it.
fn forwarded(request: &Request<Bytes>, id: u64) -> Request<Full<Bytes>> {
    let mut forwarded = request.clone().map(Full::new);
    let path = request.uri().path_and_query();
    *forwarded.uri_mut() = path.map_or_else(Uri::default, |path| Uri::from(path.clone()));
    let headers = forwarded.headers_mut();
    // They were about the client's connection.
    headers.remove(CONNECTION);
    headers.remove(TRANSFER_ENCODING);
    headers.insert(ID, HeaderValue::from(id));
    forwarded
}

async fn exchange(
    address: SocketAddr,
    request: Request<Full<Bytes>>,
) -> Result<Answer, Box<dyn Error + Send + Sync>> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let (mut head, body) = sender.send_request(request).await?.into_parts();
    // A fault may change the body.
    head.headers.remove(CONTENT_LENGTH);
    Ok(Answer::from_parts(head, body.collect().await?.to_bytes()))
}
