//! Clients.

use std::fmt;

use serde::Deserialize;
use serde_json::Value;

/// A client of the tenant. Without a secret and keys it is public (RFC 6749 §2.1).
///
/// ```
/// use monocloud_testkit::OAuthClient;
///
/// let app = OAuthClient::public("app").redirect_uri("http://127.0.0.1/callback");
/// let backend = OAuthClient::confidential("backend", "let me in");
/// assert!(app.is_public() && !backend.is_public());
/// ```
#[derive(Clone, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct OAuthClient {
    /// The `client_id`.
    pub id: String,
    /// The name on the tenant's pages; the id by default.
    #[serde(default)]
    pub name: Option<String>,
    /// The secret, for `client_secret_basic`, `client_secret_post` and `client_secret_jwt`.
    #[serde(default)]
    pub secret: Option<String>,
    /// Public keys as JWKs, for `private_key_jwt`.
    #[serde(default)]
    pub keys: Vec<Value>,
    /// The redirect URIs. A request names one of them exactly, except that any port matches on
    /// loopback (RFC 8252 §7.3).
    #[serde(default)]
    pub redirect_uris: Vec<String>,
    /// Whether any `http` URI on loopback is a redirect URI, also after a logout.
    #[serde(default)]
    pub any_loopback_redirect: bool,
    /// Where a user may be sent after a logout (OpenID Connect RP-Initiated Logout §3).
    #[serde(default)]
    pub post_logout_redirect_uris: Vec<String>,
    /// The grants that it may use; all that suit it by default.
    #[serde(default)]
    pub grant_types: Vec<GrantType>,
    /// Whether users are not asked to consent.
    #[serde(default)]
    pub skip_consent: bool,
}

/// A grant (RFC 7591 §2), with its name in requests.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum GrantType {
    /// RFC 6749 §4.1.
    AuthorizationCode,
    /// RFC 6749 §6.
    RefreshToken,
    /// RFC 6749 §4.4.
    ClientCredentials,
    /// RFC 8628 §3.4.
    #[serde(alias = "urn:ietf:params:oauth:grant-type:device_code")]
    DeviceCode,
    /// RFC 8693 §2.1.
    #[serde(alias = "urn:ietf:params:oauth:grant-type:token-exchange")]
    TokenExchange,
}

impl GrantType {
    /// All grants.
    pub(crate) const ALL: [Self; 5] = [
        Self::AuthorizationCode,
        Self::RefreshToken,
        Self::ClientCredentials,
        Self::DeviceCode,
        Self::TokenExchange,
    ];

    /// The `grant_type` of a token request.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AuthorizationCode => "authorization_code",
            Self::RefreshToken => "refresh_token",
            Self::ClientCredentials => "client_credentials",
            Self::DeviceCode => "urn:ietf:params:oauth:grant-type:device_code",
            Self::TokenExchange => "urn:ietf:params:oauth:grant-type:token-exchange",
        }
    }

    /// The grant with this name in requests.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|grant| grant.as_str() == name)
    }
}

impl OAuthClient {
    /// A public client.
    #[must_use]
    pub fn public(id: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            name: None,
            secret: None,
            keys: Vec::new(),
            redirect_uris: Vec::new(),
            any_loopback_redirect: false,
            post_logout_redirect_uris: Vec::new(),
            grant_types: Vec::new(),
            skip_consent: false,
        }
    }

    /// A confidential client with a secret.
    #[must_use]
    pub fn confidential(id: impl Into<String>, secret: impl Into<String>) -> Self {
        Self { secret: Some(secret.into()), ..Self::public(id) }
    }

    /// Sets the name on the tenant's pages.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Adds a public key, as a JWK, that verifies the client's assertions (RFC 7523 §2.2).
    #[must_use]
    pub fn key(mut self, jwk: Value) -> Self {
        self.keys.push(jwk);
        self
    }

    /// Adds a redirect URI.
    #[must_use]
    pub fn redirect_uri(mut self, uri: impl Into<String>) -> Self {
        self.redirect_uris.push(uri.into());
        self
    }

    /// Accepts any `http` URI on loopback as a redirect URI.
    #[must_use]
    pub const fn any_loopback_redirect(mut self) -> Self {
        self.any_loopback_redirect = true;
        self
    }

    /// Adds a URI where users may be sent after a logout.
    #[must_use]
    pub fn post_logout_redirect_uri(mut self, uri: impl Into<String>) -> Self {
        self.post_logout_redirect_uris.push(uri.into());
        self
    }

    /// Allows this grant, and of the others only those that are allowed like this.
    #[must_use]
    pub fn grant_type(mut self, grant: GrantType) -> Self {
        self.grant_types.push(grant);
        self
    }

    /// Does not ask users to consent.
    #[must_use]
    pub const fn skip_consent(mut self) -> Self {
        self.skip_consent = true;
        self
    }

    /// Whether it has neither a secret nor keys.
    #[must_use]
    pub fn is_public(&self) -> bool {
        self.secret.is_none() && self.keys.is_empty()
    }

    /// Whether it may use this grant. A public client can neither use its own credentials nor
    /// exchange tokens.
    pub(crate) fn may_use(&self, grant: GrantType) -> bool {
        let for_all = matches!(
            grant,
            GrantType::AuthorizationCode | GrantType::RefreshToken | GrantType::DeviceCode
        );
        let is_allowed = self.grant_types.is_empty() || self.grant_types.contains(&grant);
        is_allowed && (for_all || !self.is_public())
    }

    /// The name on the tenant's pages.
    pub(crate) fn display_name(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.id)
    }
}

/// Without the secret.
impl fmt::Debug for OAuthClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OAuthClient")
            .field("id", &self.id)
            .field("is_public", &self.is_public())
            .field("redirect_uris", &self.redirect_uris)
            .field("any_loopback_redirect", &self.any_loopback_redirect)
            .field("grant_types", &self.grant_types)
            .finish_non_exhaustive()
    }
}
