//! The state of one endpoint: how many requests it has seen, and the faults in force.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use tokio::sync::watch;

use crate::{
    lock::locked,
    site::{active_fault::ActiveFault, fault::Fault},
};

#[derive(Debug, Default)]
pub(crate) struct EndpointState {
    requests: watch::Sender<usize>,
    requests_with_certificate: AtomicUsize,
    faults: Mutex<Faults>,
}

#[derive(Debug, Default)]
struct Faults {
    /// The last one is the latest, and the one that requests meet.
    in_force: Vec<Entry>,
    /// Those whose number of requests is used up, while they still hold one of them.
    spent: Vec<Entry>,
    next_id: u64,
}

#[derive(Debug)]
struct Entry {
    id: u64,
    fault: Arc<Fault>,
    /// For how many more requests; `None` for any number.
    left: Option<usize>,
    /// Dropping it releases the requests that the fault holds.
    held: watch::Sender<()>,
}

impl EndpointState {
    /// Counts a request.
    pub(crate) fn count(&self, with_certificate: bool) {
        if with_certificate {
            self.requests_with_certificate.fetch_add(1, Ordering::Relaxed);
        }
        self.requests.send_modify(|requests| *requests += 1);
    }

    pub(crate) fn requests(&self) -> usize {
        *self.requests.borrow()
    }

    pub(crate) fn requests_with_certificate(&self) -> usize {
        self.requests_with_certificate.load(Ordering::Relaxed)
    }

    /// Returns once this many requests have arrived.
    pub(crate) async fn requested(&self, at_least: usize) {
        let mut requests = self.requests.subscribe();
        // It cannot fail: `self` is the sender.
        let _ = requests.wait_for(|requests| *requests >= at_least).await;
    }

    /// The fault that the next request meets.
    pub(crate) fn next_fault(&self) -> Option<ActiveFault> {
        let mut faults = locked(&self.faults);
        let entry = faults.in_force.last_mut()?;
        let fault = ActiveFault::new(Arc::clone(&entry.fault), entry.held.subscribe());
        if let Some(left) = &mut entry.left {
            *left -= 1;
            if *left == 0 {
                let spent = faults.in_force.pop();
                faults.spent.retain(|entry| entry.held.receiver_count() > 0);
                faults.spent.extend(spent);
            }
        }
        Some(fault)
    }

    /// Puts a fault in force before all others, until it is [lifted](Self::lift) or the endpoint
    /// [recovers](Self::recover). Returns its id.
    pub(crate) fn put(&self, fault: Fault) -> u64 {
        let mut faults = locked(&self.faults);
        let id = faults.next_id;
        faults.next_id += 1;
        let (fault, held) = (Arc::new(fault), watch::Sender::default());
        faults.in_force.push(Entry { id, fault, left: None, held });
        id
    }

    /// The number of faults in force.
    pub(crate) fn faults(&self) -> usize {
        locked(&self.faults).in_force.len()
    }

    /// Ends a fault after this many more requests.
    pub(crate) fn limit(&self, id: u64, requests: usize) {
        if requests == 0 {
            return self.lift(id);
        }
        let mut faults = locked(&self.faults);
        if let Some(entry) = faults.in_force.iter_mut().find(|entry| entry.id == id) {
            entry.left = Some(requests);
        }
    }

    pub(crate) fn lift(&self, id: u64) {
        locked(&self.faults).in_force.retain(|entry| entry.id != id);
    }

    /// Lifts all faults.
    pub(crate) fn recover(&self) {
        let mut faults = locked(&self.faults);
        faults.in_force.clear();
        faults.spent.clear();
    }
}
