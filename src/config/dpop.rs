//! Whether tokens may, or must, be bound to a key of the client (RFC 9449).

use std::time::Duration;

use secrecy::SecretString;
use url::Url;

use super::{Key, Resource, settings::Settings};

/// Which tokens are accepted with a proof of possession of a key (DPoP, RFC 9449).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum DpopMode {
    /// Bearer tokens, and tokens that are bound to a key with its proof.
    Allowed,
    /// Bearer tokens only. Tokens that are bound to a key are rejected.
    #[default]
    Disabled,
    /// Tokens that are bound to a key only.
    Required,
}

impl DpopMode {
    /// The word for it in the configuration and in documents.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Disabled => "disabled",
            Self::Required => "required",
        }
    }
}

/// How proofs are validated.
#[derive(Clone, Debug)]
pub(crate) struct DpopConfig {
    /// Never [`DpopMode::Disabled`].
    pub(crate) mode: DpopMode,
    /// The API as clients see it.
    pub(crate) url: Url,
    /// What a proxy removes from the path of each request.
    pub(crate) path_prefix: String,
    /// How far `iat` may differ from now.
    pub(crate) proof_lifetime: Duration,
    /// Whether every proof must contain a nonce.
    pub(crate) requires_nonce: bool,
    pub(crate) replay_cache: ReplayCacheConfig,
}

/// Where the proofs that were used are recorded.
#[derive(Clone, Debug)]
pub(crate) enum ReplayCacheConfig {
    Memory,
    /// A URL, which may hold a password.
    Redis(SecretString),
    /// The application's own.
    Store,
}

impl DpopConfig {
    /// The settings about DPoP; nothing if it is disabled.
    pub(super) fn validate(
        settings: &mut Settings,
        resource: Option<&Resource>,
        replay_cache: ReplayCacheConfig,
    ) -> Option<Self> {
        let modes = [DpopMode::Disabled, DpopMode::Allowed, DpopMode::Required];
        let words = modes.map(|mode| (mode.word(), mode));
        let mode = settings.word(Key::Dpop, &words, DpopMode::Disabled);
        let proof_lifetime = settings.seconds(Key::DpopProofLifetime, 60, 1..=300);
        let requires_nonce = settings.flag(Key::DpopNonce);
        let path_prefix = path_prefix(settings);
        if mode? == DpopMode::Disabled {
            refuse_without_dpop(settings, requires_nonce, &replay_cache);
            return None;
        }
        let Some(resource) = resource else {
            // Where it is set, what is wrong with it was said.
            if !settings.is_set(Key::Resource) {
                let why = "DPoP needs it, as the audience is not an https URL: the public URL of this \
                           API, such as https://api.example.com, which proofs must name";
                settings.missing(Key::Resource, why);
            }
            return None;
        };
        Some(Self {
            mode: mode?,
            url: resource.url.clone(),
            path_prefix,
            proof_lifetime,
            requires_nonce,
            replay_cache,
        })
    }
}

/// Settings that promise what is not done while DPoP is disabled.
fn refuse_without_dpop(
    settings: &mut Settings,
    requires_nonce: bool,
    replay_cache: &ReplayCacheConfig,
) {
    let key = match replay_cache {
        ReplayCacheConfig::Memory if requires_nonce => Key::DpopNonce,
        ReplayCacheConfig::Memory => return,
        ReplayCacheConfig::Redis(_) => Key::DpopReplayCache,
        ReplayCacheConfig::Store => Key::DpopReplayStore,
    };
    let dpop = Key::Dpop.variable();
    settings.refuse(key, format!("needs {dpop} to be `allowed` or `required`"));
}

/// RFC 3986 §3.3, as it stands in a URL.
fn path_prefix(settings: &mut Settings) -> String {
    let prefix = settings.parsed(Key::StrippedPathPrefix, |text| {
        let is_of_a_path = |byte: u8| byte.is_ascii_graphic() && !b"\\?#\"<>^`{|}".contains(&byte);
        let is_path = text.starts_with('/') && text.bytes().all(is_of_a_path);
        is_path.then(|| text.to_owned()).ok_or("must be a path such as /api/v1")
    });
    prefix.unwrap_or_default()
}
