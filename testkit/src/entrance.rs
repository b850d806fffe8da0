use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
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

impl Arrival {
    /// Carries it from the front, which alone sees the connection, to the site.
    pub(crate) const HEADER: &str = "x-testkit-arrival";

    pub(crate) fn to_header(&self) -> HeaderValue {
        let mut text = match &self.entrance {
            Entrance::Issuer => "issuer".into(),
            Entrance::MutualTls => "mutual-tls".into(),
            Entrance::TrustStore(id) => format!("{TRUST_STORE}{}", STANDARD.encode(id)),
        };
        for certificate in &self.certificates {
            text = format!("{text} {}", STANDARD.encode(certificate));
        }
        HeaderValue::try_from(text).expect("words and base64")
    }

    pub(crate) fn from_header(value: &HeaderValue) -> Self {
        let mut words = value.to_str().expect("words and base64").split(' ');
        let decoded = |word| STANDARD.decode(word).expect("base64");
        let entrance = match words.next().unwrap_or_default() {
            "issuer" => Entrance::Issuer,
            "mutual-tls" => Entrance::MutualTls,
            word => {
                let id = decoded(word.strip_prefix(TRUST_STORE).expect("a trust store"));
                Entrance::TrustStore(String::from_utf8(id).expect("UTF-8"))
            }
        };
        Self { entrance, certificates: words.map(|word| decoded(word).into()).collect() }
    }
}

const TRUST_STORE: &str = "trust-store:";
