//! Work that many callers may await and none can cancel, and work that may panic.

use std::{
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    task::Poll,
};

use tokio::sync::watch;

/// Work in a task of its own. Clones wait for the same outcome; a caller that leaves affects no other.
pub(crate) struct SharedTask<V>(watch::Receiver<Option<V>>);

impl<V: Clone + Send + Sync + 'static> SharedTask<V> {
    pub(crate) fn start(work: impl Future<Output = V> + Send + 'static) -> Self {
        let (announce, outcome) = watch::channel(None);
        tokio::spawn(async move {
            announce.send_replace(Some(work.await));
        });
        Self(outcome)
    }

    /// Whether the work is in progress; not if its runtime has ended.
    pub(crate) fn is_running(&self) -> bool {
        self.0.has_changed().is_ok()
    }

    /// Waits for the outcome; nothing if the runtime that the work was on has ended.
    pub(crate) async fn outcome(mut self) -> Option<V> {
        self.0.wait_for(Option::is_some).await.ok()?.clone()
    }
}

impl<V> Clone for SharedTask<V> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

/// Runs work that calls code of the application; nothing if it panics.
pub(crate) async fn catch_panic<W: Future>(work: W) -> Option<W::Output> {
    let mut work = pin!(work);
    poll_fn(|context| {
        // The work is not polled again after a panic, so its broken state is never seen.
        match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(output)) => Poll::Ready(Some(output)),
            Err(_) => Poll::Ready(None),
        }
    })
    .await
}
