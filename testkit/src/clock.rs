//! The time of a test.

use std::{
    pin::Pin,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use tokio::{sync::watch, time::timeout};

/// The time of a test, which runs, or stands still until the test advances it.
///
/// The tenant uses it for its tokens, and the API under test reads it through
/// [`reading`](Self::reading) and waits on it through [`timer`](Self::timer). Clones share one
/// time.
///
/// ```
/// use monocloud_testkit::Clock;
/// use std::time::Duration;
///
/// let clock = Clock::frozen();
/// let before = clock.now();
/// clock.advance(Duration::from_secs(3600));
/// assert_eq!(clock.now(), before + Duration::from_secs(3600));
/// ```
#[derive(Clone, Debug)]
pub struct Clock(watch::Sender<Time>);

/// A reading, real or frozen, and what was added to it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Time {
    frozen: Option<(SystemTime, Instant)>,
    advanced: Duration,
    wall_shift: i64,
}

impl Clock {
    /// A clock that runs with the system's.
    #[must_use]
    pub fn system() -> Self {
        Self(watch::Sender::default())
    }

    /// A clock that stands still at the current second.
    #[must_use]
    pub fn frozen() -> Self {
        let clock = Self::system();
        clock.freeze();
        clock
    }

    /// A clock whose wall time stands still at `wall`.
    #[must_use]
    pub fn frozen_at(wall: SystemTime) -> Self {
        let frozen = Some((wall, real_time().1));
        Self(watch::Sender::new(Time { frozen, ..Time::default() }))
    }

    /// Stops the clock at the current second. It can still be [advanced](Self::advance).
    pub fn freeze(&self) {
        self.0.send_modify(|time| {
            time.frozen.get_or_insert_with(|| {
                let (wall, monotonic) = real_time();
                (to_whole_seconds(wall), monotonic)
            });
        });
    }

    /// Advances both wall time and monotonic time.
    ///
    /// A task that waits on a [timer](Self::timer) for an instant that is now reached is woken
    /// before this returns, and continues when its runtime next polls it.
    pub fn advance(&self, by: Duration) {
        self.0.send_modify(|time| time.advanced += by);
    }

    /// Shifts wall time by this many seconds, as NTP or an operator would. Monotonic time does not
    /// change.
    pub fn shift_wall(&self, by: i64) {
        self.0.send_modify(|time| time.wall_shift += by);
    }

    /// The wall time.
    #[must_use]
    pub fn now(&self) -> SystemTime {
        self.0.borrow().read().0
    }

    /// The monotonic time.
    #[must_use]
    pub fn monotonic(&self) -> Instant {
        self.0.borrow().read().1
    }

    /// Wall time and monotonic time as one function, for the code under test.
    pub fn reading(
        &self,
    ) -> impl Fn() -> (SystemTime, Instant) + Send + Sync + Clone + 'static + use<> {
        let clock = self.clone();
        move || clock.0.borrow().read()
    }

    /// Waiting as one function, for the code under test: the future completes once
    /// [monotonic](Self::monotonic) time reaches the instant. Shifts of wall time neither wake nor
    /// delay it.
    ///
    /// On a frozen clock, only [`advance`](Self::advance) completes it, on any runtime; a running
    /// clock needs tokio's runtime with time enabled.
    ///
    /// ```
    /// use monocloud_testkit::Clock;
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let clock = Clock::frozen();
    /// let timer = clock.timer();
    /// let in_an_hour = timer(clock.monotonic() + Duration::from_secs(3600));
    /// clock.advance(Duration::from_secs(3600));
    /// in_an_hour.await;
    /// # }
    /// ```
    pub fn timer(
        &self,
    ) -> impl Fn(Instant) -> Pin<Box<dyn Future<Output = ()> + Send>>
    + Send
    + Sync
    + Clone
    + 'static
    + use<> {
        let clock = self.clone();
        move |instant| {
            let clock = clock.clone();
            Box::pin(async move { clock.reaches(instant).await })
        }
    }

    pub(crate) fn is_frozen(&self) -> bool {
        self.0.borrow().frozen.is_some()
    }

    /// What was done to the clock so far.
    pub(crate) fn state(&self) -> Time {
        *self.0.borrow()
    }

    /// Undoes what was done to the clock since.
    pub(crate) fn restore(&self, state: Time) {
        self.0.send_replace(state);
    }

    /// Returns once monotonic time reaches the instant.
    pub(crate) async fn reaches(&self, instant: Instant) {
        let mut time = self.0.subscribe();
        loop {
            // The read marks the value as seen, so no change between here and the wait is lost.
            let (monotonic, is_frozen) = {
                let time = time.borrow_and_update();
                (time.read().1, time.frozen.is_some())
            };
            let left = instant.saturating_duration_since(monotonic);
            if left.is_zero() {
                return;
            }
            // Either result leads to another check. It cannot fail: `self` is the sender.
            if is_frozen {
                let _ = time.changed().await;
            } else {
                let _ = timeout(left, time.changed()).await;
            }
        }
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::system()
    }
}

