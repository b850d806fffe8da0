//! What in a document is probably not meant.

use std::collections::{BTreeMap, BTreeSet};

use monocloud_testkit::document::{Document, Operation, SchemeKind};
use serde_json::Value;

use super::words;

pub(super) fn of(document: &Document) -> Vec<String> {
    let mut warnings: Vec<_> = document.operations.iter().filter_map(of_operation).collect();
    if document.operations.is_empty() {
        warnings.push("the document has no operations".to_owned());
    }
    let used = used(document);
    for (name, scopes) in &used {
        let Some(scheme) = document.schemes.get(*name) else {
            warnings.push(format!("scheme {name}: operations need it, and it is not declared"));
            continue;
        };
        let flows = scheme.members.get("flows").and_then(Value::as_object);
        let flows = flows.into_iter().flat_map(|flows| flows.values());
        let declared: BTreeSet<_> = flows
            .filter_map(|flow| flow.get("scopes")?.as_object())
            .flat_map(|scopes| scopes.keys().map(String::as_str))
            .collect();
        // Scopes of other types are declared nowhere.
        let is_oauth = scheme.kind == SchemeKind::OAuth2;
        let unknown = scopes.difference(&declared).filter(|_| is_oauth);
        warnings.extend(
            unknown.map(|scope| format!("scheme {name}: it does not declare the scope {scope}")),
        );
    }
    for (name, scheme) in &document.schemes {
        if !used.contains_key(name.as_str()) {
            warnings.push(format!("scheme {name}: no operation needs it"));
        } else if matches!(&scheme.kind, SchemeKind::ApiKey { place, .. } if place == "query") {
            warnings.push(format!("scheme {name}: keys in URLs end up in logs"));
        }
    }
    warnings.iter().map(|warning| words::clean(warning)).collect()
}

fn of_operation(operation: &Operation) -> Option<String> {
    let place = words::place(operation);
    let method = &operation.method;
    // OPTIONS and TRACE are safe too (RFC 9110 §9.2.1), and so is QUERY.
    let is_safe = method.is_safe() || method.as_str() == "QUERY";
    match (operation.security.alternatives(), is_safe) {
        (_, _) if !operation.security.permits_anonymous() => None,
        (all, false) if all.iter().all(|one| one.schemes.is_empty()) => {
            Some(format!("{place}: public, and its method is not safe"))
        }
        (all, _) if all.iter().any(|one| !one.schemes.is_empty()) => {
            Some(format!("{place}: credentials are optional, by the alternative {{}}"))
        }
        ([_, ..], true) => Some(format!("{place}: public, by {{}} instead of an empty list")),
        _ => None,
    }
}

/// The schemes that operations need, with the scopes.
fn used(document: &Document) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut used: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    let all = document.operations.iter().flat_map(|it| it.security.alternatives());
    for (name, scopes) in all.flat_map(|one| &one.schemes) {
        used.entry(name.as_str()).or_default().extend(scopes.iter().map(String::as_str));
    }
    used
}
