//! A policy as a constant.

use std::time::Duration;

use super::evidence::GroupMatch;

/// What a token must carry beyond being valid.
///
/// A policy is a constant, so that one declaration serves every place that needs it. One that
/// depends on configuration is a [`PolicyBuf`](crate::policy::PolicyBuf).
///
/// ```
/// use std::time::Duration;
///
/// use monocloud_backend::Policy;
///
/// const READ: Policy = Policy::ANY_TOKEN.scopes(&["posts:read"]);
/// const ADMIN: Policy = Policy::ANY_TOKEN.any_group(&["admin"]);
/// const READ_OR_ADMIN: Policy = Policy::any_of(&[READ, ADMIN]);
/// const PAY: Policy = Policy::ANY_TOKEN
///     .scopes(&["payments"])
///     .acr_values(&["urn:example:mfa"])
///     .max_age(Duration::from_secs(300));
/// # let _ = (READ_OR_ADMIN, PAY);
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Policy {
    pub(crate) scopes: &'static [&'static str],
    pub(crate) groups: &'static [&'static str],
    pub(crate) group_match: Option<GroupMatch>,
    pub(crate) acr_values: &'static [&'static str],
    pub(crate) max_age: Option<Duration>,
    pub(crate) is_sender_constrained: bool,
    pub(crate) claims: [Option<(&'static str, &'static str)>; MAX_CLAIMS],
    /// If there are any, the rest says nothing.
    pub(crate) alternatives: &'static [Self],
}

/// How many claims a constant has room for.
const MAX_CLAIMS: usize = 4;

impl Policy {
    /// Any valid token will do.
    pub const ANY_TOKEN: Self = Self {
        scopes: &[],
        groups: &[],
        group_match: None,
        acr_values: &[],
        max_age: None,
        is_sender_constrained: false,
        claims: [None; MAX_CLAIMS],
        alternatives: &[],
    };

    /// The token must satisfy one of these policies in full.
    ///
    /// # Panics
    ///
    /// If the list is empty, or one of its policies requires nothing or is a list itself; in a
    /// constant that is a compile error.
    #[must_use]
    pub const fn any_of(policies: &'static [Self]) -> Self {
        assert!(!policies.is_empty(), "a list of alternatives names at least one");
        let mut rest = policies;
        while let [first, others @ ..] = rest {
            assert!(first.alternatives.is_empty(), "alternatives do not nest; write one list");
            assert!(
                !first.requires_nothing(),
                "an alternative that any token satisfies makes the others meaningless; remove them"
            );
            rest = others;
        }
        Self { alternatives: policies, ..Self::ANY_TOKEN }
    }

    /// The token must carry all of these scopes.
    ///
    /// # Panics
    ///
    /// If the policy is a list of [alternatives](Self::any_of), as every method that adds to it; in
    /// a constant that is a compile error.
    #[must_use]
    pub const fn scopes(self, scopes: &'static [&'static str]) -> Self {
        self.assert_single();
        Self { scopes, ..self }
    }

    /// The token must carry one of these groups, or all of them where `GROUPS_MATCH_ALL` is set.
    ///
    /// # Panics
    ///
    /// If the list is empty; in a constant that is a compile error.
    #[must_use]
    pub const fn groups(self, groups: &'static [&'static str]) -> Self {
        self.assert_single();
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

    /// The user must have authenticated in one of these ways, the preferred one first: the token's
    /// `acr` is one of them (RFC 9470 §4), compared exactly.
    ///
    /// A token that lacks it is answered with a challenge that tells the client to have the user
    /// authenticate again.
    ///
    /// # Panics
    ///
    /// If the list is empty, or a value is not of printable characters without blanks, quotation
    /// marks and backslashes: a challenge lists them between blanks. In a constant that is a compile
    /// error.
    #[must_use]
    pub const fn acr_values(self, acr_values: &'static [&'static str]) -> Self {
        self.assert_single();
        assert!(!acr_values.is_empty(), "a policy that names no acr requires none");
        let mut rest = acr_values;
        while let [first, others @ ..] = rest {
            assert!(is_acr_value(first), "an acr value has no blanks or quotes");
            rest = others;
        }
        Self { acr_values, ..self }
    }

    /// The user must have authenticated at most so long ago, in whole seconds: by the token's
    /// `auth_time` (RFC 9470 §4).
    ///
    /// # Panics
    ///
    /// If the age is not of whole seconds; in a constant that is a compile error.
    #[must_use]
    pub const fn max_age(self, max_age: Duration) -> Self {
        self.assert_single();
        assert!(max_age.subsec_nanos() == 0, "an age is a number of whole seconds");
        Self { max_age: Some(max_age), ..self }
    }

    /// The token must be bound to its sender, and the request prove it: by the client's certificate
    /// (RFC 8705 §3), or by a proof of its key (DPoP, RFC 9449 §7).
    #[must_use]
    pub const fn sender_constrained(self) -> Self {
        self.assert_single();
        Self { is_sender_constrained: true, ..self }
    }

    /// A claim of the token must be this string, or an array that contains it. There is room for
    /// four; a [`PolicyBuf`](crate::policy::PolicyBuf) takes more, and other values than strings.
    ///
    /// # Panics
    ///
    /// If there is no more room; in a constant that is a compile error.
    #[must_use]
    #[allow(clippy::indexing_slicing, reason = "the index is below the length")]
    pub const fn claim(self, name: &'static str, value: &'static str) -> Self {
        self.assert_single();
        let mut claims = self.claims;
        let mut index = 0;
        while index < MAX_CLAIMS && claims[index].is_some() {
            index += 1;
        }
        assert!(index < MAX_CLAIMS, "a constant has room for four claims; build a `PolicyBuf`");
        claims[index] = Some((name, value));
        Self { claims, ..self }
    }

    const fn assert_single(&self) {
        assert!(
            self.alternatives.is_empty(),
            "a list of alternatives takes nothing more; write it into each of them"
        );
    }

    /// Whether any valid token will do.
    pub(crate) const fn requires_nothing(&self) -> bool {
        self.scopes.is_empty()
            && self.groups.is_empty()
            && self.acr_values.is_empty()
            && self.max_age.is_none()
            && !self.is_sender_constrained
            && matches!(self.claims, [None, ..])
            && self.alternatives.is_empty()
    }
}

