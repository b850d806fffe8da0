//! TLS for the API itself: its certificate, and those it asks its callers for.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use rustls::{
    DigitallySignedStruct, DistinguishedName, Error, RootCertStore, ServerConfig, SignatureScheme,
    client::danger::HandshakeSignatureValid,
    crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, UnixTime},
    server::{
        ClientHello, ResolvesServerCert, WebPkiClientVerifier,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
    sign::CertifiedKey,
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use super::{
    binding::PeerCertificate,
    key_pair::{self, KeyPairFiles, ReloadingKeyPair},
};

/// How an API serves TLS (RFC 8446): with which certificate, and whose certificates it takes.
///
/// A caller is asked for a certificate and need not have one. Any will do, a self-signed one too:
/// the tenant validated it when it bound the token to it, and the handshake proves that the caller
/// has its key (RFC 8705 §3). [`client_authorities`](Self::client_authorities) asks for more.
///
/// Both files are PEM. They are read again when they change; while a renewed pair is of no use, the
/// last good one serves.
#[derive(Clone, Debug)]
#[must_use = "a host's listener takes it"]
pub struct ServerTls {
    files: KeyPairFiles,
    client_authorities: Option<PathBuf>,
}

impl ServerTls {
    /// Serves with a certificate chain, the end-entity certificate first, and its key.
    pub fn new(certificate_file: impl Into<PathBuf>, key_file: impl Into<PathBuf>) -> Self {
        let files =
            KeyPairFiles { certificate_file: certificate_file.into(), key_file: key_file.into() };
        Self { files, client_authorities: None }
    }

    /// Takes client certificates of the authorities in this PEM file alone. A caller with another
    /// one is rejected in the handshake; one without any is served.
    pub fn client_authorities(mut self, file: impl Into<PathBuf>) -> Self {
        self.client_authorities = Some(file.into());
        self
    }

    /// What rustls needs, on aws-lc-rs whatever provider the process has or has not.
    ///
    /// # Errors
    ///
    /// The name of a file, and what is wrong with it.
    pub(crate) fn config(self) -> io::Result<ServerConfig> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let own = ReloadingKeyPair::open(self.files).map_err(io::Error::other)?;
        let callers: Arc<dyn ClientCertVerifier> = match &self.client_authorities {
            None => Arc::new(AnyCertificate(Arc::clone(&provider))),
            Some(file) => {
                let roots = Arc::new(authorities(file)?);
                WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(&provider))
                    .allow_unauthenticated()
                    .build()
                    .map_err(io::Error::other)?
            }
        };
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_client_cert_verifier(callers)
            .with_cert_resolver(Arc::new(OwnCertificate(own)));
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(config)
    }
}

/// How long a handshake may take, unless a host is told otherwise.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Performs handshakes, and reports the client's certificate.
#[derive(Clone)]
pub(crate) struct Handshaker {
    acceptor: TlsAcceptor,
    pub(crate) timeout: Duration,
}

impl Handshaker {
    pub(crate) fn new(tls: ServerTls) -> io::Result<Self> {
        let acceptor = TlsAcceptor::from(Arc::new(tls.config()?));
        Ok(Self { acceptor, timeout: HANDSHAKE_TIMEOUT })
    }

    /// Performs one, within the time-out.
    pub(crate) async fn accept<Io: AsyncRead + AsyncWrite + Unpin>(
        &self,
        io: Io,
    ) -> io::Result<(TlsStream<Io>, Option<PeerCertificate>)> {
        let stream = tokio::time::timeout(self.timeout, self.acceptor.accept(io)).await??;
        let certificates = stream.get_ref().1.peer_certificates();
        let certificate = match certificates.and_then(<[_]>::first) {
            None => None,
            Some(der) => Some(PeerCertificate::from_der(der.to_vec()).map_err(io::Error::other)?),
        };
        Ok((stream, certificate))
    }
}

fn authorities(file: &Path) -> io::Result<RootCertStore> {
    let of_no_use = |what: &str| io::Error::other(format!("{} {what}", file.display()));
    let pem = fs::read(file).map_err(|error| of_no_use(&format!("cannot be read: {error}")))?;
    let certificates =
        key_pair::certificates(&pem).map_err(|mistake| of_no_use(&mistake.to_string()))?;
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        roots.add(certificate).map_err(|_| of_no_use("holds a certificate of no authority"))?;
    }
    Ok(roots)
}

/// The certificate of the moment.
struct OwnCertificate(ReloadingKeyPair);

impl fmt::Debug for OwnCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnCertificate").finish_non_exhaustive()
    }
}

impl ResolvesServerCert for OwnCertificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.current())
    }
}

/// Asks for a certificate and proof of its key, from any issuer.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ClientCertVerifier for AnyCertificate {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
