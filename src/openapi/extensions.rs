//! The extensions to OpenAPI documents that say what an operation needs beyond scopes, read and
//! written.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::policy::{GroupMatch, Requirement, is_acr_value, is_claim_value};

/// On an operation: the groups that a token must carry. A list, of which the configuration says how
/// many are needed, or an object with one member, `any` or `all`.
pub const GROUPS: &str = "x-monocloud-groups";

/// On an operation: how the user may have authenticated, a list of `acr` values of which the token
/// must have one (RFC 9470 §4).
pub const ACR_VALUES: &str = "x-monocloud-acr-values";

/// On an operation: how long ago the user may have authenticated, in seconds (RFC 9470 §4).
pub const MAX_AGE: &str = "x-monocloud-max-age";

/// On an operation: whether the token must be bound to its sender, by certificate (RFC 8705) or by DPoP
/// key (RFC 9449).
pub const SENDER_CONSTRAINED: &str = "x-monocloud-sender-constrained";

/// On an operation: the values that claims must have, by their names.
pub const CLAIMS: &str = "x-monocloud-claims";

/// On an operation: a list with an object for each entry of its `security`, which has the extensions
/// that apply to that entry alone.
pub const ALTERNATIVES: &str = "x-monocloud-alternatives";

/// On this library's security scheme: which tokens must be bound to a certificate (RFC 8705).
pub const CERTIFICATE_BINDING: &str = "x-monocloud-certificate-binding";

/// On this library's security scheme: whether tokens may, or must, be bound to a key (RFC 9449). Absent
/// while none may be.
pub const DPOP: &str = "x-monocloud-dpop";

/// On this library's security scheme: the scopes that a scope implies, by its name.
pub const IMPLIES: &str = "x-monocloud-implies";

/// On this library's security scheme: the tenant's endpoints are missing.
pub(super) const INCOMPLETE: &str = "x-monocloud-incomplete";

/// Those that are part of a requirement, on an operation or in its alternatives.
pub(super) const OF_REQUIREMENT: [&str; 5] =
    [GROUPS, ACR_VALUES, MAX_AGE, SENDER_CONSTRAINED, CLAIMS];

/// Whether an operation has extensions that are part of a requirement.
pub(super) fn has_any(operation: &Map<String, Value>) -> bool {
    let names = OF_REQUIREMENT.iter().chain([&ALTERNATIVES]);
    names.into_iter().any(|name| operation.contains_key(*name))
}

/// What the extensions of an operation require, for each entry of its `security`: without scopes,
/// which are in the entries.
pub(super) fn read(
    operation: &Map<String, Value>,
    entries: usize,
) -> Result<Vec<Requirement>, String> {
    let common = read_requirement(operation)?;
    let Some(alternatives) = operation.get(ALTERNATIVES) else {
        return Ok(vec![common; entries]);
    };
    let alternatives = alternatives.as_array().filter(|list| list.len() == entries).ok_or_else(|| {
        format!("its {ALTERNATIVES:?} is not a list with one object for each entry of its `security`")
    })?;
    let read = |alternative: &Value| {
        let members = alternative
            .as_object()
            .ok_or_else(|| format!("its {ALTERNATIVES:?} holds something other than objects"))?;
        let mut requirement = common.clone();
        requirement.add(&read_requirement(members)?).map_err(|what| {
            format!("its {ALTERNATIVES:?} and the operation itself name {what}; write each once")
        })?;
        Ok(requirement)
    };
    alternatives.iter().map(read).collect()
}

/// Gives an operation the extensions of a requirement for each entry of its `security`; entries of
/// other schemes have none.
pub(crate) fn write(operation: &mut Map<String, Value>, entries: &[Option<Requirement>]) {
    for name in OF_REQUIREMENT.iter().chain([&ALTERNATIVES]) {
        operation.remove(*name);
    }
    let each: Vec<_> = entries.iter().map(|entry| entry.as_ref().map(members_of)).collect();
    let mut own = each.iter().flatten();
    let first = own.next().cloned().unwrap_or_default();
    if own.all(|other| *other == first) {
        operation.extend(first);
    } else {
        let each = each.into_iter().map(|members| Value::Object(members.unwrap_or_default()));
        operation.insert(ALTERNATIVES.to_owned(), each.collect());
    }
}

