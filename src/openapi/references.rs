//! References within a document (`#/components/…`), followed.
//!
//! What cannot be read cannot be the policy: where a path item, an operation, a security scheme or
//! the response of a refusal is in another file, or missing, the API does not start.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::{
    document::{Document, operation_place, operations_mut},
    pointer::{MAX_HOPS, follow, target, tokens, too_long},
    security,
};
use crate::policy::Access;

/// How many nodes the path items of references may add to a document.
const MAX_COPIED_NODES: usize = 1_000_000;

/// Replaces path items, and operations in them, that are given by reference.
pub(super) fn resolve_paths(members: &mut Map<String, Value>, problems: &mut Vec<String>) {
    let Some(Value::Object(paths)) = members.get("paths") else { return };
    let mut resolved = Map::new();
    let mut copied = 0;
    let mut copy = |value: &Value| {
        let target = resolve(members, value, MAX_HOPS)?;
        copied += target.as_ref().map_or(0, nodes);
        match copied {
            0..=MAX_COPIED_NODES => Ok(target),
            _ => Err("the references up to here copy too much; write it out".to_owned()),
        }
    };
    for (path, item) in paths {
        let mut item = match copy(item) {
            Ok(target) => target.unwrap_or_else(|| item.clone()),
            Err(problem) => {
                problems.push(format!("{path}: {problem}"));
                continue;
            }
        };
        for (method, operation) in operations_mut(&mut item) {
            match copy(operation) {
                Ok(target) => *operation = target.unwrap_or_else(|| operation.take()),
                Err(problem) => {
                    problems.push(format!("{}: {problem}", operation_place(&method, path)));
                }
            }
        }
        resolved.insert(path.clone(), item);
    }
    members.insert("paths".to_owned(), Value::Object(resolved));
}

/// What is wrong with the 401 and 403 responses, given by reference, of operations that require a
/// token.
pub(super) fn check_refusals(document: &Document, scheme: &str) -> Vec<String> {
    let mut problems = Vec::new();
    let accesses = security::compile(document, scheme);
    for (operation, (_, access)) in document.operations().zip(&accesses) {
        let responses = operation.operation.get("responses").filter(|_| is_secured(access));
        for status in ["401", "403"] {
            let Some(response) = responses.and_then(|responses| responses.get(status)) else {
                continue;
            };
            if let Err(problem) = follow(document.members(), response) {
                let place = operation_place(&operation.method, operation.path);
                problems.push(format!("{place}: its response {status}: {problem}"));
            }
        }
    }
    problems
}

fn is_secured<E>(access: &Result<Access, E>) -> bool {
    access.as_ref().is_ok_and(|access| !access.is_public())
}

/// The names of the security schemes that a scheme is given by, itself first.
pub(super) fn schemes_behind<'d>(
    root: &'d Map<String, Value>,
    scheme: &'d str,
) -> Vec<Cow<'d, str>> {
    let schemes = root.get("components").and_then(|components| components.get("securitySchemes"));
    let mut names = vec![Cow::Borrowed(scheme)];
    while let Some(name) = names.last().filter(|_| names.len() <= MAX_HOPS) {
        let reference = schemes.and_then(|schemes| schemes.get(&**name)?.get("$ref")?.as_str());
        match reference.and_then(tokens).as_deref() {
            Some([components, schemes, name])
                if *components == "components" && *schemes == "securitySchemes" =>
            {
                names.push(name.clone());
            }
            _ => break,
        }
    }
    names
}

/// A copy of what a value refers to, or `None` if it does not refer to anything.
///
/// What stands beside the reference is added; only `summary` and `description` may replace what the
/// reference leads to, as the specification leaves open which of two members counts.
fn resolve(root: &Map<String, Value>, value: &Value, hops: usize) -> Result<Option<Value>, String> {
    let Some(reference) = value.get("$ref") else { return Ok(None) };
    let target = target(root, reference)?;
    let hops = hops.checked_sub(1).ok_or_else(too_long)?;
    let mut copy = resolve(root, target, hops)?.unwrap_or_else(|| target.clone());
    let (Value::Object(members), Value::Object(siblings)) = (&mut copy, value) else {
        return Err(format!("it refers to {reference}, which is not an object"));
    };
    for (name, sibling) in siblings.iter().filter(|(name, _)| *name != "$ref") {
        let is_taken = members.insert(name.clone(), sibling.clone()).is_some();
        if is_taken && name != "summary" && name != "description" {
            return Err(format!(
                "it has {name:?} beside its `$ref`, and so has what that refers to; write it once"
            ));
        }
    }
    Ok(Some(copy))
}

fn nodes(value: &Value) -> usize {
    1 + match value {
        Value::Array(elements) => elements.iter().map(nodes).sum(),
        Value::Object(members) => members.values().map(nodes).sum(),
        _ => 0,
    }
}
