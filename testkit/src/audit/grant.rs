//! What a token grants: exactly what an operation documents, and less.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::{
    MockTenant, TokenBuilder,
    audit::call::quoted,
    document::{Document, Requirement},
};

/// Claims of every token: those of a user that no document mentions.
pub(super) const PROFILE: [(&str, &str); 2] = [("email", "audit@example.com"), ("name", "Audit")];

const HOUR: u64 = 3600;

/// The scopes and claims of a token.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Grant {
    pub(super) scopes: Vec<String>,
    pub(super) claims: BTreeMap<String, Value>,
    /// How long ago the user authenticated, in seconds.
    authenticated_ago: Option<u64>,
}

/// A token that lacks one thing.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Lack {
    /// The rule that is broken if it is accepted.
    pub(super) rule: &'static str,
    /// What it lacks.
    pub(super) what: String,
    pub(super) grant: Grant,
}

/// Which scopes imply others, and the name of the groups claim.
pub(super) type Implied = BTreeMap<String, Vec<String>>;

impl Grant {
    /// Exactly what a requirement asks for.
    pub(super) fn of(requirement: &Requirement) -> Self {
        let mut scopes: Vec<String> = Vec::new();
        for scope in requirement.schemes.values().flatten() {
            if !scopes.contains(scope) {
                scopes.push(scope.clone());
            }
        }
        let mut claims = requirement.claims.clone();
        if let Some(groups) = &requirement.groups {
            let is_any = groups.all == Some(false);
            let names =
                if is_any { groups.names.get(..1).unwrap_or_default() } else { &groups.names[..] };
            claims.insert("groups".to_owned(), json!(names));
        }
        if let Some(acr) = requirement.acr_values.first() {
            claims.insert("acr".to_owned(), json!(acr));
        }
        let authenticated_ago = requirement.max_age.map(|_| 0);
        Self { scopes, claims, authenticated_ago }
    }

    /// Everything that a document mentions, on top of what a requirement asks for.
    pub(super) fn generous(&self, document: &Document) -> Self {
        let mut all = self.clone();
        let mut groups = BTreeSet::new();
        for operation in &document.operations {
            for requirement in operation.security.alternatives() {
                let other = Self::of(requirement);
                all.scopes.extend(other.scopes);
                groups.extend(requirement.groups.iter().flat_map(|it| it.names.clone()));
                for (name, value) in other.claims {
                    all.claims.entry(name).or_insert(value);
                }
                all.authenticated_ago = all.authenticated_ago.or(other.authenticated_ago);
            }
        }
        let described = document.schemes.values().flat_map(|scheme| scopes_of(&scheme.members));
        all.scopes.extend(described);
        let mut seen = BTreeSet::new();
        all.scopes.retain(|scope| seen.insert(scope.clone()));
        if !groups.is_empty() {
            all.claims.insert("groups".to_owned(), json!(groups));
        }
        all
    }

    pub(super) fn token<'t>(&self, tenant: &'t MockTenant) -> TokenBuilder<'t> {
        self.add_to(tenant.token())
    }

    pub(super) fn opaque_token<'t>(&self, tenant: &'t MockTenant) -> TokenBuilder<'t> {
        let token = self.add_to(tenant.opaque_token());
        // RFC 9449 §6.2.
        if self.claims.contains_key("cnf") { token.claim("token_type", "DPoP") } else { token }
    }

    fn add_to<'t>(&self, token: TokenBuilder<'t>) -> TokenBuilder<'t> {
        let token = PROFILE.iter().fold(token, |token, (name, value)| token.claim(name, value));
        let token = token.scope(&self.scopes.join(" "));
        let token = self.claims.iter().fold(token, |token, (name, value)| token.claim(name, value));
        match self.authenticated_ago {
            Some(seconds) => {
                token.authenticated_ago(i64::try_from(seconds).unwrap_or(i64::MAX / 2))
            }
            None => token,
        }
    }

    /// The claims beside `scope`, for tokens of the catalogue.
    pub(super) fn all_claims(&self, tenant: &MockTenant) -> Vec<(String, Value)> {
        let profile = PROFILE.iter().map(|(name, value)| ((*name).to_owned(), json!(value)));
        let claims = self.claims.iter().map(|(name, value)| (name.clone(), value.clone()));
        let ago = self.authenticated_ago.map(|seconds| {
            let now = crate::clock::unix_seconds(tenant.clock().now());
            ("auth_time".to_owned(), json!(now - i64::try_from(seconds).unwrap_or_default()))
        });
        profile.chain(claims).chain(ago).collect()
    }

    /// The command that mints such a token at the tenant.
    pub(super) fn command(&self, tenant: &MockTenant) -> String {
        let mut command = format!(
            "mock-tenant token --tenant {} --audience {}",
            quoted(tenant.issuer()),
            quoted(tenant.audience())
        );
        if !self.scopes.is_empty() {
            command.push_str(&format!(" --scope {}", quoted(&self.scopes.join(" "))));
        }
        for (name, value) in self.all_claims(tenant) {
            // A text that JSON would take for something else keeps its quotes.
            let value = match value.as_str() {
                Some(text) if serde_json::from_str::<Value>(text).is_err() => text.to_owned(),
                _ => value.to_string(),
            };
            if !PROFILE.iter().any(|(profile, _)| *profile == name) {
                command.push_str(&format!(" --claim {}", quoted(&format!("{name}={value}"))));
            }
        }
        command
    }
}

