//! Introspection (RFC 7662): asking the tenant what a token is.
//!
//! - `calls`: when a call may be made, and who waits for it
//! - `back_off`: none is made while the tenant asks for a pause or cannot be reached
//! - `client_auth`, `assertion`: how this API authenticates to the tenant
//! - `cache`: results, kept for a while

mod assertion;
mod back_off;
pub(crate) mod cache;
mod calls;
pub(crate) mod client_auth;

use std::{
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::Response;
use serde_json::Value;
use tracing::Instrument as _;
use url::Url;

use self::{
    back_off::{EndpointBackOff, FailedCall, MIN_PAUSE},
    cache::{CacheKey, Lookup, Miss, NotRemoved, Verdict, VerdictCache},
    calls::{Call, Calls, NotCalled},
    client_auth::ClientAuthentication,
};
use crate::{
    clock::Clock,
    error::{Cause, Chain, Error, InvalidToken, TenantError},
    meter::{Cache, Meter},
    tenant::{
        Tenant,
        documents::Documents,
        http::{Form, Http, Resource},
        lifecycle::Unavailable,
        shared_task::catch_panic,
    },
    token::{AccessToken, TokenKind, claims::Claims, json, object::Object, rules::Expectations},
};

/// RFC 7662 §2.2.
const ANSWER: Resource =
    Resource { name: "introspection answer", accept: "application/json", max_body: 1024 * 1024 };

/// Asks the tenant about tokens, and remembers what it said.
#[derive(Clone)]
pub(crate) struct Introspector(Arc<Inner>);

struct Inner {
    documents: Arc<Documents>,
    http: Http,
    client: ClientAuthentication,
    expectations: Expectations,
    cache: VerdictCache,
    response_timeout: Duration,
    clock: Clock,
    meter: Meter,
    calls: Calls<Result<Verdict, Error>>,
    back_off: Mutex<EndpointBackOff>,
}

/// What the tenant says of a token (RFC 7662 §2.2).
pub(crate) struct Answer {
    pub(crate) is_active: bool,
    pub(crate) claims: Claims,
}

impl Introspector {
    /// Asks `tenant` about tokens, as `client` and through `http`.
    pub(crate) fn new(
        tenant: &Tenant,
        http: Http,
        client: ClientAuthentication,
        expectations: Expectations,
        cache: VerdictCache,
        response_timeout: Duration,
    ) -> Self {
        Self(Arc::new(Inner {
            documents: Arc::clone(tenant.documents()),
            http,
            client,
            expectations,
            cache,
            response_timeout,
            clock: tenant.clock().clone(),
            meter: tenant.meter().clone(),
            calls: Calls::default(),
            back_off: Mutex::default(),
        }))
    }

    /// The claims of an active token, validated at this instant.
    pub(crate) async fn introspect(&self, token: &AccessToken) -> Result<Arc<Claims>, Error> {
        let key = self.0.key(token);
        let verdict = match self.0.cache.look_up(key, token).await {
            Lookup::Hit(verdict) => {
                self.0.meter.looked_up(Cache::Hit);
                verdict
            }
            Lookup::Miss(miss) => {
                self.0.meter.looked_up(Cache::Miss);
                self.ask(key, token, miss).await?
            }
        };
        match verdict {
            Verdict::Rejected(reason) => Err(Error::InvalidToken(reason)),
            Verdict::Accepted(claims) => {
                let now = self.0.clock.wall();
                self.0
                    .expectations
                    .validate(&claims, TokenKind::Opaque, now)
                    .map_err(Error::InvalidToken)?;
                Ok(claims)
            }
        }
    }

    /// Makes the next request with this token ask the tenant again, and a call that is under way
    /// leave nothing behind. This process forgets at once; the future waits for a shared store.
    pub(crate) fn forget(
        &self,
        token: &AccessToken,
    ) -> impl Future<Output = Result<(), NotRemoved>> + Send + use<> {
        let key = self.0.key(token);
        {
            let mut registry = self.0.calls.lock();
            registry.forget(key);
            self.0.cache.forget_in_process(key);
        }
        self.0.cache.forget_shared(key)
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

    async fn ask(&self, key: CacheKey, token: &AccessToken, miss: Miss) -> Result<Verdict, Error> {
        let (begun, pending) = {
            let mut registry = self.0.calls.lock();
            // A call may have ended while we waited for the lock.
            if let Some(verdict) = self.0.cache.get_in_process(key) {
                return Ok(verdict);
            }
            match registry.join(key) {
                Some(pending) => (None, pending),
                None => {
                    self.0.refuse_while_paused()?;
                    let begun = self.0.calls.begin(&mut registry, key);
                    let (call, pending) = begun.ok_or_else(overloaded)?;
                    (Some(call), pending)
                }
            }
        };
        // Without the lock: a runtime that is ending drops the call at once.
        if let Some(call) = begun {
            tokio::spawn(Arc::clone(&self.0).run(call, token.clone(), miss));
        }
        let interrupted = || unavailable(TenantError::Interrupted, MIN_PAUSE);
        pending.result().await.unwrap_or_else(|| Err(interrupted()))
    }
}

impl Inner {
    fn key(&self, token: &AccessToken) -> CacheKey {
        let Expectations { issuer, audience, .. } = &self.expectations;
        CacheKey::new(issuer, audience, &self.client.client_id, token)
    }

    /// Makes a call when its turn comes, keeps its verdict and hands it to all who wait.
    async fn run(
        self: Arc<Self>,
        call: Call<Result<Verdict, Error>>,
        token: AccessToken,
        miss: Miss,
    ) {
        let key = call.key();
        let verdict = match call.turn(&self.clock, self.response_timeout).await {
            Err(NotCalled::Abandoned) => return,
            Err(NotCalled::Late) => Err(overloaded()),
            Ok(_permit) => {
                let started = self.clock.monotonic();
                let span = tracing::debug_span!("introspect");
                let verdict = self.call(&token, started).instrument(span);
                let interrupted = || Err(self.failed(TenantError::Interrupted, started));
                catch_panic(verdict).await.unwrap_or_else(interrupted)
            }
        };
        self.meter.introspected(match &verdict {
            Ok(Verdict::Accepted(_)) => "accepted",
            Ok(Verdict::Rejected(_)) => "rejected",
            Err(_) => "failed",
        });
        if let Ok(verdict) = &verdict {
            self.cache.share(key, &token, miss, verdict).await;
        }
        call.finish(|| {
            if let Ok(verdict) = &verdict {
                self.cache.keep_in_process(key, verdict);
            }
        });
        call.announce(verdict);
    }

    async fn call(&self, token: &AccessToken, started: Instant) -> Result<Verdict, Error> {
        // The pause may have begun while the token waited.
        self.refuse_while_paused()?;
        let failed = |error| self.failed(error, started);
        let metadata = self.documents.metadata().await?;
        let endpoint = metadata.value.introspection_endpoint.as_ref();
        let endpoint = endpoint.map_err(|error| failed(error.clone()))?;
        let answer = self.exchange(endpoint, token).await.map_err(failed)?;
        let answer = Answer::read(answer.body()).map_err(failed)?;
        if let Some(failures) = self.back_off().succeeded() {
            tracing::info!(
                name: "introspection.recovered",
                failures,
                "the tenant can be asked about tokens again"
            );
        }
        Ok(self.verdict(answer))
    }

    async fn exchange(
        &self,
        endpoint: &Url,
        token: &AccessToken,
    ) -> Result<Response<Bytes>, TenantError> {
        self.http.post_form(endpoint, &ANSWER, || self.form(token)).await
    }

    async fn form(&self, token: &AccessToken) -> Result<Form, TenantError> {
        let credentials = self.client.credentials(&self.expectations.issuer, self.clock.wall());
        let credentials = self.clock.timeout(self.response_timeout, credentials).await;
        let late = "they were not provided within the response time-out";
        let late = || TenantError::Credentials { source: Cause::new(late) };
        Ok(credentials.ok_or_else(late)??.into_form(token.expose()))
    }

    fn verdict(&self, Answer { is_active, claims }: Answer) -> Verdict {
        let validated = match is_active {
            false => Err(InvalidToken::Inactive),
            true => self.expectations.validate(&claims, TokenKind::Opaque, self.clock.wall()),
        };
        match validated {
            // It may become valid while it is kept; its lifetime is validated on each hit anyway.
            Ok(()) | Err(InvalidToken::NotYetValid) => Verdict::Accepted(Arc::new(claims)),
            Err(reason) => Verdict::Rejected(reason),
        }
    }

    fn failed(&self, error: TenantError, started: Instant) -> Error {
        let now = self.clock.monotonic();
        let FailedCall { unavailable, to_log } = self.back_off().failed(error, started, now);
        if let Some(failures) = to_log {
            tracing::warn!(
                name: "introspection.failed",
                failures,
                pause = ?self.back_off().refusal(now).map(|it| it.retry_after).unwrap_or_default(),
                error = %Chain(&unavailable.error),
                "an introspection failed"
            );
        }
        unavailable.into()
    }

    fn refuse_while_paused(&self) -> Result<(), Error> {
        match self.back_off().refusal(self.clock.monotonic()) {
            Some(unavailable) => Err(unavailable.into()),
            None => Ok(()),
        }
    }

    /// A poisoned lock is usable: nothing that can panic runs while it is held.
    fn back_off(&self) -> MutexGuard<'_, EndpointBackOff> {
        self.back_off.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Answer {
    pub(crate) fn read(body: &[u8]) -> Result<Self, TenantError> {
        let unreadable = |error: &dyn std::error::Error| {
            let reason = error.to_string().into();
            TenantError::Document { document: ANSWER.name, reason }
        };
        let mut members = json::parse_object(body).map_err(|error| unreadable(&error))?;
        let is_active = members.remove("active") == Some(Value::Bool(true));
        // All other members are optional (RFC 7662 §2.2), and some servers write them all.
        members.retain(|_, value| !value.is_null());
        let claims = Object::parse(Value::Object(members).to_string());
        let claims = claims.map_err(|error| unreadable(&error))?;
        Ok(Self { is_active, claims: Claims::new(claims) })
    }
}

fn overloaded() -> Error {
    unavailable(TenantError::Overloaded, MIN_PAUSE)
}

fn unavailable(error: TenantError, retry_after: Duration) -> Error {
    Unavailable { error, retry_after }.into()
}
