//! Responses and ends of connections that hyper cannot produce.

use std::{
    fmt::{self, Write as _},
    io,
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_rustls::server::TlsStream;

use crate::{Clock, site::answer::Answer};

/// How a connection ends, without an answer or with a broken one.
#[derive(Clone, Debug)]
pub(crate) enum Ending {
    Reset,
    Closed,
    Garbled,
    Truncated { answer: Answer, after: usize },
    Padded { answer: Answer, length: usize },
    Dripped { answer: Answer, chunk: usize, every: Duration, arrived: Instant },
}

/// A connection, with TLS or without.
pub(crate) trait Wire: AsyncRead + AsyncWrite + Unpin {
    /// The TCP stream below TLS.
    fn into_tcp(self) -> TcpStream;
}

impl Ending {
    /// Ends a connection whose request has been read.
    pub(crate) async fn play(&self, mut wire: impl Wire, clock: &Clock) -> io::Result<()> {
        match self {
            Self::Reset => return wire.into_tcp().set_zero_linger(),
            // With TLS, no `close_notify` is sent.
            Self::Closed => return wire.into_tcp().shutdown().await,
            Self::Garbled => return wire.into_tcp().write_all(b"HTTP/1.1 200 OK\r\n\r\n").await,
            Self::Truncated { answer, after } => {
                let body = answer.body();
                wire.write_all(head(answer, body.len()).as_bytes()).await?;
                wire.write_all(&body.slice(..body.len().min(*after))).await?;
            }
            Self::Padded { answer, length } => {
                const SPACES: &[u8] = &[b' '; 16 * 1024];

                let body = answer.body();
                wire.write_all(head(answer, body.len().max(*length)).as_bytes()).await?;
                let mut padding = length.saturating_sub(body.len());
                while padding > 0 {
                    let (part, _) = SPACES.split_at(padding.min(SPACES.len()));
                    wire.write_all(part).await?;
                    padding -= part.len();
                }
                wire.write_all(body).await?;
            }
            Self::Dripped { answer, chunk, every, arrived } => {
                wire.write_all(head(answer, answer.body().len()).as_bytes()).await?;
                let mut due = *arrived;
                for part in answer.body().chunks(*chunk) {
                    clock.reaches(due).await;
                    wire.write_all(part).await?;
                    wire.flush().await?;
                    due += *every;
                }
            }
        }
        wire.shutdown().await
    }
}

/// As the error of a service, it makes hyper return the connection.
impl std::error::Error for Ending {}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the test ended this connection")
    }
}

impl Wire for TcpStream {
    fn into_tcp(self) -> TcpStream {
        self
    }
}

impl Wire for TlsStream<TcpStream> {
    fn into_tcp(self) -> TcpStream {
        self.into_inner().0
    }
}

fn head(answer: &Answer, length: usize) -> String {
    let mut head = format!("HTTP/1.1 {}\r\n", answer.status());
    for (name, value) in answer.headers() {
        let value = String::from_utf8_lossy(value.as_bytes());
        let _ = write!(head, "{name}: {value}\r\n");
    }
    let _ = write!(head, "content-length: {length}\r\nconnection: close\r\n\r\n");
    head
}
