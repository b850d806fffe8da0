use crate::answer::Canned;
use crate::gate::Effect;
use crate::site::Site;
use crate::{Endpoint, MockTenant};
use http::{HeaderValue, StatusCode};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// What goes wrong with the answers of an endpoint; see [`MockTenant::fault`].
///
/// Whatever it is, the request arrived, and is counted. Times are on the tenant's
/// [`Clock`](crate::Clock) and count from the request's arrival.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Fault {
    /// This status, from 200 on, and a JSON object that says nothing of use.
    Status(u16),
    /// Status 429 (RFC 6585 §4) with a `Retry-After`, in whole seconds, rounded up.
    TooManyRequests {
        /// How long to wait.
        retry_after: Duration,
    },
    /// Status 503 (RFC 9110 §15.6.4) with a `Retry-After`, in whole seconds, rounded up.
    Unavailable {
        /// How long to wait.
        retry_after: Duration,
    },
    /// The right answer, so much later.
    Latency(Duration),
    /// No answer: the connection is held until the client leaves, or the fault is
    /// lifted, which lets it have the right answer, as of its arrival.
    NeverAnswer,
    /// Status 200 with an empty body.
    Empty,
    /// The first half of the right answer, as if it were all.
    Malformed,
    /// The right answer under a wrong media type.
    ContentType(&'static str),
    /// The right answer after so much white space (RFC 8259 §2) that the body has
    /// this many bytes. It is made while it is sent, and the connection ends with it.
    Huge(usize),
    /// The right answer with one more member, of so many arrays in each other.
    DeepJson(usize),
    /// Status 307 (RFC 9110 §15.4.8) to this URL: whoever follows it sends there what
    /// was meant for the tenant.
    Redirect(String),
    /// The right answer, of which so many bytes of the body arrive. The
    /// `Content-Length` is of the whole, and the connection ends there, with TLS in
    /// due form.
    Truncated {
        /// In bytes.
        after: usize,
    },
    /// The right answer, in parts: one at once, and one more each time. The connection
    /// ends with it.
    SlowDrip {
        /// The size of a part, in bytes.
        chunk: usize,
        /// From one to the next.
        every: Duration,
    },
    /// TCP's RST in place of an answer.
    Reset,
    /// TCP's FIN in place of an answer, with TLS or without.
    CloseBeforeAnswer,
    /// Bytes that are not TLS in place of an answer, on a connection with TLS.
    BrokenTls,
    /// Another issuer: as the `issuer` of the discovery document, or the `iss` of an
    /// introspection.
    WrongIssuer(String),
    /// The right answer without this member of its JSON object.
    MissingField(&'static str),
}

/// Lifts a [`Fault`] when dropped; see [`MockTenant::fault`].
#[must_use = "the fault is lifted when this is dropped"]
pub struct FaultGuard {
    site: Arc<Site>,
    endpoint: Endpoint,
    id: u64,
    /// Whether the fault ends by itself.
    is_limited: bool,
}

/// Faults.
impl MockTenant {
    /// Lets the answers of an endpoint go wrong until the guard is dropped, or
    /// [for a number of requests](FaultGuard::times). Of several faults the latest is
    /// met, and if it is lifted, the one before. Requests that arrived before are
    /// answered as it was then.
    ///
    /// ```
    /// use monocloud_testkit::{Endpoint, Fault, MockTenant};
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let tenant = MockTenant::start().await;
    ///
    /// // The next two requests, and none after them.
    /// tenant.fault(Endpoint::Jwks, Fault::Reset).times(2);
    ///
    /// let slow = tenant.fault(Endpoint::Discovery, Fault::Latency(Duration::from_secs(5)));
    /// // Whoever asks waits, until the test moves the clock.
    /// tenant.clock().advance(Duration::from_secs(5));
    /// drop(slow);
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// If there is no such fault: [`BrokenTls`](Fault::BrokenTls) without TLS,
    /// [`WrongIssuer`](Fault::WrongIssuer) where no issuer is named, a status, media
    /// type or URL that HTTP cannot say, parts of no bytes.
    #[track_caller]
    pub fn fault(&self, endpoint: Endpoint, fault: Fault) -> FaultGuard {
        fault.check(endpoint, self.tls.is_some());
        let id = self.site.gate(endpoint).put(Effect::Fault(fault));
        FaultGuard { site: Arc::clone(&self.site), endpoint, id, is_limited: false }
    }

    /// Lets an endpoint answer with this status until it [recovers](Self::recover).
    ///
    /// # Panics
    ///
    /// If there is no such status.
    #[track_caller]
    pub fn fail(&self, endpoint: Endpoint, status: u16) {
        self.put_answer(endpoint, Canned::failure(checked(status), None));
    }

    /// Lets an endpoint answer with this status and a `Retry-After` of so many
    /// seconds until it [recovers](Self::recover).
    ///
    /// # Panics
    ///
    /// If there is no such status.
    #[track_caller]
    pub fn fail_with_retry_after(&self, endpoint: Endpoint, status: u16, seconds: u64) {
        self.put_answer(endpoint, Canned::failure(checked(status), Some(seconds)));
    }

    /// Lets an endpoint answer as it should again, whatever [faults](Self::fault) and
    /// answers by hand it had.
    pub fn recover(&self, endpoint: Endpoint) {
        self.site.gate(endpoint).recover();
    }

    pub(crate) fn put_answer(&self, endpoint: Endpoint, answer: Canned) {
        self.site.gate(endpoint).put(Effect::Canned(answer));
    }
}

impl FaultGuard {
    /// Lets the fault hold for so many more requests, and no longer by this guard.
    /// It counts those that meet it, and not those that meet a later one.
    pub fn times(mut self, requests: usize) {
        self.is_limited = true;
        self.site.gate(self.endpoint).limit(self.id, requests);
    }
}

impl Drop for FaultGuard {
    fn drop(&mut self) {
        if !self.is_limited {
            self.site.gate(self.endpoint).lift(self.id);
        }
    }
}

impl fmt::Debug for FaultGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultGuard").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

impl Fault {
    #[track_caller]
    fn check(&self, endpoint: Endpoint, has_tls: bool) {
        match self {
            Self::Status(status) => {
                checked(*status);
            }
            Self::ContentType(value) => assert_is_header(value),
            Self::Redirect(url) => assert_is_header(url),
            Self::SlowDrip { chunk, .. } => assert!(*chunk > 0, "a part has a byte or more"),
            Self::BrokenTls => assert!(has_tls, "the tenant was not built with TLS"),
            Self::WrongIssuer(_) => {
                let names_issuer =
                    matches!(endpoint, Endpoint::Discovery | Endpoint::Introspection);
                assert!(names_issuer, "no answer of {endpoint:?} names an issuer");
            }
            _ => {}
        }
    }
}

/// A status that can end a request.
#[track_caller]
pub(crate) fn checked(status: u16) -> StatusCode {
    let status_code = StatusCode::from_u16(status).ok().filter(|code| !code.is_informational());
    status_code.unwrap_or_else(|| panic!("no answer has the status {status}"))
}

#[track_caller]
fn assert_is_header(value: &str) {
    assert!(HeaderValue::from_str(value).is_ok(), "{value:?} cannot be in a header");
}
