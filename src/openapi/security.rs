//! An operation's requirement (OpenAPI 3.0 §4.7.30), read and written.
//!
//! - Root `security` applies to operations without their own.
//! - `[]` is public; `{}` among the alternatives makes credentials optional.
//! - Schemes other than this library's are enforced by the application: what stands beside this
//!   library's in one alternative, and alternatives without it.
//! - Groups are in [`GROUPS`] and apply to every alternative of this library's scheme.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{
    document::{Document, OperationRef},
    extensions::GROUPS,
    nearest::did_you_mean,
};
use crate::policy::{Access, GroupMatch, Requirement};

/// Which schemes beside this library's may be required.
#[derive(Clone, Debug)]
pub(crate) enum OtherSchemes {
    /// Those that the application said it enforces.
    Declared(Vec<String>),
    /// Every one: the host documents a scheme only where an extractor enforces it.
    Extracted,
}

/// Nothing is enforced unless the application says so.
impl Default for OtherSchemes {
    fn default() -> Self {
        Self::Declared(Vec::new())
    }
}

/// What an operation needs; `None` if neither it nor the root declares anything.
pub(crate) type Declared = Result<Option<Access>, Unclear>;

/// Why it is not clear what an operation needs.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Unclear {
    /// Its own declaration is wrong.
    Because(String),
    /// It inherits the root `security`, which is wrong: see [`root_problem`].
    AtRoot,
}

/// An operation by its path in the document and its method.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct OperationKey {
    pub(crate) path: String,
    pub(crate) method: http::Method,
}

/// What each operation of a document needs that passed the start-up check, where this library's scheme
/// is called `scheme`. One that declares nothing is listed as public.
pub(crate) fn compile(
    document: &Document,
    scheme: &str,
) -> Vec<(OperationKey, Result<Access, Unclear>)> {
    let declarations = declarations(document, scheme, &OtherSchemes::Extracted).into_iter();
    let needed = |declared: Declared| declared.map(Option::unwrap_or_default);
    declarations.map(|(key, declared)| (key, needed(declared))).collect()
}

/// What each operation of a document declares.
pub(crate) fn declarations(
    document: &Document,
    scheme: &str,
    others: &OtherSchemes,
) -> Vec<(OperationKey, Declared)> {
    let root = document.members().get("security");
    let reader = Reader::new(document, scheme, others);
    let declared = |operation: OperationRef<'_>| {
        let declared = reader.declared(operation.operation, root);
        (OperationKey { path: operation.path.to_owned(), method: operation.method }, declared)
    };
    document.operations().map(declared).collect()
}

/// What is wrong with the root `security`, whether or not an operation inherits it.
pub(crate) fn root_problem(
    document: &Document,
    scheme: &str,
    others: &OtherSchemes,
) -> Option<String> {
    let root = document.members().get("security")?;
    Reader::new(document, scheme, others).access(root, "the root security").err()
}

/// The name of every scheme that a requirement names.
pub(crate) fn required_schemes(document: &Document) -> BTreeSet<&str> {
    let own = document.operations().filter_map(|operation| operation.operation.get("security"));
    let lists = own.chain(document.members().get("security")).filter_map(Value::as_array);
    let alternatives = lists.flatten().filter_map(Value::as_object);
    alternatives.flat_map(|schemes| schemes.keys().map(String::as_str)).collect()
}

/// Whether a default applies to an operation: not if it has `security: []` of its own, nor if it or
/// the root requires this library's scheme.
pub(crate) fn takes_default(
    operation: &Map<String, Value>,
    root: Option<&Value>,
    scheme: &str,
) -> bool {
    let own = operation.get("security");
    let is_public = own.and_then(Value::as_array).is_some_and(Vec::is_empty);
    let mut alternatives = own.or(root).and_then(Value::as_array).into_iter().flatten();
    !is_public && !alternatives.any(|alternative| alternative.get(scheme).is_some())
}

/// Requires a policy in addition to whatever an operation, or the root, lists.
pub(crate) fn require(
    operation: &mut Map<String, Value>,
    root: Option<&Value>,
    requirement: &Requirement,
    scheme: &str,
) -> Result<(), String> {
    if !requirement.groups.is_empty() && operation.contains_key(GROUPS) {
        return Err(format!(
            "it names groups, and so does the default that applies to it; give it `security: [{{{scheme}: []}}]`"
        ));
    }
    let alternatives = match operation.get("security").or(root) {
        Some(Value::Array(listed)) if !listed.is_empty() => listed.clone(),
        None | Some(Value::Array(_)) => vec![json!({})],
        // Reading it says what is wrong.
        Some(_) => return Ok(()),
    };
    let mut combined = Vec::new();
    for mut alternative in alternatives {
        if let Some(schemes) = alternative.as_object_mut() {
            schemes.insert(scheme.to_owned(), json!(requirement.scopes));
        }
        if !combined.contains(&alternative) {
            combined.push(alternative);
        }
    }
    operation.insert("security".to_owned(), combined.into());
    write_groups(operation, requirement);
    Ok(())
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

/// Reads requirements.
struct Reader<'d> {
    scheme: &'d str,
    others: &'d OtherSchemes,
    /// What `components.securitySchemes` describes.
    described: Option<&'d Value>,
}

