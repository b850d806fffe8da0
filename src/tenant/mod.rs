//! The tenant: its metadata and its keys, the only state that is not ours.
//!
//! - `http`, `body`: requests to the tenant, and what its responses mean
//! - `connector`, `connection`: the built-in clients, with and without a certificate
//! - `documents`: the metadata and the key set, and the task that keeps them fresh
//! - `refresh`, `back_off`: a value that is fetched, kept, and fetched again
//! - `flight`: work that many wait for and nobody can cancel
//! - `metadata`: the discovery document
//! - `unknown_kid`: what a token with an unknown key may cost
//! - `introspection`, `calls`: what the tenant says of a token
//! - `client_auth`, `assertion`: how this API proves who it is when it asks
//! - `cache`: what the tenant said, kept for a while
//! - `health`: how all this stands
//! - `checkup`: what the tenant says at this moment, for a diagnosis

mod assertion;
mod back_off;
mod body;
pub(crate) mod cache;
mod calls;
mod checkup;
pub(crate) mod client_auth;
mod connection;
pub(crate) mod connector;
mod documents;
mod flight;
pub(crate) mod health;
pub(crate) mod http;
pub(crate) mod introspection;
pub(crate) mod metadata;
mod refresh;
#[cfg(test)]
mod refresh_model;
mod unknown_kid;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use url::Url;

use self::{
    back_off::Unavailable,
    cache::VerdictCache,
    calls::Calls,
    client_auth::ClientAuthentication,
    documents::Documents,
    health::TenantHealth,
    http::Http,
    introspection::Introspector,
    metadata::{EndpointRule, IntrospectionEndpoint, Metadata},
    refresh::{Lifetimes, Loaded},
    unknown_kid::{AbsentKids, FetchBudget},
};
use crate::{
    claims::{Claims, Expectations},
    clock::Clock,
    config::Config,
    error::{Error, Internal, InvalidToken, TenantError},
    jwks::KeySet,
    jwt::UnverifiedJwt,
    meter::{Meter, UnknownKid},
};

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
    meter: Meter,
    documents: Arc<Documents>,
    unknown_kids: Mutex<UnknownKids>,
}

#[derive(Default)]
struct UnknownKids {
    budget: FetchBudget,
    absent: AbsentKids,
}

impl Tenant {
    pub(crate) fn new(config: TenantConfig, http: Http, clock: Clock, meter: Meter) -> Self {
        let config = Arc::new(config);
        let documents = Documents::new(&config, http.clone(), clock.clone(), meter.clone());
        let documents = Arc::new(documents);
        Self { config, http, clock, meter, documents, unknown_kids: Mutex::default() }
    }

    /// Fetches what the first request would have to wait for.
    pub(crate) async fn warm_up(&self) -> Result<(), Error> {
        self.documents.keys().await.map(drop).map_err(Error::from)
    }

    /// How the documents stand; has them fetched if nobody has asked for them yet.
    pub(crate) fn health(&self) -> TenantHealth {
        self.documents.begin();
        let now = self.clock.monotonic();
        TenantHealth::new(&self.config.issuer, &self.documents, now)
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
            documents: Arc::clone(&self.documents),
            http,
            client,
            expectations,
            cache,
            response_timeout: config.response_timeout,
            clock: self.clock.clone(),
            meter: self.meter.clone(),
            calls: Calls::default(),
            back_off: Mutex::default(),
        })
    }

    /// The tenant's metadata, if it can be had within a moment.
    pub(crate) async fn metadata(&self) -> Option<Arc<Loaded<Metadata>>> {
        self.clock.timeout(METADATA_PATIENCE, self.documents.metadata()).await?.ok()
    }

    /// Reads metadata that came another way, under the same rules.
    pub(crate) fn read_metadata(&self, document: &[u8]) -> Result<Metadata, TenantError> {
        self.config.read_metadata(document)
    }

    /// Verifies a JWT with the tenant's keys.
    pub(crate) async fn verify(&self, jwt: UnverifiedJwt<'_>) -> Result<Claims, Error> {
        let flights_before = self.documents.key_set().flights();
        let mut keys = self.documents.keys().await?;
        self.meter.key_set_is_used(|| keys.age(self.clock.now()));
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

    /// The set that has a key which the loaded one does not have.
    async fn keys_with(
        &self,
        kid: &str,
        keys: Arc<Loaded<KeySet>>,
        flights_before: u64,
    ) -> Result<Arc<Loaded<KeySet>>, Error> {
        let mut cost = UnknownKid::Remembered;
        let found = self.look_for(kid, keys, flights_before, &mut cost).await;
        if let Ok(Some(keys)) = found {
            return Ok(keys);
        }
        self.meter.refused_kid(cost);
        tracing::debug!(
            name: "token.unknown_kid",
            kid,
            cost = cost.name(),
            "no key of the tenant has this kid"
        );
        Err(found.map_or_else(Error::from, |_| Error::InvalidToken(InvalidToken::UnknownKey)))
    }

    /// Looks for a key that the loaded set does not have, as far as the budget allows.
    ///
    /// A set whose fetch started after the token arrived is conclusive, for a while. An older one, or
    /// one that was already being fetched, may have missed a rotation.
    async fn look_for(
        &self,
        kid: &str,
        mut keys: Arc<Loaded<KeySet>>,
        flights_before: u64,
        cost: &mut UnknownKid,
    ) -> Result<Option<Arc<Loaded<KeySet>>>, Unavailable> {
        while keys.flight <= flights_before {
            let now = self.clock.monotonic();
            if self.unknown_kids().absent.contains(kid, keys.flight, now) {
                return Ok(None);
            }
            *cost = UnknownKid::Fetched;
            let permit = || self.unknown_kids().budget.take(self.clock.monotonic());
            let Some(landing) = self.documents.key_set().reload(keys.flight, permit).await else {
                *cost = UnknownKid::OverBudget;
                return self.documents.key_set().failure().map_or(Ok(None), Err);
            };
            keys = landing?;
            if keys.value.contains(kid) {
                return Ok(Some(keys));
            }
        }
        self.unknown_kids().absent.remember(kid, keys.flight, self.clock.monotonic());
        Ok(None)
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
