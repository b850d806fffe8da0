use crate::front::Door;
use crate::lock::locked;
use crate::{Authority, Certificate, Endpoint, Entrance, MockTenant};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{
    ClientHello, NoServerSessionStorage, ResolvesServerCert, WebPkiClientVerifier,
};
use rustls::sign::CertifiedKey;
use rustls::{
    DigitallySignedStruct, DistinguishedName, Error, RootCertStore, ServerConfig, SignatureScheme,
};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

const HOST_NAMES: &str = "localhost 127.0.0.1";

/// What a TLS tenant shows to those who connect.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum ServerCertificate {
    /// One that is good for those who trust the tenant's [authority](MockTenant::authority).
    Valid,
    /// One whose time is over.
    Expired,
    /// One for another host.
    OtherHost,
    /// One by an authority that nobody trusts.
    OtherAuthority,
}

/// TLS, mutual TLS and certificates.
impl MockTenant {
    /// Who vouches for the tenant's servers; [`vars`](Self::vars) of a tenant with
    /// [TLS](crate::MockTenantBuilder::tls) name its certificate.
    #[must_use]
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// Who vouches for the tenant's clients.
    #[must_use]
    pub fn client_authority(&self) -> &Authority {
        &self.client_authority
    }

    /// A certificate by the tenant's [client authority](Self::client_authority), for
    /// a caller whose tokens are [bound](crate::TokenBuilder::bound_to) to it. The
    /// tenant has no client of this name, so it introspects nothing.
    #[must_use]
    pub fn client_certificate(&self, name: &str) -> Certificate {
        self.client_authority.client(name)
    }

    /// Gives the client new certificates and keys in place of the old ones, in the
    /// files too that [`vars_for`](Self::vars_for) names: first the one, then the
    /// other. The old ones are refused from now on.
    ///
    /// # Panics
    ///
    /// If the tenant has no mutual TLS, or the temporary directory cannot be written to.
    #[track_caller]
    pub fn renew_client_certificate(&self) {
        self.client().renew_certificates();
    }

    /// Shows this certificate to whoever connects from now on.
    ///
    /// # Panics
    ///
    /// If the tenant has no TLS.
    #[track_caller]
    pub fn serve_certificate(&self, certificate: ServerCertificate) {
        self.tls().show(certificate, &self.authority);
    }

    /// Lets the TLS handshake at the mutual-TLS endpoints fail for whoever shows no
    /// certificate by the [client authority](Self::client_authority): none at all, or
    /// a self-signed one. By default all of them get in, for introspection to refuse;
    /// servers differ in this. Connections that are there already stay.
    ///
    /// # Panics
    ///
    /// If the tenant has no mutual TLS.
    #[track_caller]
    pub fn refuse_in_handshake(&self, refuse: bool) {
        let tls = self.tls.as_ref().filter(|tls| tls.judge.is_some());
        let tls = tls.expect("the tenant was built with mutual TLS");
        tls.is_strict.store(refuse, Ordering::Relaxed);
    }

    /// Where an endpoint is behind this entrance.
    ///
    /// # Panics
    ///
    /// If the tenant was built without that entrance.
    #[must_use]
    #[track_caller]
    pub fn url_at(&self, entrance: &Entrance, endpoint: Endpoint) -> String {
        let base = self.site.base(entrance);
        let base = base.unwrap_or_else(|| panic!("the tenant was built without {entrance:?}"));
        format!("{base}{}", endpoint.path())
    }

    /// How many of the requests to an endpoint came over a connection with a client
    /// certificate. A tenant with mutual TLS asks for one at every entrance, so that
    /// it can tell.
    #[must_use]
    pub fn requests_with_certificate(&self, endpoint: Endpoint) -> usize {
        self.site.gate(endpoint).requests_with_certificate()
    }

    #[track_caller]
    fn tls(&self) -> &Tls {
        self.tls.as_ref().expect("the tenant was built with TLS")
    }
}

/// How a tenant speaks TLS, as it is at this moment.
#[derive(Debug)]
pub(crate) struct Tls {
    provider: Arc<CryptoProvider>,
    shown: Arc<Shown>,
    /// Who may name clients; nothing without mutual TLS.
    judge: Option<Arc<dyn ClientCertVerifier>>,
    is_strict: Arc<AtomicBool>,
}

/// The certificate that connections get to see.
#[derive(Debug)]
struct Shown(Mutex<Arc<CertifiedKey>>);

impl Tls {
    /// TLS with a certificate by this authority; with mutual TLS there is another
    /// for `clients`.
    pub(crate) fn new(authority: &Authority, clients: Option<&Authority>) -> Self {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let valid = certified(ServerCertificate::Valid, authority, &provider);
        Self {
            shown: Arc::new(Shown(Mutex::new(valid))),
            judge: clients.map(|clients| judge(clients, &provider)),
            is_strict: Arc::default(),
            provider,
        }
    }

    pub(crate) fn door(&self, entrance: Entrance) -> Door {
        let config = ServerConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()
            .expect("the provider has cipher suites for TLS 1.2 and 1.3");
        let config = match &self.judge {
            None => config.with_no_client_auth(),
            Some(judge) => {
                let is_strict = match entrance {
                    Entrance::Issuer => Arc::default(),
                    _ => Arc::clone(&self.is_strict),
                };
                let verifier = Asking { judge: Arc::clone(judge), is_strict };
                config.with_client_cert_verifier(Arc::new(verifier))
            }
        };
        let mut config = config.with_cert_resolver(Arc::clone(&self.shown) as _);
        // A resumed session shows no certificate, on neither side.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        Door::with_tls(entrance, Arc::new(config))
    }

    fn show(&self, certificate: ServerCertificate, authority: &Authority) {
        *locked(&self.shown.0) = certified(certificate, authority, &self.provider);
    }
}

fn certified(
    certificate: ServerCertificate,
    authority: &Authority,
    provider: &CryptoProvider,
) -> Arc<CertifiedKey> {
    let certificate = match certificate {
        ServerCertificate::Valid => authority.server(HOST_NAMES),
        ServerCertificate::Expired => authority.expired_server(HOST_NAMES),
        ServerCertificate::OtherHost => authority.server("other.example.com"),
        ServerCertificate::OtherAuthority => Authority::new().server(HOST_NAMES),
    };
    let certified = CertifiedKey::from_der(certificate.chain(), certificate.key(), provider);
    Arc::new(certified.expect("a certificate fits its key"))
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&locked(&self.0)))
    }
}

fn judge(clients: &Authority, provider: &Arc<CryptoProvider>) -> Arc<dyn ClientCertVerifier> {
    let mut roots = RootCertStore::empty();
    roots.add(clients.der().clone()).expect("an authority's certificate");
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
        .build()
        .expect("there is a root")
}

/// Asks clients for a certificate and for proof that they have its key, and heeds
/// the judge of certificates only if it `is_strict`.
#[derive(Debug)]
struct Asking {
    judge: Arc<dyn ClientCertVerifier>,
    is_strict: Arc<AtomicBool>,
}

impl Asking {
    fn is_strict(&self) -> bool {
        self.is_strict.load(Ordering::Relaxed)
    }
}

impl ClientCertVerifier for Asking {
    fn client_auth_mandatory(&self) -> bool {
        self.is_strict()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        // With hints, clients would keep certificates of others to themselves.
        &[]
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        if self.is_strict() {
            return self.judge.verify_client_cert(certificate, intermediates, now);
        }
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.judge.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.judge.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.judge.supported_verify_schemes()
    }
}