/// Tokens that lack one thing that a requirement asks for, each of a different kind.
pub(super) fn lacks(requirement: &Requirement, implied: &Implied) -> Vec<Lack> {
    let full = Grant::of(requirement);
    let mut lacks = Vec::new();
    let mut lack = |rule, what: String, change: &dyn Fn(&mut Grant)| {
        let mut grant = full.clone();
        change(&mut grant);
        lacks.push(Lack { rule, what, grant });
    };
    const SCOPE: &str = "scope-not-enforced";
    for scope in &full.scopes {
        let others: Vec<_> = full.scopes.iter().filter(|other| *other != scope).cloned().collect();
        if !closure(&others, implied).contains(scope) {
            lack(SCOPE, format!("a token without the scope {scope:?}"), &|grant| {
                grant.scopes.retain(|other| other != scope);
            });
        }
    }
    if !full.scopes.is_empty() {
        let alike =
            |scope: &String| [format!("x{scope}"), format!("{scope}x"), scope.to_uppercase()];
        let alike: Vec<_> =
            full.scopes.iter().flat_map(alike).filter(|it| !full.scopes.contains(it)).collect();
        lack(SCOPE, "a token with scopes that look alike".to_owned(), &|grant| {
            grant.scopes.clone_from(&alike)
        });
    }
    if let Some(groups) = &requirement.groups {
        const GROUP: &str = "group-not-enforced";
        lack(GROUP, "a token without groups".to_owned(), &|grant| {
            grant.claims.remove("groups");
        });
        let alike: Vec<_> = groups.names.iter().map(|name| format!("{name}-x")).collect();
        lack(GROUP, "a token with groups that look alike".to_owned(), &|grant| {
            grant.claims.insert("groups".to_owned(), json!(alike));
        });
        if let (Some(true), [_, rest @ ..]) = (groups.all, &groups.names[..])
            && !rest.is_empty()
        {
            lack(GROUP, "a token with all groups but one".to_owned(), &|grant| {
                grant.claims.insert("groups".to_owned(), json!(rest));
            });
        }
    }
    if !requirement.acr_values.is_empty() {
        const ACR: &str = "acr-not-enforced";
        lack(ACR, "a token without acr".to_owned(), &|grant| {
            grant.claims.remove("acr");
        });
        lack(ACR, "a token with another acr".to_owned(), &|grant| {
            grant.claims.insert("acr".to_owned(), json!("urn:example:other"));
        });
    }
    if let Some(max_age) = requirement.max_age {
        const AGE: &str = "max-age-not-enforced";
        let ago = max_age.saturating_add(HOUR);
        lack(AGE, format!("a token of a user who authenticated {ago} s ago"), &|grant| {
            grant.authenticated_ago = Some(ago);
        });
        lack(AGE, "a token without auth_time".to_owned(), &|grant| grant.authenticated_ago = None);
    }
    for name in requirement.claims.keys() {
        const CLAIM: &str = "claim-not-enforced";
        lack(CLAIM, format!("a token without the claim {name:?}"), &|grant| {
            grant.claims.remove(name);
        });
        lack(CLAIM, format!("a token with another value of {name:?}"), &|grant| {
            grant.claims.insert(name.clone(), json!("other-value"));
        });
    }
    lacks
}

/// Whether what a token grants satisfies a requirement.
pub(super) fn satisfies(grant: &Grant, requirement: &Requirement, implied: &Implied) -> bool {
    let needed = Grant::of(requirement);
    let scopes = closure(&grant.scopes, implied);
    let held =
        |name: &str| grant.claims.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    let groups_held = held("groups");
    let has_groups = requirement.groups.as_ref().is_none_or(|groups| {
        let mut names = groups.names.iter().map(|name| groups_held.contains(&json!(name)));
        if groups.all == Some(true) { names.all(|held| held) } else { names.any(|held| held) }
    });
    let is_recent = requirement
        .max_age
        .is_none_or(|max_age| grant.authenticated_ago.is_some_and(|ago| ago <= max_age));
    let acr = grant.claims.get("acr").and_then(Value::as_str);
    let has_acr = requirement.acr_values.is_empty()
        || acr.is_some_and(|acr| requirement.acr_values.iter().any(|value| value == acr));
    needed.scopes.iter().all(|scope| scopes.contains(scope))
        && has_groups
        && is_recent
        && has_acr
        && requirement.claims.iter().all(|(name, value)| grant.claims.get(name) == Some(value))
}

