//! The tenant: its metadata and its keys, the only state that is not ours.
//!
//! - `http`: the door to the network, and what the tenant's answers mean
//! - `connector`: the clients that are built in, with and without a certificate
//! - `refresh`: a value that is fetched, kept, and fetched again
//! - `flight`: work that many wait for and nobody can cancel
//! - `metadata`: the discovery document
//! - `unknown_kid`: what a token with an unknown key may cost
//! - `introspection`: what the tenant says of a token
//! - `client_auth`, `assertion`: how this API proves who it is when it asks
//! - `cache`: what the tenant said, kept for a while
//! - `checkup`: what the tenant says at this moment, for a diagnosis

mod assertion;
pub(crate) mod cache;
mod checkup;
pub(crate) mod client_auth;
pub(crate) mod connector;
mod flight;
pub(crate) mod http;
pub(crate) mod introspection;
pub(crate) mod metadata;
mod refresh;
mod unknown_kid;

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use ::http::{HeaderMap, header::CACHE_CONTROL};
use url::Url;

use self::{
    cache::VerdictCache,
    client_auth::ClientAuthentication,
    http::Http,
    introspection::Introspector,
    metadata::{EndpointRule, IntrospectionEndpoint, Metadata},
    refresh::{Fetched, Lifetimes, Loaded, Refreshing, Unavailable},
    unknown_kid::{AbsentKids, FetchBudget},
};
use crate::{
    claims::{Claims, Expectations},
    clock::Clock,
    config::Config,
    error::{Error, Internal, InvalidToken, TenantError},
    jwks::KeySet,
    jwt::UnverifiedJwt,
};

/// Longer metadata is not read, in bytes.
const MAX_METADATA: usize = 256 * 1024;

/// A longer key set is not read, in bytes.
const MAX_JWKS: usize = 1024 * 1024;

/// How long a document of ours waits for the tenant's.
const METADATA_PATIENCE: Duration = Duration::from_secs(2);

/// What a tenant is, and how long its documents live.
#[derive(Debug)]
pub(crate) struct TenantConfig {
    pub(crate) issuer: String,
    pub(crate) discovery_url: Url,
    pub(crate) endpoint_rule: EndpointRule,
    pub(crate) introspection_endpoint: IntrospectionEndpoint,
    pub(crate) metadata: Lifetimes,
    pub(crate) keys: Lifetimes,
}

impl TenantConfig {
    fn read_metadata(&self, document: &[u8]) -> Result<Metadata, TenantError> {
        let Self { issuer, endpoint_rule, introspection_endpoint, .. } = self;
        Metadata::parse(document, issuer, *endpoint_rule, introspection_endpoint)
    }
}

impl From<&Config> for TenantConfig {
    fn from(config: &Config) -> Self {
        let tenant = &config.tenant;
        let outage_tolerance = config.keys_outage_tolerance;
        Self {
            issuer: tenant.issuer().to_owned(),
            discovery_url: tenant.discovery_url(),
            endpoint_rule: match (tenant.allows_http(), tenant.is_loopback()) {
                (false, _) => EndpointRule::Https,
                (true, true) => EndpointRule::HttpOnLoopback,
                (true, false) => EndpointRule::Http,
            },
            introspection_endpoint: IntrospectionEndpoint::of(config.client.as_ref()),
            metadata: Lifetimes { fresh: config.metadata_cache_duration, outage_tolerance },
            keys: Lifetimes { fresh: config.jwks_cache_duration, outage_tolerance },
        }
    }
}

/// A tenant's remote state.
pub(crate) struct Tenant {
    config: Arc<TenantConfig>,
    /// The way to its documents.
    http: Http,
    clock: Clock,
    metadata: Refreshing<Metadata>,
    keys: Refreshing<KeySet>,
    unknown_kids: Mutex<UnknownKids>,
}

#[derive(Default)]
struct UnknownKids {
    budget: FetchBudget,
    absent: AbsentKids,
}

impl Tenant {
    pub(crate) fn new(config: TenantConfig, http: Http, clock: Clock) -> Self {
        let config = Arc::new(config);
        let metadata = {
            let (config, http) = (Arc::clone(&config), http.clone());
            Refreshing::new(config.metadata, clock.clone(), move || {
                Box::pin(fetch_metadata(Arc::clone(&config), http.clone()))
            })
        };
        let keys = {
            let (metadata, http) = (metadata.clone(), http.clone());
            let has_usable_keys = Arc::new(AtomicBool::new(false));
            Refreshing::new(config.keys, clock.clone(), move || {
                Box::pin(fetch_keys(metadata.clone(), http.clone(), Arc::clone(&has_usable_keys)))
            })
        };
        Self { config, http, clock, metadata, keys, unknown_kids: Mutex::default() }
    }

    /// Fetches what the first request would have to wait for.
    pub(crate) async fn warm_up(&self) -> Result<(), Error> {
        self.keys.get().await.map(drop).map_err(Error::from)
    }

