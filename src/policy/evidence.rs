//! What a request is authorized by.

use std::time::{Duration, UNIX_EPOCH};

use super::implied::ImpliedScopes;
use crate::{clock::Clock, token::claims::Claims};

/// How many of the listed groups a token must carry.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum GroupMatch {
    All,
    Any,
}

/// How one tenant's claims are read for authorization.
#[derive(Clone, Debug)]
pub(crate) struct AuthorizationRules {
    pub(crate) groups_claim: String,
    /// Whether one or all of the groups count where a policy does not say.
    pub(crate) default_match: GroupMatch,
    pub(crate) clock: Clock,
    /// How far this clock is known to be behind.
    pub(crate) clock_skew: Duration,
    /// How far clocks may differ.
    pub(crate) clock_tolerance: Duration,
}

/// What is known of a request whose token was validated.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Evidence<'e> {
    pub(crate) claims: &'e Claims,
    /// Whether the request proved that the token was issued to its sender.
    pub(crate) is_sender_constrained: bool,
    pub(crate) rules: &'e AuthorizationRules,
    pub(crate) implied: &'e ImpliedScopes,
}

impl Evidence<'_> {
    pub(super) fn has_scope(&self, scope: &str) -> bool {
        self.claims.has_scope(scope) || self.implied.is_implied(scope, self.claims)
    }

    pub(super) fn has_group(&self, group: &str) -> bool {
        self.claims.has_group(&self.rules.groups_claim, group)
    }

    /// Whether the user authenticated at most so long ago. A time in the future, beyond what clocks
    /// may differ, is not accepted.
    pub(super) fn is_authentication_within(&self, max_age: Duration) -> bool {
        let Some(authenticated) = self.claims.authenticated_at_seconds() else {
            return false;
        };
        let now = self.rules.clock.wall().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = (now + self.rules.clock_skew).as_secs_f64();
        let tolerance = self.rules.clock_tolerance.as_secs_f64();
        let age = now - authenticated;
        -tolerance <= age && age <= max_age.as_secs_f64() + tolerance
    }
}
