//! The tenant's documents: its metadata and its keys.
//!
//! - `http`, `body`: requests to the tenant, and what its responses mean
//! - `connector`, `connection`: the built-in clients, with and without a certificate
//! - `documents`: the metadata and the key set, and the task that fetches them
//! - `lifecycle`, `refreshing`: a value that is fetched, kept, and fetched again
//! - `shared_task`: work that outlives its callers, and work that may panic
//! - `metadata`: the discovery document
//! - `unknown_kid`: the search for a key that the current set does not contain
//! - `settings`: what is configured for a tenant
//! - `health`: the state of all this, for a readiness probe
//! - `checkup`: the documents as they are now, for a diagnosis

mod body;
mod checkup;
mod connection;
pub(crate) mod connector;
pub(crate) mod documents;
#[cfg(test)]
mod fleet_model;
pub(crate) mod health;
pub(crate) mod http;
pub(crate) mod lifecycle;
pub(crate) mod metadata;
#[cfg(test)]
mod refresh_model;
mod refreshing;
pub(crate) mod settings;
pub(crate) mod shared_task;
mod unknown_kid;

use std::{sync::Arc, time::Duration};

use self::{
    documents::Documents,
    health::TenantHealth,
    http::Http,
    lifecycle::{Kept, Unavailable},
    metadata::Metadata,
    settings::TenantConfig,
    unknown_kid::UnknownKids,
};
use crate::{
    clock::Clock,
    error::{Error, Internal, TenantError},
    meter::Meter,
    token::{
        jwt::{DecodedJwt, Header},
        keys::{KeySet, VerifyingKey},
        verified::VerifiedJwt,
    },
};

/// How long the OpenAPI document waits for the tenant's metadata.
const METADATA_PATIENCE: Duration = Duration::from_secs(2);

/// A tenant's remote state.
pub(crate) struct Tenant {
    config: Arc<TenantConfig>,
    /// The way to its documents.
    http: Http,
    clock: Clock,
    meter: Meter,
    documents: Arc<Documents>,
    unknown_kids: UnknownKids,
}

impl Tenant {
    pub(crate) fn new(config: TenantConfig, http: Http, clock: Clock, meter: Meter) -> Self {
        let config = Arc::new(config);
        let documents = Documents::new(&config, http.clone(), clock.clone(), meter.clone());
        let documents = Arc::new(documents);
        Self { config, http, clock, meter, documents, unknown_kids: UnknownKids::default() }
    }

    /// Fetches what the first request would have to wait for.
    pub(crate) async fn warm_up(&self) -> Result<(), Error> {
        self.documents.keys().await.map(drop).map_err(Error::from)
    }

    /// How the documents stand; starts fetching them if no request has yet.
    pub(crate) fn health(&self) -> TenantHealth {
        self.documents.begin();
        TenantHealth::new(&self.config.issuer, &self.documents)
    }

    pub(crate) fn documents(&self) -> &Arc<Documents> {
        &self.documents
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    pub(crate) fn meter(&self) -> &Meter {
        &self.meter
    }

    /// The tenant's metadata, if it can be had within a moment.
    pub(crate) async fn metadata(&self) -> Option<Arc<Kept<Metadata>>> {
        self.clock.timeout(METADATA_PATIENCE, self.documents.metadata()).await?.ok()
    }

    /// Reads metadata that came another way, under the same rules.
    pub(crate) fn read_metadata(&self, document: &[u8]) -> Result<Metadata, TenantError> {
        self.config.read_metadata(document)
    }

    /// Verifies a JWT with the tenant's keys. Its header is validated before they are fetched; with
    /// `rfc9068` it must be that of an access token.
    pub(crate) async fn verify(
        &self,
        jwt: DecodedJwt<'_>,
        rfc9068: bool,
    ) -> Result<VerifiedJwt, Error> {
        let encoded_header = jwt.encoded_header;
        let now = self.clock.now();
        let known = self.documents.key_set().with_fresh(now, |keys| {
            let key = keys.value.known(encoded_header)?;
            self.meter.key_set_is_used(keys.age(now));
            Some(Arc::clone(key))
        });
        if let Some(key) = known.flatten() {
            let claims = jwt.verified_by(&key.verifier).map_err(Error::InvalidToken)?;
            return Ok(VerifiedJwt { claims, key });
        }
        let Header { algorithm, kid } = jwt.header(rfc9068).map_err(Error::InvalidToken)?;
        let seen = self.documents.key_set().fetches();
        let mut keys = self.documents.keys().await?;
        self.meter.key_set_is_used(keys.age(self.clock.now()));
        if let Some(kid) = kid.as_deref()
            && !keys.value.contains(kid)
        {
            let search =
                self.unknown_kids.find_newer(kid, keys, seen, &self.documents, &self.clock);
            keys = search.await.into_keys(kid, &self.meter)?;
        }
        let key = Arc::new(keys.value.select(kid, algorithm).map_err(Error::InvalidToken)?);
        let claims = jwt.verified_by(&key.verifier).map_err(Error::InvalidToken)?;
        keys.value.remember(encoded_header, &key);
        Ok(VerifiedJwt { claims, key })
    }

    /// Whether the tenant's keys still select the very key that verified a token.
    pub(crate) async fn still_selects(&self, key: &VerifyingKey) -> Result<bool, Error> {
        let now = self.clock.now();
        let selects = |keys: &Arc<Kept<KeySet>>| {
            self.meter.key_set_is_used(keys.age(now));
            keys.value.still_selects(key)
        };
        match self.documents.key_set().with_fresh(now, selects) {
            Some(selects) => Ok(selects),
            None => Ok(selects(&self.documents.keys().await?)),
        }
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
