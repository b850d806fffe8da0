//! What MonoCloud's extensions demand beyond scopes.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::document::{DocumentError, Groups, Requirement, pointer::Place};

const PREFIX: &str = "x-monocloud-";
const GROUPS: &str = "x-monocloud-groups";
const ACR_VALUES: &str = "x-monocloud-acr-values";
const MAX_AGE: &str = "x-monocloud-max-age";
const SENDER_CONSTRAINED: &str = "x-monocloud-sender-constrained";
const CLAIMS: &str = "x-monocloud-claims";
const IMPLIES: &str = "x-monocloud-implies";

/// On an operation: an object for each entry of its `security`, with the extensions of that entry.
pub(super) const ALTERNATIVES: &str = "x-monocloud-alternatives";

/// The extensions of an alternative.
pub(super) const ON_ALTERNATIVE: [&str; 5] =
    [GROUPS, ACR_VALUES, MAX_AGE, SENDER_CONSTRAINED, CLAIMS];

/// On the operation of an MCP server: what its tools, resources and prompts need.
const MCP: &str = "x-monocloud-mcp";

pub(super) const ON_OPERATION: [&str; 7] =
    [GROUPS, ACR_VALUES, MAX_AGE, SENDER_CONSTRAINED, CLAIMS, ALTERNATIVES, MCP];

pub(super) const ON_SCHEME: [&str; 4] =
    ["x-monocloud-certificate-binding", "x-monocloud-dpop", IMPLIES, "x-monocloud-incomplete"];

/// Rejects extensions that would have no effect here.
pub(super) fn check_names(
    members: &Map<String, Value>,
    known: &[&str],
    place: &Place,
) -> Result<(), DocumentError> {
    let is_ours = |name: &str| {
        name.get(..PREFIX.len()).is_some_and(|prefix| prefix.eq_ignore_ascii_case(PREFIX))
    };
    match members.keys().find(|name| is_ours(name) && !known.contains(&name.as_str())) {
        None => Ok(()),
        Some(name) => {
            let problem = match known {
                [] => "it has no effect here".to_owned(),
                known => format!("not an extension that has an effect here: {}", known.join(", ")),
            };
            Err(DocumentError::new(&place.at(name), problem))
        }
    }
}

/// Adds what these members demand to a requirement.
pub(super) fn add(
    requirement: &mut Requirement,
    members: &Map<String, Value>,
    place: &Place,
) -> Result<(), DocumentError> {
    let error = |name: &str, problem: &str| Err(DocumentError::new(&place.at(name), problem));
    if let Some(value) = members.get(GROUPS) {
        let Some(groups) = groups(value) else {
            return error(GROUPS, "neither a list of names nor an object with `any` or `all`");
        };
        if requirement.groups.replace(groups).is_some() {
            return error(GROUPS, "the operation itself names groups, too; write them once");
        }
    }
    if let Some(value) = members.get(ACR_VALUES) {
        let Some(values) = names(value) else {
            return error(ACR_VALUES, "not a list of names");
        };
        if !requirement.acr_values.is_empty() {
            return error(ACR_VALUES, "the operation itself names values, too; write them once");
        }
        requirement.acr_values = values;
    }
    if let Some(value) = members.get(MAX_AGE) {
        let Some(seconds) = value.as_u64() else {
            return error(MAX_AGE, "not a whole number of seconds");
        };
        let lower = requirement.max_age.map_or(seconds, |other| other.min(seconds));
        requirement.max_age = Some(lower);
    }
    if let Some(value) = members.get(SENDER_CONSTRAINED) {
        let Some(constrained) = value.as_bool() else {
            return error(SENDER_CONSTRAINED, "neither true nor false");
        };
        requirement.sender_constrained |= constrained;
    }
    if let Some(value) = members.get(CLAIMS) {
        let is_plain = |value: &Value| {
            value.is_string() || value.is_boolean() || value.is_i64() || value.is_u64()
        };
        let claims = value.as_object().filter(|it| !it.is_empty() && it.values().all(is_plain));
        let Some(claims) = claims else {
            return error(CLAIMS, "not an object with a text, an integer or a Boolean per claim");
        };
        for (name, value) in claims {
            let other = requirement.claims.insert(name.clone(), value.clone());
            if other.is_some_and(|other| other != *value) {
                return error(CLAIMS, "the operation itself has another value for a claim");
            }
        }
    }
    Ok(())
}

/// The scopes that a scope implies, by its name.
pub(super) fn implies(
    members: &Map<String, Value>,
    place: &Place,
) -> Result<BTreeMap<String, Vec<String>>, DocumentError> {
    let Some(value) = members.get(IMPLIES) else { return Ok(BTreeMap::new()) };
    let error = || DocumentError::new(&place.at(IMPLIES), "not an object of lists of scopes");
    let implies = value.as_object().ok_or_else(error)?;
    let implied = |(scope, others): (&String, &Value)| {
        strings(others).map(|others| (scope.clone(), others)).ok_or_else(error)
    };
    implies.iter().map(implied).collect()
}

fn groups(value: &Value) -> Option<Groups> {
    let Value::Object(members) = value else {
        return Some(Groups::new(names(value)?, None));
    };
    let mut members = members.iter();
    let (match_, list) = members.next().filter(|_| members.len() == 0)?;
    match match_.as_str() {
        "any" => Some(Groups::new(names(list)?, Some(false))),
        "all" => Some(Groups::new(names(list)?, Some(true))),
        _ => None,
    }
}

/// A list of one or more texts.
fn names(value: &Value) -> Option<Vec<String>> {
    strings(value).filter(|names| !names.is_empty())
}

/// A list of texts.
pub(super) fn strings(value: &Value) -> Option<Vec<String>> {
    value.as_array()?.iter().map(|it| it.as_str().map(str::to_owned)).collect()
}
