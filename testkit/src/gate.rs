use crate::Fault;
use crate::lock::locked;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::sync::watch;

/// What a request to one endpoint passes: it is counted, and may meet a fault.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    requests: watch::Sender<usize>,
    requests_with_certificate: AtomicUsize,
    faults: Mutex<Faults>,
}

/// What goes wrong for one request.
#[derive(Debug)]
pub(crate) struct Met {
    pub(crate) fault: Arc<Fault>,
    lifted: watch::Receiver<()>,
}

#[derive(Debug, Default)]
struct Faults {
    /// The latest is the last, and the one that requests meet.
    in_force: Vec<Entry>,
    /// Those whose requests are used up, and may hold some of them still.
    spent: Vec<Entry>,
    next_id: u64,
}

#[derive(Debug)]
struct Entry {
    id: u64,
    fault: Arc<Fault>,
    /// For how many more requests; nothing for any number.
    left: Option<usize>,
    /// Its end is the sign for the requests that it holds.
    held: watch::Sender<()>,
}

impl Gate {
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

    /// Ends once so many requests have arrived.
    pub(crate) async fn requested(&self, at_least: usize) {
        let mut requests = self.requests.subscribe();
        // There is a sender, which is `self`.
        let _ = requests.wait_for(|requests| *requests >= at_least).await;
    }

    /// What the next request meets.
    pub(crate) fn meet(&self) -> Option<Met> {
        let mut faults = locked(&self.faults);
        let entry = faults.in_force.last_mut()?;
        let met = Met { fault: Arc::clone(&entry.fault), lifted: entry.held.subscribe() };
        if let Some(left) = &mut entry.left {
            *left -= 1;
            if *left == 0 {
                let spent = faults.in_force.pop();
                faults.spent.extend(spent);
            }
        }
        Some(met)
    }

    /// Puts this in force, before all others, until it is [lifted](Self::lift) or the
    /// endpoint [recovers](Self::recover).
    pub(crate) fn put(&self, fault: Fault) -> u64 {
        let mut faults = locked(&self.faults);
        let id = faults.next_id;
        faults.next_id += 1;
        let (fault, held) = (Arc::new(fault), watch::Sender::default());
        faults.in_force.push(Entry { id, fault, left: None, held });
        id
    }

    /// Ends a fault after so many more requests.
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

    /// Lifts all there is.
    pub(crate) fn recover(&self) {
        let mut faults = locked(&self.faults);
        faults.in_force.clear();
        faults.spent.clear();
    }
}

impl Met {
    /// Ends once the fault is lifted.
    pub(crate) async fn lifted(mut self) {
        // Nothing is ever sent: it ends with the sender.
        let _ = self.lifted.changed().await;
    }
}
