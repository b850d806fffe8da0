//! One alternative of a policy, and what of it a token does not meet.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use serde_json::Value;

use super::{
    constant::Policy,
    evidence::{Evidence, GroupMatch},
};
use crate::{
    error::{Denial, Error, InvalidToken, StepUp, StepUpReason},
    token::object::Item,
};

/// What a token must carry, all of it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Requirement {
    pub(crate) scopes: Vec<String>,
    pub(crate) groups: Vec<String>,
    pub(crate) group_match: Option<GroupMatch>,
    pub(crate) acr_values: Vec<String>,
    /// In whole seconds.
    pub(crate) max_age: Option<Duration>,
    pub(crate) is_sender_constrained: bool,
    pub(crate) claims: BTreeMap<String, Value>,
}

/// One thing that a token does not meet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Unmet<'r> {
    SenderConstraint,
    Acr,
    MaxAge,
    Scope,
    Group,
    Claim(&'r str),
}

impl Requirement {
    pub(crate) fn requires_nothing(&self) -> bool {
        *self == Self::default()
    }

    /// The scopes, as a challenge lists them; `None` if there are none.
    pub(crate) fn scope(&self) -> Option<Arc<str>> {
        (!self.scopes.is_empty()).then(|| self.scopes.join(" ").into())
    }

    /// Adds whatever another requirement asks for.
    ///
    /// # Errors
    ///
    /// What the two say differently, of which only one can be written down.
    pub(crate) fn add(&mut self, other: &Self) -> Result<(), &'static str> {
        for scope in &other.scopes {
            if !self.scopes.contains(scope) {
                self.scopes.push(scope.clone());
            }
        }
        if !other.groups.is_empty() {
            let own = (&self.groups, self.group_match);
            if !self.groups.is_empty() && own != (&other.groups, other.group_match) {
                return Err("groups");
            }
            self.groups.clone_from(&other.groups);
            self.group_match = other.group_match;
        }
        if !other.acr_values.is_empty() {
            if !self.acr_values.is_empty() && self.acr_values != other.acr_values {
                return Err("acr values");
            }
            self.acr_values.clone_from(&other.acr_values);
        }
        self.max_age = match (self.max_age, other.max_age) {
            (Some(own), Some(other)) => Some(own.min(other)),
            (own, other) => own.or(other),
        };
        self.is_sender_constrained |= other.is_sender_constrained;
        for (name, value) in &other.claims {
            if self.claims.get(name).is_some_and(|own| own != value) {
                return Err("values of a claim");
            }
            self.claims.insert(name.clone(), value.clone());
        }
        Ok(())
    }

    /// What the evidence does not meet, in the order of authorization.
    pub(super) fn unmet<'r>(
        &'r self,
        evidence: &'r Evidence<'_>,
    ) -> impl Iterator<Item = Unmet<'r>> + 'r {
        let sender = self.is_sender_constrained && !evidence.is_sender_constrained;
        let acr = !self.acr_values.is_empty() && !self.has_acr(evidence);
        let age = self.max_age.is_some_and(|max_age| !evidence.is_authentication_within(max_age));
        let scopes = self.scopes.iter().filter(|scope| !evidence.has_scope(scope));
        let claims = self.claims.iter().filter(|(name, value)| {
            !evidence.claims.item(name).is_some_and(|found| is_or_contains(found, value))
        });
        [
            sender.then_some(Unmet::SenderConstraint),
            acr.then_some(Unmet::Acr),
            age.then_some(Unmet::MaxAge),
        ]
        .into_iter()
        .flatten()
        .chain(scopes.map(|_| Unmet::Scope))
        .chain((0..self.missing_groups(evidence)).map(|_| Unmet::Group))
        .chain(claims.map(|(name, _)| Unmet::Claim(name)))
    }

    /// Why the evidence does not suffice; `None` if it does.
    pub(super) fn denial(&self, evidence: &Evidence<'_>) -> Option<Error> {
        let unmet = self.unmet(evidence).next()?;
        self.log(unmet, evidence);
        Some(match unmet {
            Unmet::SenderConstraint => Error::InvalidToken(InvalidToken::NotSenderConstrained),
            Unmet::Acr => self.step_up(StepUpReason::Acr, evidence),
            Unmet::MaxAge => self.step_up(StepUpReason::MaxAge, evidence),
            Unmet::Scope => Error::InsufficientScope(Denial::Scopes {
                required: self.scope().unwrap_or_default(),
            }),
            Unmet::Group => Error::InsufficientScope(Denial::Groups),
            Unmet::Claim(_) => Error::InsufficientScope(Denial::Claims),
        })
    }

    fn step_up(&self, reason: StepUpReason, evidence: &Evidence<'_>) -> Error {
        let lacks_scope = self.scopes.iter().any(|scope| !evidence.has_scope(scope));
        Error::InsufficientUserAuthentication(Box::new(StepUp {
            reason,
            acr_values: (!self.acr_values.is_empty()).then(|| self.acr_values.join(" ").into()),
            max_age: self.max_age,
            scope: self.scope().filter(|_| lacks_scope),
        }))
    }

    fn has_acr(&self, evidence: &Evidence<'_>) -> bool {
        let acr = evidence.claims.acr();
        acr.is_some_and(|acr| self.acr_values.iter().any(|value| value == acr))
    }

    /// How many groups are missing: each of those that are all needed, or one of any.
    fn missing_groups(&self, evidence: &Evidence<'_>) -> usize {
        let missing = self.groups.iter().filter(|group| !evidence.has_group(group));
        match self.group_match.unwrap_or(evidence.rules.default_match) {
            GroupMatch::All => missing.count(),
            GroupMatch::Any if self.groups.is_empty() => 0,
            GroupMatch::Any => usize::from(missing.count() == self.groups.len()),
        }
    }

    fn log(&self, unmet: Unmet<'_>, evidence: &Evidence<'_>) {
        let claims = evidence.claims;
        match unmet {
            Unmet::SenderConstraint => tracing::debug!(
                name: "token.not_sender_constrained",
                "the token is not bound to its sender"
            ),
            Unmet::Acr => tracing::debug!(
                name: "token.acr",
                required = ?self.acr_values,
                found = ?claims.item("acr"),
                "the user must authenticate in another way"
            ),
            Unmet::MaxAge => tracing::debug!(
                name: "token.max_age",
                required = ?self.max_age,
                found = ?claims.item("auth_time"),
                "the user must authenticate again"
            ),
            Unmet::Scope => tracing::debug!(
                name: "token.scope_missing",
                required = %self.scopes.join(" "),
                found = ?claims.item("scope"),
                "a scope is missing"
            ),
            Unmet::Group => tracing::debug!(
                name: "token.group_missing",
                required = ?self.groups,
                found = ?claims.item(&evidence.rules.groups_claim),
                "a group is missing"
            ),
            Unmet::Claim(name) => tracing::debug!(
                name: "token.claim_differs",
                claim = name,
                required = ?self.claims.get(name),
                found = ?claims.item(name),
                "a claim has another value"
            ),
        }
    }
}

