//! Faults: how a test makes the endpoints of its tenant fail.

use std::{fmt, sync::Arc};

use crate::{Endpoint, Fault, MockTenant, site::Site};

/// Keeps a [`Fault`] in force until it is dropped; see [`MockTenant::fault`].
#[must_use = "the fault is lifted when its guard is dropped"]
pub struct FaultGuard {
    site: Arc<Site>,
    endpoint: Endpoint,
    id: u64,
    /// Whether the fault outlives the guard.
    is_detached: bool,
}

/// Faults.
impl MockTenant {
    /// Makes an endpoint fail until the guard is dropped, [for a number of
    /// requests](FaultGuard::times), or [until it recovers](FaultGuard::until_recovered).
    ///
    /// Of several faults at an endpoint the latest is in force; when it is lifted, the one before
    /// is. Requests that have already arrived keep the fault that they met.
    ///
    /// ```
    /// use monocloud_testkit::{Endpoint, Fault, MockTenant};
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let tenant = MockTenant::start().await;
    ///
    /// // The next two requests fail.
    /// tenant.fault(Endpoint::Jwks, Fault::Reset).times(2);
    ///
    /// // All requests fail, until the end of an outage.
    /// tenant.fault(Endpoint::Introspection, Fault::Status(503)).until_recovered();
    /// tenant.recover(Endpoint::Introspection);
    ///
    /// // Requests wait until the test moves the clock.
    /// let slow = tenant.fault(Endpoint::Discovery, Fault::Latency(Duration::from_secs(5)));
    /// tenant.clock().advance(Duration::from_secs(5));
    /// drop(slow);
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// If the endpoint cannot fail like this: [`BrokenTls`](Fault::BrokenTls) without TLS,
    /// [`WrongIssuer`](Fault::WrongIssuer) where no issuer is named, a status, media type or URL
    /// that HTTP does not allow, or parts of no bytes.
    #[track_caller]
    pub fn fault(&self, endpoint: Endpoint, fault: Fault) -> FaultGuard {
        self.check_fault(endpoint, &fault).unwrap_or_else(|mistake| panic!("{mistake}"));
        let id = self.site.endpoint(endpoint).put(fault);
        FaultGuard { site: Arc::clone(&self.site), endpoint, id, is_detached: false }
    }

    /// The error says why the endpoint cannot fail like this.
    pub(crate) fn check_fault(&self, endpoint: Endpoint, fault: &Fault) -> Result<(), String> {
        fault.check(endpoint, self.tls.is_some())
    }

    /// Lifts all [faults](Self::fault) of an endpoint.
    pub fn recover(&self, endpoint: Endpoint) {
        self.site.endpoint(endpoint).recover();
    }
}

impl FaultGuard {
    /// Keeps the fault in force for this many more requests, instead of until the guard is dropped.
    /// Requests that meet a later fault do not count.
    pub fn times(mut self, requests: usize) {
        self.is_detached = true;
        self.site.endpoint(self.endpoint).limit(self.id, requests);
    }

    /// Keeps the fault in force until the endpoint [recovers](MockTenant::recover), instead of
    /// until the guard is dropped.
    pub fn until_recovered(mut self) {
        self.is_detached = true;
    }
}

impl Drop for FaultGuard {
    fn drop(&mut self) {
        if !self.is_detached {
            self.site.endpoint(self.endpoint).lift(self.id);
        }
    }
}

impl fmt::Debug for FaultGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultGuard").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}
