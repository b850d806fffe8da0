use crate::lock::locked;
use crate::{Endpoint, MockTenant};
use std::fmt;
use std::ops::{Range, RangeFrom, RangeFull, RangeInclusive, RangeTo, RangeToInclusive};
use std::panic::Location;
use std::sync::Mutex;

/// How many requests are right: a number, or a range of numbers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Times {
    at_least: usize,
    /// Without an end if there is nothing.
    below: Option<usize>,
}

/// Requests and what is expected of them.
impl MockTenant {
    /// How many requests have arrived at an endpoint, failed ones included.
    #[must_use]
    pub fn requests(&self, endpoint: Endpoint) -> usize {
        self.site.gate(endpoint).requests()
    }

    /// Waits until so many requests have arrived at an endpoint since the tenant
    /// started; on any runtime.
    ///
    /// What [`introspections`](Self::introspections) tells of them is there by then,
    /// their answers may still be on the way.
    pub async fn requested(&self, endpoint: Endpoint, at_least: usize) {
        self.site.gate(endpoint).requested(at_least).await;
    }

    /// Expects so many requests to an endpoint, from the tenant's start to its end:
    /// [`verify`](Self::verify) and the drop of the tenant check it. Of several
    /// expectations each has to be met.
    ///
    /// ```
    /// use monocloud_testkit::{Endpoint, MockTenant};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let tenant = MockTenant::start().await;
    /// // None of what follows may make the API fetch keys more than twice.
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
        let times = times.into();
        let is_possible = times.below.is_none_or(|below| times.at_least < below);
        assert!(is_possible, "no number of requests is in an empty range");
        let expectation = Expectation { endpoint, times, from: Location::caller() };
        locked(&self.expectations.0).push(expectation);
    }

    /// Checks now whether all [expectations](Self::expect) are met.
    ///
    /// # Panics
    ///
    /// If one is not.
    #[track_caller]
    pub fn verify(&self) {
        let unmet: Vec<_> = locked(&self.expectations.0)
            .iter()
            .filter_map(|expectation| expectation.complaint(self.requests(expectation.endpoint)))
            .collect();
        assert!(unmet.is_empty(), "{}", unmet.join("\n"));
    }
}

/// What a test expects of its tenant's requests.
#[derive(Debug, Default)]
pub(crate) struct Expectations(Mutex<Vec<Expectation>>);

#[derive(Debug)]
struct Expectation {
    endpoint: Endpoint,
    times: Times,
    from: &'static Location<'static>,
}

impl Expectation {
    fn complaint(&self, found: usize) -> Option<String> {
        let Self { endpoint, times, from } = self;
        let is_met = found >= times.at_least && times.below.is_none_or(|below| found < below);
        (!is_met).then(|| format!("{endpoint:?}: {times} expected at {from}, but found {found}"))
    }
}

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at_least = self.at_least;
        match self.below.map(|below| below.saturating_sub(1)) {
            None => write!(f, "{at_least} requests or more"),
            Some(at_most) if at_most == at_least => write!(f, "{at_least} requests"),
            Some(at_most) => write!(f, "{at_least} to {at_most} requests"),
        }
    }
}

impl From<usize> for Times {
    fn from(times: usize) -> Self {
        (times..=times).into()
    }
}

impl From<Range<usize>> for Times {
    fn from(range: Range<usize>) -> Self {
        Self { at_least: range.start, below: Some(range.end) }
    }
}

impl From<RangeInclusive<usize>> for Times {
    fn from(range: RangeInclusive<usize>) -> Self {
        Self { at_least: *range.start(), below: range.end().checked_add(1) }
    }
}

impl From<RangeFrom<usize>> for Times {
    fn from(range: RangeFrom<usize>) -> Self {
        Self { at_least: range.start, below: None }
    }
}

impl From<RangeTo<usize>> for Times {
    fn from(range: RangeTo<usize>) -> Self {
        (0..range.end).into()
    }
}

impl From<RangeToInclusive<usize>> for Times {
    fn from(range: RangeToInclusive<usize>) -> Self {
        (0..=range.end).into()
    }
}

impl From<RangeFull> for Times {
    fn from(_: RangeFull) -> Self {
        (0..).into()
    }
}
