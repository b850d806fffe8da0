use std::{
    future::Future,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake},
    thread,
    time::Duration,
};

use monocloud_testkit::Clock;

const HOUR: Duration = Duration::from_secs(3600);

/// Counts how often it is woken; it belongs to no runtime.
#[derive(Default)]
struct Counter(AtomicUsize);

impl Counter {
    fn wakes(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Wake for Counter {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn a_timer_of_a_frozen_clock_ends_when_advancing_reaches_the_instant() {
    let clock = Clock::frozen();
    let timer = clock.timer();
    let counter = Arc::new(Counter::default());
    let waker = Arc::clone(&counter).into();
    let mut context = Context::from_waker(&waker);
    let mut waiting = timer(clock.monotonic() + 2 * HOUR);

    assert_eq!(waiting.as_mut().poll(&mut context), Poll::Pending);
    assert_eq!(counter.wakes(), 0);
    clock.advance(HOUR);
    assert_eq!(counter.wakes(), 1);
    assert_eq!(waiting.as_mut().poll(&mut context), Poll::Pending);
    clock.shift_wall(7200);
    assert_eq!(waiting.as_mut().poll(&mut context), Poll::Pending);
    clock.advance(HOUR);
    assert_eq!(waiting.as_mut().poll(&mut context), Poll::Ready(()));
}

#[test]
fn a_timer_for_a_past_instant_ends_immediately() {
    let clock = Clock::frozen();
    let timer = clock.timer();
    let waker = Arc::new(Counter::default()).into();
    let mut context = Context::from_waker(&waker);
    let start = clock.monotonic();
    assert_eq!(timer(start).as_mut().poll(&mut context), Poll::Ready(()));
    // The instant counts, not the duration when the timer was created.
    let waiting = timer(start + HOUR);
    clock.advance(HOUR);
    assert_eq!(pin!(waiting).poll(&mut context), Poll::Ready(()));
}

#[tokio::test]
async fn a_timer_of_a_running_clock_ends_by_itself_and_by_advancing() {
    let clock = Clock::system();
    let timer = clock.timer();
    let instant = clock.monotonic() + Duration::from_millis(2);
    timer(instant).await;
    assert!(clock.monotonic() >= instant);

    let waiting = tokio::spawn(timer(clock.monotonic() + HOUR));
    tokio::task::yield_now().await;
    clock.advance(HOUR);
    waiting.await.unwrap();
}

#[tokio::test]
async fn a_timer_follows_a_clock_that_is_frozen_while_it_waits() {
    let clock = Clock::system();
    let waiting = tokio::spawn(clock.timer()(clock.monotonic() + HOUR));
    tokio::task::yield_now().await;
    clock.freeze();
    clock.advance(HOUR - Duration::from_secs(60));
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    clock.advance(Duration::from_secs(60));
    waiting.await.unwrap();
}

#[test]
fn no_wake_up_is_lost() {
    for _ in 0..2000 {
        let clock = Clock::frozen();
        let waiting = clock.timer()(clock.monotonic() + HOUR);
        let mover = thread::spawn(move || clock.advance(HOUR));
        // It hangs here if one is.
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(waiting);
        mover.join().unwrap();
    }
}
