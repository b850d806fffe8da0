//! How many requests a test expects.

use std::{
    fmt,
    ops::{Range, RangeFrom, RangeFull, RangeInclusive, RangeTo, RangeToInclusive},
    panic::Location,
    sync::Mutex,
};

use crate::{Endpoint, lock::locked};

/// How many requests are expected: a number, or a range of numbers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Times {
    at_least: usize,
    /// `None` for no upper bound.
    below: Option<usize>,
}

/// What a test expects of the requests to its tenant.
#[derive(Debug, Default)]
pub(crate) struct Expectations(Mutex<Vec<Expectation>>);

#[derive(Debug)]
struct Expectation {
    endpoint: Endpoint,
    times: Times,
    from: &'static Location<'static>,
}

impl Expectations {
    #[track_caller]
    pub(crate) fn add(&self, endpoint: Endpoint, times: Times) {
        let is_possible = times.below.is_none_or(|below| times.at_least < below);
        assert!(is_possible, "no number of requests is in an empty range");
        let expectation = Expectation { endpoint, times, from: Location::caller() };
        locked(&self.0).push(expectation);
    }

    /// A line for each expectation that is not met.
    pub(crate) fn unmet(&self, requests: impl Fn(Endpoint) -> usize) -> Vec<String> {
        let expectations = locked(&self.0);
        let unmet = expectations
            .iter()
            .filter_map(|expectation| expectation.complaint(requests(expectation.endpoint)));
        unmet.collect()
    }
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
