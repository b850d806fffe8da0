//! A server that supports only HTTP/2, over TLS.

use std::{convert::Infallible, net::SocketAddr, sync::Arc};

use http::{Request, Response};
use http_body_util::Full;
use hyper::{
    body::{Bytes, Incoming},
    server::conn::http2,
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{
    ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// Clients reach it as `localhost`.
pub struct Http2(SocketAddr);

impl Http2 {
    /// Presents this certificate, and answers each path with a JSON text that may name the origin
    /// as `{origin}`.
    pub async fn start(
        chain_pem: &str,
        key_pem: &str,
        respond: impl Fn(&str) -> String + Send + Sync + 'static,
    ) -> Self {
        let chain = CertificateDer::pem_slice_iter(chain_pem.as_bytes());
        let key = PrivateKeyDer::from_pem_slice(key_pem.as_bytes()).unwrap();
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut tls = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain.collect::<Result<_, _>>().unwrap(), key)
            .unwrap();
        tls.alpn_protocols = vec![b"h2".to_vec()];
        let acceptor = TlsAcceptor::from(Arc::new(tls));
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let server = Self(listener.local_addr().unwrap());
        let (origin, respond) = (server.origin(), Arc::new(respond));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, origin) = (acceptor.clone(), origin.clone());
                let respond = Arc::clone(&respond);
                tokio::spawn(async move {
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    let service = service_fn(|request: Request<Incoming>| {
                        let body = respond(request.uri().path()).replace("{origin}", &origin);
                        async { Ok::<_, Infallible>(Response::new(Full::<Bytes>::from(body))) }
                    });
                    let server = http2::Builder::new(TokioExecutor::new());
                    let _ = server.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        server
    }

    pub fn origin(&self) -> String {
        format!("https://localhost:{}", self.0.port())
    }
}
