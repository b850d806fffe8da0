//! What an operation needs of a token: scopes and groups.

use std::sync::Arc;

use crate::{error::Denial, token::claims::Claims};

/// What a token must carry beyond being valid.
///
/// A policy is a constant, so that one declaration serves every place that needs it:
///
/// ```
/// use monocloud_backend::Policy;
///
/// const WRITE: Policy = Policy::ANY_TOKEN.scopes(&["posts:read", "posts:write"]);
/// const ADMIN: Policy = Policy::ANY_TOKEN.any_group(&["admin"]);
/// # let _ = (WRITE, ADMIN);
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Policy {
    pub(crate) scopes: &'static [&'static str],
    pub(crate) groups: &'static [&'static str],
    pub(crate) group_match: Option<GroupMatch>,
}

impl Policy {
    /// Any valid token will do.
    pub const ANY_TOKEN: Self = Self { scopes: &[], groups: &[], group_match: None };

    /// The token must carry all of these scopes.
    #[must_use]
    pub const fn scopes(self, scopes: &'static [&'static str]) -> Self {
        Self { scopes, ..self }
    }

    /// The token must carry one of these groups, or all of them where `GROUPS_MATCH_ALL` is set.
    ///
    /// # Panics
    ///
    /// If the list is empty; in a constant that is a compile error.
    #[must_use]
    pub const fn groups(self, groups: &'static [&'static str]) -> Self {
        assert!(!groups.is_empty(), "a policy that names no group requires none");
        Self { groups, group_match: None, ..self }
    }

    /// The token must carry one of these groups, whatever `GROUPS_MATCH_ALL` says.
    ///
    /// # Panics
    ///
    /// If the list is empty; in a constant that is a compile error.
    #[must_use]
    pub const fn any_group(self, groups: &'static [&'static str]) -> Self {
        Self { group_match: Some(GroupMatch::Any), ..self.groups(groups) }
    }

    /// The token must carry all of these groups, whatever `GROUPS_MATCH_ALL` says.
    ///
    /// # Panics
    ///
    /// If the list is empty; in a constant that is a compile error.
    #[must_use]
    pub const fn all_groups(self, groups: &'static [&'static str]) -> Self {
        Self { group_match: Some(GroupMatch::All), ..self.groups(groups) }
    }
}

/// A [`Policy`] with a name: the type an extractor takes as its parameter.
///
/// ```
/// use monocloud_backend::{Policy, Require};
///
/// struct Admins;
///
/// impl Require for Admins {
///     const POLICY: Policy = Policy::ANY_TOKEN.any_group(&["admin"]);
/// }
/// ```
pub trait Require: Send + Sync + 'static {
    /// What the token must carry.
    const POLICY: Policy;
}

/// Requires nothing but a valid token.
#[derive(Clone, Copy, Debug)]
pub struct AnyToken;

impl Require for AnyToken {
    const POLICY: Policy = Policy::ANY_TOKEN;
}

/// How many of the listed groups a token must carry.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum GroupMatch {
    All,
    Any,
}

/// Where a token's groups stand, and how they match where a policy does not say.
#[derive(Clone, Debug)]
pub(crate) struct GroupRules {
    pub(crate) claim: String,
    pub(crate) default_match: GroupMatch,
}

/// What one operation needs: a [`Policy`] that may have been read from a document.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Requirement {
    pub(crate) scopes: Vec<String>,
    pub(crate) groups: Vec<String>,
    pub(crate) group_match: Option<GroupMatch>,
}

impl Requirement {
    /// Authorizes claims that were validated: scopes first, then groups.
    pub(crate) fn authorize(&self, claims: &Claims, rules: &GroupRules) -> Result<(), Denial> {
        if !self.scopes.iter().all(|scope| claims.has_scope(scope)) {
            let required: Arc<str> = self.scopes.join(" ").into();
            tracing::debug!(
                name: "token.scope_missing",
                %required,
                found = ?claims.get("scope"),
                "a scope is missing"
            );
            return Err(Denial::Scopes { required });
        }
        let has_group = |group: &String| claims.has_group(&rules.claim, group);
        let permitted = self.groups.is_empty()
            || match self.group_match.unwrap_or(rules.default_match) {
                GroupMatch::All => self.groups.iter().all(has_group),
                GroupMatch::Any => self.groups.iter().any(has_group),
            };
        if !permitted {
            tracing::debug!(
                name: "token.group_missing",
                required = ?self.groups,
                found = ?claims.get(&rules.claim),
                "a group is missing"
            );
            return Err(Denial::Groups);
        }
        Ok(())
    }
}

/// Who may call an operation: the alternatives of its document, each of them whole.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Access {
    /// A token must satisfy one of these; if there are none, no token is required.
    pub(crate) alternatives: Vec<Requirement>,
    /// Whether a request without any credentials may pass.
    pub(crate) is_anonymous_allowed: bool,
    /// Whether credentials of another scheme do, which the application authenticates.
    pub(crate) has_other_schemes: bool,
}

impl Access {
    /// Any valid token, or none at all.
    pub(crate) fn any_token_or_none() -> Self {
        Self { is_anonymous_allowed: true, ..Policy::ANY_TOKEN.into() }
    }

    /// Whether no token is required.
    pub(crate) fn is_public(&self) -> bool {
        self.alternatives.is_empty()
    }

    /// Whether a request without a token may pass.
    pub(crate) fn is_optional(&self) -> bool {
        self.is_anonymous_allowed || self.has_other_schemes
    }

