//! When a token stops permitting what it permitted, for responses that outlive the request.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use futures_core::Stream;

use super::{
    caller::{Authenticated, Introspection},
    terms::Terms,
};
use crate::{
    clock::Now,
    policy::{AuthorizationRules, Evidence, ImpliedScopes},
    token::claims::{Claims, numeric_date},
};

/// How long to wait at most before the clocks are read again: wall time may be corrected, and monotonic
/// time stands still while a machine sleeps.
const MAX_WAIT: Duration = Duration::from_secs(60);

/// How much later than a deadline to look, where the deadline itself still satisfies.
const AFTER: Duration = Duration::from_millis(1);

impl<C> Authenticated<C> {
    /// Completes when the token no longer permits what the guard required: when it has expired, or the
    /// user's authentication has become too old for the policy (`max_age`). An opaque token without
    /// `exp` is introspected again, once per `INTROSPECTION_CACHE_DURATION`; it is over when the tenant
    /// does not confirm it.
    ///
    /// For a loop that writes to a WebSocket, for instance. A stream is ended by
    /// [`until_expiry`](Self::until_expiry).
    #[must_use]
    pub fn expired(&self) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let validity = Validity {
            claims: Arc::clone(&self.token_claims),
            rules: Arc::clone(&self.rules),
            terms: self.terms.clone(),
            is_sender_constrained: self.is_sender_constrained,
            introspection: self.introspection.clone(),
        };
        Box::pin(validity.end())
    }

    /// A stream that ends when the token [has expired](Self::expired): events for a browser, the messages
    /// of a WebSocket, the body of a response.
    ///
    /// ```
    /// use futures_core::Stream;
    /// use monocloud_backend::{Authenticated, expiry::UntilExpiry};
    ///
    /// fn events_of<S: Stream>(caller: &Authenticated, events: S) -> UntilExpiry<S> {
    ///     caller.until_expiry(events)
    /// }
    /// ```
    pub fn until_expiry<S: Stream>(&self, stream: S) -> UntilExpiry<S> {
        UntilExpiry { stream: Some(Box::pin(stream)), expired: self.expired() }
    }
}

/// A stream that ends when a token expires. [`Authenticated::until_expiry`] makes one.
#[must_use = "streams do nothing unless polled"]
pub struct UntilExpiry<S> {
    /// Nothing once it has ended.
    stream: Option<Pin<Box<S>>>,
    expired: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl<S: Stream> Stream for UntilExpiry<S> {
    type Item = S::Item;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let Self { stream, expired } = &mut *self;
        let Some(open) = stream else { return Poll::Ready(None) };
        if expired.as_mut().poll(context).is_ready() {
            *stream = None;
            return Poll::Ready(None);
        }
        let polled = open.as_mut().poll_next(context);
        if matches!(polled, Poll::Ready(None)) {
            *stream = None;
        }
        polled
    }
}

impl<S> fmt::Debug for UntilExpiry<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UntilExpiry")
            .field("is_open", &self.stream.is_some())
            .finish_non_exhaustive()
    }
}

/// What a token is valid by.
struct Validity {
    claims: Arc<Claims>,
    rules: Arc<AuthorizationRules>,
    /// Nothing in unit tests of handlers.
    terms: Option<Arc<Terms>>,
    is_sender_constrained: bool,
    introspection: Option<Introspection>,
}

impl Validity {
    /// Completes when it ends.
    async fn end(mut self) {
        let clock = self.rules.clock.clone();
        let mut asked = clock.monotonic();
        loop {
            let Now { wall, monotonic } = clock.now();
            if !self.holds_at(wall) {
                return;
            }
            let mut wait = self.next_change(wall).unwrap_or(MAX_WAIT).min(MAX_WAIT);
            if let Some(Introspection { token, validator }) = &self.introspection {
                let age = monotonic.saturating_duration_since(asked);
                let due_in = validator.introspection_interval.saturating_sub(age);
                if due_in.is_zero() {
                    // A tenant that cannot be asked does not confirm it either.
                    let Ok(claims) = validator.introspect(token).await else { return };
                    (self.claims, asked) = (claims, monotonic);
                    continue;
                }
                wait = wait.min(due_in);
            }
            clock.sleep_until(monotonic + wait).await;
        }
    }

    fn holds_at(&self, wall: SystemTime) -> bool {
        let is_unexpired = self.seconds_to_expiry(wall).is_none_or(|left| left > 0.0);
        let nothing = ImpliedScopes::default();
        let evidence = Evidence {
            claims: &self.claims,
            is_sender_constrained: self.is_sender_constrained,
            rules: &self.rules,
            implied: self.terms.as_ref().map_or(&nothing, |terms| terms.implied()),
        };
        is_unexpired && self.terms.as_ref().is_none_or(|terms| terms.permit(&evidence))
    }

    /// How long until the token expires, or an authentication becomes too old for an alternative.
    fn next_change(&self, wall: SystemTime) -> Option<Duration> {
        let authenticated = self.claims.authenticated_at_seconds();
        let alternatives = self.terms.iter().flat_map(|terms| terms.accesses());
        let max_ages = alternatives.flat_map(|it| &it.alternatives).filter_map(|it| it.max_age);
        let too_old = max_ages.filter_map(|max_age| {
            let deadline = authenticated? + max_age.as_secs_f64();
            Some(self.seconds_until(deadline, wall) + AFTER.as_secs_f64())
        });
        let changes = self.seconds_to_expiry(wall).into_iter().chain(too_old);
        let to_come = changes.filter(|seconds| *seconds > 0.0);
        let next = to_come.fold(f64::INFINITY, f64::min);
        Duration::try_from_secs_f64(next).ok()
    }

    fn seconds_to_expiry(&self, wall: SystemTime) -> Option<f64> {
        let expires = self.claims.item("exp").and_then(numeric_date)?;
        Some(self.seconds_until(expires, wall))
    }

    /// Until an instant is certainly over, by what is known of the clocks.
    fn seconds_until(&self, instant: f64, wall: SystemTime) -> f64 {
        let now = wall.duration_since(UNIX_EPOCH).unwrap_or_default() + self.rules.clock_skew;
        instant + self.rules.clock_tolerance.as_secs_f64() - now.as_secs_f64()
    }
}
