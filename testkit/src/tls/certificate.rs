//! A certificate with its private key.

use std::{
    fmt,
    path::PathBuf,
    sync::{Arc, OnceLock},
};

use aws_lc_rs::digest::{SHA256, digest};
use rcgen::{CertificateParams, DnType, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};

use crate::{tls::folder::Folder, token::base64url};

/// An X.509 certificate of a server or a client, and its private key on P-256. It is issued by an
/// [`Authority`](crate::Authority), or self-signed.
///
/// Clones share their files, which exist as long as one of the clones.
#[derive(Clone)]
pub struct Certificate {
    der: CertificateDer<'static>,
    pem: String,
    /// The chain between it and the root; usually empty.
    intermediates_pem: String,
    key: Arc<KeyPair>,
    files: Arc<OnceLock<Folder>>,
}

/// A [`Certificate`] that a client presents.
pub type ClientCertificate = Certificate;

impl Certificate {
    /// Creates a self-signed client certificate; `name` is its common name.
    #[must_use]
    pub fn self_signed(name: &str) -> Self {
        let key = KeyPair::generate().expect("an EC key can be created");
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        let certificate = params.self_signed(&key).expect("a certificate can be signed");
        Self::new(&certificate, String::new(), key)
    }

    pub(crate) fn new(
        certificate: &rcgen::Certificate,
        intermediates_pem: String,
        key: KeyPair,
    ) -> Self {
        Self {
            der: certificate.der().clone(),
            pem: certificate.pem(),
            intermediates_pem,
            key: Arc::new(key),
            files: Arc::default(),
        }
    }

    /// The certificate in DER.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The SHA-256 hash of the certificate in base64url: the `x5t#S256` of a token that is bound to
    /// it (RFC 8705 §3.1).
    #[must_use]
    pub fn thumbprint(&self) -> String {
        thumbprint(&self.der)
    }

    /// The certificate in PEM, alone.
    #[must_use]
    pub fn certificate_pem(&self) -> &str {
        &self.pem
    }

    /// The certificate in PEM, followed by its intermediate certificates.
    #[must_use]
    pub fn chain_pem(&self) -> String {
        format!("{}{}", self.pem, self.intermediates_pem)
    }

    /// The private key in PEM (PKCS#8).
    #[must_use]
    pub fn key_pem(&self) -> String {
        self.key.serialize_pem()
    }

    /// A file with the [chain](Self::chain_pem).
    ///
    /// # Panics
    ///
    /// If the file cannot be written.
    #[must_use]
    pub fn certificate_file(&self) -> PathBuf {
        self.folder().path("certificate.pem")
    }

    /// A file with the private key.
    ///
    /// # Panics
    ///
    /// If the file cannot be written.
    #[must_use]
    pub fn key_file(&self) -> PathBuf {
        self.folder().path("key.pem")
    }

    /// The chain, as rustls takes it.
    pub(crate) fn chain(&self) -> Vec<CertificateDer<'static>> {
        CertificateDer::pem_slice_iter(self.chain_pem().as_bytes())
            .collect::<Result<_, _>>()
            .expect("the chain is PEM")
    }

    /// The private key, as rustls takes it.
    pub(crate) fn key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::Pkcs8(self.key.serialize_der().into())
    }

    fn folder(&self) -> &Folder {
        self.files.get_or_init(|| {
            let folder = Folder::new();
            folder.put("certificate.pem", &self.chain_pem());
            folder.put("key.pem", &self.key_pem());
            folder
        })
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificate({})", self.thumbprint())
    }
}

/// `x5t#S256` (RFC 8705 §3.1).
pub(crate) fn thumbprint(der: &[u8]) -> String {
    base64url(digest(&SHA256, der))
}
