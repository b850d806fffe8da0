//! The only place that sends requests: to the base URL, at a bounded rate, without redirects.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use http::{HeaderMap, HeaderValue, Request, Uri, header::HOST};
use http_body_util::{BodyExt as _, Full};
use hyper::{
    body::{Bytes, Incoming},
    client::conn::http1,
    rt::{Read, Write},
};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::{
    net::TcpStream,
    sync::Mutex,
    time::{Interval, MissedTickBehavior, interval, sleep, timeout},
};
use tokio_rustls::TlsConnector;

use crate::audit::{base::Base, call::Call, trust::connector};

/// What is read of a body, in bytes.
const LARGEST: usize = 16 * 1024 * 1024;

/// A response.
#[derive(Clone, Debug, Default)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

/// Why there is no response.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum NoReply {
    /// No connection.
    Unreachable,
    /// No trusted certificate.
    Untrusted,
    /// The end of the connection.
    Closed,
    /// Nothing within the time.
    Late,
    /// The request cannot be written in HTTP.
    Unwritable,
}

pub(super) struct Wire {
    pub(super) base: Base,
    /// `None` if the rate is not bounded.
    pace: Option<Mutex<Interval>>,
    patience: Duration,
    sent: AtomicUsize,
    /// `None` if the base URL has no TLS.
    tls: Option<TlsConnector>,
}

impl Wire {
    /// Sends this many requests per second at most, and waits this long for each response.
    /// These certificates, in PEM, are trusted beside those of the system.
    ///
    /// The error says that they cannot be read.
    pub(super) fn new(
        base: Base,
        rate: u32,
        patience: Duration,
        trusted: &[&str],
    ) -> Result<Self, String> {
        let tls = if base.is_tls { Some(connector(trusted)?) } else { None };
        let pace = (1..=1000).contains(&rate).then(|| {
            let mut pace = interval(Duration::from_secs(1) / rate);
            pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
            Mutex::new(pace)
        });
        Ok(Self { base, pace, patience, sent: AtomicUsize::new(0), tls })
    }

    /// How many requests were sent.
    pub(super) fn sent(&self) -> usize {
        self.sent.load(Ordering::Relaxed)
    }

    pub(super) async fn send(&self, call: &Call) -> Result<Reply, NoReply> {
        let request = self.request(call).ok_or(NoReply::Unwritable)?;
        if let Some(pace) = &self.pace {
            pace.lock().await.tick().await;
        }
        self.sent.fetch_add(1, Ordering::Relaxed);
        timeout(self.patience, self.exchange(request)).await.unwrap_or(Err(NoReply::Late))
    }

    /// The same, again until this time has passed while there is no connection.
    pub(super) async fn send_within(&self, call: &Call, time: Duration) -> Result<Reply, NoReply> {
        let connected = async {
            loop {
                match self.send(call).await {
                    Err(NoReply::Unreachable) => sleep(Duration::from_millis(250)).await,
                    answer => return answer,
                }
            }
        };
        if time.is_zero() {
            return self.send(call).await;
        }
        timeout(time, connected).await.unwrap_or(Err(NoReply::Unreachable))
    }

    fn request(&self, call: &Call) -> Option<Request<Full<Bytes>>> {
        let target: Uri = Uri::builder().path_and_query(call.target.as_str()).build().ok()?;
        let mut request = Request::builder()
            .method(call.method.clone())
            .uri(target)
            .header(HOST, self.base.authority());
        for (name, value) in &call.headers {
            request = request.header(name, HeaderValue::from_str(&value.sent).ok()?);
        }
        let body = call.body.clone().unwrap_or_default();
        request.body(Full::new(Bytes::from(body))).ok()
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<Reply, NoReply> {
        let address = (self.base.host.as_str(), self.base.port);
        let stream = TcpStream::connect(address).await.map_err(|_| NoReply::Unreachable)?;
        let Some(tls) = &self.tls else {
            return over(TokioIo::new(stream), request).await;
        };
        let name = ServerName::try_from(self.base.host.clone()).map_err(|_| NoReply::Untrusted)?;
        let stream = tls.connect(name, stream).await.map_err(|_| NoReply::Untrusted)?;
        over(TokioIo::new(stream), request).await
    }
}

async fn over(
    stream: impl Read + Write + Unpin + Send + 'static,
    request: Request<Full<Bytes>>,
) -> Result<Reply, NoReply> {
    let (mut sender, connection) = http1::handshake(stream).await.map_err(|_| NoReply::Closed)?;
    // It ends with the response, or with the error that `send_request` reports.
    tokio::spawn(connection);
    let response = sender.send_request(request).await.map_err(|_| NoReply::Closed)?;
    let (head, body) = response.into_parts();
    Ok(Reply { status: head.status.as_u16(), headers: head.headers, body: start_of(body).await })
}

/// The start of a body. Of one that breaks off, what there is.
async fn start_of(mut body: Incoming) -> Vec<u8> {
    let mut bytes = Vec::new();
    // A stream of events does not end.
    while let Ok(Some(Ok(frame))) = timeout(Duration::from_secs(1), body.frame()).await {
        if let Ok(data) = frame.into_data() {
            bytes.extend_from_slice(&data);
        }
        if bytes.len() > LARGEST {
            bytes.truncate(LARGEST);
            break;
        }
    }
    bytes
}
