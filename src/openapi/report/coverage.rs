//! What one way to be permitted a request permits that another one did not.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde_json::Value;

use super::value::{RequiredGroups, TokenPolicy};
use crate::policy::ImpliedScopes;

/// What became weaker.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum WeakeningKind {
    /// The operation needed credentials, and any request passes now.
    MadePublic,
    /// The operation is new, and a request without credentials passes.
    NewWithoutRequirement,
    /// A request without credentials passes, too.
    OptionalNow,
    /// A token that satisfies this is accepted, too.
    AlternativeAdded(String),
    /// Credentials of these schemes, which the application verifies, suffice without a token.
    OtherSchemeAdded(String),
    /// This scheme, or one of its scopes, is not needed besides the token any more.
    OtherSchemeDropped(String),
    /// This scope is not needed any more.
    ScopeDropped(String),
    /// This group is not needed any more.
    GroupDropped(String),
    /// Another group is accepted in place of those that were.
    GroupAdded(String),
    /// One of several groups suffices, and all were needed.
    AllBecameAny,
    /// The user may have authenticated in any way.
    AcrDropped,
    /// Another way to authenticate is accepted.
    AcrValueAdded(String),
    /// The user may have authenticated longer ago.
    MaxAgeRaised {
        /// The age that was permitted, in seconds.
        from: u64,
        /// The age that is permitted now, in seconds.
        to: u64,
    },
    /// The user may have authenticated at any time.
    MaxAgeDropped,
    /// The token need not be bound to its sender any more.
    ConstraintDropped,
    /// This claim need not have the value that it needed.
    ClaimDropped(String),
    /// A scope stands for another one, wherever that is needed.
    ImplicationAdded {
        /// The scope that a token has.
        scope: String,
        /// The scope that an operation needs.
        implied: String,
    },
}

impl fmt::Display for WeakeningKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MadePublic => f.write_str("it became public"),
            Self::NewWithoutRequirement => f.write_str("it is new, and needs no credentials"),
            Self::OptionalNow => f.write_str("it can be called without credentials now"),
            Self::AlternativeAdded(what) => {
                write!(f, "a token is accepted by another alternative: {what}")
            }
            Self::OtherSchemeAdded(what) => write!(f, "{what} suffices without a token"),
            Self::OtherSchemeDropped(name) => {
                write!(f, "what was needed of the scheme {name:?} besides the token was dropped")
            }
            Self::ScopeDropped(scope) => write!(f, "the scope {scope:?} was dropped"),
            Self::GroupDropped(group) => write!(f, "the group {group:?} was dropped"),
            Self::GroupAdded(group) => write!(f, "the group {group:?} is accepted, too"),
            Self::AllBecameAny => f.write_str("one group suffices where all were needed"),
            Self::AcrDropped => f.write_str("the user may have authenticated in any way"),
            Self::AcrValueAdded(value) => write!(f, "the acr value {value:?} is accepted, too"),
            Self::MaxAgeRaised { from, to } => {
                write!(f, "the maximum age was raised from {from} to {to} seconds")
            }
            Self::MaxAgeDropped => f.write_str("the user may have authenticated at any time"),
            Self::ConstraintDropped => {
                f.write_str("the token need not be bound to its sender any more")
            }
            Self::ClaimDropped(name) => {
                write!(f, "the value that the claim {name:?} needed was dropped")
            }
            Self::ImplicationAdded { scope, implied } => {
                write!(f, "the scope {scope:?} implies {implied:?} now")
            }
        }
    }
}

