//! The client this API is at the tenant, and how it proves itself when it introspects.

use std::{fmt::Display, path::PathBuf};

use secrecy::{ExposeSecret, SecretString};

use super::{
    Key,
    jwk::{self, SecretJwk},
    pem,
    settings::Settings,
};
use crate::key_pair::KeyPairFiles;

/// RFC 7518 §3.2: HS256 needs a key at least as long as its hash.
const HS256_KEY_BYTES: usize = 32;

/// A client whose credentials are complete and fit its method.
#[derive(Clone, Debug)]
pub(crate) struct ClientConfig {
    pub(crate) id: String,
    pub(crate) auth: ClientAuth,
}

/// Client authentication (RFC 6749 §2.3, RFC 7523, RFC 8705, SPIFFE): one variant a method.
#[derive(Clone, Debug)]
pub(crate) enum ClientAuth {
    SecretBasic(SecretString),
    SecretPost(SecretString),
    SecretJwt(HmacKey),
    PrivateKeyJwt(SecretJwk),
    Tls(KeyPairFiles),
    SelfSignedTls(KeyPairFiles),
    /// Without a file the application hands the assertion over.
    SpiffeJwt {
        assertion_file: Option<PathBuf>,
    },
    SpiffeX509(KeyPairFiles),
}

/// What `client_secret_jwt` signs with.
#[derive(Clone, Debug)]
pub(crate) enum HmacKey {
    /// The bytes of a text, for HS256.
    Text(SecretString),
    /// An `oct` key, for its own `alg`.
    Jwk(SecretJwk),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Method {
    SecretBasic,
    SecretPost,
    SecretJwt,
    PrivateKeyJwt,
    Tls,
    SelfSignedTls,
    SpiffeJwt,
    SpiffeX509,
}

const METHODS: &[(&str, Method)] = &[
    ("client_secret_basic", Method::SecretBasic),
    ("client_secret_post", Method::SecretPost),
    ("client_secret_jwt", Method::SecretJwt),
    ("private_key_jwt", Method::PrivateKeyJwt),
    ("tls_client_auth", Method::Tls),
    ("self_signed_tls_client_auth", Method::SelfSignedTls),
    ("spiffe_jwt", Method::SpiffeJwt),
    ("spiffe_x509", Method::SpiffeX509),
];

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
    pub(super) fn judge(settings: &mut Settings) -> Option<Self> {
        let id = settings.text(Key::ClientId);
        let method = settings.word(Key::ClientAuthMethod, METHODS, Method::SecretPost);
        if !settings.is_set(Key::ClientId) {
            refuse_what_needs_a_client(settings);
        }
        if !settings.is_set(Key::ClientId) && !settings.is_set(Key::ClientAuthMethod) {
            return None;
        }
        let method = method?;
        check_credentials(method, settings);
        let auth = ClientAuth::judge(method, settings)?;
        Some(Self { id: id?, auth })
    }
}

impl ClientAuth {
    fn judge(method: Method, settings: &mut Settings) -> Option<Self> {
        match method {
            Method::SecretBasic => password(settings).map(Self::SecretBasic),
            Method::SecretPost => password(settings).map(Self::SecretPost),
            Method::SecretJwt => hmac_key(settings).map(Self::SecretJwt),
            Method::PrivateKeyJwt => {
                let jwk = secret(settings, SecretJwk::private);
                jwk.map(Self::PrivateKeyJwt)
            }
            Method::Tls => pem::client_certificate(settings).map(Self::Tls),
            Method::SelfSignedTls => pem::client_certificate(settings).map(Self::SelfSignedTls),
            Method::SpiffeJwt => {
                let file = settings.file(Key::ClientAssertionFile).map(|(path, _)| path);
                let is_provided = settings.flag(Key::ClientAssertionProvider);
                (file.is_some() || is_provided).then_some(Self::SpiffeJwt { assertion_file: file })
            }
            Method::SpiffeX509 => pem::client_certificate(settings).map(Self::SpiffeX509),
        }
    }
}

impl Method {
    fn name(self) -> &'static str {
        let known = METHODS.iter().find(|(_, method)| *method == self);
        known.map_or("", |(name, _)| name)
    }

    fn needs(self, credential: Key) -> bool {
        match self {
            Self::SecretBasic | Self::SecretPost | Self::SecretJwt | Self::PrivateKeyJwt => {
                credential == Key::ClientSecret
            }
            Self::Tls | Self::SelfSignedTls | Self::SpiffeX509 => {
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
    for key in CREDENTIALS.into_iter().chain(others) {
        if settings.is_set(key) {
            settings.refuse(key, needs_a_client());
        }
    }
    if settings.flag(Key::IntrospectJwtTokens) {
        settings.refuse(Key::IntrospectJwtTokens, needs_a_client());
    }
}

fn needs_a_client() -> String {
    format!("needs a client, but {} is not set", Key::ClientId.variable())
}

fn check_credentials(method: Method, settings: &mut Settings) {
    let name = method.name();
    let is_provided = settings.flag(Key::ClientAssertionProvider);
    for credential in CREDENTIALS {
        let is_there =
            settings.is_set(credential) || (is_provided && credential == Key::ClientAssertionFile);
        match is_there {
            false if method.needs(credential) => {
                settings.missing(credential, &format!("{name} needs it"));
            }
            true if !method.takes(credential) && settings.is_set(credential) => {
                settings.refuse(credential, format!("is set, but {name} does not use it"));
            }
            _ => {}
        }
    }
}

/// A secret that is sent as it is.
fn password(settings: &mut Settings) -> Option<SecretString> {
    secret(settings, |text| match jwk::is_meant(text) {
        true => Err("is a JWK; this method sends a plain secret"),
        false => Ok(SecretString::from(text)),
    })
}

fn hmac_key(settings: &mut Settings) -> Option<HmacKey> {
    secret(settings, |text| {
        if jwk::is_meant(text) {
            let jwk = SecretJwk::symmetric(text).map_err(|error| error.to_string())?;
            return Ok(HmacKey::Jwk(jwk));
        }
        match text.len() < HS256_KEY_BYTES {
            true => Err(format!("is shorter than the {HS256_KEY_BYTES} bytes HS256 needs")),
            false => Ok(HmacKey::Text(SecretString::from(text))),
        }
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
