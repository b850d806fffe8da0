//! Client certificates: the tokens that are bound to them (RFC 8705), and TLS with them.
//!
//! - `binding`: whether a token's certificate was presented
//! - `header`: the certificate in a proxy's header
//! - `key_pair`: a certificate chain and its key, read again when the files change
//! - `server`: TLS for the API itself

mod binding;
pub(crate) mod header;
pub(crate) mod key_pair;
#[cfg(feature = "tls")]
pub(crate) mod server;

pub use self::binding::{CertificateBinding, NotACertificate, PeerCertificate};
#[cfg(feature = "tls")]
pub use self::server::ServerTls;
