//! The built-in HTTP clients: reqwest over rustls with aws-lc-rs, and nothing process-wide.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use http::{Request, Response};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::CertificateDer,
    sign::{CertifiedKey, SingleCertAndKey},
};
use rustls_native_certs::CertificateResult;
use tower::util::MapResultLayer;

use super::{
    connection,
    http::{BoxError, ConnectionLost, FreshConnection, HttpClient, HttpFuture},
};
use crate::{
    certificate::key_pair::ReloadingKeyPair,
    config::{Config, is_loopback},
    error::Chain,
};

/// How long an unused connection is kept. Common servers close theirs after five seconds or more.
const KEEP_IDLE: Duration = Duration::from_secs(4);

/// How the tenant is reached, with or without a client certificate.
pub(crate) struct Connector {
    roots: Arc<RootCertStore>,
    /// A tenant on loopback is reached directly, never through a proxy.
    is_direct: bool,
    timeout: Duration,
}

impl Connector {
    /// Trusts the configured certificates beside the system's roots, or beside Mozilla's where the
    /// system has none.
    pub(crate) fn new(config: &Config) -> Result<Self, rustls::Error> {
        let tenant = config.tenant.discovery_url();
        // Roots take a while to read, and a tenant on loopback mostly does without.
        let is_tls = tenant.scheme() == "https" || config.client_key_pair().is_some();
        let roots = match is_tls {
            true => trusted_roots(&config.ca_certificates)?,
            false => RootCertStore::empty(),
        };
        Ok(Self {
            roots: Arc::new(roots),
            is_direct: is_loopback(&tenant),
            timeout: config.response_timeout,
        })
    }

    /// A client that presents no certificate.
    pub(crate) fn client(&self) -> Result<ReqwestClient, BoxError> {
        self.client_over(tls_config(Arc::clone(&self.roots))?)
    }

    /// A client that presents a certificate, the whole chain, to a server that asks for one.
    fn client_as(&self, pair: Arc<CertifiedKey>) -> Result<ReqwestClient, BoxError> {
        let mut tls = tls_config(Arc::clone(&self.roots))?;
        tls.client_auth_cert_resolver = Arc::new(SingleCertAndKey::from(pair));
        self.client_over(tls)
    }

    fn client_over(&self, mut tls: ClientConfig) -> Result<ReqwestClient, BoxError> {
        tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let builder = || {
            let builder = reqwest::Client::builder()
                .tls_backend_preconfigured(tls.clone())
                .redirect(reqwest::redirect::Policy::none())
                .connect_timeout(self.timeout)
                .connector_layer(MapResultLayer::new(connection::report))
                .user_agent(concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION")));
            if self.is_direct { builder.no_proxy() } else { builder }
        };
        Ok(ReqwestClient {
            keeping: builder().pool_idle_timeout(KEEP_IDLE).build()?,
            fresh: builder().pool_max_idle_per_host(0).build()?,
        })
    }
}

/// Clones share their connections.
#[derive(Clone)]
pub(crate) struct ReqwestClient {
    /// Keeps connections for the next request.
    keeping: reqwest::Client,
    /// Opens a connection for each request.
    fresh: reqwest::Client,
}

impl ReqwestClient {
    async fn execute(&self, request: Request<Bytes>) -> Result<reqwest::Response, BoxError> {
        let is_fresh = request.extensions().get::<FreshConnection>().is_some();
        let request = reqwest::Request::try_from(request)?;
        if is_fresh {
            return Ok(self.fresh.execute(request).await?);
        }
        let (outcome, has_connected) = connection::observed(self.keeping.execute(request)).await;
        outcome.map_err(|error| {
            let is_sent = error.is_request() && !error.is_connect() && !error.is_timeout();
            match is_sent && !has_connected {
                true => ConnectionLost(error.into()).into(),
                false => error.into(),
            }
        })
    }
}

impl HttpClient for ReqwestClient {
    fn send(&self, request: Request<Bytes>, max_body: usize) -> HttpFuture<'_> {
        Box::pin(async move {
            let mut received = self.execute(request).await?;
            let mut body = BytesMut::new();
            while let Some(chunk) = received.chunk().await? {
                if body.len() + chunk.len() > max_body {
                    return Err(format!("the body has more than {max_body} bytes").into());
                }
                body.extend_from_slice(&chunk);
            }
            let mut response = Response::new(body.freeze());
            *response.status_mut() = received.status();
            *response.headers_mut() = std::mem::take(received.headers_mut());
            Ok(response)
        })
    }
}

/// A client that presents the certificate of the moment.
///
/// A connection belongs to the certificate it was made with, so a renewed one gets a client of its
/// own. Calls in progress end on the old one, and its connections with them.
pub(crate) struct MutualTlsClient {
    connector: Connector,
    key_pair: ReloadingKeyPair,
    identity: Mutex<Identity>,
}

struct Identity {
    pair: Arc<CertifiedKey>,
    client: ReqwestClient,
}

impl MutualTlsClient {
    pub(crate) fn new(connector: Connector, key_pair: ReloadingKeyPair) -> Result<Self, BoxError> {
        let pair = key_pair.current();
        let client = connector.client_as(Arc::clone(&pair))?;
        Ok(Self { connector, key_pair, identity: Mutex::new(Identity { pair, client }) })
    }

    fn client(&self) -> Result<ReqwestClient, BoxError> {
        // Asked under the lock, so that an older pair cannot arrive late.
        let mut identity = self.identity();
        let pair = self.key_pair.current();
        if !Arc::ptr_eq(&pair, &identity.pair) {
            let client = self.connector.client_as(Arc::clone(&pair))?;
            *identity = Identity { pair, client };
            tracing::info!(
                name: "client_certificate.renewed",
                "the tenant is shown a renewed certificate from now on"
            );
        }
        Ok(identity.client.clone())
    }

    /// Never poisoned for long: nothing that can panic runs under the lock.
    fn identity(&self) -> MutexGuard<'_, Identity> {
        self.identity.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HttpClient for MutualTlsClient {
    fn send(&self, request: Request<Bytes>, max_body: usize) -> HttpFuture<'_> {
        Box::pin(async move { self.client()?.send(request, max_body).await })
    }
}

/// The system's roots, or Mozilla's where the system has none, and the given certificates.
pub(crate) fn trusted_roots(
    ca_certificates: &[CertificateDer<'static>],
) -> Result<RootCertStore, rustls::Error> {
    let mut roots = system_roots(rustls_native_certs::load_native_certs());
    for certificate in ca_certificates {
        roots.add(certificate.clone())?;
    }
    Ok(roots)
}

/// What was loaded, or Mozilla's roots if that is nothing. A file or directory that is named by
/// `SSL_CERT_FILE` or `SSL_CERT_DIR` and cannot be read is a warning: it was meant to be used.
fn system_roots(loaded: CertificateResult) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(loaded.certs);
    let is_empty = roots.is_empty();
    if is_empty {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    if let Some(error) = loaded.errors.first() {
        let instead = match is_empty {
            true => "the roots of Mozilla are trusted instead",
            false => "the others are trusted",
        };
        tracing::warn!(
            name: "configuration.roots_unreadable",
            error = %Chain(error),
            "trusted certificates of this system cannot be read, {instead}; check SSL_CERT_FILE \
             and SSL_CERT_DIR"
        );
    }
    roots
}

/// TLS on aws-lc-rs, whatever provider the process has or has not.
pub(crate) fn tls_config(
    roots: impl Into<Arc<RootCertStore>>,
) -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth())
}