/// The extensions of one requirement.
pub(crate) fn members_of(requirement: &Requirement) -> Map<String, Value> {
    let mut members = Map::new();
    let mut insert = |name: &str, value| members.insert(name.to_owned(), value);
    if !requirement.groups.is_empty() {
        let groups = &requirement.groups;
        let groups = match requirement.group_match {
            None => json!(groups),
            Some(GroupMatch::Any) => json!({ "any": groups }),
            Some(GroupMatch::All) => json!({ "all": groups }),
        };
        insert(GROUPS, groups);
    }
    if !requirement.acr_values.is_empty() {
        insert(ACR_VALUES, json!(requirement.acr_values));
    }
    if let Some(max_age) = requirement.max_age {
        insert(MAX_AGE, max_age.as_secs().into());
    }
    if requirement.is_sender_constrained {
        insert(SENDER_CONSTRAINED, true.into());
    }
    if !requirement.claims.is_empty() {
        insert(CLAIMS, json!(requirement.claims));
    }
    members
}

fn read_requirement(members: &Map<String, Value>) -> Result<Requirement, String> {
    let mut requirement = Requirement::default();
    if let Some(groups) = members.get(GROUPS) {
        (requirement.groups, requirement.group_match) = read_groups(groups)
            .ok_or("its groups are neither a list nor an object with `any` or `all`")?;
    }
    if let Some(values) = members.get(ACR_VALUES) {
        requirement.acr_values = names(values)
            .filter(|values| values.iter().all(|value| is_acr_value(value)))
            .ok_or_else(|| format!("its {ACR_VALUES:?} is not a list of names without blanks"))?;
    }
    if let Some(age) = members.get(MAX_AGE) {
        let seconds = age
            .as_u64()
            .ok_or_else(|| format!("its {MAX_AGE:?} is not a whole number of seconds"))?;
        requirement.max_age = Some(Duration::from_secs(seconds));
    }
    if let Some(constrained) = members.get(SENDER_CONSTRAINED) {
        requirement.is_sender_constrained = constrained
            .as_bool()
            .ok_or_else(|| format!("its {SENDER_CONSTRAINED:?} is neither true nor false"))?;
    }
    if let Some(claims) = members.get(CLAIMS) {
        let claims = claims
            .as_object()
            .filter(|claims| !claims.is_empty() && claims.values().all(is_claim_value))
            .ok_or_else(|| {
                format!("its {CLAIMS:?} is not an object of strings, integers or Booleans by the names of claims")
            })?;
        requirement.claims.extend(claims.clone());
    }
    Ok(requirement)
}

fn read_groups(groups: &Value) -> Option<(Vec<String>, Option<GroupMatch>)> {
    let (list, group_match) = match groups {
        Value::Object(members) if members.len() == 1 => {
            match (members.get("any"), members.get("all")) {
                (Some(list), _) => (list, Some(GroupMatch::Any)),
                (_, Some(list)) => (list, Some(GroupMatch::All)),
                _ => return None,
            }
        }
        list => (list, None),
    };
    Some((names(list)?, group_match))
}

/// A list of at least one string.
fn names(list: &Value) -> Option<Vec<String>> {
    strings(list).filter(|names| !names.is_empty())
}

