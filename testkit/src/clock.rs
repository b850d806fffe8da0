use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The time of a test: it runs, stands still, and moves when told to.
///
/// The tenant stamps its tokens by it, and the API under test reads the same
/// clock through [`reading`](Self::reading). Clones share one time.
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
pub struct Clock(Arc<Mutex<Time>>);

/// What a clock shows: a reading, real or frozen, and what was added to it.
#[derive(Debug, Default)]
struct Time {
    frozen: Option<(SystemTime, Instant)>,
    advanced: Duration,
    wall_shift: i64,
}

impl Clock {
    /// A clock that runs with the machine's.
    #[must_use]
    pub fn system() -> Self {
        Self(Arc::default())
    }

    /// A clock that stands still at the present second.
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
        Self(Arc::new(Mutex::new(Time { frozen, ..Time::default() })))
    }

    /// Stops the clock at the present second; it still moves when told to.
    pub fn freeze(&self) {
        self.time().frozen.get_or_insert_with(|| {
            let (wall, monotonic) = real_time();
            (to_whole_seconds(wall), monotonic)
        });
    }

    /// Lets time pass, wall time and monotonic time both.
    pub fn advance(&self, by: Duration) {
        self.time().advanced += by;
    }

    /// Corrects the wall clock by so many seconds, as NTP or an operator would.
    /// Monotonic time does not move.
    pub fn shift_wall(&self, by: i64) {
        self.time().wall_shift += by;
    }

    /// The wall time.
    #[must_use]
    pub fn now(&self) -> SystemTime {
        self.time().read().0
    }

    /// The monotonic time.
    #[must_use]
    pub fn monotonic(&self) -> Instant {
        self.time().read().1
    }

    /// Wall time and monotonic time as one function, for the code under test.
    pub fn reading(
        &self,
    ) -> impl Fn() -> (SystemTime, Instant) + Send + Sync + Clone + 'static + use<> {
        let clock = self.clone();
        move || clock.time().read()
    }

    fn time(&self) -> MutexGuard<'_, Time> {
        self.0.lock().expect("no holder of the clock panics")
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
