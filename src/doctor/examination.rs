//! What an examination has, and the words that its parts share.

use std::{collections::BTreeMap, time::SystemTime};

use super::diagnosis::{Finding, quoted};
use crate::{
    config::{Key, TenantDomain},
    protect::api::ApiSettings,
    token::{claims::Claims, typed::Unfit},
    validator::TokenValidator,
};

/// Examines an API and one of its tenants.
pub(super) struct Doctor<'p> {
    pub(super) validator: &'p TokenValidator,
    pub(super) settings: &'p ApiSettings,
    /// Reads claims into a type of the application's, if there is one to try.
    pub(super) typed: Option<ReadClaims>,
    pub(super) findings: Vec<Finding>,
}

/// The `acr` values that an API's operations demand, each with the operations.
pub(crate) type DemandedAcr = BTreeMap<String, Vec<String>>;

/// Whether claims fit a type.
pub(super) type ReadClaims = fn(&Claims) -> Result<(), Unfit>;

impl<'p> Doctor<'p> {
    pub(super) const fn of(
        validator: &'p TokenValidator,
        settings: &'p ApiSettings,
        typed: Option<ReadClaims>,
    ) -> Self {
        Self { validator, settings, typed, findings: Vec::new() }
    }

    pub(super) fn find(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    /// The time at which tokens are validated.
    pub(super) fn now(&self) -> SystemTime {
        let now = self.validator.clock().wall();
        now.checked_add(self.validator.expectations.clock_skew).unwrap_or(now)
    }
}

/// What to do about an issuer that is not the configured one.
pub(super) fn advice_on_issuer(expected: &str, found: &str) -> String {
    let variable = Key::TenantDomain.variable();
    match TenantDomain::parse(found, false) {
        Ok(domain) if domain.issuer() == found && is_tame(found) => {
            format!("if that is your tenant, set {variable}={found}")
        }
        // A trailing slash, say: the configuration would drop it again.
        Ok(domain) if domain.issuer() == expected => format!(
            "they differ in form alone, and no value of {variable} can say {}: \
             have the tenant call itself {expected}",
            quoted(found)
        ),
        _ => format!("set {variable} to your tenant's own domain, as its console shows it"),
    }
}

/// Whether a shell would take a text for itself, if it was pasted there.
fn is_tame(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b":/.-_~[]%".contains(&byte))
}

/// A length of time, as people say it.
pub(super) fn spoken(seconds: f64) -> String {
    let (unit, length) = match seconds {
        ..120.0 => ("second", 1.0),
        ..7_200.0 => ("minute", 60.0),
        ..172_800.0 => ("hour", 3_600.0),
        _ => ("day", 86_400.0),
    };
    let count = (seconds / length).round();
    format!("{count} {unit}{}", if count == 1.0 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_told_in_the_unit_that_people_would_choose() {
        for (seconds, words) in [
            (0.0, "0 seconds"),
            (1.2, "1 second"),
            (119.0, "119 seconds"),
            (120.0, "2 minutes"),
            (599.4, "10 minutes"),
            (7_200.0, "2 hours"),
            (180_000.0, "2 days"),
            (86_400.0 * 400.0, "400 days"),
        ] {
            assert_eq!(spoken(seconds), words);
        }
    }
}