impl Time {
    fn read(&self) -> (SystemTime, Instant) {
        let (wall, monotonic) = self.frozen.unwrap_or_else(real_time);
        let shift = Duration::from_secs(self.wall_shift.unsigned_abs());
        let wall = wall + self.advanced;
        let wall = if self.wall_shift < 0 { wall - shift } else { wall + shift };
        (wall, monotonic + self.advanced)
    }
}

/// Whole seconds since the epoch, as a JWT's NumericDate counts them.
pub(crate) fn unix_seconds(wall: SystemTime) -> i64 {
    let since_epoch = wall.duration_since(UNIX_EPOCH).expect("the clock is past 1970");
    i64::try_from(since_epoch.as_secs()).expect("the clock is before the year 292 billion")
}

fn to_whole_seconds(wall: SystemTime) -> SystemTime {
    let seconds = unix_seconds(wall).unsigned_abs();
    UNIX_EPOCH + Duration::from_secs(seconds)
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the seam that every other reader of time goes through"
)]
fn real_time() -> (SystemTime, Instant) {
    (SystemTime::now(), Instant::now())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn frozen_stands_still_on_a_whole_second() {
        let clock = Clock::frozen();
        let read = clock.reading();
        assert_eq!(read(), read());
        assert_eq!(clock.now(), to_whole_seconds(clock.now()));
    }

    #[test]
    fn advance_moves_wall_and_monotonic_time() {
        let clock = Clock::frozen_at(UNIX_EPOCH + HOUR);
        let monotonic = clock.monotonic();
        clock.advance(HOUR);
        assert_eq!(clock.now(), UNIX_EPOCH + 2 * HOUR);
        assert_eq!(clock.monotonic(), monotonic + HOUR);
    }

    #[test]
    fn shift_moves_the_wall_clock_alone() {
        let clock = Clock::frozen_at(UNIX_EPOCH + HOUR);
        let monotonic = clock.monotonic();
        clock.shift_wall(-60);
        assert_eq!(clock.now(), UNIX_EPOCH + HOUR - Duration::from_secs(60));
        clock.shift_wall(120);
        assert_eq!(clock.now(), UNIX_EPOCH + HOUR + Duration::from_secs(60));
        assert_eq!(clock.monotonic(), monotonic);
    }

    #[test]
    fn clones_and_readings_share_one_time() {
        let clock = Clock::system();
        let (read, twin) = (clock.reading(), clock.clone());
        clock.freeze();
        twin.advance(HOUR);
        assert_eq!(read(), (clock.now(), clock.monotonic()));
    }

    #[test]
    fn freezing_keeps_what_was_advanced() {
        let clock = Clock::system();
        let before = clock.now();
        clock.advance(HOUR);
        clock.freeze();
        assert!(clock.now() + Duration::from_secs(1) > before + HOUR);
    }
}
