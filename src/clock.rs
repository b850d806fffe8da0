//! The one place that asks what time it is, and that waits.

use std::{
    fmt,
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::Arc,
    task::Poll,
    time::{Duration, Instant, SystemTime},
};

/// Tells wall time and monotonic time, and wakes who waits.
///
/// `exp` and `nbf` are compared with wall time; ages, budgets and pauses on monotonic time, so that a
/// corrected wall clock neither expires nor revives anything the process keeps.
#[derive(Clone)]
pub(crate) struct Clock {
    reading: Option<Reading>,
    timer: Option<Timer>,
}

/// Wall time and monotonic time.
type Reading = Arc<dyn Fn() -> (SystemTime, Instant) + Send + Sync>;

/// Waits until a monotonic time.
type Timer = Arc<dyn Fn(Instant) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// One moment, on both clocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Now {
    pub(crate) wall: SystemTime,
    pub(crate) monotonic: Instant,
}

impl Clock {
    /// The machine's.
    pub(crate) const SYSTEM: Self = Self { reading: None, timer: None };

    /// Reads an application's clock, mostly a test's.
    pub(crate) fn set_reading(
        &mut self,
        reading: impl Fn() -> (SystemTime, Instant) + Send + Sync + 'static,
    ) {
        self.reading = Some(Arc::new(reading));
    }

    /// Waits by an application's clock. Without one, waiting takes as long as it takes in truth.
    pub(crate) fn set_timer<F, R>(&mut self, timer: F)
    where
        F: Fn(Instant) -> R + Send + Sync + 'static,
        R: Future<Output = ()> + Send + 'static,
    {
        self.timer = Some(Arc::new(move |deadline| Box::pin(timer(deadline))));
    }

    /// Both times, read together.
    #[allow(clippy::disallowed_methods, reason = "this is the clock seam")]
    pub(crate) fn now(&self) -> Now {
        let (wall, monotonic) = match &self.reading {
            Some(reading) => reading(),
            None => (SystemTime::now(), Instant::now()),
        };
        Now { wall, monotonic }
    }

    #[allow(clippy::disallowed_methods, reason = "this is the clock seam")]
    pub(crate) fn wall(&self) -> SystemTime {
        match &self.reading {
            Some(reading) => reading().0,
            None => SystemTime::now(),
        }
    }

    #[allow(clippy::disallowed_methods, reason = "this is the clock seam")]
    pub(crate) fn monotonic(&self) -> Instant {
        match &self.reading {
            Some(reading) => reading().1,
            None => Instant::now(),
        }
    }

    /// Waits until `deadline`.
    pub(crate) async fn sleep_until(&self, deadline: Instant) {
        if let Some(timer) = &self.timer {
            return timer(deadline).await;
        }
        loop {
            let left = deadline.saturating_duration_since(self.monotonic());
            if left.is_zero() {
                return;
            }
            tokio::time::sleep(left).await;
        }
    }

    /// Does some work, unless it takes longer than `limit`.
    pub(crate) async fn timeout<F: Future>(&self, limit: Duration, work: F) -> Option<F::Output> {
        if self.timer.is_none() {
            return tokio::time::timeout(limit, work).await.ok();
        }
        let mut work = pin!(work);
        let mut too_late = pin!(self.sleep_until(self.monotonic() + limit));
        poll_fn(|context| match work.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending => too_late.as_mut().poll(context).map(|()| None),
        })
        .await
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.reading {
            Some(_) => "Clock::Custom",
            None => "Clock::System",
        })
    }
}
