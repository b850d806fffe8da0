//! Certificate authorities.

use std::{fmt, path::PathBuf, sync::OnceLock};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose, SanType, date_time_ymd,
};
use rustls::pki_types::CertificateDer;

use crate::{
    tls::{certificate::Certificate, folder::Folder},
    token::random_id,
};

/// A private certificate authority. It issues the certificates in a test: those of the tenant, of
/// the API under test and of its callers.
///
/// ```
/// use monocloud_testkit::Authority;
///
/// let authority = Authority::new();
///
/// // The certificate of an API, and what its callers trust.
/// let server = authority.server("localhost 127.0.0.1");
/// assert!(server.certificate_file().exists() && server.key_file().exists());
/// assert!(authority.certificate_pem().starts_with("-----BEGIN CERTIFICATE-----"));
///
/// // A caller, and one whose certificate has expired.
/// let alice = authority.client("alice");
/// let expired = authority.expired_client("alice");
/// assert_ne!(alice.thumbprint(), expired.thumbprint());
/// ```
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    /// The chain up to the root, without the root, in PEM; empty for a root.
    chain_pem: String,
    files: OnceLock<Folder>,
}

impl Authority {
    /// Creates a root authority with a new name and key.
    #[must_use]
    pub fn new() -> Self {
        let issuer = CertifiedIssuer::self_signed(authority_params(), new_key());
        Self {
            issuer: issuer.expect("an authority can be created"),
            chain_pem: String::new(),
            files: OnceLock::new(),
        }
    }

    /// Creates an intermediate authority below this one. Its certificates include their chain up to
    /// this authority.
    #[must_use]
    pub fn intermediate(&self) -> Self {
        let issuer = CertifiedIssuer::signed_by(authority_params(), new_key(), &self.issuer)
            .expect("an authority can be created");
        let chain_pem = format!("{}{}", issuer.pem(), self.chain_pem);
        Self { issuer, chain_pem, files: OnceLock::new() }
    }

    /// The authority's certificate in PEM.
    #[must_use]
    pub fn certificate_pem(&self) -> String {
        self.issuer.pem()
    }

    /// A file with the authority's certificate, which exists as long as the authority.
    ///
    /// # Panics
    ///
    /// If the file cannot be written.
    #[must_use]
    pub fn certificate_file(&self) -> PathBuf {
        let folder = self.files.get_or_init(|| {
            let folder = Folder::new();
            folder.put("authority.pem", &self.certificate_pem());
            folder
        });
        folder.path("authority.pem")
    }

    /// A server's certificate for these host names and addresses, separated by spaces.
    ///
    /// # Panics
    ///
    /// If a name cannot be in a certificate.
    #[must_use]
    #[track_caller]
    pub fn server(&self, names: &str) -> Certificate {
        self.issue(server_params(names))
    }

    /// A server's certificate that has expired.
    ///
    /// # Panics
    ///
    /// If a name cannot be in a certificate.
    #[must_use]
    #[track_caller]
    pub fn expired_server(&self, names: &str) -> Certificate {
        self.issue(expired(server_params(names)))
    }

    /// A client's certificate; `name` is its common name.
    #[must_use]
    pub fn client(&self, name: &str) -> Certificate {
        self.issue(client_params(name))
    }

    /// A client's certificate that has expired.
    #[must_use]
    pub fn expired_client(&self, name: &str) -> Certificate {
        self.issue(expired(client_params(name)))
    }

    /// A SPIFFE X.509-SVID: a client's certificate whose one name is this URI (X509-SVID §2).
    ///
    /// # Panics
    ///
    /// If the URI has non-ASCII characters.
    #[must_use]
    #[track_caller]
    pub fn spiffe(&self, id: &str) -> Certificate {
        let mut params = client_params("workload");
        params.subject_alt_names = vec![SanType::URI(id.try_into().expect("a URI in ASCII"))];
        self.issue(params)
    }

    /// The authority's certificate, as rustls takes it.
    pub(crate) fn der(&self) -> &CertificateDer<'static> {
        self.issuer.der()
    }

    fn issue(&self, params: CertificateParams) -> Certificate {
        let key = new_key();
        let certificate = params.signed_by(&key, &self.issuer);
        let certificate = certificate.expect("a certificate can be signed");
        Certificate::new(&certificate, self.chain_pem.clone(), key)
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority").finish_non_exhaustive()
    }
}

fn authority_params() -> CertificateParams {
    let mut params = named(&format!("authority {}", random_id()));
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

#[track_caller]
fn server_params(names: &str) -> CertificateParams {
    let names: Vec<_> = names.split_whitespace().map(Into::into).collect();
    let mut params = CertificateParams::new(names).expect("names for a certificate");
    params.distinguished_name = DistinguishedName::new();
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params
}

fn client_params(name: &str) -> CertificateParams {
    let mut params = named(name);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params
}

fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

fn expired(mut params: CertificateParams) -> CertificateParams {
    params.not_after = date_time_ymd(2001, 1, 1);
    params
}

fn new_key() -> KeyPair {
    KeyPair::generate().expect("an EC key can be created")
}
