//! The TLS of the tenant's servers.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

use rustls::{
    DigitallySignedStruct, DistinguishedName, Error, RootCertStore, ServerConfig, SignatureScheme,
    client::danger::HandshakeSignatureValid,
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{CertificateDer, UnixTime},
    server::{
        ClientHello, NoServerSessionStorage, ResolvesServerCert, WebPkiClientVerifier,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
    sign::CertifiedKey,
};

use crate::{Authority, lock::locked};

/// Separated by spaces.
const HOST_NAMES: &str = "localhost 127.0.0.1";

/// The certificate that a tenant with TLS presents.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum ServerCertificate {
    /// A valid one by the tenant's [authority](crate::MockTenant::authority).
    Valid,
    /// One that has expired.
    Expired,
    /// One for another host.
    OtherHost,
    /// One by an authority that no client trusts.
    OtherAuthority,
}

/// The TLS of a tenant, as it is at this moment.
#[derive(Debug)]
pub(crate) struct Tls {
    provider: Arc<CryptoProvider>,
    /// The hosts of the server's certificate, separated by spaces.
    host_names: String,
    served: Arc<ServedCertificate>,
    /// Verifies the chains of client certificates; `None` without mutual TLS.
    strict: Option<Arc<dyn ClientCertVerifier>>,
    is_strict: Arc<AtomicBool>,
}

/// The certificate that new connections receive.
#[derive(Debug)]
struct ServedCertificate(Mutex<Arc<CertifiedKey>>);

impl Tls {
    /// TLS with a certificate by this authority, also for this `host`, and mutual TLS if there is
    /// an authority for `clients`.
    pub(crate) fn new(
        authority: &Authority,
        host: Option<String>,
        clients: Option<&Authority>,
    ) -> Self {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let host_names = match host {
            Some(host) if !HOST_NAMES.split(' ').any(|name| name == host) => {
                format!("{HOST_NAMES} {host}")
            }
            _ => HOST_NAMES.to_owned(),
        };
        let valid = certified(ServerCertificate::Valid, &host_names, authority, &provider);
        Self {
            host_names,
            served: Arc::new(ServedCertificate(Mutex::new(valid))),
            strict: clients.map(|clients| strict_verifier(clients, &provider)),
            is_strict: Arc::default(),
            provider,
        }
    }

    /// The configuration of a port. Only one for clients with certificates may be strict about
    /// them.
    pub(crate) fn config(&self, may_be_strict: bool) -> Arc<ServerConfig> {
        let config = ServerConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()
            .expect("the provider has cipher suites for TLS 1.2 and 1.3");
        let config = match &self.strict {
            None => config.with_no_client_auth(),
            Some(strict) => {
                let is_strict =
                    if may_be_strict { Arc::clone(&self.is_strict) } else { Arc::default() };
                let verifier = OptionalCertificate { strict: Arc::clone(strict), is_strict };
                config.with_client_cert_verifier(Arc::new(verifier))
            }
        };
        let mut config = config.with_cert_resolver(Arc::clone(&self.served) as _);
        // Neither side sends a certificate when it resumes a session.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        Arc::new(config)
    }

    /// Whether handshakes with clients without a valid certificate fail.
    #[track_caller]
    pub(crate) fn set_strict(&self, is_strict: bool) {
        assert!(self.strict.is_some(), "the tenant was built without mutual TLS");
        self.is_strict.store(is_strict, Ordering::Relaxed);
    }

    pub(crate) fn serve_certificate(&self, certificate: ServerCertificate, authority: &Authority) {
        *locked(&self.served.0) =
            certified(certificate, &self.host_names, authority, &self.provider);
    }
}

fn certified(
    certificate: ServerCertificate,
    host_names: &str,
    authority: &Authority,
    provider: &CryptoProvider,
) -> Arc<CertifiedKey> {
    let certificate = match certificate {
        ServerCertificate::Valid => authority.server(host_names),
        ServerCertificate::Expired => authority.expired_server(host_names),
        ServerCertificate::OtherHost => authority.server("other.example.com"),
        ServerCertificate::OtherAuthority => Authority::new().server(host_names),
    };
    let certified = CertifiedKey::from_der(certificate.chain(), certificate.key(), provider);
    Arc::new(certified.expect("a certificate fits its key"))
}

impl ResolvesServerCert for ServedCertificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&locked(&self.0)))
    }
}

fn strict_verifier(
    clients: &Authority,
    provider: &Arc<CryptoProvider>,
) -> Arc<dyn ClientCertVerifier> {
    let mut roots = RootCertStore::empty();
    roots.add(clients.der().clone()).expect("an authority's certificate");
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
        .build()
        .expect("there is a root")
}

/// Asks clients for a certificate and for proof that they have its key, and verifies its chain only
/// when it `is_strict`.
#[derive(Debug)]
struct OptionalCertificate {
    strict: Arc<dyn ClientCertVerifier>,
    is_strict: Arc<AtomicBool>,
}

impl OptionalCertificate {
    fn is_strict(&self) -> bool {
        self.is_strict.load(Ordering::Relaxed)
    }
}

impl ClientCertVerifier for OptionalCertificate {
    fn client_auth_mandatory(&self) -> bool {
        self.is_strict()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        // With hints, clients would not send certificates by other authorities.
        &[]
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        if self.is_strict() {
            return self.strict.verify_client_cert(certificate, intermediates, now);
        }
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.strict.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.strict.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.strict.supported_verify_schemes()
    }
}
