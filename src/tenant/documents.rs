//! The tenant's two documents, and the task that fetches them.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use ::http::{HeaderMap, header::CACHE_CONTROL};
use tokio::{runtime::Handle, sync::watch, task::AbortHandle};
use url::Url;

use super::{
    http::{Http, Resource},
    lifecycle::{Answer, Outcome, State, Unavailable},
    metadata::Metadata,
    refreshing::{Fetched, Refreshing},
    settings::TenantConfig,
};
use crate::{clock::Clock, error::TenantError, meter::Meter, token::keys::KeySet};

/// OpenID Connect Discovery 1.0 §4.
pub(super) const METADATA: Resource =
    Resource { name: "metadata", accept: "application/json", max_body: 256 * 1024 };

/// RFC 7517 §8.5.1 registers the type; most tenants send the plain one.
pub(super) const KEY_SET: Resource = Resource {
    name: "key set",
    accept: "application/jwk-set+json, application/json",
    max_body: 1024 * 1024,
};

/// What the tenant publishes. Nothing is fetched before the first request for it; from then on a
/// task keeps it fresh, until this is dropped.
pub(crate) struct Documents {
    source: Arc<Source>,
    task: Mutex<Option<Task>>,
}

/// The documents, and what it takes to fetch them.
struct Source {
    config: Arc<TenantConfig>,
    http: Http,
    metadata: Refreshing<Metadata>,
    keys: Refreshing<KeySet>,
}

/// The task, which is aborted when this is dropped.
struct Task {
    handle: AbortHandle,
    /// Closed once the task has ended.
    running: watch::Receiver<()>,
}

impl Documents {
    pub(crate) fn new(config: &Arc<TenantConfig>, http: Http, clock: Clock, meter: Meter) -> Self {
        let metadata =
            Refreshing::new(METADATA.name, config.metadata, clock.clone(), meter.clone());
        let keys = Refreshing::new(KEY_SET.name, config.keys, clock, meter);
        let source = Source { config: Arc::clone(config), http, metadata, keys };
        Self { source: Arc::new(source), task: Mutex::default() }
    }

    /// The metadata, fetched if need be.
    pub(crate) async fn metadata(&self) -> Outcome<Metadata> {
        self.get(&self.source.metadata).await
    }

    /// The keys, fetched if need be.
    pub(crate) async fn keys(&self) -> Outcome<KeySet> {
        self.get(&self.source.keys).await
    }

    /// Keys from a later fetch than `seen`: of the one in progress, or of a new one if `may_start`
    /// allows it. Nothing if it does not.
    pub(crate) async fn newer_keys(
        &self,
        seen: u64,
        may_start: impl FnOnce() -> bool,
    ) -> Option<Outcome<KeySet>> {
        let answer = self.source.keys.ask_newer(seen, may_start)?;
        Some(self.wait(&self.source.keys, answer).await)
    }

    /// Starts what the first token would, and waits for nothing. Outside a runtime it does nothing.
    pub(crate) fn begin(&self) {
        if Handle::try_current().is_ok() {
            self.source.keys.start_first();
            self.running();
        }
    }

    /// The keys as they are.
    pub(crate) fn key_set(&self) -> &Refreshing<KeySet> {
        &self.source.keys
    }

    /// The metadata as it is.
    pub(crate) fn configuration(&self) -> &Refreshing<Metadata> {
        &self.source.metadata
    }

    async fn get<T>(&self, document: &Refreshing<T>) -> Outcome<T> {
        // No lock for what is fresh, as it nearly always is.
        match document.fresh() {
            Some(kept) => Ok(kept),
            None => self.wait(document, document.ask()).await,
        }
    }

    /// Waits while the task fetches. If its runtime ends meanwhile, the next caller's task makes
    /// the fetch again.
    async fn wait<T>(&self, document: &Refreshing<T>, answer: Answer<T>) -> Outcome<T> {
        let mut running = self.running();
        let interrupted =
            || Unavailable { error: TenantError::Interrupted, retry_after: Duration::from_secs(1) };
        tokio::select! {
            biased;
            outcome = document.wait(answer) => outcome,
            // Nothing is sent: it ends with the task.
            _ = running.changed() => Err(interrupted()),
        }
    }

    /// Starts the task, unless it runs. It may have ended with its runtime, and its runtime may
    /// stand still.
    fn running(&self) -> watch::Receiver<()> {
        let is_running = |task: &Task| {
            task.running.has_changed().is_ok()
                && !self.source.keys.look(State::is_neglected)
                && !self.source.metadata.look(State::is_neglected)
        };
        let mut task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        let task = match task.take().filter(is_running) {
            Some(running) => task.insert(running),
            None => task.insert(Task::start(Arc::clone(&self.source))),
        };
        task.running.clone()
    }
}

impl Task {
    fn start(source: Arc<Source>) -> Self {
        let (sender, running) = watch::channel(());
        let task = tokio::spawn(async move {
            let _running = sender;
            tokio::join!(source.keep_metadata_fresh(), source.keep_keys_fresh());
        });
        Self { handle: task.abort_handle(), running }
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.handle.abort();
    }
}

impl Source {
    async fn keep_metadata_fresh(&self) {
        loop {
            self.metadata.due().await;
            self.metadata.attempt(|limit| self.fetch_metadata(limit)).await;
        }
    }

    /// The metadata says where the keys are, and is fetched first if need be.
    async fn keep_keys_fresh(&self) {
        loop {
            self.keys.due().await;
            let answer = self.metadata.ask();
            match self.metadata.wait_without_limit(answer).await {
                Err(unavailable) => self.keys.blocked(unavailable),
                Ok(metadata) => {
                    let url = &metadata.value.jwks_uri;
                    self.keys.attempt(|limit| self.fetch_keys(url, limit)).await;
                }
            }
        }
    }

    async fn fetch_metadata(&self, limit: Duration) -> Result<Fetched<Metadata>, TenantError> {
        let response = self.http.get(&self.config.discovery_url, &METADATA, limit).await?;
        let metadata = self.config.read_metadata(response.body())?;
        Ok(Fetched { value: metadata, max_age: max_age(response.headers()) })
    }

    async fn fetch_keys(&self, url: &Url, limit: Duration) -> Result<Fetched<KeySet>, TenantError> {
        let response = self.http.get(url, &KEY_SET, limit).await?;
        let unusable =
            |reason: &str| TenantError::Document { document: KEY_SET.name, reason: reason.into() };
        let keys = KeySet::parse(response.body()).map_err(unusable)?;
        // A set without a usable key must not replace a good one.
        if !keys.is_usable() && self.has_usable_keys() {
            return Err(unusable("it holds no usable key"));
        }
        Ok(Fetched { value: keys, max_age: max_age(response.headers()) })
    }

    fn has_usable_keys(&self) -> bool {
        self.keys.look(|state, _| state.value().is_some_and(|kept| kept.value.is_usable()))
    }
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
