//! A server that sends bytes which no HTTP library would.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// What the server does with a connection.
#[derive(Clone, Debug)]
pub enum Script {
    /// Reads the request, sends these bytes and closes the connection.
    Send(String),
    /// Sends these bytes and resets the connection without reading the request.
    Reset(String),
    /// Reads the request and sends a body of spaces that never ends.
    Endless,
}

/// Plays one script on each connection, in order, and accepts no further connections.
pub struct RawServer {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
}

impl RawServer {
    pub async fn start(
        scripts: impl IntoIterator<Item = Script, IntoIter: Send + 'static>,
    ) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let (counter, scripts) = (Arc::clone(&connections), scripts.into_iter());
        tokio::spawn(async move {
            for script in scripts {
                let (stream, _) = listener.accept().await.unwrap();
                counter.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(play(script, stream));
            }
        });
        Self { address, connections }
    }

    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// The number of connections so far.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

async fn play(script: Script, mut stream: TcpStream) {
    match script {
        Script::Send(bytes) => {
            read_request(&mut stream).await;
            // The client may disconnect before the end.
            let _ = stream.write_all(bytes.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
        Script::Reset(bytes) => {
            // Closing a socket that has unread data resets the connection.
            stream.readable().await.unwrap();
            let _ = stream.write_all(bytes.as_bytes()).await;
        }
        Script::Endless => {
            read_request(&mut stream).await;
            let head = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n";
            let mut is_open = stream.write_all(head).await.is_ok();
            while is_open {
                is_open = stream.write_all(&[b' '; 4096]).await.is_ok();
            }
        }
    }
}

/// Reads a request up to the end of its body.
async fn read_request(stream: &mut TcpStream) {
    let mut request = Vec::new();
    let mut chunk = [0; 4096];
    while !is_complete(&request) {
        match stream.read(&mut chunk).await {
            Ok(0) | Err(_) => return,
            Ok(length) => request.extend_from_slice(&chunk[..length]),
        }
    }
}

fn is_complete(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let head = head.to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    length.is_none_or(|length| body.len() >= length.trim().parse().unwrap())
}
