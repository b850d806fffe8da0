//! The client this API is at the tenant, and how it proves itself when it introspects.

use std::{fmt::Display, path::PathBuf};

use secrecy::{ExposeSecret, SecretString};

use super::{Key, jwk, pem, settings::Settings, signing_key::SigningKey};
use crate::certificate::key_pair::KeyPairFiles;

/// RFC 7518 §3.2: HS256 needs a key at least as long as its hash.
const HS256_KEY_BYTES: usize = 32;

/// A client whose credentials are complete and fit its method.
#[derive(Clone, Debug)]
pub(crate) struct ClientConfig {
    pub(crate) id: String,
    pub(crate) method_name: &'static str,
    pub(crate) auth: ClientAuth,
}

/// Client authentication (RFC 6749 §2.3, RFC 7523, RFC 8705, SPIFFE).
#[derive(Clone, Debug)]
pub(crate) enum ClientAuth {
    SecretBasic(SecretString),
    SecretPost(SecretString),
    SecretJwt(SigningKey),
    PrivateKeyJwt(SigningKey),
    /// `tls_client_auth`, `self_signed_tls_client_auth` and `spiffe_x509`: the tenant
    /// validates the certificate in three ways; it is presented in one.
    MutualTls {
        /// Without files the application's own HTTP client presents the certificate.
        key_pair: Option<KeyPairFiles>,
        /// Picks `mtls_additional_endpoint_aliases[id]`.
        trust_store_id: Option<String>,
    },
    /// Without a file the application hands the assertion over.
    SpiffeJwt {
        assertion_file: Option<PathBuf>,
    },
}

/// How the client authenticates when it introspects.
///
/// [`name`](Self::name) is what the variable `MONOCLOUD_BACKEND_CLIENT_AUTH_METHOD` takes: the
/// registered `token_endpoint_auth_method` (RFC 7591 §4.2), and for SPIFFE the tenant's own name.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum ClientAuthMethod {
    /// The secret in an `Authorization: Basic` header (RFC 6749 §2.3.1).
    ClientSecretBasic,
    /// The secret in the form (RFC 6749 §2.3.1). The default.
    ClientSecretPost,
    /// An assertion signed with the secret (RFC 7523 §2.2).
    ClientSecretJwt,
    /// An assertion signed with a private key, which the secret holds as a JWK (RFC 7523 §2.2).
    PrivateKeyJwt,
    /// A client certificate from an authority that the tenant trusts (RFC 8705 §2.1).
    TlsClientAuth,
    /// A client certificate that is registered with the tenant (RFC 8705 §2.2).
    SelfSignedTlsClientAuth,
    /// A SPIFFE JWT-SVID as the assertion.
    SpiffeJwt,
    /// A SPIFFE X.509-SVID as the client certificate.
    SpiffeX509,
}

/// What one method needs and another has no use for.
const CREDENTIALS: [Key; 5] = [
    Key::ClientSecret,
    Key::ClientCertificateFile,
    Key::ClientKeyFile,
    Key::ClientAssertionFile,
    Key::TrustStoreId,
];

impl ClientConfig {
    /// The client, if one is configured and nothing is wrong with it.
    pub(super) fn validate(settings: &mut Settings) -> Option<Self> {
        let id = settings.text(Key::ClientId);
        let methods = ClientAuthMethod::ALL.map(|method| (method.name(), method));
        let default = ClientAuthMethod::ClientSecretPost;
        let method = settings.word(Key::ClientAuthMethod, &methods, default);
        if !settings.is_set(Key::ClientId) {
            refuse_what_needs_a_client(settings);
        }
        if !settings.is_set(Key::ClientId) && !settings.is_set(Key::ClientAuthMethod) {
            return None;
        }
        let method = method?;
        check_credentials(method, settings);
        let auth = ClientAuth::validate(method, settings)?;
        Some(Self { id: id?, method_name: method.name(), auth })
    }
}

impl ClientAuth {
    fn validate(method: ClientAuthMethod, settings: &mut Settings) -> Option<Self> {
        match method {
            ClientAuthMethod::ClientSecretBasic => password(settings).map(Self::SecretBasic),
            ClientAuthMethod::ClientSecretPost => password(settings).map(Self::SecretPost),
            ClientAuthMethod::ClientSecretJwt => hmac_key(settings).map(Self::SecretJwt),
            ClientAuthMethod::PrivateKeyJwt => {
                secret(settings, SigningKey::private).map(Self::PrivateKeyJwt)
            }
            ClientAuthMethod::SpiffeJwt => {
                let file = settings.file(Key::ClientAssertionFile).map(|(path, _)| path);
                let is_provided = settings.flag(Key::SvidProvider);
                (file.is_some() || is_provided).then_some(Self::SpiffeJwt { assertion_file: file })
            }
            ClientAuthMethod::TlsClientAuth
            | ClientAuthMethod::SelfSignedTlsClientAuth
            | ClientAuthMethod::SpiffeX509 => {
                let trust_store_id = settings.text(Key::TrustStoreId);
                let key_pair = match settings.flag(Key::HttpClient) {
                    true => None,
                    false => Some(pem::client_certificate(settings)?),
                };
                Some(Self::MutualTls { key_pair, trust_store_id })
            }
        }
    }
}

