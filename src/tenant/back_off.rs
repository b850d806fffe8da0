//! When to try again what failed.

use std::time::{Duration, Instant};

use crate::error::TenantError;

/// The failures since the last success.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    /// The last one.
    pub(crate) error: TenantError,
    pub(crate) attempts: u32,
    /// When the first one failed.
    pub(crate) since: Instant,
    pub(crate) next_attempt: Instant,
}

/// Why there is no value, and when it is worth asking again.
#[derive(Clone, Debug)]
pub(crate) struct Unavailable {
    pub(crate) error: TenantError,
    pub(crate) retry_after: Duration,
}

impl Failure {
    /// One more, after which the next attempt waits a little longer, or as long as the tenant asks.
    pub(crate) fn again(
        last: Option<&Self>,
        error: TenantError,
        has_value: bool,
        now: Instant,
    ) -> Self {
        let attempts = last.map_or(0, |failure| failure.attempts) + 1;
        let pause = pause_after(attempts, has_value);
        let pause = pause.max(error.retry_after().unwrap_or_default());
        let since = last.map_or(now, |failure| failure.since);
        Self { error, attempts, since, next_attempt: now + pause }
    }

    /// None of its own: what it needs has a schedule, and two would add up.
    pub(crate) fn inherited(last: Option<&Self>, from: Unavailable, now: Instant) -> Self {
        let Unavailable { error, retry_after } = from;
        let attempts = last.map_or(0, |failure| failure.attempts);
        let since = last.map_or(now, |failure| failure.since);
        Self { error, attempts, since, next_attempt: now + retry_after }
    }

    /// What to tell who asks at this moment.
    pub(crate) fn at(&self, now: Instant) -> Unavailable {
        Unavailable {
            error: self.error.clone(),
            retry_after: self.next_attempt.saturating_duration_since(now),
        }
    }
}

/// The pause before the next attempt, give or take a tenth: from one second doubling to eight
/// while there is no value, and to a minute while an old one serves.
fn pause_after(attempts: u32, has_value: bool) -> Duration {
    let longest: f64 = if has_value { 60.0 } else { 8.0 };
    let doubled = 2_f64.powi(attempts.saturating_sub(1).min(8).cast_signed());
    Duration::from_secs_f64(doubled.min(longest) * jitter())
}

/// A factor from 0.9 to 1.1, so that many processes do not come back at once.
pub(crate) fn jitter() -> f64 {
    let mut random = [128];
    // Without randomness there is no jitter, and no harm.
    let _ = aws_lc_rs::rand::fill(&mut random);
    0.9 + 0.2 * f64::from(random[0]) / 255.0
}
