//! Where requests come in.

use rustls::pki_types::CertificateDer;

/// The port that a request came in by.
///
/// Behind each of them the whole tenant answers, on the same paths.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Entrance {
    /// The issuer's own.
    Issuer,
    /// The one that the metadata names in `mtls_endpoint_aliases` (RFC 8705 §5).
    MutualTls,
    /// The one that the metadata names in `mtls_additional_endpoint_aliases`, under
    /// this id of a trust store.
    TrustStore(String),
}

/// How a request arrived.
#[derive(Debug)]
pub(crate) struct Arrival {
    pub(crate) entrance: Entrance,
    /// The client's certificate, followed by those that lead to its authority.
    pub(crate) certificates: Vec<CertificateDer<'static>>,
}