/// The implied scopes of all schemes of a document.
pub(super) fn implied(document: &Document) -> Implied {
    let mut all = Implied::new();
    for scheme in document.schemes.values() {
        for (scope, others) in &scheme.implies {
            all.entry(scope.clone()).or_default().extend(others.iter().cloned());
        }
    }
    all
}

/// These scopes and those that they imply.
fn closure(scopes: &[String], implied: &Implied) -> BTreeSet<String> {
    let mut all: BTreeSet<String> = BTreeSet::new();
    let mut open: Vec<_> = scopes.to_vec();
    while let Some(scope) = open.pop() {
        open.extend(
            implied.get(&scope).into_iter().flatten().filter(|it| !all.contains(*it)).cloned(),
        );
        all.insert(scope);
    }
    all
}

fn scopes_of(scheme: &serde_json::Map<String, Value>) -> Vec<String> {
    let flows = scheme.get("flows").and_then(Value::as_object);
    let flows = flows.into_iter().flat_map(|flows| flows.values());
    let scopes = flows.filter_map(|flow| flow.get("scopes")?.as_object());
    scopes.flat_map(|scopes| scopes.keys().cloned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::{base::Base, subject::Subject};

    /// What the one operation of a document needs, and which scopes imply others.
    fn requirement(operation: &str) -> (Requirement, Implied) {
        let openapi = format!(
            "openapi: 3.1.0\ncomponents:\n  securitySchemes:\n    login:\n      type: oauth2\n      \
             flows: {{}}\n      x-monocloud-implies: {{ admin: [write], write: [read] }}\n\
             paths:\n  /a:\n    get: {operation}\n"
        );
        let document = Document::read(openapi.as_bytes()).unwrap();
        let base = Base::parse("http://127.0.0.1").unwrap();
        let subjects = Subject::all(&document, &base, &["login".to_owned()]);
        (subjects[0].requirements()[0].clone(), implied(&document))
    }

    fn lacking(operation: &str) -> Vec<(&'static str, String)> {
        let (requirement, implied) = requirement(operation);
        let all = lacks(&requirement, &implied);
        for lack in &all {
            assert!(!satisfies(&lack.grant, &requirement, &implied), "{lack:?}");
        }
        all.into_iter().map(|lack| (lack.rule, lack.what)).collect()
    }

    #[test]
    fn a_grant_has_exactly_what_is_needed_and_each_lack_does_not_satisfy() {
        let (requirement, implied) = requirement(
            "{ security: [{ login: [read] }], x-monocloud-groups: { any: [a, b] }, \
             x-monocloud-acr-values: [mfa, key], x-monocloud-max-age: 60, \
             x-monocloud-claims: { plan: pro } }",
        );
        let grant = Grant::of(&requirement);
        assert_eq!(grant.scopes, ["read"]);
        assert_eq!(json!(grant.claims), json!({ "groups": ["a"], "acr": "mfa", "plan": "pro" }));
        assert_eq!(grant.authenticated_ago, Some(0));
        assert!(satisfies(&grant, &requirement, &implied));
        let lacks = lacks(&requirement, &implied);
        for rule in ["scope", "group", "acr", "max-age", "claim"] {
            let rule = format!("{rule}-not-enforced");
            assert!(lacks.iter().any(|lack| lack.rule == rule), "{rule}");
        }
        for lack in &lacks {
            assert!(!satisfies(&lack.grant, &requirement, &implied), "{lack:?}");
        }
    }

    #[test]
    fn a_scope_that_another_implies_cannot_be_lacking_alone() {
        let all = lacking("{ security: [{ login: [admin, read] }] }");
        let whats: Vec<_> = all.iter().map(|(_, what)| what.as_str()).collect();
        assert_eq!(
            whats,
            ["a token without the scope \"admin\"", "a token with scopes that look alike"]
        );
        let (needed, implied) = requirement("{ security: [{ login: [read] }] }");
        let grant = Grant { scopes: vec!["admin".to_owned()], ..Grant::default() };
        assert!(satisfies(&grant, &needed, &implied), "by write");
    }

    #[test]
    fn all_groups_but_one_are_too_few() {
        let all = lacking("{ security: [{ login: [] }], x-monocloud-groups: { all: [a, b] } }");
        assert!(
            all.contains(&("group-not-enforced", "a token with all groups but one".to_owned()))
        );
        let any = lacking("{ security: [{ login: [] }], x-monocloud-groups: { any: [a, b] } }");
        assert_eq!(any.len(), 2, "{any:?}");
    }
}
