//! Work that many may wait for and nobody can cancel, and work that may panic.

use std::{
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    task::Poll,
};

use tokio::sync::watch;

/// Work in a task of its own. Clones wait for the same outcome; a caller that leaves fails nobody.
pub(crate) struct Flight<V>(watch::Receiver<Option<V>>);

impl<V: Clone + Send + Sync + 'static> Flight<V> {
    pub(crate) fn start(work: impl Future<Output = V> + Send + 'static) -> Self {
        let (announce, flight) = watch::channel(None);
        tokio::spawn(async move {
            announce.send_replace(Some(work.await));
        });
        Self(flight)
    }

    /// Whether the work may still end; it does not if its runtime took it down.
    pub(crate) fn is_in_the_air(&self) -> bool {
        self.0.has_changed().is_ok()
    }

    /// Waits for the outcome; nothing if the runtime that the work was on has ended.
    pub(crate) async fn landing(mut self) -> Option<V> {
        self.0.wait_for(Option::is_some).await.ok()?.clone()
    }
}

impl<V> Clone for Flight<V> {
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
