//! The configuration: what a user says, from whatever source, becomes a [`Config`] whose every
//! invariant holds, or one list of all mistakes.
//!
//! `sources` layers what was said, `settings` reads it value by value, and [`Config::validate`] is the
//! one place that says which rule each value is under.

mod client;
mod dpop;
mod error;
mod fleet_key;
mod jwk;
mod key;
mod pem;
mod redis_url;
mod resource;
mod settings;
mod signing_key;
mod sources;
mod tenant_domain;
#[cfg(test)]
mod tests;
mod text;

use std::time::Duration;

use http::HeaderName;
use rustls::pki_types::CertificateDer;
use secrecy::{ExposeSecret, SecretString};

use settings::Settings;

use crate::{
    certificate::{CertificateBinding, header::CertificateHeader, key_pair::KeyPairFiles},
    clock::Clock,
    policy::{AuthorizationRules, GroupMatch},
};

pub use client::ClientAuthMethod;
pub(crate) use client::{ClientAuth, ClientConfig};
pub use dpop::DpopMode;
pub(crate) use dpop::{DpopConfig, ReplayCacheConfig};
pub use error::{ConfigError, ConfigProblem};
pub(crate) use fleet_key::{FleetKey, expand};
pub(crate) use key::Key;
pub(crate) use redis_url::{Address, Deployment, RedisUrl};
pub(crate) use resource::{Resource, WELL_KNOWN};
pub(crate) use signing_key::SigningKey;
pub(crate) use sources::Sources;
pub(crate) use tenant_domain::{TenantDomain, is_loopback};

/// The name of the security scheme in a document, unless
/// [`scheme_name`](crate::ProtectApiBuilder::scheme_name) sets another.
pub const SCHEME_NAME: &str = "MonoCloud";

const HOUR: u64 = 3_600;
const MEBIBYTE: u64 = 1024 * 1024;
const THIRTY_DAYS: u64 = 30 * 24 * HOUR;

/// A configuration that has been validated; secrets do not show in `Debug`.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) tenant: TenantDomain,
    /// What `aud` must contain, byte for byte.
    pub(crate) audience: String,
    /// The challenge's realm, where it is not the audience.
    pub(crate) realm: Option<String>,
    /// What the security scheme is called in documents.
    pub(crate) scheme_name: String,
    pub(crate) clock_skew: Duration,
    pub(crate) clock_tolerance: Duration,
    /// The client that introspects; without one there is no introspection.
    pub(crate) client: Option<ClientConfig>,
    pub(crate) introspect_jwt_tokens: bool,
    pub(crate) groups_claim: String,
    pub(crate) groups_match_all: bool,
    /// The memory for JWTs whose signature was verified, in bytes; zero turns the cache off.
    pub(crate) jwt_cache: u64,
    pub(crate) jwks_cache_duration: Duration,
    pub(crate) metadata_cache_duration: Duration,
    /// How long past expiry the last good documents serve.
    pub(crate) keys_outage_tolerance: Duration,
    pub(crate) introspection_cache: IntrospectionCacheConfig,
    /// Zero turns the cache off.
    pub(crate) introspection_cache_duration: Duration,
    /// There is one wherever a store is shared.
    pub(crate) fleet_key: Option<FleetKey>,
    pub(crate) certificate_binding: CertificateBinding,
    /// The one header that is trusted, if any is.
    pub(crate) client_certificate_header: Option<CertificateHeader>,
    /// For a whole exchange with the tenant, body included.
    pub(crate) response_timeout: Duration,
    /// Trusted for the tenant and for a cache in Redis, in addition to the system's roots.
    pub(crate) ca_certificates: Vec<CertificateDer<'static>>,
    /// The API's public URL (RFC 9728); the audience, if that is an https URL.
    pub(crate) resource: Option<Resource>,
    pub(crate) swagger_client_id: Option<String>,
    /// Nothing while DPoP is disabled.
    pub(crate) dpop: Option<DpopConfig>,
}

/// Where introspection verdicts are kept.
#[derive(Clone, Debug)]
pub(crate) enum IntrospectionCacheConfig {
    None,
    Memory,
    /// The URL of a Redis, which may hold a password.
    Redis(SecretString),
}

/// What a setting says about where values are kept.
enum SharedCache {
    Memory,
    Redis(SecretString),
}

