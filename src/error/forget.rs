//! A cache that did not confirm that it forgot a token.

use std::{error::Error as StdError, fmt};

/// A shared cache did not confirm that it forgot a token.
///
/// This process no longer uses what the cache holds for the token. Other processes may accept the
/// token until the removal succeeds or the cached result expires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForgetError {
    issuers: Vec<String>,
    is_retried: bool,
}

impl ForgetError {
    /// The failures by issuer, each with whether it is retried; nothing if there are none.
    pub(crate) fn of(failures: impl IntoIterator<Item = (String, bool)>) -> Result<(), Self> {
        let (issuers, retried): (Vec<_>, Vec<_>) = failures.into_iter().unzip();
        let is_retried = retried.iter().all(|is_retried| *is_retried);
        if issuers.is_empty() { Ok(()) } else { Err(Self { issuers, is_retried }) }
    }

    /// The issuers of the tenants whose cache failed. The event `introspection_cache.failed` says
    /// why.
    pub fn issuers(&self) -> impl Iterator<Item = &str> {
        self.issuers.iter().map(String::as_str)
    }

    /// Whether this process repeats the removal, every few seconds, until the cache confirms it or
    /// the result has expired. It does not where too many removals wait already.
    #[must_use]
    pub const fn is_retried(&self) -> bool {
        self.is_retried
    }
}

impl fmt::Display for ForgetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let issuers = self.issuers.join(", ");
        write!(f, "the shared cache did not confirm that it forgot the token of {issuers}; ")?;
        f.write_str(match self.is_retried {
            true => "the removal will be retried",
            false => "too many removals wait already, so call `forget` again later",
        })
    }
}

impl StdError for ForgetError {}
