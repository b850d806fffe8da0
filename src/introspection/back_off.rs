//! When an endpoint that requests need may be called again after it failed.

use std::{
    mem,
    time::{Duration, Instant},
};

use crate::{error::TenantError, tenant::lifecycle::Unavailable};

/// The shortest pause of an endpoint.
pub(crate) const MIN_PAUSE: Duration = Duration::from_secs(1);

/// The longest pause of an endpoint that cannot be reached.
const MAX_UNREACHABLE_PAUSE: Duration = Duration::from_secs(10);

/// The longest pause that a tenant may ask for.
const MAX_ASKED_PAUSE: Duration = Duration::from_secs(300);

/// An endpoint that was not reached so often in a row is not called for a while.
const MAX_UNREACHABLE: u32 = 3;

/// Failures that pause nothing are logged once in this time.
const LOG_INTERVAL: Duration = Duration::from_secs(1);

/// When an endpoint that requests need may be called, and which of its failures are logged.
#[derive(Debug, Default)]
pub(crate) struct EndpointBackOff {
    pause: Option<Pause>,
    /// How many calls in a row have not reached the endpoint.
    unreachable: u32,
    /// How many failures the log does not have yet.
    unlogged: u32,
    next_line: Option<Instant>,
}

#[derive(Debug)]
struct Pause {
    began: Instant,
    until: Instant,
    error: TenantError,
}

/// What a failed call means for its callers and for the log.
#[derive(Debug)]
pub(crate) struct FailedCall {
    pub(crate) unavailable: Unavailable,
    /// How many failures a line in the log stands for; nothing where none is due.
    pub(crate) to_log: Option<u32>,
}

impl EndpointBackOff {
    /// What to tell requests that need a call while there is a pause.
    pub(crate) fn refusal(&self, now: Instant) -> Option<Unavailable> {
        let pause = self.pause.as_ref().filter(|pause| now < pause.until)?;
        let retry_after = pause.until.saturating_duration_since(now);
        Some(Unavailable { error: pause.error.clone(), retry_after })
    }

    /// Notes that a call failed which was started at `started`.
    pub(crate) fn failed(
        &mut self,
        error: TenantError,
        started: Instant,
        now: Instant,
    ) -> FailedCall {
        let had_pause = self.refusal(now).is_some();
        let pause = match asked_pause(&error) {
            Some(asked) => Some((asked, TenantError::Overloaded)),
            None => self.unreachable_pause(&error, started).map(|pause| (pause, error.clone())),
        };
        let retry_after = pause.as_ref().map(|(pause, _)| *pause).or_else(|| error.retry_after());
        let has_pause = pause.is_some();
        if let Some((pause, reason)) = pause {
            let until = now + pause;
            // A call that was started earlier may ask for less.
            if self.pause.as_ref().is_none_or(|current| current.until < until) {
                self.pause = Some(Pause { began: now, until, error: reason });
            }
        }
        self.unlogged = self.unlogged.saturating_add(1);
        let is_due = self.next_line.is_none_or(|next_line| next_line <= now);
        let to_log = (is_due || (has_pause && !had_pause)).then(|| {
            self.next_line = Some(now + LOG_INTERVAL);
            mem::take(&mut self.unlogged)
        });
        let retry_after = retry_after.unwrap_or_default().max(MIN_PAUSE);
        FailedCall { unavailable: Unavailable { error, retry_after }, to_log }
    }

    /// Notes that the endpoint was reached; tells how many calls had not reached it, where that
    /// was an outage.
    pub(crate) fn succeeded(&mut self) -> Option<u32> {
        if self.pause.as_ref().is_some_and(|pause| is_unreachable(&pause.error)) {
            self.pause = None;
        }
        Some(mem::take(&mut self.unreachable)).filter(|count| *count >= MAX_UNREACHABLE)
    }

    /// One second from the third call on that does not reach the endpoint, doubling to ten.
    fn unreachable_pause(&mut self, error: &TenantError, started: Instant) -> Option<Duration> {
        if !is_unreachable(error) {
            self.unreachable = 0;
            return None;
        }
        // Calls that were in progress when the pause began are part of its reason.
        if self.pause.as_ref().is_some_and(|pause| started <= pause.began) {
            return None;
        }
        self.unreachable = self.unreachable.saturating_add(1);
        let doublings = self.unreachable.checked_sub(MAX_UNREACHABLE)?;
        Some(MIN_PAUSE.saturating_mul(1 << doublings.min(8)).min(MAX_UNREACHABLE_PAUSE))
    }
}

