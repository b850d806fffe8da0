//! Scopes that stand for others.

use std::collections::{BTreeMap, BTreeSet};

use crate::token::claims::Claims;

/// Which scopes imply which, as they were declared and in their consequence.
#[derive(Clone, Debug, Default)]
pub(crate) struct ImpliedScopes {
    declared: BTreeMap<String, BTreeSet<String>>,
    /// By scope, every other one that implies it, however indirectly.
    implied_by: BTreeMap<String, BTreeSet<String>>,
}

impl ImpliedScopes {
    /// Declares that a scope implies others.
    pub(crate) fn declare(&mut self, scope: String, implied: impl IntoIterator<Item = String>) {
        self.declared.entry(scope).or_default().extend(implied);
        self.implied_by.clear();
        for scope in self.declared.keys() {
            for implied in self.consequences(scope) {
                self.implied_by.entry(implied).or_default().insert(scope.clone());
            }
        }
    }

    /// What was declared, by scope.
    pub(crate) fn declared(&self) -> &BTreeMap<String, BTreeSet<String>> {
        &self.declared
    }

    /// Every scope that another one implies, however indirectly; itself too, in a circle.
    pub(crate) fn consequences(&self, scope: &str) -> BTreeSet<String> {
        let mut consequences = BTreeSet::new();
        let mut open = vec![scope];
        while let Some(scope) = open.pop() {
            for implied in self.declared.get(scope).into_iter().flatten() {
                if consequences.insert(implied.clone()) {
                    open.push(implied);
                }
            }
        }
        consequences
    }

    /// Whether a token has a scope that implies this one.
    pub(super) fn is_implied(&self, scope: &str, claims: &Claims) -> bool {
        let Some(stronger) = self.implied_by.get(scope) else { return false };
        claims.scopes().any(|granted| stronger.contains(granted))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn implied(declared: &[(&str, &[&str])]) -> ImpliedScopes {
        let mut implied = ImpliedScopes::default();
        for (scope, others) in declared {
            implied.declare((*scope).to_owned(), others.iter().map(|it| (*it).to_owned()));
        }
        implied
    }

    #[test]
    fn an_implication_is_transitive_and_has_one_direction() {
        let implied = implied(&[("write", &["read"]), ("admin", &["write", "purge"])]);
        for (granted, scope, expected) in [
            ("admin", "read", true),
            ("admin", "purge", true),
            ("x admin", "write", true),
            ("write", "read", true),
            ("read", "write", false),
            ("purge", "read", false),
            ("Admin", "read", false),
            ("", "read", false),
            ("admin", "unknown", false),
        ] {
            let claims = Claims::for_tests(json!({ "scope": granted }));
            assert_eq!(implied.is_implied(scope, &claims), expected, "{granted} {scope}");
        }
    }

    #[test]
    fn a_circle_ends() {
        let implied = implied(&[("a", &["b"]), ("b", &["c"]), ("c", &["a"])]);
        assert_eq!(implied.consequences("a"), ["a", "b", "c"].map(str::to_owned).into());
        assert_eq!(implied.consequences("d"), BTreeSet::new());
    }
}
