//! The ports that requests arrive at.

use rustls::pki_types::CertificateDer;

/// A port of the tenant.
///
/// Every port serves all endpoints, on the same paths.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Entrance {
    /// The issuer's port.
    Issuer,
    /// The one that the metadata names in `mtls_endpoint_aliases` (RFC 8705 §5).
    MutualTls,
    /// The one that the metadata names in `mtls_additional_endpoint_aliases`, under this id of a
    /// trust store.
    TrustStore(String),
}

/// How a request arrived.
#[derive(Debug)]
pub(crate) struct Arrival {
    pub(crate) entrance: Entrance,
    /// The client's certificate, followed by the intermediate certificates.
    pub(crate) certificates: Vec<CertificateDer<'static>>,
}
