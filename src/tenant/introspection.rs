//! Introspection (RFC 7662): asking the tenant what a token is.
//!
//! One call at a time for one token, in a task of its own: who leaves fails nobody. Never more than
//! [`MAX_CALLS`] calls at once, and none while the tenant asks for a pause.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use bytes::Bytes;
use http::Response;
use serde_json::Value;
use tokio::sync::Semaphore;
use tracing::Instrument as _;
use url::Url;

use super::{
    cache::{CacheKey, Verdict, VerdictCache},
    client_auth::ClientAuthentication,
    documents::Documents,
    flight::Flight,
    http::Http,
    lifecycle::Unavailable,
};
use crate::{
    claims::{Claims, Expectations},
    clock::Clock,
    error::{Chain, Error, InvalidToken, TenantError},
    json,
    meter::{Cache, Meter},
    token::AccessToken,
};

/// How many calls may be in flight at once.
const MAX_CALLS: usize = 64;

/// A longer answer is not read, in bytes.
const MAX_ANSWER: usize = 1024 * 1024;

/// The shortest and the longest pause that a Retry-After makes.
const MIN_PAUSE: Duration = Duration::from_secs(1);
const MAX_PAUSE: Duration = Duration::from_secs(60);

/// Asks the tenant about tokens, and remembers what it said.
#[derive(Clone)]
pub(crate) struct Introspector(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) documents: Arc<Documents>,
    pub(crate) http: Http,
    pub(crate) client: ClientAuthentication,
    pub(crate) expectations: Expectations,
    pub(crate) cache: VerdictCache,
    pub(crate) cache_duration: Duration,
    pub(crate) response_timeout: Duration,
    pub(crate) clock: Clock,
    pub(crate) meter: Meter,
    pub(crate) calls: Calls,
}

/// What the tenant says of a token (RFC 7662 §2.2).
pub(crate) struct Answer {
    pub(crate) is_active: bool,
    pub(crate) claims: Claims,
}

/// What is under way.
pub(crate) struct Calls {
    permits: Semaphore,
    /// Each with its number: a token that is forgotten meanwhile may have a new one.
    flights: Mutex<HashMap<CacheKey, (u64, VerdictFlight)>>,
    started: AtomicU64,
    paused_until: Mutex<Option<Instant>>,
}

type VerdictFlight = Flight<Result<Verdict, Error>>;

impl Default for Calls {
    fn default() -> Self {
        Self {
            permits: Semaphore::new(MAX_CALLS),
            flights: Mutex::default(),
            started: AtomicU64::new(0),
            paused_until: Mutex::default(),
        }
    }
}

impl Introspector {
    pub(crate) fn new(inner: Inner) -> Self {
        Self(Arc::new(inner))
    }

    /// The claims of an active token, judged at this instant.
    pub(crate) async fn introspect(&self, token: &AccessToken) -> Result<Arc<Claims>, Error> {
        let key = self.0.key(token);
        let verdict = match self.0.cache.get(key, token).await {
            Some(verdict) => {
                self.0.meter.looked_up(Cache::Hit);
                verdict
            }
            None => {
                self.0.meter.looked_up(Cache::Miss);
                self.ask(key, token).await?
            }
        };
        match verdict {
            Verdict::Refused(reason) => Err(Error::InvalidToken(reason)),
            Verdict::Accepted(claims) => {
                let now = self.0.clock.wall();
                self.0
                    .expectations
                    .judge_introspected(&claims, now)
                    .map_err(Error::InvalidToken)?;
                Ok(claims)
            }
        }
    }

    /// Makes the next request with this token ask the tenant again, and a call that is under way
    /// leave nothing behind.
    pub(crate) async fn forget(&self, token: &AccessToken) {
        let key = self.0.key(token);
        self.0.calls.flights().remove(&key);
        self.0.cache.forget(key).await;
    }

    /// Who asks, and how it proves that.
    pub(crate) fn client(&self) -> &ClientAuthentication {
        &self.0.client
    }

    /// Asks the tenant past every cache and every pause, and remembers nothing.
    pub(crate) async fn ask_once(
        &self,
        endpoint: &Url,
        token: &AccessToken,
    ) -> Result<Response<Bytes>, TenantError> {
        self.0.exchange(endpoint, token).await
    }

    async fn ask(&self, key: CacheKey, token: &AccessToken) -> Result<Verdict, Error> {
        let flight = {
            let mut flights = self.0.calls.flights();
            // One may have landed while we waited for the lock.
            if let Some(verdict) = self.0.cache.get_in_process(key) {
                return Ok(verdict);
            }
            match flights.get(&key).filter(|(_, flight)| flight.is_in_the_air()) {
                Some((_, flight)) => flight.clone(),
                None => {
                    let number = self.0.calls.started.fetch_add(1, Ordering::Relaxed);
                    let flight = self.start(key, token.clone(), number);
                    flights.insert(key, (number, flight.clone()));
                    flight
                }
            }
        };
        let interrupted = || unavailable(TenantError::Interrupted, MIN_PAUSE);
        flight.landing().await.unwrap_or_else(|| Err(interrupted()))
    }

