//! An operation's requirement (OpenAPI 3.0 §4.7.30), read and written.
//!
//! - Root `security` holds for operations that have none of their own.
//! - `[]` is public; `{}` among the alternatives makes credentials optional.
//! - What stands beside our scheme in one alternative is for the application to judge, and so are
//!   alternatives without it.
//! - Groups stand in [`GROUPS`], for every alternative of ours.

use serde_json::{Map, Value, json};

use super::document::{Document, OperationRef};
use crate::policy::{Access, GroupMatch, Requirement};

/// The extension that carries groups: a list of which the configuration says how many are needed,
/// or an object with one member, `any` or `all`.
pub(crate) const GROUPS: &str = "x-monocloud-groups";

/// Who may call each operation of a document, its scheme of ours being `scheme`.
pub(crate) fn compile(
    document: &Document,
    scheme: &str,
) -> Vec<(OperationKey, Result<Access, String>)> {
    let root = document.members().get("security");
    let components = document.members().get("components");
    let described = components.and_then(|components| components.get("securitySchemes"));
    let is_described =
        |name: &str| name == scheme || described.is_some_and(|schemes| schemes.get(name).is_some());
    let access = |operation: OperationRef<'_>| {
        let security = operation.operation.get("security").or(root);
        let access = access(security, operation.operation.get(GROUPS), scheme, &is_described);
        (OperationKey { path: operation.path.to_owned(), method: operation.method }, access)
    };
    document.operations().map(access).collect()
}

/// An operation by its path in the document and its method.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct OperationKey {
    pub(crate) path: String,
    pub(crate) method: http::Method,
}

fn access(
    security: Option<&Value>,
    groups: Option<&Value>,
    scheme: &str,
    is_described: &dyn Fn(&str) -> bool,
) -> Result<Access, String> {
    let mut access = Access::default();
    let alternatives = match security {
        None => &[],
        Some(Value::Array(alternatives)) => alternatives.as_slice(),
        Some(_) => return Err("its security is not a list".to_owned()),
    };
    let (groups, group_match) = read_groups(groups)?;
    for alternative in alternatives {
        let schemes = alternative.as_object().ok_or("its security does not hold requirements")?;
        // A misspelt name of ours would leave the operation to an application that knows nothing.
        if !schemes.keys().all(|name| is_described(name)) {
            return Err("it names a security scheme that the document does not describe".to_owned());
        }
        match schemes.get(scheme) {
            Some(scopes) => access.alternatives.push(Requirement {
                scopes: strings(scopes).ok_or("its scopes are not a list of names")?,
                groups: groups.clone(),
                group_match,
            }),
            None if schemes.is_empty() => access.is_anonymous_allowed = true,
            None => access.has_other_schemes = true,
        }
    }
    if access.is_public() && !groups.is_empty() {
        return Err("it names groups and requires no token".to_owned());
    }
    Ok(access)
}

fn read_groups(groups: Option<&Value>) -> Result<(Vec<String>, Option<GroupMatch>), &'static str> {
    let malformed = "its groups are neither a list nor an object with `any` or `all`";
    let (list, group_match) = match groups {
        None => return Ok((Vec::new(), None)),
        Some(Value::Object(members)) if members.len() == 1 => {
            match (members.get("any"), members.get("all")) {
                (Some(list), _) => (list, Some(GroupMatch::Any)),
                (_, Some(list)) => (list, Some(GroupMatch::All)),
                _ => return Err(malformed),
            }
        }
        Some(list) => (list, None),
    };
    match strings(list) {
        Some(names) if !names.is_empty() => Ok((names, group_match)),
        _ => Err(malformed),
    }
}

/// Gives an operation the requirement of a policy.
pub(crate) fn write(operation: &mut Map<String, Value>, requirement: &Requirement, scheme: &str) {
    let security = json!([{ scheme: requirement.scopes }]);
    operation.insert("security".to_owned(), security);
    write_groups(operation, requirement);
}

/// Gives an operation the groups of a policy, if it names any.
pub(crate) fn write_groups(operation: &mut Map<String, Value>, requirement: &Requirement) {
    if !requirement.groups.is_empty() {
        let groups = match requirement.group_match {
            None => json!(requirement.groups),
            Some(GroupMatch::Any) => json!({ "any": requirement.groups }),
            Some(GroupMatch::All) => json!({ "all": requirement.groups }),
        };
        operation.insert(GROUPS.to_owned(), groups);
    }
}

fn strings(list: &Value) -> Option<Vec<String>> {
    let names = list.as_array()?.iter().map(|name| name.as_str().map(str::to_owned));
    names.collect()
}