    /// Authorizes claims by the first alternative they satisfy. The denial is the first
    /// alternative's: it is what the document lists first.
    pub(crate) fn authorize(&self, claims: &Claims, rules: &GroupRules) -> Result<(), Denial> {
        let mut first_denial = Ok(());
        for requirement in &self.alternatives {
            match requirement.authorize(claims, rules) {
                Ok(()) => return Ok(()),
                denied => first_denial = first_denial.and(denied),
            }
        }
        first_denial
    }
}

impl From<Policy> for Access {
    fn from(policy: Policy) -> Self {
        Self { alternatives: vec![policy.into()], ..Self::default() }
    }
}

impl From<Policy> for Requirement {
    fn from(policy: Policy) -> Self {
        let owned = |list: &[&str]| list.iter().map(|name| (*name).to_owned()).collect();
        Self {
            scopes: owned(policy.scopes),
            groups: owned(policy.groups),
            group_match: policy.group_match,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn authorized(policy: Policy, claims: &Value, default_match: GroupMatch) -> Result<(), Denial> {
        let rules = GroupRules { claim: "groups".to_owned(), default_match };
        let claims = Claims::new(claims.as_object().unwrap().clone());
        Requirement::from(policy).authorize(&claims, &rules)
    }

    #[test]
    fn all_scopes_are_needed_and_the_denial_names_them_all() {
        let policy = Policy::ANY_TOKEN.scopes(&["a", "b"]);
        assert_eq!(authorized(policy, &json!({"scope": "b a"}), GroupMatch::Any), Ok(()));
        let denial = Denial::Scopes { required: "a b".into() };
        for claims in [json!({"scope": "a"}), json!({"scope": "A b"}), json!({})] {
            assert_eq!(authorized(policy, &claims, GroupMatch::Any), Err(denial.clone()));
        }
    }

    #[test]
    fn a_policy_that_says_any_or_all_wins_over_the_configuration() {
        let one_of_two = json!({"groups": ["x"]});
        let any = Policy::ANY_TOKEN.any_group(&["x", "y"]);
        let all = Policy::ANY_TOKEN.all_groups(&["x", "y"]);
        let unsaid = Policy::ANY_TOKEN.groups(&["x", "y"]);
        for (policy, default_match, expected) in [
            (any, GroupMatch::All, Ok(())),
            (all, GroupMatch::Any, Err(Denial::Groups)),
            (unsaid, GroupMatch::Any, Ok(())),
            (unsaid, GroupMatch::All, Err(Denial::Groups)),
        ] {
            assert_eq!(authorized(policy, &one_of_two, default_match), expected, "{policy:?}");
        }
    }

    #[test]
    fn a_policy_that_names_no_group_is_a_mistake() {
        let mistakes: [fn() -> Policy; 3] = [
            || Policy::ANY_TOKEN.groups(&[]),
            || Policy::ANY_TOKEN.any_group(&[]),
            || Policy::ANY_TOKEN.all_groups(&[]),
        ];
        for mistake in mistakes {
            assert!(std::panic::catch_unwind(mistake).is_err());
        }
    }

    #[test]
    fn what_a_policy_says_last_of_groups_counts_and_the_rest_stays() {
        let policy = Policy::ANY_TOKEN.scopes(&["a"]);
        assert_eq!(policy.any_group(&["x"]).groups(&["y"]), policy.groups(&["y"]));
        assert_eq!(policy.all_groups(&["x"]).any_group(&["y"]), policy.any_group(&["y"]));
        assert_eq!(policy.any_group(&["x"]).all_groups(&["y"]), policy.all_groups(&["y"]));
        let other_order = Policy::ANY_TOKEN.any_group(&["x"]).scopes(&["a"]);
        assert_eq!(other_order, policy.any_group(&["x"]));
    }

    #[test]
    fn one_alternative_is_enough_and_the_denial_is_that_of_the_first() {
        let rules = GroupRules { claim: "groups".to_owned(), default_match: GroupMatch::Any };
        let [scope, group] =
            [Policy::ANY_TOKEN.scopes(&["a"]), Policy::ANY_TOKEN.any_group(&["x"])];
        let access = Access { alternatives: vec![scope.into(), group.into()], ..Access::default() };
        let denial = Denial::Scopes { required: "a".into() };
        for (claims, expected) in [
            (json!({"scope": "a"}), Ok(())),
            (json!({"groups": ["x"]}), Ok(())),
            (json!({"scope": "b", "groups": ["y"]}), Err(denial)),
        ] {
            let claims = Claims::new(claims.as_object().unwrap().clone());
            assert_eq!(access.authorize(&claims, &rules), expected);
        }
    }

    #[test]
    fn only_alternatives_ask_for_a_token_of_ours_and_only_another_way_in_makes_it_optional() {
        let of_policy = Access::from(Policy::ANY_TOKEN);
        assert!(!of_policy.is_public() && !of_policy.is_optional());
        let optional = Access::any_token_or_none();
        assert!(!optional.is_public() && optional.is_optional());
        let other_scheme = Access { has_other_schemes: true, ..of_policy };
        assert!(!other_scheme.is_public() && other_scheme.is_optional());
        let nothing_asked = Access::default();
        assert!(nothing_asked.is_public() && !nothing_asked.is_optional());
    }

    #[test]
    fn scopes_are_judged_before_groups() {
        let policy = Policy::ANY_TOKEN.scopes(&["a"]).any_group(&["x"]);
        let denial = authorized(policy, &json!({}), GroupMatch::Any).unwrap_err();
        assert!(matches!(denial, Denial::Scopes { .. }));
        assert_eq!(
            authorized(policy, &json!({"scope": "a"}), GroupMatch::Any),
            Err(Denial::Groups)
        );
    }
}
