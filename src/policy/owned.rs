//! A policy that is built at run time.

use std::{fmt::Display, time::Duration};

use serde_json::Value;

use super::{
    constant::{Policy, is_acr_value},
    evidence::GroupMatch,
    requirement::{Requirement, is_claim_value},
};

/// A [`Policy`] that is built at run time, of configured groups for instance.
///
/// Wherever a policy is taken, either of the two is.
///
/// ```
/// use monocloud_backend::policy::{PolicyBuf, PolicyError};
///
/// fn operators(configured: &str) -> Result<PolicyBuf, PolicyError> {
///     PolicyBuf::any_token().any_group(configured.split_whitespace())
/// }
/// assert!(operators("ops on-call").is_ok());
/// assert!(operators("").is_err());
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PolicyBuf {
    /// At least one.
    alternatives: Vec<Requirement>,
}

/// A policy that would mean something else than it says.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0}")]
pub struct PolicyError(String);

impl PolicyBuf {
    /// Any valid token will do.
    #[must_use]
    pub fn any_token() -> Self {
        Self { alternatives: vec![Requirement::default()] }
    }

    /// The token must satisfy one of these policies in full, as [`Policy::any_of`].
    ///
    /// # Errors
    ///
    /// [`PolicyError`] if there is none, or one of them requires nothing or is a list itself.
    pub fn any_of<P: Into<Self>>(
        policies: impl IntoIterator<Item = P>,
    ) -> Result<Self, PolicyError> {
        let mut alternatives = Vec::new();
        for policy in policies {
            match policy.into().alternatives.as_slice() {
                [single] if !single.requires_nothing() => alternatives.push(single.clone()),
                [_] => {
                    return Err(PolicyError::new(
                        "an alternative that any token satisfies makes the others meaningless; remove them",
                    ));
                }
                _ => return Err(PolicyError::new("alternatives do not nest; write one list")),
            }
        }
        match alternatives.is_empty() {
            true => Err(PolicyError::new("a list of alternatives names at least one")),
            false => Ok(Self { alternatives }),
        }
    }

    /// The token must carry all of these scopes, as [`Policy::scopes`]. In a list of alternatives,
    /// every method that adds to it adds to each.
    #[must_use]
    pub fn scopes<S: Into<String>>(self, scopes: impl IntoIterator<Item = S>) -> Self {
        let scopes = owned(scopes);
        self.each(|requirement| requirement.scopes.clone_from(&scopes))
    }

    /// The token must carry one of these groups, or all of them where `GROUPS_MATCH_ALL` is set, as
    /// [`Policy::groups`].
    ///
    /// # Errors
    ///
    /// [`PolicyError`] if there is none.
    pub fn groups<S: Into<String>>(
        self,
        groups: impl IntoIterator<Item = S>,
    ) -> Result<Self, PolicyError> {
        self.with_groups(owned(groups), None)
    }

    /// The token must carry one of these groups, as [`Policy::any_group`].
    ///
    /// # Errors
    ///
    /// [`PolicyError`] if there is none.
    pub fn any_group<S: Into<String>>(
        self,
        groups: impl IntoIterator<Item = S>,
    ) -> Result<Self, PolicyError> {
        self.with_groups(owned(groups), Some(GroupMatch::Any))
    }

    /// The token must carry all of these groups, as [`Policy::all_groups`].
    ///
    /// # Errors
    ///
    /// [`PolicyError`] if there is none.
    pub fn all_groups<S: Into<String>>(
        self,
        groups: impl IntoIterator<Item = S>,
    ) -> Result<Self, PolicyError> {
        self.with_groups(owned(groups), Some(GroupMatch::All))
    }

    /// The user must have authenticated in one of these ways, as [`Policy::acr_values`].
    ///
    /// # Errors
    ///
    /// [`PolicyError`] if there is none, or one cannot stand in a challenge.
    pub fn acr_values<S: Into<String>>(
        self,
        acr_values: impl IntoIterator<Item = S>,
    ) -> Result<Self, PolicyError> {
        let acr_values = owned(acr_values);
        if acr_values.is_empty() {
            return Err(PolicyError::new("a policy that names no acr requires none"));
        }
        if let Some(value) = acr_values.iter().find(|value| !is_acr_value(value)) {
            return Err(PolicyError::new(format_args!(
                "the acr value {value:?} has blanks or quotes"
            )));
        }
        Ok(self.each(|requirement| requirement.acr_values.clone_from(&acr_values)))
    }

    /// The user must have authenticated at most so long ago, as [`Policy::max_age`]. Fractions of a
    /// second are cut off.
    #[must_use]
    pub fn max_age(self, max_age: Duration) -> Self {
        let max_age = Some(Duration::from_secs(max_age.as_secs()));
        self.each(|requirement| requirement.max_age = max_age)
    }

