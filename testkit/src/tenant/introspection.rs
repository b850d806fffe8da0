//! What a test sets, and sees, of introspection.

use serde_json::Value;

use crate::{Client, Endpoint, Fault, Introspection, MockTenant};

/// Introspection.
impl MockTenant {
    /// Answers every introspection with this body and status 200, even without credentials, until
    /// the endpoint [recovers](Self::recover). It is a [fault](Fault::Answer).
    #[expect(clippy::needless_pass_by_value, reason = "callers write `json!` there")]
    pub fn introspection_answer(&self, body: Value) {
        let (content_type, body) = ("application/json", body.to_string());
        let fault = Fault::Answer { status: 200, content_type, body };
        self.fault(Endpoint::Introspection, fault).until_recovered();
    }

    /// Replaces the client's SPIFFE JWT-SVID, including the file that [`vars_for`](Self::vars_for)
    /// names. The old one is rejected from now on.
    ///
    /// # Panics
    ///
    /// If the temporary directory cannot be written to.
    pub fn renew_svid(&self) {
        self.client().renew_svid(self.issuer());
    }

    /// The requests to the introspection endpoint, the oldest first, including rejected ones. The
    /// tenant remembers the last thousand.
    #[must_use]
    pub fn introspections(&self) -> Vec<Introspection> {
        self.introspector().received()
    }

    /// The client that may introspect. [`vars_for`](Self::vars_for) returns its settings.
    #[must_use]
    pub fn client(&self) -> &Client {
        self.introspector().client()
    }
}
