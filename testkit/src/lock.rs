//! The lock on state that a test and its servers share.

use std::sync::{Mutex, MutexGuard};

/// Locks state that no holder leaves half changed.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no holder of the tenant's state panics")
}