impl From<Policy> for Requirement {
    /// Of a policy without alternatives.
    fn from(policy: Policy) -> Self {
        let owned = |list: &[&str]| list.iter().map(|name| (*name).to_owned()).collect();
        let claims = policy.claims.into_iter().flatten();
        Self {
            scopes: owned(policy.scopes),
            groups: owned(policy.groups),
            group_match: policy.group_match,
            acr_values: owned(policy.acr_values),
            max_age: policy.max_age,
            is_sender_constrained: policy.is_sender_constrained,
            claims: claims.map(|(name, value)| (name.to_owned(), value.into())).collect(),
        }
    }
}

/// Whether claims can be compared with a value: fractions have several spellings.
pub(crate) fn is_claim_value(value: &Value) -> bool {
    match value {
        Value::String(_) | Value::Bool(_) => true,
        Value::Number(number) => !number.is_f64(),
        Value::Null | Value::Array(_) | Value::Object(_) => false,
    }
}

fn is_or_contains(found: Item<'_>, value: &Value) -> bool {
    found == *value || found.elements().any(|element| element == *value)
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::UNIX_EPOCH;

    use serde_json::json;

    use super::{
        super::{evidence::AuthorizationRules, implied::ImpliedScopes},
        *,
    };
    use crate::{clock::Clock, token::claims::Claims};

    const NOW: u64 = 1_800_000_000;
    const ANY: Policy = Policy::ANY_TOKEN;

    /// Five seconds of tolerance, a clock that is two seconds behind, groups of which any will do.
    pub(crate) fn evidence<T>(claims: &Claims, use_it: impl FnOnce(&Evidence<'_>) -> T) -> T {
        let mut clock = Clock::SYSTEM;
        let started = Clock::SYSTEM.monotonic();
        clock.set_reading(move || (UNIX_EPOCH + Duration::from_secs(NOW - 2), started));
        let rules = AuthorizationRules {
            groups_claim: "groups".to_owned(),
            default_match: GroupMatch::Any,
            clock,
            clock_skew: Duration::from_secs(2),
            clock_tolerance: Duration::from_secs(5),
        };
        let mut implied = ImpliedScopes::default();
        implied.declare("all".to_owned(), ["a".to_owned(), "b".to_owned()]);
        use_it(&Evidence { claims, is_sender_constrained: false, rules: &rules, implied: &implied })
    }

    /// The reason why a token does not permit an operation, or nothing.
    fn reason(policy: Policy, claims: Value) -> &'static str {
        let claims = Claims::for_tests(claims);
        let denial = evidence(&claims, |evidence| Requirement::from(policy).denial(evidence));
        denial.as_ref().map_or("", Error::reason)
    }

    #[test]
    fn all_scopes_are_needed_or_one_that_implies_them() {
        let policy = ANY.scopes(&["a", "b"]);
        for (scope, expected) in [
            ("b a", ""),
            ("all", ""),
            ("a all", ""),
            ("a", "scopes"),
            ("A b", "scopes"),
            ("All", "scopes"),
            ("", "scopes"),
        ] {
            assert_eq!(reason(policy, json!({ "scope": scope })), expected, "{scope}");
        }
        assert_eq!(reason(policy, json!({})), "scopes");
    }

    #[test]
    fn a_denial_names_all_scopes_of_the_operation() {
        let claims = Claims::for_tests(json!({"scope": "a"}));
        let requirement = Requirement::from(ANY.scopes(&["a", "b"]));
        let denial = evidence(&claims, |evidence| requirement.denial(evidence));
        let Some(Error::InsufficientScope(Denial::Scopes { required })) = denial else { panic!() };
        assert_eq!(&*required, "a b");
    }

    #[test]
    fn a_policy_that_says_any_or_all_wins_over_the_configuration() {
        let one_of_two = || json!({"groups": ["x"]});
        assert_eq!(reason(ANY.any_group(&["x", "y"]), one_of_two()), "");
        assert_eq!(reason(ANY.groups(&["x", "y"]), one_of_two()), "");
        assert_eq!(reason(ANY.all_groups(&["x", "y"]), one_of_two()), "groups");
        assert_eq!(reason(ANY.all_groups(&["x", "y"]), json!({"groups": ["y", "x"]})), "");
        assert_eq!(reason(ANY.any_group(&["y", "z"]), one_of_two()), "groups");
        let claims = Claims::for_tests(one_of_two());
        let requirement = Requirement::from(ANY.groups(&["x", "y"]));
        let missing = evidence(&claims, |evidence| {
            let all =
                AuthorizationRules { default_match: GroupMatch::All, ..evidence.rules.clone() };
            requirement.unmet(&Evidence { rules: &all, ..*evidence }).count()
        });
        assert_eq!(missing, 1);
    }

    #[test]
    fn an_acr_is_one_of_the_listed_exactly() {
        let policy = ANY.acr_values(&["mfa", "phr"]);
        for (claims, expected) in [
            (json!({"acr": "mfa"}), ""),
            (json!({"acr": "phr"}), ""),
            (json!({"acr": "MFA"}), "acr"),
            (json!({"acr": "mfa phr"}), "acr"),
            (json!({"acr": ["mfa"]}), "acr"),
            (json!({"acr": 1}), "acr"),
            (json!({}), "acr"),
        ] {
            assert_eq!(reason(policy, claims.clone()), expected, "{claims}");
        }
    }

    #[test]
    fn an_authentication_is_as_old_as_the_policy_permits_within_the_tolerance() {
        let policy = ANY.max_age(Duration::from_secs(60));
        let at = |seconds: i64| json!({ "auth_time": NOW.checked_add_signed(seconds).unwrap() });
        for (claims, expected) in [
            (at(0), ""),
            (at(-65), ""),
            (at(-66), "max_age"),
            (at(5), ""),
            (at(6), "max_age"),
            (json!({ "auth_time": NOW as f64 - 65.5 }), "max_age"),
            (json!({ "auth_time": NOW as f64 - 64.5 }), ""),
            (json!({ "auth_time": NOW.to_string() }), "max_age"),
            (json!({ "auth_time": -1 }), "max_age"),
            (json!({ "auth_time": 1e300 }), "max_age"),
            (json!({ "auth_time": null }), "max_age"),
            (json!({}), "max_age"),
        ] {
            assert_eq!(reason(policy, claims.clone()), expected, "{claims}");
        }
    }

    #[test]
    fn a_claim_has_the_value_or_contains_it() {
        let policy = ANY.claim("plan", "pro").claim("region", "eu");
        for (claims, expected) in [
            (json!({"plan": "pro", "region": ["us", "eu"]}), ""),
            (json!({"plan": ["pro"], "region": "eu"}), ""),
            (json!({"plan": "Pro", "region": "eu"}), "claims"),
            (json!({"plan": {"pro": true}, "region": "eu"}), "claims"),
            (json!({"plan": [["pro"]], "region": "eu"}), "claims"),
            (json!({"plan": "pro"}), "claims"),
            (json!({"region": "eu"}), "claims"),
            (json!({}), "claims"),
        ] {
            assert_eq!(reason(policy, claims.clone()), expected, "{claims}");
        }
    }

    #[test]
    fn a_sender_constraint_is_proved_by_the_request() {
        let claims = Claims::for_tests(json!({}));
        let requirement = Requirement::from(ANY.sender_constrained());
        evidence(&claims, |evidence| {
            let error = requirement.denial(evidence).unwrap();
            assert_eq!(error.reason(), "not_sender_constrained");
            let bound = Evidence { is_sender_constrained: true, ..*evidence };
            assert!(requirement.denial(&bound).is_none());
        });
    }

    #[test]
    fn what_is_missing_is_named_in_the_order_of_authorization() {
        let policy = ANY
            .scopes(&["a", "b"])
            .all_groups(&["x", "y"])
            .acr_values(&["mfa"])
            .max_age(Duration::from_secs(60))
            .sender_constrained()
            .claim("plan", "pro");
        let claims = Claims::for_tests(json!({}));
        let requirement = Requirement::from(policy);
        let unmet: Vec<_> =
            evidence(&claims, |evidence| requirement.unmet(evidence).map(name).collect());
        let expected = ["sender", "acr", "age", "scope", "scope", "group", "group", "claim"];
        assert_eq!(unmet, expected);
    }

    fn name(unmet: Unmet<'_>) -> &'static str {
        match unmet {
            Unmet::SenderConstraint => "sender",
            Unmet::Acr => "acr",
            Unmet::MaxAge => "age",
            Unmet::Scope => "scope",
            Unmet::Group => "group",
            Unmet::Claim(_) => "claim",
        }
    }

    #[test]
    fn a_step_up_says_what_to_ask_for_and_scopes_only_if_they_are_missing_too() {
        let policy =
            ANY.scopes(&["a", "b"]).acr_values(&["mfa", "phr"]).max_age(Duration::from_secs(60));
        for (claims, reason, scope) in [
            (json!({"scope": "a b"}), StepUpReason::Acr, None),
            (json!({"scope": "a"}), StepUpReason::Acr, Some("a b")),
            (json!({"scope": "all", "acr": "phr"}), StepUpReason::MaxAge, None),
        ] {
            let claims = Claims::for_tests(claims);
            let requirement = Requirement::from(policy);
            let denial = evidence(&claims, |evidence| requirement.denial(evidence));
            let Some(Error::InsufficientUserAuthentication(step_up)) = denial else { panic!() };
            assert_eq!(step_up.reason, reason);
            assert_eq!(step_up.acr_values.as_deref(), Some("mfa phr"));
            assert_eq!(step_up.max_age, Some(Duration::from_secs(60)));
            assert_eq!(step_up.scope.as_deref(), scope);
        }
    }
}
