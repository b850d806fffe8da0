//! The methods by which a client authenticates.

use crate::Algorithm;

/// A method by which a client authenticates (RFC 7591 §2, OpenID Connect Core §9).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum ClientAuth {
    /// `client_secret_basic`: id and secret, form-encoded, in the `Authorization` header (RFC 6749
    /// §2.3.1).
    SecretBasic,
    /// `client_secret_post`: id and secret in the body (RFC 6749 §2.3.1).
    SecretPost,
    /// `client_secret_jwt`: an assertion, authenticated by HMAC SHA-256 with the secret (RFC 7523
    /// §2.2).
    SecretJwt,
    /// `private_key_jwt`: an assertion, signed with a key of the client (RFC 7523 §2.2).
    PrivateKeyJwt(Algorithm),
    /// `tls_client_auth`: a certificate for the client's subject, issued below the tenant's client
    /// authority (RFC 8705 §2.1).
    Tls,
    /// `self_signed_tls_client_auth`: the one certificate that is registered for the client
    /// (RFC 8705 §2.2).
    SelfSignedTls,
    /// `spiffe_jwt`: the client's SPIFFE JWT-SVID.
    SpiffeJwt,
    /// `spiffe_x509`: the client's SPIFFE X.509-SVID.
    SpiffeX509,
}

impl ClientAuth {
    /// The name of the method in client metadata.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SecretBasic => "client_secret_basic",
            Self::SecretPost => "client_secret_post",
            Self::SecretJwt => "client_secret_jwt",
            Self::PrivateKeyJwt(_) => "private_key_jwt",
            Self::Tls => "tls_client_auth",
            Self::SelfSignedTls => "self_signed_tls_client_auth",
            Self::SpiffeJwt => "spiffe_jwt",
            Self::SpiffeX509 => "spiffe_x509",
        }
    }
}
