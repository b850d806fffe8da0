//! An operation's requirement (OpenAPI 3.0 §4.7.30), read and written.
//!
//! - Root `security` applies to operations without their own.
//! - `[]` is public; `{}` among the alternatives makes credentials optional.
//! - Schemes other than this library's are enforced by the application: what stands beside this
//!   library's in one alternative, and alternatives without it.
//! - What else a token must carry is in `extensions`.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{
    document::{Document, OperationRef},
    extensions::{self, strings},
    nearest::did_you_mean,
};
use crate::policy::{Access, PolicyBuf, Requirement};

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

/// Requires a policy in addition to whatever an operation, or the root, lists: each of their
/// alternatives with each of the policy's. What cannot be read stays; reading it says what is wrong.
///
/// # Errors
///
/// What the two say differently, of which a document can say only one.
pub(crate) fn require(
    operation: &mut Map<String, Value>,
    root: Option<&Value>,
    policy: &PolicyBuf,
    scheme: &str,
) -> Result<(), String> {
    let listed = match operation.get("security").or(root) {
        Some(Value::Array(listed)) if !listed.is_empty() => listed.clone(),
        None | Some(Value::Array(_)) => vec![json!({})],
        Some(_) => return Ok(()),
    };
    let Ok(own) = extensions::read(operation, listed.len()) else { return Ok(()) };
    let mut entries: Vec<(Value, Option<Requirement>)> = Vec::new();
    for (entry, own) in listed.iter().zip(own) {
        for alternative in Access::from(policy.clone()).alternatives {
            let mut entry = entry.clone();
            let Value::Object(schemes) = &mut entry else { return Ok(()) };
            let mut requirement = own.clone();
            requirement.scopes = match schemes.get(scheme).map(strings) {
                None => Vec::new(),
                Some(Some(scopes)) => scopes,
                Some(None) => return Ok(()),
            };
            requirement.add(&alternative).map_err(|what| {
                format!("it names {what}, and so does the policy that applies to it besides; write each once")
            })?;
            schemes.insert(scheme.to_owned(), json!(requirement.scopes));
            if !entries
                .iter()
                .any(|(other, needed)| *other == entry && needed.as_ref() == Some(&requirement))
            {
                entries.push((entry, Some(requirement)));
            }
        }
    }
    write(operation, entries);
    Ok(())
}

/// Gives an operation its `security`, with what each entry requires of this library's scheme.
pub(crate) fn write(
    operation: &mut Map<String, Value>,
    entries: Vec<(Value, Option<Requirement>)>,
) {
    let (security, requirements): (Vec<_>, Vec<_>) = entries.into_iter().unzip();
    extensions::write(operation, &requirements);
    operation.insert("security".to_owned(), security.into());
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
        let (security, whose) = match (operation.get("security"), root) {
            (Some(own), _) => (Some(own), "its security"),
            (None, root) => (root, "the root security"),
        };
        let mut access = match security.map(|security| self.access(security, whose)) {
            None => None,
            Some(Ok(access)) => Some(access),
            Some(Err(_)) if !operation.contains_key("security") => return Err(Unclear::AtRoot),
            Some(Err(problem)) => return Err(Unclear::Because(problem)),
        };
        let entries = security.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let extended = extensions::read(operation, entries.len()).map_err(Unclear::Because)?;
        if extensions::has_any(operation) && access.as_ref().is_none_or(Access::is_public) {
            return Err(Unclear::Because(format!(
                "it says what a token must carry, and requires no token; give it `security: [{{{}: []}}]`",
                self.scheme
            )));
        }
        if let Some(access) = &mut access {
            let ours = entries.iter().zip(extended).filter(|(entry, _)| self.is_ours(entry));
            for (requirement, (_, extended)) in access.alternatives.iter_mut().zip(ours) {
                *requirement = Requirement { scopes: requirement.scopes.clone(), ..extended };
            }
            self.check_alternatives(access, entries).map_err(Unclear::Because)?;
        }
        Ok(access)
    }

    fn is_ours(&self, entry: &Value) -> bool {
        entry.get(self.scheme).is_some()
    }

    /// Where any valid token is an alternative, the others require nothing.
    fn check_alternatives(&self, access: &Access, entries: &[Value]) -> Result<(), String> {
        let ours = entries.iter().filter(|entry| self.is_ours(entry));
        let is_alone = |entry: &Value| entry.as_object().is_some_and(|schemes| schemes.len() == 1);
        let is_any_token = ours
            .zip(&access.alternatives)
            .any(|(entry, requirement)| is_alone(entry) && requirement.requires_nothing());
        match is_any_token && access.alternatives.len() > 1 {
            true => Err("one of its alternatives is met by any token, so that the others mean nothing; remove it or them".to_owned()),
            false => Ok(()),
        }
    }

    /// What a list of alternatives needs, but for extensions.
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
