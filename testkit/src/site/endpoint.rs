//! The endpoints of a tenant.

/// An endpoint of the tenant. Requests to each are counted separately, without the preflights of
/// browsers.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Endpoint {
    /// The discovery document (OpenID Connect Discovery §4), also at the path that RFC 8414 §3.1
    /// gives it if the issuer has one.
    Discovery,
    /// The same document as authorization server metadata (RFC 8414 §3), with the path of the
    /// issuer before or after the well-known part.
    AuthorizationServer,
    /// The JSON Web Key Set (RFC 7517 §5).
    Jwks,
    /// The login of users (RFC 6749 §3.1, OpenID Connect Core §3.1.2).
    Authorize,
    /// Tokens for clients (RFC 6749 §3.2).
    Token,
    /// Codes for devices without a browser (RFC 8628 §3.1).
    DeviceAuthorization,
    /// The page where a user connects a device (RFC 8628 §3.3).
    Device,
    /// Token introspection (RFC 7662 §2).
    Introspection,
    /// Token revocation (RFC 7009 §2).
    Revocation,
    /// Claims about the user (OpenID Connect Core §5.3).
    Userinfo,
    /// Logout (OpenID Connect RP-Initiated Logout §2).
    EndSession,
    /// Client registration (RFC 7591 §3).
    Registration,
    /// A URL that no API may ever fetch: hostile tokens name it in their `jku` and `x5u` headers.
    /// It serves the attacker's keys.
    Canary,
}

impl Endpoint {
    pub(crate) const ALL: [Self; 13] = [
        Self::Discovery,
        Self::AuthorizationServer,
        Self::Jwks,
        Self::Authorize,
        Self::Token,
        Self::DeviceAuthorization,
        Self::Device,
        Self::Introspection,
        Self::Revocation,
        Self::Userinfo,
        Self::EndSession,
        Self::Registration,
        Self::Canary,
    ];

    /// The name in snake case, as the control API and the log have it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Discovery => "discovery",
            Self::AuthorizationServer => "authorization_server",
            Self::Jwks => "jwks",
            Self::Authorize => "authorize",
            Self::Token => "token",
            Self::DeviceAuthorization => "device_authorization",
            Self::Device => "device",
            Self::Introspection => "introspection",
            Self::Revocation => "revocation",
            Self::Userinfo => "userinfo",
            Self::EndSession => "end_session",
            Self::Registration => "registration",
            Self::Canary => "canary",
        }
    }

    /// The path below the issuer.
    pub(crate) const fn path(self) -> &'static str {
        match self {
            Self::Discovery => "/.well-known/openid-configuration",
            Self::AuthorizationServer => "/.well-known/oauth-authorization-server",
            Self::Jwks => "/.well-known/openid-configuration/jwks",
            Self::Authorize => "/connect/authorize",
            Self::Token => "/connect/token",
            Self::DeviceAuthorization => "/connect/deviceauthorization",
            Self::Device => "/device",
            Self::Introspection => "/connect/introspect",
            Self::Revocation => "/connect/revocation",
            Self::Userinfo => "/connect/userinfo",
            Self::EndSession => "/connect/endsession",
            Self::Registration => "/connect/register",
            Self::Canary => "/canary",
        }
    }

    /// In bytes. A larger body is read, but not kept. What clients send to the authorization server
    /// has the limit of URIs, for it may be remembered for as long as a user thinks.
    pub(crate) const fn largest_body(self) -> usize {
        match self {
            Self::Discovery
            | Self::AuthorizationServer
            | Self::Jwks
            | Self::Introspection
            | Self::Canary => 1024 * 1024,
            _ => 64 * 1024,
        }
    }

    /// The endpoint at this path of a tenant whose issuer has the path `base`, which is empty or
    /// starts with a slash.
    pub(crate) fn at(path: &str, base: &str) -> Option<Self> {
        // RFC 8414 §3.1.
        let inserted = [Self::Discovery, Self::AuthorizationServer].into_iter();
        let mut inserted =
            inserted.filter(|endpoint| path.strip_prefix(endpoint.path()) == Some(base));
        inserted.next().or_else(|| {
            let path = path.strip_prefix(base)?;
            Self::ALL.into_iter().find(|endpoint| endpoint.path() == path)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_has_one_path_and_metadata_has_two() {
        for endpoint in Endpoint::ALL {
            assert_eq!(Endpoint::at(endpoint.path(), ""), Some(endpoint));
            let below = format!("/acme{}", endpoint.path());
            assert_eq!(Endpoint::at(&below, "/acme"), Some(endpoint));
        }
        for endpoint in [Endpoint::Discovery, Endpoint::AuthorizationServer] {
            let inserted = format!("{}/acme", endpoint.path());
            assert_eq!(Endpoint::at(&inserted, "/acme"), Some(endpoint));
            assert_eq!(Endpoint::at(endpoint.path(), "/acme"), None);
        }
        assert_eq!(Endpoint::at("/connect/token/acme", "/acme"), None);
    }
}