    fn start(&self, key: CacheKey, token: AccessToken, number: u64) -> VerdictFlight {
        let inner = Arc::clone(&self.0);
        Flight::start(async move {
            let span = tracing::debug_span!("introspect");
            let verdict = inner.call(key, &token).instrument(span).await;
            inner.meter.introspected(match &verdict {
                Ok(Verdict::Accepted(_)) => "accepted",
                Ok(Verdict::Refused(_)) => "refused",
                Err(_) => "failed",
            });
            if !inner.calls.land(key, number) {
                inner.cache.forget(key).await;
            }
            verdict
        })
    }
}

impl Inner {
    fn key(&self, token: &AccessToken) -> CacheKey {
        let Expectations { issuer, audience, .. } = &self.expectations;
        CacheKey::new(issuer, audience, &self.client.client_id, token)
    }

    async fn call(&self, key: CacheKey, token: &AccessToken) -> Result<Verdict, Error> {
        self.refuse_while_paused()?;
        let permit = self.clock.timeout(self.response_timeout, self.calls.permits.acquire());
        let Some(Ok(_permit)) = permit.await else {
            return Err(unavailable(TenantError::Overloaded, MIN_PAUSE));
        };
        self.refuse_while_paused()?;
        let metadata = self.documents.metadata().await?;
        let endpoint = metadata
            .value
            .introspection_endpoint
            .as_ref()
            .map_err(|error| self.failed(error.clone()))?;
        let answer = self.exchange(endpoint, token).await;
        let answer = answer.map_err(|error| self.failed(error))?;
        self.read(key, token, answer.body()).await
    }

    async fn exchange(
        &self,
        endpoint: &Url,
        token: &AccessToken,
    ) -> Result<Response<Bytes>, TenantError> {
        let credentials = self.client.credentials(&self.expectations.issuer, self.clock.wall());
        let (authorization, form) = credentials.await?.into_form(token.expose());
        self.http.post_form(endpoint, authorization, form, MAX_ANSWER).await
    }

    /// Turns an answer into a verdict, and remembers it.
    async fn read(
        &self,
        key: CacheKey,
        token: &AccessToken,
        body: &[u8],
    ) -> Result<Verdict, Error> {
        let Answer { is_active, claims } =
            Answer::read(body).map_err(|error| self.failed(error))?;
        let now = self.clock.wall();
        let judged = match is_active {
            false => Err(InvalidToken::Inactive),
            true => self.expectations.judge_introspected(&claims, now),
        };
        let claims = Arc::new(claims);
        match judged {
            // It may come to be valid while it is kept; its lifetime is judged on each hit anyway.
            Ok(()) | Err(InvalidToken::NotYetValid) => {
                let lifetime = self.lifetime(&claims, now);
                self.cache.accept(key, token, &claims, body.len(), lifetime).await;
                Ok(Verdict::Accepted(claims))
            }
            Err(reason) => {
                self.cache.refuse(key, reason);
                Ok(Verdict::Refused(reason))
            }
        }
    }

    /// A verdict is kept no longer than the token lives (RFC 7662 §4).
    fn lifetime(&self, claims: &Claims, now: SystemTime) -> Duration {
        let left =
            claims.expires_at().map(|expires| expires.duration_since(now).unwrap_or_default());
        left.map_or(self.cache_duration, |left| left.min(self.cache_duration))
    }

    fn failed(&self, error: TenantError) -> Error {
        let is_busy = matches!(error, TenantError::Status { status: 429 | 503, .. });
        if let Some(retry_after) = error.retry_after().filter(|_| is_busy) {
            let pause = retry_after.clamp(MIN_PAUSE, MAX_PAUSE);
            let until = Some(self.clock.monotonic() + pause);
            // A call that was under way before may ask for less.
            let mut paused_until = self.calls.paused_until();
            *paused_until = until.max(*paused_until);
        }
        tracing::warn!(
            name: "introspection.failed",
            error = %Chain(&error),
            "an introspection failed"
        );
        at_fault(error)
    }

    fn refuse_while_paused(&self) -> Result<(), Error> {
        let now = self.clock.monotonic();
        let left = (*self.calls.paused_until()).map(|until| until.saturating_duration_since(now));
        match left.filter(|left| !left.is_zero()) {
            Some(left) => Err(unavailable(TenantError::Overloaded, left)),
            None => Ok(()),
        }
    }
}

impl Answer {
    pub(crate) fn read(body: &[u8]) -> Result<Self, TenantError> {
        let mut members = json::parse_object(body).map_err(|error| {
            let reason = error.to_string().into();
            TenantError::Document { document: "introspection answer", reason }
        })?;
        let is_active = members.remove("active") == Some(Value::Bool(true));
        Ok(Self { is_active, claims: Claims::new(members) })
    }
}

impl Calls {
    /// Ends a flight; false if the token was forgotten since it started.
    fn land(&self, key: CacheKey, number: u64) -> bool {
        let mut flights = self.flights();
        let is_wanted = flights.get(&key).is_some_and(|(current, _)| *current == number);
        if is_wanted {
            flights.remove(&key);
        }
        is_wanted
    }

    /// Never poisoned for long: nothing that can panic runs under the lock.
    fn flights(&self) -> MutexGuard<'_, HashMap<CacheKey, (u64, VerdictFlight)>> {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn paused_until(&self) -> MutexGuard<'_, Option<Instant>> {
        self.paused_until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn at_fault(error: TenantError) -> Error {
    let retry_after = error.retry_after().unwrap_or(MIN_PAUSE);
    unavailable(error, retry_after)
}

fn unavailable(error: TenantError, retry_after: Duration) -> Error {
    Unavailable { error, retry_after }.into()
}
