//! The one place that asks what time it is.

use std::{
    fmt,
    sync::Arc,
    time::{Instant, SystemTime},
};

/// Tells wall time and monotonic time.
///
/// `exp` and `nbf` are judged on wall time; ages, budgets and pauses on monotonic time, so that a
/// corrected wall clock neither expires nor revives anything the process keeps.
#[derive(Clone)]
pub(crate) enum Clock {
    /// A clock of the application's, mostly a test's.
    Custom(Arc<dyn Fn() -> (SystemTime, Instant) + Send + Sync>),
    System,
}

#[allow(clippy::disallowed_methods, reason = "this is the clock seam")]
impl Clock {
    pub(crate) fn wall(&self) -> SystemTime {
        match self {
            Self::Custom(read) => read().0,
            Self::System => SystemTime::now(),
        }
    }

    pub(crate) fn monotonic(&self) -> Instant {
        match self {
            Self::Custom(read) => read().1,
            Self::System => Instant::now(),
        }
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Custom(_) => "Clock::Custom",
            Self::System => "Clock::System",
        })
    }
}
