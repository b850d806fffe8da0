//! The requests to a tenant: counting them, waiting for them, and expecting them.

use crate::{Endpoint, MockTenant, tenant::expectations::Times};

/// Requests and what is expected of them.
impl MockTenant {
    /// The number of requests that have arrived at an endpoint, including those that failed.
    #[must_use]
    pub fn requests(&self, endpoint: Endpoint) -> usize {
        self.site.endpoint(endpoint).requests()
    }

    /// Waits until this many requests have arrived at an endpoint since the tenant started. It
    /// works on any runtime.
    ///
    /// By then, [`introspections`](Self::introspections) lists them. Their answers may still be on
    /// the way.
    pub async fn requested(&self, endpoint: Endpoint, at_least: usize) {
        self.site.endpoint(endpoint).requested(at_least).await;
    }

    /// Expects this many requests to an endpoint, counted from the start of the tenant to its end.
    /// [`verify`](Self::verify) checks it, and so does dropping the tenant. All expectations have
    /// to be met.
    ///
    /// ```
    /// use monocloud_testkit::{Endpoint, MockTenant};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let tenant = MockTenant::start().await;
    /// // The API under test may fetch the keys twice at most.
    /// tenant.expect(Endpoint::Jwks, ..=2);
    /// tenant.expect(Endpoint::Canary, 0);
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// If the range is empty.
    #[track_caller]
    pub fn expect(&self, endpoint: Endpoint, times: impl Into<Times>) {
        self.expectations.add(endpoint, times.into());
    }

    /// Checks now whether all [expectations](Self::expect) are met, and those of mounted
    /// [mocks](Self::mount).
    ///
    /// # Panics
    ///
    /// If one of them is not.
    #[track_caller]
    pub fn verify(&self) {
        let unmet = self.expectations.unmet(|endpoint| self.requests(endpoint));
        assert!(unmet.is_empty(), "{}", unmet.join("\n"));
        self.site.mocks.verify();
    }
}