impl<'d> Reader<'d> {
    fn new(document: &'d Document, scheme: &'d str, others: &'d OtherSchemes) -> Self {
        let components = document.members().get("components");
        let described = components.and_then(|components| components.get("securitySchemes"));
        Self { scheme, others, described }
    }

    fn declared(&self, operation: &Map<String, Value>, root: Option<&Value>) -> Declared {
        let access = match (operation.get("security"), root) {
            (Some(own), _) => Some(self.access(own, "its security").map_err(Unclear::Because)?),
            (None, Some(root)) => {
                Some(self.access(root, "the root security").map_err(|_| Unclear::AtRoot)?)
            }
            (None, None) => None,
        };
        let (groups, group_match) = read_groups(operation.get(GROUPS))
            .map_err(|problem| Unclear::Because(problem.to_owned()))?;
        if !groups.is_empty() && access.as_ref().is_none_or(Access::is_public) {
            return Err(Unclear::Because(format!(
                "it names groups and requires no token; give it `security: [{{{}: []}}]`",
                self.scheme
            )));
        }
        let with_groups = |mut access: Access| {
            for requirement in &mut access.alternatives {
                requirement.groups.clone_from(&groups);
                requirement.group_match = group_match;
            }
            access
        };
        Ok(access.map(with_groups))
    }

    /// What a list of alternatives needs, but for groups.
    fn access(&self, security: &Value, whose: &str) -> Result<Access, String> {
        let mut access = Access::default();
        let alternatives = security.as_array().ok_or_else(|| {
            format!("{whose} is not a list; write `security: [{{{}: []}}]`", self.scheme)
        })?;
        for alternative in alternatives {
            let schemes = alternative
                .as_object()
                .ok_or_else(|| format!("{whose} holds something other than requirements; write `security: [{{{}: []}}]`", self.scheme))?;
            for name in schemes.keys() {
                self.check(name, whose)?;
            }
            match schemes.get(self.scheme) {
                Some(scopes) => access.alternatives.push(Requirement {
                    scopes: strings(scopes).ok_or_else(|| {
                        format!(
                            "the scopes in {whose} are not a list of names; write `[\"scope\"]`"
                        )
                    })?,
                    ..Requirement::default()
                }),
                None if schemes.is_empty() => access.is_anonymous_allowed = true,
                None => access.has_other_schemes = true,
            }
        }
        Ok(access)
    }

    /// Whether a scheme is enforced, by this library or by the application.
    fn check(&self, name: &str, whose: &str) -> Result<(), String> {
        let is_enforced = name == self.scheme
            || match self.others {
                OtherSchemes::Declared(names) => names.iter().any(|declared| declared == name),
                OtherSchemes::Extracted => true,
            };
        let is_described = name == self.scheme
            || self.described.is_some_and(|described| described.get(name).is_some());
        match (is_enforced, is_described) {
            (_, false) if is_uri(name) => Err(format!(
                "{whose} names a scheme by the URI {name:?}, and URIs are not followed; describe the scheme in `components.securitySchemes`, and name it as it is called there"
            )),
            (true, true) => Ok(()),
            (true, false) => Err(format!(
                "{whose} names the scheme {name:?}, which the document does not describe; add it to `components.securitySchemes`"
            )),
            (false, _) => Err(format!(
                "{whose} names the scheme {name:?}, which nothing enforces; if it is meant to be this library's, configure `ProtectApi::builder().scheme_name({name:?})`; if the application enforces it, call `.application_scheme({name:?})`{}",
                did_you_mean(name, [self.scheme])
            )),
        }
    }
}

/// Whether a name that is not a component's is a URI (OpenAPI 3.2); those of components have letters,
/// digits, `.`, `_` and `-`.
fn is_uri(name: &str) -> bool {
    name.contains(['/', ':', '#', '?'])
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

fn strings(list: &Value) -> Option<Vec<String>> {
    let names = list.as_array()?.iter().map(|name| name.as_str().map(str::to_owned));
    names.collect()
}
