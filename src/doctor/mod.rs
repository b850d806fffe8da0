//! The examination of a deployment: what [`Diagnosis`] puts into words.
//!
//! Each endpoint is asked once, through the doors that requests go through and past every cache.
//! What a token is worth is for the code to say that judges requests; the words alone are made here.
//!
//! - `documents`: the tenant's metadata, its endpoints, its keys
//! - `clock`: this machine's time
//! - `introspection`: whether the tenant talks to this API's client
//! - `token`: whether a token would be accepted
//! - `reasons`: why one would not
//! - `failures`: why an exchange with the tenant brought nothing

mod clock;
pub(crate) mod diagnosis;
mod documents;
mod failures;
mod introspection;
mod reasons;
mod token;

use std::{sync::Arc, time::SystemTime};

use crate::{
    config::{Key, TenantDomain},
    doctor::diagnosis::{Diagnosis, Finding, quoted},
    protect::api::{ApiSettings, ProtectApi},
    validator::TokenValidator,
};

use self::token::Presented;

impl ProtectApi {
    /// Examines this deployment: the tenant, this API's client there, the clock, and a token, if one
    /// is given: whether it would be accepted, and if not, why.
    ///
    /// Each of the tenant's documents is fetched and one token introspected, past every cache and each
    /// within the response time-out; nothing is kept. The text may contain claims of the token, so it
    /// is for the token's owner, and never the response to a request.
    ///
    /// Of several tenants each is examined, and a JWT is validated for the tenant that it names.
    pub async fn diagnose(&self, token: Option<&str>) -> Diagnosis {
        let (tenants, settings) = (self.tenants(), self.settings());
        if tenants.all().nth(1).is_none() {
            return Doctor::of(tenants.own(), settings).examine(token).await;
        }
        let claimed = token.map(|token| tenants.claimed_by(token));
        let mut diagnoses = Vec::new();
        for validator in tenants.all() {
            let is_claimed = claimed.is_some_and(|claimed| Arc::ptr_eq(claimed, validator));
            let token = token.filter(|_| is_claimed);
            let diagnosis = Doctor::of(validator, settings).examine(token).await;
            diagnoses.push((validator.issuer().to_owned(), diagnosis));
        }
        Diagnosis::of_several(diagnoses)
    }
}

/// Examines an API and one of its tenants.
struct Doctor<'p> {
    validator: &'p TokenValidator,
    settings: &'p ApiSettings,
    findings: Vec<Finding>,
}

impl<'p> Doctor<'p> {
    const fn of(validator: &'p TokenValidator, settings: &'p ApiSettings) -> Self {
        Self { validator, settings, findings: Vec::new() }
    }

    async fn examine(mut self, token: Option<&str>) -> Diagnosis {
        let presented = token.map(|token| self.read(token));
        let published = self.metadata().await;
        let keys = match &published {
            Some(published) => self.keys(&published.metadata.jwks_uri).await,
            None => None,
        };
        let readable = presented.as_ref().and_then(|presented| presented.as_ref().ok());
        let asked_about = readable.and_then(Presented::asked_about);
        let answer = self.introspection(published.as_ref(), asked_about).await;
        match presented {
            None => {}
            Some(Err(finding)) => self.find(finding),
            Some(Ok(presented)) => self.token(&presented, keys.as_ref(), answer.as_ref()),
        }
        Diagnosis::new(self.findings)
    }

    fn find(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    /// The time by which tokens are judged.
    fn now(&self) -> SystemTime {
        let now = self.validator.clock().wall();
        now.checked_add(self.validator.expectations.clock_skew).unwrap_or(now)
    }
}

/// What to do about an issuer that is not the configured one.
fn advice_on_issuer(expected: &str, found: &str) -> String {
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
fn spoken(seconds: f64) -> String {
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
