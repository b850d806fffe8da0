//! What one alternative demands that another one does not.

use std::collections::BTreeSet;

use monocloud_testkit::document::{Groups, Requirement};

use super::{callers::Implications, words};

/// A demand that one of two policies has, and the other has not or has more of.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Difference {
    Public,
    Optional,
    Alternative(String),
    Scheme(String),
    Scope(String),
    Groups(String),
    Group(String),
    GroupAccepted(String),
    AnyGroup,
    OtherGroups { strict: String, lenient: String },
    Acr(String),
    AcrAccepted(String),
    MaxAge { strict: u64, lenient: u64 },
    AnyAge(u64),
    SenderConstraint,
    Claim(String),
}

impl Difference {
    /// Says it of an operation that became weaker.
    pub(super) fn weakened(&self) -> String {
        words::clean(&match self {
            Self::Public => "became public".to_owned(),
            Self::Optional => "credentials became optional".to_owned(),
            Self::Alternative(what) => format!("alternative added: {what}"),
            Self::Scheme(name) => format!("scheme {name} removed"),
            Self::Scope(name) => format!("scope {name} removed"),
            Self::Groups(what) => format!("{what} removed"),
            Self::Group(name) => format!("group {name} removed"),
            Self::GroupAccepted(name) => format!("group {name} accepted too"),
            Self::AnyGroup => "any group suffices where all were needed".to_owned(),
            Self::OtherGroups { strict, lenient } => format!("{strict} became {lenient}"),
            Self::Acr(what) => format!("{what} removed"),
            Self::AcrAccepted(value) => format!("acr {value} accepted too"),
            Self::MaxAge { strict, lenient } => {
                format!("max age raised from {strict} to {lenient} seconds")
            }
            Self::AnyAge(seconds) => format!("max age of {seconds} seconds removed"),
            Self::SenderConstraint => "sender constraint removed".to_owned(),
            Self::Claim(what) => format!("claim {what} removed"),
        })
    }

    /// Says it of an operation that became stronger.
    pub(super) fn strengthened(&self) -> String {
        words::clean(&match self {
            Self::Public => "no longer public".to_owned(),
            Self::Optional => "credentials no longer optional".to_owned(),
            Self::Alternative(what) => format!("alternative removed: {what}"),
            Self::Scheme(name) => format!("scheme {name} added"),
            Self::Scope(name) => format!("scope {name} added"),
            Self::Groups(what) => format!("{what} added"),
            Self::Group(name) => format!("group {name} added"),
            Self::GroupAccepted(name) => format!("group {name} no longer accepted"),
            Self::AnyGroup => "all groups needed where any sufficed".to_owned(),
            Self::OtherGroups { strict, lenient } => format!("{lenient} became {strict}"),
            Self::Acr(what) => format!("{what} added"),
            Self::AcrAccepted(value) => format!("acr {value} no longer accepted"),
            Self::MaxAge { strict, lenient } => {
                format!("max age lowered from {lenient} to {strict} seconds")
            }
            Self::AnyAge(seconds) => format!("max age of {seconds} seconds added"),
            Self::SenderConstraint => "sender constraint added".to_owned(),
            Self::Claim(what) => format!("claim {what} added"),
        })
    }
}

/// What `strict` demands that `lenient` does not; nothing only if each caller that satisfies
/// `lenient` satisfies `strict`.
pub(super) fn between(
    strict: &Requirement,
    lenient: &Requirement,
    implied: &Implications,
) -> Vec<Difference> {
    let mut found = Vec::new();
    for (name, scopes) in &strict.schemes {
        let Some(own) = lenient.schemes.get(name) else {
            found.push(Difference::Scheme(name.clone()));
            continue;
        };
        let own = implied.closure(name, own);
        let missing = scopes.iter().filter(|scope| !own.contains(scope.as_str()));
        found.extend(missing.cloned().map(Difference::Scope));
    }
    if let Some(groups) = &strict.groups {
        match &lenient.groups {
            None => found.push(Difference::Groups(words::groups(groups))),
            Some(other) => found.extend(between_groups(groups, other)),
        }
    }
    if !strict.acr_values.is_empty() {
        match lenient.acr_values.as_slice() {
            [] => found.push(Difference::Acr(words::acr(&strict.acr_values))),
            values => {
                let added = values.iter().filter(|value| !strict.acr_values.contains(value));
                found.extend(added.cloned().map(Difference::AcrAccepted));
            }
        }
    }
    match (strict.max_age, lenient.max_age) {
        (Some(strict), None) => found.push(Difference::AnyAge(strict)),
        (Some(strict), Some(lenient)) if strict < lenient => {
            found.push(Difference::MaxAge { strict, lenient });
        }
        _ => {}
    }
    if strict.sender_constrained && !lenient.sender_constrained {
        found.push(Difference::SenderConstraint);
    }
    let claims = strict
        .claims
        .iter()
        .filter(|(name, value)| lenient.claims.get(name.as_str()) != Some(*value));
    found.extend(claims.map(|(name, value)| Difference::Claim(format!("{name}={value}"))));
    found
}

fn between_groups(strict: &Groups, lenient: &Groups) -> Vec<Difference> {
    let names = |groups: &Groups| groups.names.iter().cloned().collect::<BTreeSet<_>>();
    let (needed, own) = (names(strict), names(lenient));
    // One group is as well any as all of them.
    let is_all = |groups: &Groups, names: &BTreeSet<_>| names.len() > 1 && groups.all == Some(true);
    let other = || {
        let (strict, lenient) = (words::groups(strict), words::groups(lenient));
        vec![Difference::OtherGroups { strict, lenient }]
    };
    let added = own.difference(&needed).cloned().map(Difference::GroupAccepted);
    match (is_all(strict, &needed), is_all(lenient, &own)) {
        (false, true) if !needed.is_disjoint(&own) => Vec::new(),
        (_, _) if needed.is_disjoint(&own) => other(),
        (false, _) => added.collect(),
        (true, false) if own.len() > 1 => [Difference::AnyGroup].into_iter().chain(added).collect(),
        (true, _) => needed.difference(&own).cloned().map(Difference::Group).collect(),
    }
}
