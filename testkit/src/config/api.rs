//! APIs, and how long what the tenant issues is valid.

use serde::Deserialize;

/// An API that tokens are issued for.
///
/// ```
/// use monocloud_testkit::Api;
///
/// let api = Api::new("https://orders.example.com").scope("orders:read orders:write").opaque();
/// assert_eq!(api.scopes, ["orders:read", "orders:write"]);
/// ```
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Api {
    /// The `aud` claim, and the value of `resource` that requests it (RFC 8707 §2).
    pub audience: String,
    /// The scopes that can be requested; any scope if there are none.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// How long its access tokens are valid, in seconds; that of all tokens by default.
    #[serde(default)]
    pub lifetime: Option<u32>,
    /// The form of its access tokens.
    #[serde(default)]
    pub tokens: TokenFormat,
}

/// The form of access tokens.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, PartialEq)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TokenFormat {
    /// Signed JWTs (RFC 9068).
    #[default]
    Jwt,
    /// Random characters, whose claims introspection reveals (RFC 7662).
    Opaque,
}

/// How long what the tenant issues is valid, in seconds.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Lifetimes {
    /// An access token: an hour by default.
    pub access_token: u32,
    /// An ID token: an hour by default.
    pub id_token: u32,
    /// A refresh token, from its last use: 30 days by default.
    pub refresh_token: u32,
    /// An authorization code: a minute by default.
    pub authorization_code: u32,
    /// A device code and its user code: ten minutes by default.
    pub device_code: u32,
    /// A login in a browser: eight hours by default.
    pub session: u32,
}

impl Default for Lifetimes {
    fn default() -> Self {
        Self {
            access_token: 3600,
            id_token: 3600,
            refresh_token: 30 * 24 * 3600,
            authorization_code: 60,
            device_code: 600,
            session: 8 * 3600,
        }
    }
}

impl Api {
    /// An API with this audience, any scope, and JWTs.
    #[must_use]
    pub fn new(audience: impl Into<String>) -> Self {
        Self {
            audience: audience.into(),
            scopes: Vec::new(),
            lifetime: None,
            tokens: TokenFormat::Jwt,
        }
    }

    /// Adds scopes that can be requested: one, or several separated by spaces.
    #[must_use]
    pub fn scope(mut self, scopes: &str) -> Self {
        self.scopes.extend(scopes.split_whitespace().map(str::to_owned));
        self
    }

    /// Sets how long its access tokens are valid, in seconds.
    #[must_use]
    pub const fn lifetime(mut self, seconds: u32) -> Self {
        self.lifetime = Some(seconds);
        self
    }

    /// Issues opaque access tokens.
    #[must_use]
    pub const fn opaque(mut self) -> Self {
        self.tokens = TokenFormat::Opaque;
        self
    }
}
