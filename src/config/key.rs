//! The settings, one row each: names, secrecy and order follow from this table alone.

/// The prefix of every variable.
pub(super) const PREFIX: &str = "MONOCLOUD_BACKEND_";

/// Who may give a setting, and who may see it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Any source; its value may be shown.
    Plain,
    /// Any source; its value is never shown, and it may be given as `…_file`.
    Secret,
    /// The builder alone.
    Code,
}

macro_rules! settings {
    ($($(#[$doc:meta])+ $key:ident = $name:literal, $kind:ident;)+) => {
        /// A setting. The order is that of the documentation and of every list of mistakes.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[expect(clippy::enum_variant_names, reason = "`FleetKey` is named like its variable")]
        pub(crate) enum Key {
            $($(#[$doc])+ $key,)+
        }

        impl Key {
            /// Every setting, in order.
            pub(crate) const ALL: &[Self] = &[$(Self::$key,)+];

            /// The key in a file; in upper case and prefixed, the variable.
            pub(crate) const fn name(self) -> &'static str {
                match self {
                    $(Self::$key => $name,)+
                }
            }

            const fn kind(self) -> Kind {
                match self {
                    $(Self::$key => Kind::$kind,)+
                }
            }
        }
    };
}

settings! {
    /// The tenant whose tokens are accepted: a host name or a URL.
    TenantDomain = "tenant_domain", Plain;
    /// What a token's `aud` must contain, byte for byte.
    Audience = "audience", Plain;
    /// The challenge's realm, where it is not the audience.
    Realm = "realm", Code;
    /// The name of the security scheme in documents.
    SchemeName = "scheme_name", Code;
    /// Accept an `http://` tenant on another machine.
    DangerouslyAllowHttp = "dangerously_allow_http", Code;
    /// The client this API is at the tenant.
    ClientId = "client_id", Plain;
    /// The client's secret: plain text, or a JWK as JSON text.
    ClientSecret = "client_secret", Secret;
    /// How the client authenticates.
    ClientAuthMethod = "client_auth_method", Plain;
    /// PEM: the client's certificate chain.
    ClientCertificateFile = "client_certificate_file", Plain;
    /// PEM: the certificate's private key.
    ClientKeyFile = "client_key_file", Plain;
    /// The JWT-SVID of `spiffe_jwt`.
    ClientAssertionFile = "client_assertion_file", Plain;
    /// Whether the application provides the JWT-SVID itself.
    SvidProvider = "svid_provider", Code;
    /// Whether the application sends requests to the tenant itself, and so presents the certificate.
    HttpClient = "http_client", Code;
    /// PEM: authorities trusted for the tenant beside the system's.
    CaCertificateFile = "ca_certificate_file", Plain;
    /// Which of `mtls_additional_endpoint_aliases` to call.
    TrustStoreId = "trust_store_id", Plain;
    /// Seconds by which our clock is moved forward.
    ClockSkew = "clock_skew", Plain;
    /// Seconds by which both ends of a token's life are stretched.
    ClockTolerance = "clock_tolerance", Plain;
    /// Whether JWTs are introspected too.
    IntrospectJwtTokens = "introspect_jwt_tokens", Plain;
    /// The claim that lists a user's groups.
    GroupsClaim = "groups_claim", Plain;
    /// Whether all groups are needed where a policy does not say.
    GroupsMatchAll = "groups_match_all", Plain;
    /// Bytes for JWTs whose signature was verified.
    JwtCache = "jwt_cache", Plain;
    /// Seconds a key set is fresh.
    JwksCacheDuration = "jwks_cache_duration", Plain;
    /// Seconds the tenant's metadata is fresh.
    MetadataCacheDuration = "metadata_cache_duration", Plain;
    /// Seconds past expiry for which the last good documents serve.
    KeysOutageTolerance = "keys_outage_tolerance", Plain;
    /// Where introspection verdicts are kept.
    IntrospectionCache = "introspection_cache", Secret;
    /// Whether the application keeps introspection verdicts in a store of its own.
    IntrospectionCacheStore = "introspection_cache_store", Code;
    /// Seconds a verdict is kept.
    IntrospectionCacheDuration = "introspection_cache_duration", Plain;
    /// What is asked of a token's certificate binding.
    ValidateCertificateBinding = "validate_certificate_binding", Plain;
    /// The header in which a trusted proxy hands on the client's certificate.
    ClientCertificateHeader = "client_certificate_header", Plain;
    /// Whether the last of several elements of `X-Forwarded-Client-Cert` is read.
    LastForwardedCertificate = "last_forwarded_certificate_counts", Code;
    /// Milliseconds a whole exchange with the tenant may take.
    ResponseTimeout = "response_timeout", Plain;
    /// The API's own public URL.
    Resource = "resource", Plain;
    /// What the API's metadata calls it.
    ResourceName = "resource_name", Code;
    /// The page about the API that its metadata names.
    ResourceDocumentation = "resource_documentation", Code;
    /// Whether tokens may, or must, be bound to a key.
    Dpop = "dpop", Plain;
    /// Seconds by which the time of a proof may differ from now.
    DpopProofLifetime = "dpop_proof_lifetime", Plain;
    /// Whether proofs must contain a nonce of this API.
    DpopNonce = "dpop_nonce", Plain;
    /// Where the proofs that were used are recorded.
    DpopReplayCache = "dpop_replay_cache", Secret;
    /// Whether the application records the proofs that were used in a store of its own.
    DpopReplayStore = "dpop_replay_store", Code;
    /// What a proxy removes from the path of each request.
    StrippedPathPrefix = "stripped_path_prefix", Code;
    /// The secret that the instances of one API share, and that no store knows.
    FleetKey = "fleet_key", Secret;
    /// The public client of the login on `/docs`.
    SwaggerClientId = "swagger_client_id", Plain;
}

impl Key {
    /// The variable of this setting.
    pub(crate) fn variable(self) -> String {
        variable(self.name())
    }

    /// The name under which a file that holds this secret is given.
    pub(super) fn file_twin(self) -> Option<String> {
        self.is_secret().then(|| format!("{}_file", self.name()))
    }

    /// Whether the value must never be shown.
    pub(super) fn is_secret(self) -> bool {
        self.kind() == Kind::Secret
    }
}

/// The variable that carries the key `name`.
pub(super) fn variable(name: &str) -> String {
    format!("{PREFIX}{}", name.to_ascii_uppercase())
}

/// Every name a file or the environment may use, twins included.
pub(super) fn names() -> impl Iterator<Item = String> {
    let open = Key::ALL.iter().filter(|key| key.kind() != Kind::Code);
    open.flat_map(|key| [Some(key.name().to_owned()), key.file_twin()]).flatten()
}

/// The candidate that a mistyped word most resembles.
pub(super) fn nearest(word: &str, candidates: impl Iterator<Item = String>) -> String {
    let word = word.to_ascii_lowercase();
    candidates
        .max_by(|a, b| closeness(&word, a).total_cmp(&closeness(&word, b)))
        .unwrap_or_default()
}

/// Whether a word that is not a known name was probably meant as `name`.
pub(super) fn is_meant_as(word: &str, name: &str) -> bool {
    let word = word.to_ascii_lowercase();
    (closeness(&word, name) > 0.8 || is_part(&word, name)) && nearest(&word, names()) == name
}

/// From 0 to 1. A word that a name ends with counts for much: `DOMAIN` is short for
/// `tenant_domain`.
fn closeness(word: &str, name: &str) -> f64 {
    let part = if is_part(word, name) { 0.9 } else { 0.0 };
    strsim::jaro_winkler(word, name).max(part)
}

/// Whether the word is one or more whole words of the name, at either end.
fn is_part(word: &str, name: &str) -> bool {
    let is_end = |rest: Option<&str>| rest.is_some_and(|rest| rest.starts_with('_'));
    is_end(name.strip_prefix(word)) || name.strip_suffix(word).is_some_and(|it| it.ends_with('_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_has_a_file_twin_and_what_only_code_may_say_has_no_name() {
        let names: Vec<String> = names().collect();
        for known in ["client_secret_file", "introspection_cache_file", "resource"] {
            assert!(names.iter().any(|name| name == known), "{known}");
        }
        for unknown in ["realm", "dangerously_allow_http", "audience_file"] {
            assert!(names.iter().all(|name| name != unknown), "{unknown}");
        }
    }

    #[test]
    fn a_name_is_meant_by_what_is_nearly_it_or_a_part_of_it() {
        for (typed, name, expected) in [
            ("TENANT_DOMIAN", "tenant_domain", true),
            ("DOMAIN", "tenant_domain", true),
            ("TENANT", "tenant_domain", true),
            ("AUD", "audience", true),
            ("CLIENT_SECRETS", "client_secret", true),
            ("CLIENT_SECRETS", "client_id", false),
            ("REALM", "tenant_domain", false),
            ("FOO", "audience", false),
            ("", "audience", false),
        ] {
            assert_eq!(is_meant_as(typed, name), expected, "{typed} as {name}");
        }
    }

    #[test]
    fn a_typing_mistake_finds_the_name_it_meant() {
        for (typed, meant) in [
            ("CLOK_SKEW", "clock_skew"),
            ("audiance", "audience"),
            ("INTROSPECT_JWT", "introspect_jwt_tokens"),
            ("jwks_cache_ttl", "jwks_cache_duration"),
            ("client_secrets_file", "client_secret_file"),
            ("TENANT", "tenant_domain"),
            ("DOMAIN", "tenant_domain"),
        ] {
            assert_eq!(nearest(typed, names()), meant, "{typed}");
        }
    }
}