/// A list of strings.
pub(super) fn strings(list: &Value) -> Option<Vec<String>> {
    let names = list.as_array()?.iter().map(|name| name.as_str().map(str::to_owned));
    names.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Policy;

    fn requirement(policy: Policy) -> Requirement {
        policy.into()
    }

    #[test]
    fn what_was_written_is_read_back() {
        const ANY: Policy = Policy::ANY_TOKEN;
        let whole = ANY
            .all_groups(&["x", "y"])
            .acr_values(&["urn:example:mfa", "phr"])
            .max_age(Duration::from_secs(300))
            .sender_constrained()
            .claim("plan", "pro");
        let [whole, any, unsaid, nothing] =
            [whole, ANY.any_group(&["x"]), ANY.groups(&["x"]), ANY].map(requirement);
        for entries in [
            vec![Some(whole.clone())],
            vec![Some(nothing.clone())],
            vec![Some(any.clone()), Some(any.clone())],
            vec![Some(any.clone()), Some(whole.clone()), Some(unsaid)],
            vec![Some(nothing), Some(any.clone())],
            vec![None, Some(any), None, Some(whole)],
        ] {
            let mut operation = Map::new();
            write(&mut operation, &entries);
            let read = read(&operation, entries.len()).unwrap();
            let written = entries
                .iter()
                .zip(&read)
                .filter_map(|(one, other)| Some((one.clone()?, other.clone())));
            for (one, other) in written {
                assert_eq!(one, other, "{operation:?}");
            }
            let mut again = operation.clone();
            write(&mut again, &entries);
            assert_eq!(again, operation);
        }
    }

    #[test]
    fn what_is_common_stands_on_the_operation_and_the_rest_by_entry() {
        let operation = json!({
            MAX_AGE: 60,
            ALTERNATIVES: [{}, { GROUPS: ["x"], MAX_AGE: 30 }],
        });
        let read = read(operation.as_object().unwrap(), 2).unwrap();
        let [first, second] = read.as_slice() else { panic!() };
        assert_eq!(first.max_age, Some(Duration::from_secs(60)));
        assert!(first.groups.is_empty());
        assert_eq!(second.max_age, Some(Duration::from_secs(30)));
        assert_eq!(second.groups, ["x"]);
    }

    #[test]
    fn what_cannot_be_meant_is_a_problem_that_names_the_member() {
        for (operation, problem) in [
            (json!({ GROUPS: [] }), "its groups"),
            (json!({ GROUPS: "x" }), "its groups"),
            (json!({ GROUPS: { "any": ["x"], "all": ["y"] } }), "its groups"),
            (json!({ ACR_VALUES: [] }), ACR_VALUES),
            (json!({ ACR_VALUES: "mfa" }), ACR_VALUES),
            (json!({ ACR_VALUES: ["a b"] }), ACR_VALUES),
            (json!({ ACR_VALUES: [1] }), ACR_VALUES),
            (json!({ MAX_AGE: -1 }), MAX_AGE),
            (json!({ MAX_AGE: 1.5 }), MAX_AGE),
            (json!({ MAX_AGE: "300" }), MAX_AGE),
            (json!({ MAX_AGE: null }), MAX_AGE),
            (json!({ SENDER_CONSTRAINED: "mtls" }), SENDER_CONSTRAINED),
            (json!({ CLAIMS: {} }), CLAIMS),
            (json!({ CLAIMS: [] }), CLAIMS),
            (json!({ CLAIMS: { "plan": ["pro"] } }), CLAIMS),
            (json!({ CLAIMS: { "plan": 1.5 } }), CLAIMS),
            (json!({ CLAIMS: { "plan": null } }), CLAIMS),
            (json!({ ALTERNATIVES: {} }), ALTERNATIVES),
            (json!({ ALTERNATIVES: [{}] }), ALTERNATIVES),
            (json!({ ALTERNATIVES: [{}, 1] }), ALTERNATIVES),
            (json!({ ALTERNATIVES: [{}, { MAX_AGE: -1 }] }), MAX_AGE),
            (json!({ GROUPS: ["x"], ALTERNATIVES: [{}, { GROUPS: ["y"] }] }), "groups"),
        ] {
            let found = read(operation.as_object().unwrap(), 2).unwrap_err();
            assert!(found.contains(problem), "{operation}: {found}");
        }
    }
}