    /// The token must be bound to its sender, as [`Policy::sender_constrained`].
    #[must_use]
    pub fn sender_constrained(self) -> Self {
        self.each(|requirement| requirement.is_sender_constrained = true)
    }

    /// A claim of the token must be this value, or an array that contains it, as [`Policy::claim`].
    ///
    /// # Errors
    ///
    /// [`PolicyError`] if the value is not a string, an integer or a Boolean.
    pub fn claim(
        self,
        name: impl Into<String>,
        value: impl Into<Value>,
    ) -> Result<Self, PolicyError> {
        let (name, value) = (name.into(), value.into());
        if !is_claim_value(&value) {
            return Err(PolicyError::new(format_args!(
                "the claim {name:?} is compared with a string, an integer or a Boolean"
            )));
        }
        Ok(self.each(|requirement| {
            requirement.claims.insert(name.clone(), value.clone());
        }))
    }

    pub(super) fn into_alternatives(self) -> Vec<Requirement> {
        self.alternatives
    }

    fn with_groups(
        self,
        groups: Vec<String>,
        group_match: Option<GroupMatch>,
    ) -> Result<Self, PolicyError> {
        if groups.is_empty() {
            return Err(PolicyError::new("a policy that names no group requires none"));
        }
        Ok(self.each(|requirement| {
            requirement.groups.clone_from(&groups);
            requirement.group_match = group_match;
        }))
    }

    fn each(mut self, change: impl FnMut(&mut Requirement)) -> Self {
        self.alternatives.iter_mut().for_each(change);
        self
    }
}

impl From<Policy> for PolicyBuf {
    fn from(policy: Policy) -> Self {
        let alternatives = match policy.alternatives {
            [] => vec![Requirement::from(policy)],
            alternatives => alternatives.iter().copied().map(Requirement::from).collect(),
        };
        Self { alternatives }
    }
}

impl PolicyError {
    fn new(problem: impl Display) -> Self {
        Self(problem.to_string())
    }
}

fn owned<S: Into<String>>(names: impl IntoIterator<Item = S>) -> Vec<String> {
    names.into_iter().map(Into::into).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_built_at_run_time_is_what_the_constant_says() {
        const WHOLE: Policy = Policy::ANY_TOKEN
            .scopes(&["a", "b"])
            .all_groups(&["x"])
            .acr_values(&["mfa"])
            .max_age(Duration::from_secs(60))
            .sender_constrained()
            .claim("plan", "pro")
            .claim("region", "eu");
        const ANY: Policy = Policy::ANY_TOKEN.any_group(&["y"]);
        const ALTERNATIVES: Policy = Policy::any_of(&[WHOLE, ANY]);
        let whole = PolicyBuf::any_token()
            .scopes(["a", "b"])
            .all_groups(["x"])
            .and_then(|policy| policy.acr_values(["mfa"]))
            .unwrap()
            .max_age(Duration::from_millis(60_900))
            .sender_constrained()
            .claim("plan", "pro")
            .and_then(|policy| policy.claim("region", "eu"))
            .unwrap();
        assert_eq!(whole, WHOLE.into());
        assert_eq!(PolicyBuf::any_of([whole, ANY.into()]).unwrap(), ALTERNATIVES.into());
        let group = Policy::ANY_TOKEN.groups(&["y"]);
        assert_eq!(PolicyBuf::any_token().groups(["y"]).unwrap(), group.into());
        assert_eq!(PolicyBuf::any_token().any_group(["y"]).unwrap(), ANY.into());
    }

    #[test]
    fn a_policy_that_means_something_else_than_it_says_is_an_error() {
        const LIST: Policy =
            Policy::any_of(&[Policy::ANY_TOKEN.scopes(&["a"]), Policy::ANY_TOKEN.scopes(&["b"])]);
        let any = PolicyBuf::any_token;
        let scope = any().scopes(["a"]);
        let none: [&str; 0] = [];
        for (policy, problem) in [
            (any().groups(none), "names no group"),
            (any().any_group(none), "names no group"),
            (any().all_groups(none), "names no group"),
            (any().acr_values(none), "names no acr"),
            (any().acr_values(["a b"]), "\"a b\" has blanks"),
            (any().claim("plan", json!(["pro"])), "the claim \"plan\""),
            (any().claim("plan", 1.5), "the claim \"plan\""),
            (PolicyBuf::any_of::<Policy>([]), "at least one"),
            (PolicyBuf::any_of([scope, any()]), "meaningless"),
            (PolicyBuf::any_of([LIST]), "do not nest"),
        ] {
            let error = policy.unwrap_err().to_string();
            assert!(error.contains(problem), "{error}");
        }
    }
}
