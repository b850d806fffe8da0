//! The endpoints of a tenant.

/// An endpoint of the tenant. Requests to each are counted separately.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Endpoint {
    /// The discovery document (OpenID Connect Discovery §4).
    Discovery,
    /// The JSON Web Key Set (RFC 7517 §5).
    Jwks,
    /// Token introspection (RFC 7662 §2).
    Introspection,
    /// A URL that no API may ever fetch: hostile tokens name it in their `jku` and `x5u` headers.
    /// It serves the attacker's keys.
    Canary,
}

impl Endpoint {
    pub(crate) const ALL: [Self; 4] =
        [Self::Discovery, Self::Jwks, Self::Introspection, Self::Canary];

    /// The path below the issuer.
    pub(crate) const fn path(self) -> &'static str {
        match self {
            Self::Discovery => "/.well-known/openid-configuration",
            Self::Jwks => "/.well-known/openid-configuration/jwks",
            Self::Introspection => "/connect/introspect",
            Self::Canary => "/canary",
        }
    }
}