/// The pause that a busy tenant asks for.
fn asked_pause(error: &TenantError) -> Option<Duration> {
    let is_busy = matches!(error, TenantError::Status { status: 429 | 503, .. });
    let asked = error.retry_after().filter(|_| is_busy)?;
    Some(asked.clamp(MIN_PAUSE, MAX_ASKED_PAUSE))
}

const fn is_unreachable(error: &TenantError) -> bool {
    matches!(error, TenantError::Timeout { .. } | TenantError::Unreachable { .. })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;

    fn timeout() -> TenantError {
        TenantError::Timeout { url: "https://acme.test/".into() }
    }

    fn status(status: u16, retry_after: Option<u64>) -> TenantError {
        let retry_after = retry_after.map(Duration::from_secs);
        TenantError::Status { url: "https://acme.test/".into(), status, code: None, retry_after }
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn three_unreachable_calls_in_a_row_pause_an_endpoint_for_longer_each_time() {
        let mut back_off = EndpointBackOff::default();
        let mut now = Clock::SYSTEM.monotonic();
        for _ in 0..2 {
            back_off.failed(timeout(), now, now);
            assert!(back_off.refusal(now).is_none());
        }
        for pause in [1, 2, 4, 8, 10, 10].map(seconds) {
            let failed = back_off.failed(timeout(), now, now);
            assert_eq!(failed.unavailable.retry_after, pause);
            let refusal = back_off.refusal(now).unwrap();
            assert!(matches!(refusal.error, TenantError::Timeout { .. }));
            assert_eq!(refusal.retry_after, pause);
            // What was in progress then lengthens nothing.
            back_off.failed(timeout(), now, now);
            assert_eq!(back_off.refusal(now).unwrap().retry_after, pause);
            now += pause;
            assert!(back_off.refusal(now).is_none());
        }
        assert_eq!(back_off.succeeded(), Some(8));
        for _ in 0..2 {
            back_off.failed(timeout(), now, now);
            assert!(back_off.refusal(now).is_none());
        }
    }

    #[test]
    fn of_two_pauses_with_one_end_the_first_stays() {
        let mut back_off = EndpointBackOff::default();
        let now = Clock::SYSTEM.monotonic();
        for _ in 0..3 {
            back_off.failed(timeout(), now, now);
        }
        back_off.failed(status(429, Some(1)), now, now);
        assert!(matches!(back_off.refusal(now).unwrap().error, TenantError::Timeout { .. }));
    }

    #[test]
    fn an_endpoint_that_answers_is_reachable() {
        let now = Clock::SYSTEM.monotonic();
        let mut back_off = EndpointBackOff::default();
        for _ in 0..5 {
            back_off.failed(timeout(), now, now);
            back_off.failed(timeout(), now, now);
            back_off.failed(status(500, Some(7)), now, now);
            back_off.failed(timeout(), now, now);
            assert_eq!(back_off.succeeded(), None);
        }
        assert!(back_off.refusal(now).is_none());
        for _ in 0..3 {
            back_off.failed(timeout(), now, now);
        }
        assert!(back_off.refusal(now).is_some());
        assert_eq!(back_off.succeeded(), Some(3));
        assert!(back_off.refusal(now).is_none(), "a call in progress has reached it");
    }

    #[test]
    fn a_pause_that_is_asked_for_is_kept_and_only_lengthened() {
        let now = Clock::SYSTEM.monotonic();
        for (asked, pause) in [(0, 1), (7, 7), (300, 300), (900, 300)] {
            let mut back_off = EndpointBackOff::default();
            back_off.failed(status(429, Some(asked)), now, now);
            back_off.failed(status(503, Some(1)), now, now);
            back_off.succeeded();
            let refusal = back_off.refusal(now).unwrap();
            assert!(matches!(refusal.error, TenantError::Overloaded));
            assert_eq!(refusal.retry_after, seconds(pause));
        }
    }

    #[test]
    fn failures_are_logged_once_in_a_while_with_a_count() {
        let mut now = Clock::SYSTEM.monotonic();
        let mut back_off = EndpointBackOff::default();
        let mut lines = Vec::new();
        for _ in 0..2_000 {
            lines.extend(back_off.failed(status(500, None), now, now).to_log);
        }
        now += LOG_INTERVAL;
        lines.extend(back_off.failed(status(500, None), now, now).to_log);
        assert_eq!(lines, [1, 2_000]);
        lines.clear();
        for _ in 0..64 {
            lines.extend(back_off.failed(timeout(), now, now).to_log);
        }
        assert_eq!(lines, [3], "one line when the pause begins");
    }
}
