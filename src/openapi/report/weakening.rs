//! What a later report permits that an earlier one did not.

use std::{collections::BTreeMap, fmt};

use super::{
    coverage::{WeakeningKind, dropped_schemes, weaker},
    markdown,
    value::{OperationPolicy, PolicyReport, TokenPolicy},
};
use crate::policy::ImpliedScopes;

/// Something that became weaker. `Display` says it in one line.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Weakening {
    /// The method and the path of the operation; `None` for implied scopes, which concern all.
    pub operation: Option<String>,
    /// What became weaker.
    pub kind: WeakeningKind,
}

impl fmt::Display for Weakening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.operation {
            Some(operation) => write!(f, "{operation}: {}", self.kind),
            None => write!(f, "{}", self.kind),
        }
    }
}

impl PolicyReport {
    /// What became weaker since an older report: requests pass that it rejects. Empty if there is
    /// nothing of the kind, whatever else changed.
    ///
    /// Operations are compared by method and path, whatever the path's parameters are called; an
    /// operation that was removed is not weaker. Each alternative must demand all that some older one
    /// demands; one that does not is compared with the older one from which it differs least.
    #[must_use]
    pub fn weakened_since(&self, old: &Self) -> Vec<Weakening> {
        let implied = old.implications();
        let before: BTreeMap<_, _> = old.operations.iter().map(|it| (key(it), it)).collect();
        let mut found = Vec::new();
        for operation in &self.operations {
            let kinds = match before.get(&key(operation)) {
                Some(before) => of_operation(operation, before, &implied),
                None if operation.anonymous || operation.is_public() => {
                    vec![WeakeningKind::NewWithoutRequirement]
                }
                None => Vec::new(),
            };
            let place = operation.place();
            found.extend(
                kinds.into_iter().map(|kind| Weakening { operation: Some(place.clone()), kind }),
            );
        }
        for (scope, others) in &self.implied_scopes {
            let known = implied.consequences(scope);
            let added = others.iter().filter(|other| *other != scope && !known.contains(*other));
            found.extend(added.map(|added| Weakening {
                operation: None,
                kind: WeakeningKind::ImplicationAdded {
                    scope: scope.clone(),
                    implied: added.clone(),
                },
            }));
        }
        found
    }
}

/// The method and the path, without the names of parameters.
fn key(operation: &OperationPolicy) -> (&str, String) {
    let mut parts = operation.path.split('{');
    let mut path = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        path.push_str("{}");
        path.push_str(part.split_once('}').map_or("", |(_, rest)| rest));
    }
    (&operation.method, path)
}

fn of_operation(
    new: &OperationPolicy,
    old: &OperationPolicy,
    implied: &ImpliedScopes,
) -> Vec<WeakeningKind> {
    match (old.is_public(), new.is_public()) {
        (true, _) => return Vec::new(),
        (false, true) => return vec![WeakeningKind::MadePublic],
        (false, false) => {}
    }
    let mut found = of_tokens(&new.tokens, &old.tokens, implied);
    // Where no credentials are needed, others add nothing.
    if !old.anonymous {
        let is_new = |new: &&BTreeMap<_, _>| {
            !old.other_credentials.iter().any(|old| dropped_schemes(new, old).next().is_none())
        };
        let added = new.other_credentials.iter().filter(is_new);
        found.extend(added.map(|it| WeakeningKind::OtherSchemeAdded(markdown::schemes(it))));
        found.extend(new.anonymous.then_some(WeakeningKind::OptionalNow));
    }
    found
}

fn of_tokens(
    new: &[TokenPolicy],
    old: &[TokenPolicy],
    implied: &ImpliedScopes,
) -> Vec<WeakeningKind> {
    let covers = |new: &TokenPolicy, old: &TokenPolicy| weaker(new, old, implied).is_empty();
    let (kept, mut weak): (Vec<_>, Vec<_>) =
        new.iter().partition(|new| old.iter().any(|old| covers(new, old)));
    // What a new alternative still demands is not what another one stands for.
    let mut left: Vec<_> =
        old.iter().filter(|old| !kept.iter().any(|new| covers(new, old))).collect();
    let mut found = Vec::new();
    loop {
        let pairs = weak.iter().enumerate().flat_map(|(at, new)| {
            let with = left.iter().enumerate();
            with.map(move |(other, old)| (weaker(new, old, implied), at, other))
        });
        let Some((kinds, at, other)) = pairs.min_by_key(|(kinds, ..)| kinds.len()) else { break };
        found.extend(kinds);
        weak.remove(at);
        left.remove(other);
    }
    found.extend(
        weak.into_iter().map(|added| WeakeningKind::AlternativeAdded(markdown::token(added))),
    );
    found
}
