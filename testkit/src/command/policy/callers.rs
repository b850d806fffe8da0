//! A model of callers: what they can present, and which requirements that satisfies.

use std::collections::{BTreeMap, BTreeSet};

use monocloud_testkit::document::{Document, Requirement};
use serde_json::Value;

/// The scopes that scopes of each scheme imply.
#[derive(Debug, Default)]
pub(super) struct Implications(BTreeMap<String, BTreeMap<String, Vec<String>>>);

impl Implications {
    pub(super) fn of(document: &Document) -> Self {
        let schemes = document.schemes.iter();
        Self(schemes.map(|(name, scheme)| (name.clone(), scheme.implies.clone())).collect())
    }

    /// These scopes of a scheme, and all that they imply.
    pub(super) fn closure<'s>(&'s self, scheme: &str, scopes: &'s [String]) -> BTreeSet<&'s str> {
        let implied = self.0.get(scheme);
        let mut open: Vec<_> = scopes.iter().map(String::as_str).collect();
        let mut found = BTreeSet::new();
        while let Some(scope) = open.pop() {
            if found.insert(scope) {
                let next = implied.and_then(|implied| implied.get(scope));
                open.extend(next.into_iter().flatten().map(String::as_str));
            }
        }
        found
    }

    /// The pairs of scopes of which the first implies the second.
    pub(super) fn pairs(&self, scheme: &str) -> BTreeSet<(&str, &str)> {
        let scopes = self.0.get(scheme).into_iter().flat_map(BTreeMap::keys);
        let pairs = scopes.flat_map(|scope| {
            let implied = self.closure(scheme, std::slice::from_ref(scope));
            implied.into_iter().filter(move |it| it != scope).map(move |it| (scope.as_str(), it))
        });
        pairs.collect()
    }
}

/// A caller that satisfies a requirement, and presents no more than that takes.
struct Caller<'r> {
    requirement: &'r Requirement,
    /// The one of several groups, if any suffices.
    group: Option<&'r str>,
    acr: Option<&'r str>,
}

impl<'r> Caller<'r> {
    /// All callers of this kind: any other caller that satisfies the requirement presents more than
    /// one of them.
    fn least(requirement: &'r Requirement) -> impl Iterator<Item = Self> {
        let any_group = requirement.groups.as_ref().filter(|groups| groups.all != Some(true));
        let groups = choices(any_group.map_or(&[], |groups| groups.names.as_slice()));
        groups.into_iter().flat_map(move |group| {
            let acr = choices(&requirement.acr_values);
            acr.into_iter().map(move |acr| Self { requirement, group, acr })
        })
    }

    fn satisfies(&self, needed: &Requirement, implied: &Implications) -> bool {
        let own = self.requirement;
        let has_scheme = |(name, scopes): (&String, &Vec<String>)| {
            own.schemes.get(name).is_some_and(|own| {
                let own = implied.closure(name, own);
                scopes.iter().all(|scope| own.contains(scope.as_str()))
            })
        };
        let has_claim = |(name, value): (&String, &Value)| own.claims.get(name) == Some(value);
        needed.schemes.iter().all(has_scheme)
            && self.has_groups(needed)
            && (needed.acr_values.is_empty()
                || self.acr.is_some_and(|acr| needed.acr_values.iter().any(|it| it == acr)))
            && needed.max_age.is_none_or(|most| own.max_age.is_some_and(|age| age <= most))
            && (own.sender_constrained || !needed.sender_constrained)
            && needed.claims.iter().all(has_claim)
    }

    fn has_groups(&self, needed: &Requirement) -> bool {
        let Some(groups) = &needed.groups else { return true };
        let own = self.requirement.groups.as_ref();
        let has = |name: &String| match self.group {
            Some(group) => group == name,
            None => own.is_some_and(|own| own.names.contains(name)),
        };
        match groups.all {
            Some(true) => groups.names.iter().all(has),
            _ => groups.names.iter().any(has),
        }
    }
}

/// Each of these values, or the choice of none if there are none.
fn choices(values: &[String]) -> Vec<Option<&str>> {
    match values {
        [] => vec![None],
        values => values.iter().map(|value| Some(value.as_str())).collect(),
    }
}

/// Whether each caller that satisfies a requirement satisfies one of these alternatives, too.
pub(super) fn is_covered(
    requirement: &Requirement,
    alternatives: &[Requirement],
    implied: &Implications,
) -> bool {
    Caller::least(requirement)
        .all(|caller| alternatives.iter().any(|one| caller.satisfies(one, implied)))
}