    /// Asks this tenant about tokens, as `client` and through `http`.
    pub(crate) fn introspector(
        &self,
        http: Http,
        client: ClientAuthentication,
        expectations: Expectations,
        cache: VerdictCache,
        config: &Config,
    ) -> Introspector {
        Introspector::new(introspection::Inner {
            metadata: self.metadata.clone(),
            http,
            client,
            expectations,
            cache,
            cache_duration: config.introspection_cache_duration,
            response_timeout: config.response_timeout,
            clock: self.clock.clone(),
            calls: introspection::Calls::default(),
        })
    }

    /// The tenant's metadata, if it can be had within a moment.
    pub(crate) async fn metadata(&self) -> Option<Arc<Loaded<Metadata>>> {
        tokio::time::timeout(METADATA_PATIENCE, self.metadata.get()).await.ok()?.ok()
    }

    /// Reads metadata that came another way, under the same rules.
    pub(crate) fn read_metadata(&self, document: &[u8]) -> Result<Metadata, TenantError> {
        self.config.read_metadata(document)
    }

    /// Verifies a JWT with the tenant's keys.
    pub(crate) async fn verify(&self, jwt: UnverifiedJwt<'_>) -> Result<Claims, Error> {
        let flights_before = self.keys.flights();
        let mut keys = self.keys.get().await?;
        if let Some(kid) = jwt.kid.as_deref()
            && !keys.value.contains(kid)
        {
            keys = self.keys_with(kid, keys, flights_before).await?;
        }
        let verifier =
            keys.value.find(jwt.kid.as_deref(), jwt.algorithm).map_err(Error::InvalidToken)?;
        jwt.verified(|input, signature| verifier.verify(input, signature))
            .map_err(Error::InvalidToken)
    }

    /// Looks for a key that the loaded set does not have, as far as the budget allows.
    ///
    /// A set that was asked for after the token arrived is the last word. An older one, or one
    /// whose flight was in the air already, may have missed a rotation.
    async fn keys_with(
        &self,
        kid: &str,
        mut keys: Arc<Loaded<KeySet>>,
        flights_before: u64,
    ) -> Result<Arc<Loaded<KeySet>>, Error> {
        while keys.flight <= flights_before {
            if self.unknown_kids().absent.contains(kid, keys.flight) {
                break;
            }
            let permit = || self.unknown_kids().budget.take(self.clock.monotonic());
            keys = match self.keys.reload(keys.flight, permit).await {
                Some(landing) => landing?,
                None => match self.keys.failure() {
                    Some(failure) => return Err(failure.into()),
                    None => break,
                },
            };
            if keys.value.contains(kid) {
                return Ok(keys);
            }
        }
        if keys.flight > flights_before {
            self.unknown_kids().absent.remember(kid, keys.flight);
        }
        tracing::debug!(kid, "no key of the tenant has this kid");
        Err(Error::InvalidToken(InvalidToken::UnknownKey))
    }

    /// Never poisoned for long: nothing that can panic runs under the lock.
    fn unknown_kids(&self) -> MutexGuard<'_, UnknownKids> {
        self.unknown_kids.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl From<Unavailable> for Error {
    fn from(Unavailable { error, retry_after }: Unavailable) -> Self {
        if error.is_permanent() {
            return Self::Internal(Internal::Tenant(error));
        }
        Self::Unavailable { retry_after: retry_after.max(Duration::from_secs(1)), source: error }
    }
}

async fn fetch_metadata(
    config: Arc<TenantConfig>,
    http: Http,
) -> Result<Fetched<Metadata>, TenantError> {
    let response = http.get(&config.discovery_url, MAX_METADATA).await?;
    let metadata = config.read_metadata(response.body())?;
    Ok(Fetched { value: metadata, max_age: max_age(response.headers()) })
}

async fn fetch_keys(
    metadata: Refreshing<Metadata>,
    http: Http,
    has_usable_keys: Arc<AtomicBool>,
) -> Result<Fetched<KeySet>, TenantError> {
    let metadata = metadata.get_at_once().await.map_err(|unavailable| unavailable.error)?;
    let response = http.get(&metadata.value.jwks_uri, MAX_JWKS).await?;
    let refused =
        |reason: &str| TenantError::Document { document: "key set", reason: reason.into() };
    let keys = KeySet::parse(response.body()).map_err(refused)?;
    // A set of which nothing can be used must not take the place of a good one.
    if keys.is_usable() {
        has_usable_keys.store(true, Ordering::Relaxed);
    } else if has_usable_keys.load(Ordering::Relaxed) {
        return Err(refused("it holds no usable key"));
    }
    Ok(Fetched { value: keys, max_age: max_age(response.headers()) })
}

/// `max-age` (RFC 9111 §5.2.2.1), wherever it stands in Cache-Control.
fn max_age(headers: &HeaderMap) -> Option<Duration> {
    let directives = headers.get_all(CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    let mut ages = directives.flat_map(|value| value.split(',')).filter_map(|directive| {
        let (name, seconds) = directive.trim().split_once('=')?;
        name.eq_ignore_ascii_case("max-age").then(|| seconds.trim_matches('"').parse().ok())?
    });
    ages.next().map(Duration::from_secs)
}