/// What a token may lack by `new` that it needed by `old`: nothing if every token that `new` permits
/// was permitted by `old`, whose scopes are implied as `implied` says.
pub(super) fn weaker(
    new: &TokenPolicy,
    old: &TokenPolicy,
    implied: &ImpliedScopes,
) -> Vec<WeakeningKind> {
    let mut found = Vec::new();
    let is_needed = |scope: &String| {
        new.scopes.iter().any(|it| it == scope || implied.consequences(it).contains(scope))
    };
    let scopes = distinct(&old.scopes);
    found.extend(scopes.into_iter().filter(|it| !is_needed(it)).map(WeakeningKind::ScopeDropped));
    found.extend(weaker_groups(&Groups::of(new), &Groups::of(old)));
    if !old.acr_values.is_empty() {
        match new.acr_values.is_empty() {
            true => found.push(WeakeningKind::AcrDropped),
            false => {
                let (new, old) = (distinct(&new.acr_values), distinct(&old.acr_values));
                found.extend(new.difference(&old).cloned().map(WeakeningKind::AcrValueAdded));
            }
        }
    }
    match (old.max_age, new.max_age) {
        (Some(from), Some(to)) if to > from => {
            found.push(WeakeningKind::MaxAgeRaised { from, to });
        }
        (Some(_), None) => found.push(WeakeningKind::MaxAgeDropped),
        _ => {}
    }
    if old.sender_constrained && !new.sender_constrained {
        found.push(WeakeningKind::ConstraintDropped);
    }
    let is_kept = |(name, value): &(&String, &Value)| new.claims.get(*name) == Some(*value);
    let claims = old.claims.iter().filter(|claim| !is_kept(claim));
    found.extend(claims.map(|(name, _)| WeakeningKind::ClaimDropped(name.clone())));
    found.extend(
        dropped_schemes(&new.other_schemes, &old.other_schemes)
            .map(|name| WeakeningKind::OtherSchemeDropped(name.clone())),
    );
    found
}

/// The schemes of which less is needed by `new` than by `old`.
pub(super) fn dropped_schemes<'o>(
    new: &BTreeMap<String, Vec<String>>,
    old: &'o BTreeMap<String, Vec<String>>,
) -> impl Iterator<Item = &'o String> {
    let is_kept = |(name, scopes): &(&String, &Vec<String>)| {
        new.get(*name).is_some_and(|new| scopes.iter().all(|scope| new.contains(scope)))
    };
    old.iter().filter(move |scheme| !is_kept(scheme)).map(|(name, _)| name)
}

/// Which groups are needed. A single one is neither a matter of any nor of all.
enum Groups {
    None,
    One(String),
    Any(BTreeSet<String>),
    All(BTreeSet<String>),
}

impl Groups {
    fn of(policy: &TokenPolicy) -> Self {
        let (groups, several): (_, fn(BTreeSet<String>) -> Self) = match &policy.groups {
            None => return Self::None,
            Some(RequiredGroups::Any(groups)) => (distinct(groups), Self::Any),
            Some(RequiredGroups::All(groups)) => (distinct(groups), Self::All),
        };
        match (groups.len(), groups.first()) {
            (1, Some(group)) => Self::One(group.clone()),
            (0, _) => Self::None,
            _ => several(groups),
        }
    }

    fn names(&self) -> BTreeSet<String> {
        match self {
            Self::None => BTreeSet::new(),
            Self::One(group) => BTreeSet::from([group.clone()]),
            Self::Any(groups) | Self::All(groups) => groups.clone(),
        }
    }
}

fn weaker_groups(new: &Groups, old: &Groups) -> Vec<WeakeningKind> {
    use Groups::{All, Any, None, One};
    let (new_names, old_names) = (new.names(), old.names());
    let dropped =
        || old_names.difference(&new_names).cloned().map(WeakeningKind::GroupDropped).collect();
    let added = || new_names.difference(&old_names).cloned().map(WeakeningKind::GroupAdded);
    match (old, new) {
        // One of the old groups is among those that are all needed.
        (Any(_), All(_)) if !old_names.is_disjoint(&new_names) => Vec::new(),
        (One(_) | Any(_), One(_) | Any(_)) => added().collect(),
        (All(_), Any(_)) => [WeakeningKind::AllBecameAny].into_iter().chain(added()).collect(),
        (None, _) | (One(_) | Any(_) | All(_), None | One(_) | All(_)) => dropped(),
    }
}

fn distinct(names: &[String]) -> BTreeSet<String> {
    names.iter().cloned().collect()
}