impl ClientAuthMethod {
    const ALL: [Self; 8] = [
        Self::ClientSecretBasic,
        Self::ClientSecretPost,
        Self::ClientSecretJwt,
        Self::PrivateKeyJwt,
        Self::TlsClientAuth,
        Self::SelfSignedTlsClientAuth,
        Self::SpiffeJwt,
        Self::SpiffeX509,
    ];

    /// The method as the variable names it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ClientSecretBasic => "client_secret_basic",
            Self::ClientSecretPost => "client_secret_post",
            Self::ClientSecretJwt => "client_secret_jwt",
            Self::PrivateKeyJwt => "private_key_jwt",
            Self::TlsClientAuth => "tls_client_auth",
            Self::SelfSignedTlsClientAuth => "self_signed_tls_client_auth",
            Self::SpiffeJwt => "spiffe_jwt",
            Self::SpiffeX509 => "spiffe_x509",
        }
    }

    fn needs(self, credential: Key) -> bool {
        match self {
            Self::ClientSecretBasic
            | Self::ClientSecretPost
            | Self::ClientSecretJwt
            | Self::PrivateKeyJwt => credential == Key::ClientSecret,
            Self::TlsClientAuth | Self::SelfSignedTlsClientAuth | Self::SpiffeX509 => {
                matches!(credential, Key::ClientCertificateFile | Key::ClientKeyFile)
            }
            Self::SpiffeJwt => credential == Key::ClientAssertionFile,
        }
    }

    fn takes(self, credential: Key) -> bool {
        // Endpoints of a trust store are the mutual-TLS ones.
        let optional = credential == Key::TrustStoreId && self.needs(Key::ClientCertificateFile);
        optional || self.needs(credential)
    }
}

fn refuse_what_needs_a_client(settings: &mut Settings) {
    let others = [Key::ClientAuthMethod, Key::IntrospectionCache];
    let hint = settings.hint(Key::ClientId);
    let rule = format!("needs a client, but {} is not set{hint}", Key::ClientId.variable());
    for key in CREDENTIALS.into_iter().chain(others) {
        if settings.is_set(key) {
            settings.refuse(key, rule.as_str());
        }
    }
    for key in [Key::IntrospectJwtTokens, Key::SvidProvider, Key::IntrospectionCacheStore] {
        if settings.flag(key) {
            settings.refuse(key, rule.as_str());
        }
    }
}

fn check_credentials(method: ClientAuthMethod, settings: &mut Settings) {
    let name = method.name();
    let idle = format!(
        "is set, but {name} does not use it; remove it or choose another {}",
        Key::ClientAuthMethod.variable()
    );
    if settings.flag(Key::SvidProvider) && !method.needs(Key::ClientAssertionFile) {
        settings.refuse(Key::SvidProvider, idle.as_str());
    }
    for credential in CREDENTIALS {
        let substitute = substitute(credential).filter(|&(key, _)| settings.flag(key));
        match (settings.is_set(credential), substitute) {
            (false, None) if method.needs(credential) => {
                settings.missing(credential, &format!("{name} needs it"));
            }
            (true, _) if !method.takes(credential) => {
                settings.refuse(credential, idle.as_str());
            }
            (true, Some((_, who))) => {
                settings.refuse(credential, format!("is set, but {who}; keep one of them"));
            }
            _ => {}
        }
    }
}

/// What the application can do in code instead.
fn substitute(credential: Key) -> Option<(Key, &'static str)> {
    match credential {
        Key::ClientAssertionFile => Some((Key::SvidProvider, "`svid_provider` provides the SVID")),
        Key::ClientCertificateFile | Key::ClientKeyFile => {
            Some((Key::HttpClient, "the application's `http_client` presents the certificate"))
        }
        _ => None,
    }
}

/// A secret that is sent as it is.
fn password(settings: &mut Settings) -> Option<SecretString> {
    secret(settings, |text| match jwk::is_meant(text) {
        true => Err("is a JWK, which only private_key_jwt and client_secret_jwt sign with"),
        false => Ok(SecretString::from(text)),
    })
}

fn hmac_key(settings: &mut Settings) -> Option<SigningKey> {
    secret(settings, |text| match text {
        jwk if jwk::is_meant(jwk) => SigningKey::symmetric(jwk).map_err(|error| error.to_string()),
        text if text.len() < HS256_KEY_BYTES => {
            Err(format!("must have at least {HS256_KEY_BYTES} bytes for HS256"))
        }
        text => Ok(SigningKey::of_text(text)),
    })
}

/// The client secret as its method reads it. The reader's error must quote nothing of it.
fn secret<T, E: Display>(
    settings: &mut Settings,
    read: impl FnOnce(&str) -> Result<T, E>,
) -> Option<T> {
    let secret = settings.secret(Key::ClientSecret)?;
    let read = read(secret.expose_secret());
    read.map_err(|error| settings.refuse(Key::ClientSecret, error.to_string())).ok()
}
