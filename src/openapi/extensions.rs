//! The names of this library's extensions to OpenAPI documents.

/// On an operation: the groups that a token must carry. A list, of which the configuration says how
/// many are needed, or an object with one member, `any` or `all`.
pub const GROUPS: &str = "x-monocloud-groups";

/// On this library's security scheme: which tokens must be bound to a certificate (RFC 8705).
pub const CERTIFICATE_BINDING: &str = "x-monocloud-certificate-binding";

/// On this library's security scheme: whether tokens may be bound to a key (RFC 9449).
pub(super) const DPOP: &str = "x-monocloud-dpop";

/// On this library's security scheme: which scopes imply others.
pub(super) const IMPLIES: &str = "x-monocloud-implies";

/// On this library's security scheme: the tenant's endpoints are missing.
pub(super) const INCOMPLETE: &str = "x-monocloud-incomplete";
