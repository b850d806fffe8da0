//! A server that breaks HTTP in ways that no library would.

use std::{
    io::Write as _,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use flate2::{Compression, write::GzEncoder};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// What one connection gets to see.
#[derive(Clone, Debug)]
pub enum Act {
    /// A body of blanks without an end.
    Endless,
    /// These bytes, and a reset: the request is never read.
    Resets(String),
    /// These bytes, and a decent end.
    Says(Vec<u8>),
}

/// Plays its acts one after the other, each on a connection of its own.
pub struct Scripted {
    address: SocketAddr,
    played: Arc<AtomicUsize>,
}

impl Scripted {
    pub async fn start(acts: Vec<Act>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let played = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&played);
        tokio::spawn(async move {
            for act in acts {
                let (stream, _) = listener.accept().await.unwrap();
                counter.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(play(act, stream));
            }
        });
        Self { address, played }
    }

    pub fn url(&self) -> String {
        format!("http://{}/introspect", self.address)
    }

    pub fn played(&self) -> usize {
        self.played.load(Ordering::SeqCst)
    }
}

/// An answer with status 200 and this body.
pub fn ok_with(body: &str) -> Act {
    ok_with_header("X-Nothing: said", body.as_bytes())
}

/// An answer with status 200, one more header, and this body.
pub fn ok_with_header(header: &str, body: &[u8]) -> Act {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {length}\r\n{header}\r\n\r\n"
    );
    Act::Says([head.as_bytes(), body].concat())
}

/// Content as a proxy compresses it (RFC 1952).
pub fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

async fn play(act: Act, mut stream: TcpStream) {
    match act {
        Act::Endless => {
            read_request(&mut stream).await;
            let head = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n";
            let mut is_open = stream.write_all(head).await.is_ok();
            while is_open {
                is_open = stream.write_all(&[b' '; 4096]).await.is_ok();
            }
        }
        Act::Resets(bytes) => {
            // Closing a socket with something unread in it is a reset.
            stream.readable().await.unwrap();
            let _ = stream.write_all(bytes.as_bytes()).await;
        }
        Act::Says(bytes) => {
            read_request(&mut stream).await;
            // A client may hang up before the end.
            let _ = stream.write_all(&bytes).await;
            let _ = stream.shutdown().await;
        }
    }
}

/// Reads a request up to the end of its body.
async fn read_request(stream: &mut TcpStream) {
    let mut seen = Vec::new();
    let mut chunk = [0; 4096];
    while !is_whole(&seen) {
        match stream.read(&mut chunk).await {
            Ok(0) | Err(_) => return,
            Ok(length) => seen.extend_from_slice(&chunk[..length]),
        }
    }
}

fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let head = head.to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    length.is_none_or(|length| body.len() >= length.trim().parse().unwrap())
}
