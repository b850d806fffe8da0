//! How this API proves to the tenant which client it is (RFC 6749 §2.3, RFC 7523, RFC 8705 §2,
//! SPIFFE).

use std::{
    error::Error as StdError, fs, future::Future, path::PathBuf, pin::Pin, sync::Arc,
    time::SystemTime,
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use http::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use url::form_urlencoded::{self, Serializer};

use crate::{
    config::{ClientAuth, ClientConfig, ConfigError, Key, SigningKey},
    error::{Cause, TenantError},
    tenant::http::Form,
};

use super::assertion;

const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const JWT_SPIFFE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-spiffe";

/// A client and its credentials, ready for every request.
pub(crate) struct ClientAuthentication {
    pub(crate) client_id: String,
    /// The method in the configuration's words.
    pub(crate) method_name: &'static str,
    method: Method,
}

enum Method {
    Assertion(SigningKey),
    Basic(HeaderValue),
    /// The connection proves it.
    Certificate,
    Post(SecretString),
    Spiffe(Svid),
}

/// Where the JWT-SVID of `spiffe_jwt` comes from. It lives for minutes, so it is asked for anew with
/// every request.
enum Svid {
    File(PathBuf),
    Provider(SvidProvider),
}

/// Hands over the JWT-SVID of the moment.
pub(crate) type SvidProvider = Arc<dyn Fn() -> SvidFuture + Send + Sync>;

type SvidFuture =
    Pin<Box<dyn Future<Output = Result<String, Box<dyn StdError + Send + Sync>>> + Send>>;

/// What authenticates one request.
pub(crate) struct Credentials {
    pub(crate) authorization: Option<HeaderValue>,
    pub(crate) form: Vec<(&'static str, String)>,
}

impl ClientAuthentication {
    pub(crate) fn new(
        config: &ClientConfig,
        svid_provider: Option<SvidProvider>,
    ) -> Result<Self, ConfigError> {
        let method = match &config.auth {
            ClientAuth::SecretBasic(secret) => Method::Basic(basic(&config.id, secret)),
            ClientAuth::SecretPost(secret) => Method::Post(secret.clone()),
            ClientAuth::SecretJwt(key) | ClientAuth::PrivateKeyJwt(key) => {
                Method::Assertion(key.clone())
            }
            ClientAuth::SpiffeJwt { assertion_file } => {
                let file = assertion_file.clone().map(Svid::File);
                let svid = svid_provider.map(Svid::Provider).or(file);
                let missing =
                    || ConfigError::of(&Key::ClientAssertionFile.variable(), "is not set");
                Method::Spiffe(svid.ok_or_else(missing)?)
            }
            ClientAuth::MutualTls { .. } => Method::Certificate,
        };
        Ok(Self { client_id: config.id.clone(), method_name: config.method_name, method })
    }

    /// Fresh credentials for one request to the tenant whose issuer is `audience`.
    pub(crate) async fn credentials(
        &self,
        audience: &str,
        now: SystemTime,
    ) -> Result<Credentials, TenantError> {
        let client_id = ("client_id", self.client_id.clone());
        let assertion = |kind: &str, assertion: String| Credentials {
            authorization: None,
            form: vec![
                client_id.clone(),
                ("client_assertion_type", kind.to_owned()),
                ("client_assertion", assertion),
            ],
        };
        let failed = |source| TenantError::Credentials { source };
        Ok(match &self.method {
            Method::Basic(header) => {
                Credentials { authorization: Some(header.clone()), form: Vec::new() }
            }
            Method::Certificate => Credentials { authorization: None, form: vec![client_id] },
            Method::Post(secret) => Credentials {
                authorization: None,
                form: vec![client_id, ("client_secret", secret.expose_secret().to_owned())],
            },
            Method::Assertion(key) => {
                let signed = assertion::sign(key, &self.client_id, audience, now);
                let signed = signed.ok_or_else(|| failed(Cause::new("signing failed")))?;
                assertion(JWT_BEARER, signed)
            }
            Method::Spiffe(svid) => {
                let svid = match svid {
                    Svid::File(path) => fs::read_to_string(path).map_err(Cause::new),
                    Svid::Provider(provide) => provide().await.map_err(Cause::new),
                };
                let svid = svid.map_err(failed)?;
                assertion(JWT_SPIFFE, svid.trim().to_owned())
            }
        })
    }
}

impl Credentials {
    /// The form that asks about a token, with these credentials.
    pub(crate) fn into_form(self, token: &str) -> Form {
        let mut form = Serializer::new(String::new());
        form.append_pair("token", token).append_pair("token_type_hint", "access_token");
        form.extend_pairs(self.form);
        Form { authorization: self.authorization, body: form.finish() }
    }
}

/// Both halves are form-encoded before they are joined (RFC 6749 §2.3.1), so that a colon, a percent
/// sign or a letter beyond ASCII survives.
fn basic(id: &str, secret: &SecretString) -> HeaderValue {
    let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let pair = format!("{}:{}", encode(id), encode(secret.expose_secret()));
    let mut header = HeaderValue::try_from(format!("Basic {}", BASE64_STANDARD.encode(pair)))
        .unwrap_or_else(|_| HeaderValue::from_static(""));
    header.set_sensitive(true);
    header
}
