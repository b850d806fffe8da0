//! The parts of an API that depend on the configuration.

use std::sync::Arc;

#[cfg(feature = "redis")]
use secrecy::ExposeSecret;

use crate::{
    certificate::key_pair::ReloadingKeyPair,
    clock::Clock,
    config::{Config, ConfigError, DpopConfig, IntrospectionCacheConfig, Key},
    dpop::{Dpop, DpopKeys, ReplayStore},
    introspection::cache::{IntrospectionCache, Sealer, SharedStore, SharingRules, VerdictCache},
    tenant::{
        connector::{Connector, MutualTlsClient},
        http::{Http, HttpClient},
    },
};
#[cfg(feature = "redis")]
use crate::{config::ReplayCacheConfig, redis::RedisCache};

/// The way to the tenant's documents, and the way to introspection, which alone presents a
/// certificate.
pub(super) fn doors(
    own_client: Option<Arc<dyn HttpClient>>,
    config: &Config,
    clock: &Clock,
) -> Result<(Http, Http), ConfigError> {
    let http = |client| Http::new(client, config.response_timeout, clock.clone());
    if let Some(client) = own_client {
        return Ok((http(Arc::clone(&client)), http(client)));
    }
    let untrusting = |error| ConfigError::of(&Key::CaCertificateFile.variable(), error);
    let connector = Connector::new(config).map_err(|error| untrusting(error.into()))?;
    let documents = http(Arc::new(connector.client().map_err(untrusting)?));
    let introspection = match config.client_key_pair() {
        None => documents.clone(),
        Some(files) => {
            let key_pair = ReloadingKeyPair::open(files.clone())
                .map_err(|error| ConfigError::of(&Key::ClientCertificateFile.variable(), error))?;
            http(Arc::new(MutualTlsClient::new(connector, key_pair).map_err(untrusting)?))
        }
    };
    Ok((documents, introspection))
}

/// Where results of introspection are kept.
pub(super) fn verdict_cache(
    config: &Config,
    own_store: Option<Arc<dyn IntrospectionCache>>,
    clock: &Clock,
) -> Result<VerdictCache, ConfigError> {
    let duration = config.introspection_cache_duration;
    let is_on = !duration.is_zero();
    let store = match (own_store, &config.introspection_cache) {
        (Some(store), _) if is_on => store,
        (None, IntrospectionCacheConfig::Memory) if is_on => {
            return Ok(VerdictCache::in_memory(duration, clock.clone()));
        }
        #[cfg(feature = "redis")]
        (None, IntrospectionCacheConfig::Redis(url)) if is_on => {
            Arc::new(RedisCache::trusting(url.expose_secret(), &config.ca_certificates)?)
        }
        _ => {
            tracing::info!(
                name: "configuration.no_introspection_cache",
                "every request with an opaque token costs a call to the tenant; \
                 set {} to keep its answers for a while",
                Key::IntrospectionCache.variable()
            );
            return Ok(VerdictCache::refusals_only(clock.clone()));
        }
    };
    let unusable = |reason| ConfigError::of(&Key::FleetKey.variable(), reason);
    let key = config.fleet_key.as_ref().ok_or_else(|| unusable("a shared store needs it"))?;
    let sealer = Sealer::new(key).map_err(|_| unusable("no key can be derived from it"))?;
    let rules = SharingRules { duration, clock_tolerance: config.clock_tolerance };
    Ok(VerdictCache::shared(SharedStore::new(store, sealer, rules, clock.clone())))
}

/// What validates proofs.
pub(super) fn dpop(
    config: &Config,
    dpop: &DpopConfig,
    own_store: Option<Arc<dyn ReplayStore>>,
    clock: &Clock,
) -> Result<Dpop, ConfigError> {
    let store = match (own_store, &dpop.replay_cache) {
        #[cfg(feature = "redis")]
        (None, ReplayCacheConfig::Redis(url)) => {
            let cache = RedisCache::trusting(url.expose_secret(), &config.ca_certificates)?;
            Some(Arc::new(cache) as Arc<dyn ReplayStore>)
        }
        (own_store, _) => own_store,
    };
    if dpop.requires_nonce && config.fleet_key.is_none() {
        tracing::info!(
            name: "configuration.no_fleet_key",
            "nonces for DPoP proofs are known to this process only; set {} where several serve this API",
            Key::FleetKey.variable()
        );
    }
    let keys = DpopKeys::new(config.fleet_key.as_ref())
        .map_err(|_| ConfigError::of(&Key::FleetKey.variable(), "no key can be derived from it"))?;
    Ok(Dpop::new(dpop, &keys, store, config.clock_skew, config.clock_tolerance, clock))
}
