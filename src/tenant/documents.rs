//! The tenant's two documents, and the task that keeps them fresh.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use ::http::{HeaderMap, header::CACHE_CONTROL};
use tokio::{runtime::Handle, sync::Notify, task::AbortHandle};

use super::{
    TenantConfig,
    back_off::Unavailable,
    http::{Http, Resource},
    metadata::Metadata,
    refresh::{Failed, Fetched, Loaded, Refreshing, World},
};
use crate::{clock::Clock, error::TenantError, jwks::KeySet, meter::Meter};

/// OpenID Connect Discovery 1.0 §4.
pub(super) const METADATA: Resource =
    Resource { name: "metadata", accept: "application/json", max_body: 256 * 1024 };

/// RFC 7517 §8.5.1 registers the type; most tenants send the plain one.
pub(super) const KEY_SET: Resource = Resource {
    name: "key set",
    accept: "application/jwk-set+json, application/json",
    max_body: 1024 * 1024,
};

/// What the tenant publishes. Nothing is fetched before somebody asks; from then on a task renews
/// what was asked for, until this is dropped.
pub(crate) struct Documents {
    metadata: Refreshing<Metadata>,
    keys: Refreshing<KeySet>,
    world: World,
    keeper: Mutex<Option<AbortHandle>>,
}

impl Documents {
    pub(crate) fn new(config: &Arc<TenantConfig>, http: Http, clock: Clock, meter: Meter) -> Self {
        let world = World { clock, meter, landed: Arc::new(Notify::new()) };
        let metadata = {
            let (config, http) = (Arc::clone(config), http.clone());
            Refreshing::new("metadata", config.metadata, world.clone(), move |limit| {
                Box::pin(fetch_metadata(Arc::clone(&config), http.clone(), limit))
            })
        };
        let keys = {
            let metadata = metadata.clone();
            let has_usable_keys = Arc::new(AtomicBool::new(false));
            Refreshing::new("key set", config.keys, world.clone(), move |limit| {
                let has_usable_keys = Arc::clone(&has_usable_keys);
                Box::pin(fetch_keys(metadata.clone(), http.clone(), has_usable_keys, limit))
            })
        };
        Self { metadata, keys, world, keeper: Mutex::default() }
    }

    /// The metadata, fetched if need be.
    pub(crate) async fn metadata(&self) -> Result<Arc<Loaded<Metadata>>, Unavailable> {
        self.ask(&self.metadata).await
    }

    /// The keys, fetched if need be.
    pub(crate) async fn keys(&self) -> Result<Arc<Loaded<KeySet>>, Unavailable> {
        self.ask(&self.keys).await
    }

    /// Starts what the first token would, and waits for nothing. Outside a runtime it does nothing.
    pub(crate) fn begin(&self) {
        if Handle::try_current().is_ok() {
            self.keep();
            self.keys.begin();
        }
    }

    /// The keys, as a thing to look at and to load anew.
    pub(crate) const fn key_set(&self) -> &Refreshing<KeySet> {
        &self.keys
    }

    /// The metadata, as a thing to look at.
    pub(crate) const fn configuration(&self) -> &Refreshing<Metadata> {
        &self.metadata
    }

    async fn ask<T>(&self, document: &Refreshing<T>) -> Result<Arc<Loaded<T>>, Unavailable>
    where
        T: Send + Sync + 'static,
    {
        // No lock for what is fresh, as it nearly always is.
        if let Some(loaded) = document.fresh() {
            return Ok(loaded);
        }
        self.keep();
        document.get().await
    }

    /// Has the task run that keeps the documents fresh; it may have ended with its runtime.
    fn keep(&self) {
        let mut keeper = self.keeper.lock().unwrap_or_else(PoisonError::into_inner);
        if keeper.as_ref().is_none_or(AbortHandle::is_finished) {
            let task = keep_fresh(self.metadata.clone(), self.keys.clone(), self.world.clone());
            *keeper = Some(tokio::spawn(task).abort_handle());
        }
    }
}

impl Drop for Documents {
    fn drop(&mut self) {
        let keeper = self.keeper.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(keeper) = keeper.take() {
            keeper.abort();
        }
    }
}

/// Sends a flight off whenever one is due, and waits for none: while one document hangs, the other
/// is renewed.
pub(super) async fn keep_fresh<A, B>(one: Refreshing<A>, other: Refreshing<B>, world: World)
where
    A: Send + Sync + 'static,
    B: Send + Sync + 'static,
{
    loop {
        one.renew_if_due();
        other.renew_if_due();
        let due = [one.due(), other.due()].into_iter().flatten().min();
        let landed = world.landed.notified();
        match due {
            None => landed.await,
            Some(due) => {
                let left = due.saturating_duration_since(world.clock.monotonic());
                world.clock.timeout(left, landed).await.unwrap_or_default();
            }
        }
    }
}

async fn fetch_metadata(
    config: Arc<TenantConfig>,
    http: Http,
    limit: Duration,
) -> Result<Fetched<Metadata>, Failed> {
    let response = http.get(&config.discovery_url, &METADATA, limit).await?;
    let metadata = config.read_metadata(response.body())?;
    Ok(Fetched { value: metadata, max_age: max_age(response.headers()) })
}

async fn fetch_keys(
    metadata: Refreshing<Metadata>,
    http: Http,
    has_usable_keys: Arc<AtomicBool>,
    limit: Duration,
) -> Result<Fetched<KeySet>, Failed> {
    let metadata = metadata.get_patiently().await.map_err(Failed::Dependency)?;
    let response = http.get(&metadata.value.jwks_uri, &KEY_SET, limit).await?;
    let refused =
        |reason: &str| TenantError::Document { document: KEY_SET.name, reason: reason.into() };
    let keys = KeySet::parse(response.body()).map_err(refused)?;
    // A set of which nothing can be used must not take the place of a good one.
    if keys.is_usable() {
        has_usable_keys.store(true, Ordering::Relaxed);
    } else if has_usable_keys.load(Ordering::Relaxed) {
        return Err(refused("it holds no usable key").into());
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