/// Whether a text can be one of several in a challenge's `acr_values`: printable, without blanks,
/// quotation marks and backslashes, as a scope (RFC 6749 §3.3).
pub(crate) const fn is_acr_value(text: &str) -> bool {
    let mut octets = text.as_bytes();
    while let [first, rest @ ..] = octets {
        if !matches!(*first, 0x21 | 0x23..=0x5b | 0x5d..=0x7e) {
            return false;
        }
        octets = rest;
    }
    !text.is_empty()
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

#[cfg(test)]
mod tests {
    use super::*;

    const SCOPE: Policy = Policy::ANY_TOKEN.scopes(&["a"]);

    #[test]
    fn a_policy_that_means_something_else_than_it_says_is_a_mistake() {
        let mistakes: [fn() -> Policy; 13] = [
            || Policy::ANY_TOKEN.groups(&[]),
            || Policy::ANY_TOKEN.any_group(&[]),
            || Policy::ANY_TOKEN.all_groups(&[]),
            || Policy::ANY_TOKEN.acr_values(&[]),
            || Policy::ANY_TOKEN.acr_values(&["a", "b c"]),
            || Policy::ANY_TOKEN.acr_values(&[""]),
            || Policy::ANY_TOKEN.max_age(Duration::from_millis(1500)),
            || {
                let four = ["a", "b", "c", "d", "e"];
                four.into_iter().fold(Policy::ANY_TOKEN, |policy, name| policy.claim(name, "x"))
            },
            || Policy::any_of(&[]),
            || Policy::any_of(&[SCOPE, Policy::ANY_TOKEN]),
            || Policy::any_of(&[const { Policy::any_of(&[SCOPE]) }]),
            || Policy::any_of(&[SCOPE]).scopes(&["b"]),
            || Policy::any_of(&[SCOPE]).sender_constrained(),
        ];
        for (index, mistake) in mistakes.into_iter().enumerate() {
            assert!(std::panic::catch_unwind(mistake).is_err(), "{index}");
        }
    }

    #[test]
    fn what_a_policy_says_last_of_groups_counts_and_the_rest_stays() {
        let policy = SCOPE;
        assert_eq!(policy.any_group(&["x"]).groups(&["y"]), policy.groups(&["y"]));
        assert_eq!(policy.all_groups(&["x"]).any_group(&["y"]), policy.any_group(&["y"]));
        assert_eq!(policy.any_group(&["x"]).all_groups(&["y"]), policy.all_groups(&["y"]));
        let other_order = Policy::ANY_TOKEN.any_group(&["x"]).scopes(&["a"]);
        assert_eq!(other_order, policy.any_group(&["x"]));
    }
}