impl Config {
    /// How claims are read for authorization.
    pub(crate) fn authorization_rules(&self, clock: Clock) -> AuthorizationRules {
        AuthorizationRules {
            groups_claim: self.groups_claim.clone(),
            default_match: if self.groups_match_all { GroupMatch::All } else { GroupMatch::Any },
            clock,
            clock_skew: self.clock_skew,
            clock_tolerance: self.clock_tolerance,
        }
    }

    /// The files of the certificate that introspection presents, if it presents one.
    pub(crate) fn client_key_pair(&self) -> Option<&KeyPairFiles> {
        match &self.client.as_ref()?.auth {
            ClientAuth::MutualTls { key_pair, .. } => key_pair.as_ref(),
            _ => None,
        }
    }

    /// Puts every setting under its rule. No mistake hides another.
    fn validate(mut settings: Settings) -> Result<Self, ConfigError> {
        let config = Self::read(&mut settings);
        if let Some(config) = &config
            && settings.is_flawless()
        {
            refuse_what_was_left_out(config, &mut settings);
        }
        match config {
            Some(config) if settings.is_flawless() => Ok(config),
            _ => Err(ConfigError::new(settings.into_problems())),
        }
    }

    /// A configuration that counts only if no mistake was noted on the way.
    fn read(settings: &mut Settings) -> Option<Self> {
        let plain_http = settings.flag(Key::DangerouslyAllowHttp);
        let tenant =
            settings.parsed(Key::TenantDomain, |text| TenantDomain::parse(text, plain_http));
        let audience = settings.parsed(Key::Audience, text::audience);
        for (key, example) in [
            (
                Key::TenantDomain,
                "write your tenant's domain as the MonoCloud dashboard shows it, such as acme.us.monocloud.com",
            ),
            (
                Key::Audience,
                "write this API's audience as the MonoCloud dashboard shows it, such as https://api.example.com",
            ),
        ] {
            if !settings.is_set(key) {
                settings.missing(key, &format!("it is required: {example}"));
            }
        }
        let introspection_cache = introspection_cache(settings);
        let replay_cache = replay_cache(settings);
        let is_store_shared = settings.flag(Key::IntrospectionCacheStore)
            || matches!(introspection_cache, IntrospectionCacheConfig::Redis(_))
            || !matches!(replay_cache, ReplayCacheConfig::Memory);
        let resource = Resource::validate(settings, audience.as_deref());
        let config = Self {
            realm: realm(settings),
            scheme_name: scheme_name(settings),
            client: ClientConfig::validate(settings),
            ca_certificates: pem::ca_certificates(settings),
            clock_skew: settings.seconds(Key::ClockSkew, 0, 0..=HOUR),
            clock_tolerance: settings.seconds(Key::ClockTolerance, 60, 0..=HOUR),
            introspect_jwt_tokens: settings.flag(Key::IntrospectJwtTokens),
            groups_claim: settings.text(Key::GroupsClaim).unwrap_or_else(|| "groups".to_owned()),
            groups_match_all: settings.flag(Key::GroupsMatchAll),
            jwt_cache: settings.bytes(Key::JwtCache, 8 * MEBIBYTE, 0..=1024 * MEBIBYTE),
            jwks_cache_duration: settings.seconds(Key::JwksCacheDuration, 300, 1..=THIRTY_DAYS),
            metadata_cache_duration: settings.seconds(
                Key::MetadataCacheDuration,
                300,
                1..=THIRTY_DAYS,
            ),
            keys_outage_tolerance: settings.seconds(
                Key::KeysOutageTolerance,
                6 * HOUR,
                0..=THIRTY_DAYS,
            ),
            introspection_cache,
            fleet_key: FleetKey::read(settings, is_store_shared),
            introspection_cache_duration: settings.seconds(
                Key::IntrospectionCacheDuration,
                300,
                0..=THIRTY_DAYS,
            ),
            certificate_binding: certificate_binding(settings),
            client_certificate_header: client_certificate_header(settings),
            response_timeout: settings.milliseconds(Key::ResponseTimeout, 10_000, 1_000..=60_000),
            dpop: DpopConfig::validate(settings, resource.as_ref(), replay_cache),
            resource,
            swagger_client_id: swagger_client_id(settings),
            // Last, so that their absence keeps no other setting from being read.
            tenant: tenant?,
            audience: audience?,
        };
        Some(config)
    }
}

/// Rejects, in a configuration that is right otherwise, what this build was made without.
fn refuse_what_was_left_out(config: &Config, settings: &mut Settings) {
    let replay_cache = config.dpop.as_ref().map(|dpop| &dpop.replay_cache);
    for (key, is_redis) in [
        (
            Key::IntrospectionCache,
            matches!(config.introspection_cache, IntrospectionCacheConfig::Redis(_)),
        ),
        (Key::DpopReplayCache, matches!(replay_cache, Some(ReplayCacheConfig::Redis(_)))),
    ] {
        if is_redis && !cfg!(feature = "redis") {
            let message = "a cache in Redis needs the feature `redis` of monocloud-backend; add it";
            settings.refuse(key, message);
        }
    }
}

/// A header can carry it as a quoted string.
fn realm(settings: &mut Settings) -> Option<String> {
    settings.parsed(Key::Realm, |text| {
        let printable = text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        printable.then(|| text.to_owned()).ok_or("must be printable ASCII")
    })
}

/// The name of a component (OpenAPI 3.0 §4.7.7).
fn scheme_name(settings: &mut Settings) -> String {
    let name = settings.parsed(Key::SchemeName, |text| {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        let rule = "must consist of letters, digits, `.`, `_` and `-`";
        text.bytes().all(is_allowed).then(|| text.to_owned()).ok_or(rule)
    });
    name.unwrap_or_else(|| SCHEME_NAME.to_owned())
}

fn introspection_cache(settings: &mut Settings) -> IntrospectionCacheConfig {
    match shared_cache(settings, Key::IntrospectionCache) {
        None => IntrospectionCacheConfig::None,
        Some(SharedCache::Memory) => IntrospectionCacheConfig::Memory,
        Some(SharedCache::Redis(url)) => IntrospectionCacheConfig::Redis(url),
    }
}

fn replay_cache(settings: &mut Settings) -> ReplayCacheConfig {
    if settings.flag(Key::DpopReplayStore) {
        return ReplayCacheConfig::Store;
    }
    match shared_cache(settings, Key::DpopReplayCache) {
        None | Some(SharedCache::Memory) => ReplayCacheConfig::Memory,
        Some(SharedCache::Redis(url)) => ReplayCacheConfig::Redis(url),
    }
}

/// Reads `memory` or the URL of a Redis.
fn shared_cache(settings: &mut Settings, key: Key) -> Option<SharedCache> {
    let secret = settings.secret(key)?;
    let text = secret.expose_secret().trim();
    if text == "memory" {
        return Some(SharedCache::Memory);
    }
    if !text.split_once("://").is_some_and(|(scheme, _)| RedisUrl::SCHEMES.contains(&scheme)) {
        let rule = "must be `memory`, or a URL that starts with redis://, redis+sentinel:// or \
                    redis+cluster://, each with rediss for TLS";
        settings.refuse(key, rule);
        return None;
    }
    if let Err(rule) = RedisUrl::parse(text) {
        settings.refuse(key, rule);
    }
    Some(SharedCache::Redis(SecretString::from(text)))
}

fn certificate_binding(settings: &mut Settings) -> CertificateBinding {
    let words = [
        ("when_present", CertificateBinding::WhenPresent),
        ("required", CertificateBinding::Required),
        ("dangerously_ignore", CertificateBinding::DangerouslyIgnore),
    ];
    let default = CertificateBinding::default();
    let binding = settings.word(Key::ValidateCertificateBinding, &words, default);
    binding.unwrap_or(default)
}

fn client_certificate_header(settings: &mut Settings) -> Option<CertificateHeader> {
    let name = settings.parsed(Key::ClientCertificateHeader, |text| {
        HeaderName::from_bytes(text.as_bytes())
            .map_err(|_| "is not a header name; write one such as X-Client-Cert")
    });
    let last_counts = settings.flag(Key::LastForwardedCertificate);
    let is_set = settings.is_set(Key::ClientCertificateHeader);
    let is_list = name.as_ref().is_some_and(CertificateHeader::is_list);
    if last_counts && !is_list && (name.is_some() || !is_set) {
        let variable = Key::ClientCertificateHeader.variable();
        let message = format!("needs {variable} to be X-Forwarded-Client-Cert, the only list");
        settings.refuse(Key::LastForwardedCertificate, message);
    }
    Some(CertificateHeader::new(name?, last_counts))
}

/// The browser's client is public; this API's own has a secret to keep.
fn swagger_client_id(settings: &mut Settings) -> Option<String> {
    let id = settings.text(Key::SwaggerClientId)?;
    if settings.text(Key::ClientId).as_ref() == Some(&id) {
        let own = Key::ClientId.variable();
        let message = format!("must be a public client of its own, not that of {own}");
        settings.refuse(Key::SwaggerClientId, message);
    }
    Some(id)
}
