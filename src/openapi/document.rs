//! A document as JSON, and the operations in it.

use http::Method;
use serde::Serialize;
use serde_json::{Map, Value};

use super::{
    extensions::{IMPLIES, strings},
    order::Order,
    pointer,
};

/// The members of a path item that are operations (OpenAPI 3.0 §4.7.9).
const METHODS: [(&str, Method); 8] = [
    ("delete", Method::DELETE),
    ("get", Method::GET),
    ("head", Method::HEAD),
    ("options", Method::OPTIONS),
    ("patch", Method::PATCH),
    ("post", Method::POST),
    ("put", Method::PUT),
    ("trace", Method::TRACE),
];

/// The member of a path item that holds operations by method (OpenAPI 3.2 §4.9).
pub(super) const ADDITIONAL: &str = "additionalOperations";

/// Whether a document of any version can show operations of a method.
pub(crate) fn is_method(method: &Method) -> bool {
    METHODS.iter().any(|(_, known)| known == method)
}

/// The method of a member of a path item, if that is an operation.
pub(super) fn method_of(member: &str) -> Option<Method> {
    let known = METHODS.iter().find(|(name, _)| *name == member);
    known.map(|(_, method)| method.clone()).or((member == "query").then_some(Method::QUERY))
}

/// How problems name an operation.
pub(super) fn operation_place(method: &Method, path: &str) -> String {
    format!("{method} {path}")
}

/// An OpenAPI document.
#[derive(Clone, Debug, Default)]
pub(crate) struct Document {
    members: Map<String, Value>,
    order: Order,
}

/// An operation's place in a document.
pub(crate) struct OperationRef<'d> {
    pub(crate) path: &'d str,
    pub(crate) method: Method,
    pub(crate) operation: &'d Map<String, Value>,
}

impl Document {
    /// A document with the order of its text.
    pub(crate) fn new(members: Map<String, Value>, order: Order) -> Self {
        Self { members, order }
    }

    pub(crate) fn members(&self) -> &Map<String, Value> {
        &self.members
    }

    pub(crate) fn members_mut(&mut self) -> &mut Map<String, Value> {
        &mut self.members
    }

    /// Another version of this document, in the order of this one.
    pub(super) fn in_order<'v>(&'v self, document: &'v Value) -> impl Serialize + 'v {
        self.order.of(document)
    }

    /// The scopes that the flows of an oauth2 scheme describe (OpenAPI 3.0 §4.7.29).
    pub(crate) fn scopes(&self, scheme: &str) -> impl Iterator<Item = (&str, &str)> {
        let flows = self.scheme(scheme).and_then(|scheme| scheme.get("flows")?.as_object());
        let flows = flows.into_iter().flatten();
        let scopes = flows.filter_map(|(_, flow)| flow.get("scopes")?.as_object()).flatten();
        scopes.filter_map(|(scope, description)| Some((scope.as_str(), description.as_str()?)))
    }

    /// What the scopes of a scheme imply, by its extension.
    pub(super) fn implied_scopes(&self, scheme: &str) -> Vec<(&str, Vec<String>)> {
        let implies = self.scheme(scheme).and_then(|scheme| scheme.get(IMPLIES)?.as_object());
        let implies = implies.into_iter().flatten();
        implies.filter_map(|(scope, implied)| Some((scope.as_str(), strings(implied)?))).collect()
    }

    /// Whether a scheme should not be used any more (OpenAPI 3.2).
    pub(super) fn is_scheme_deprecated(&self, scheme: &str) -> bool {
        let deprecated = self.scheme(scheme).and_then(|scheme| scheme.get("deprecated"));
        deprecated == Some(&Value::Bool(true))
    }

    fn scheme(&self, scheme: &str) -> Option<&Value> {
        let (_, scheme) = schemes(&self.members).find(|(name, _)| *name == scheme)?;
        pointer::follow(&self.members, scheme).ok()
    }

    /// The schemes whose requirements have scopes (OpenAPI 3.0 §4.7.30).
    pub(super) fn schemes_with_scopes(&self) -> Vec<String> {
        let has_scopes = |(_, scheme): &(&str, &Value)| {
            let scheme = pointer::follow(&self.members, scheme);
            scheme.is_ok_and(|it| it["type"] == "oauth2" || it["type"] == "openIdConnect")
        };
        schemes(&self.members).filter(has_scopes).map(|(name, _)| name.to_owned()).collect()
    }

    /// The paths of the servers' URLs, such as `/v1`.
    pub(super) fn base_paths(&self) -> Vec<String> {
        let servers = self.members.get("servers").and_then(Value::as_array).into_iter().flatten();
        servers.filter_map(base_path).collect()
    }

    /// Every operation, in the order of the members.
    pub(crate) fn operations(&self) -> impl Iterator<Item = OperationRef<'_>> {
        let paths = self.members.get("paths").and_then(Value::as_object).into_iter().flatten();
        paths.filter(|(path, _)| !is_extension(path)).flat_map(|(path, item)| {
            let fixed = item.as_object().into_iter().flatten();
            let fixed = fixed.filter_map(|(name, operation)| Some((method_of(name)?, operation)));
            let operations = fixed.chain(additional(item));
            operations.filter_map(move |(method, operation)| {
                Some(OperationRef { path, method, operation: operation.as_object()? })
            })
        })
    }

    /// Frameworks write `{*rest}` or `{**rest}` for a parameter that takes the rest of a path, whose
    /// name is `rest`. A path that is there already stays alone.
    pub(super) fn name_wildcards(&mut self) {
        let Some(Value::Object(paths)) = self.members.get_mut("paths") else { return };
        let wild: Vec<_> = paths.keys().filter(|path| path.contains("{*")).cloned().collect();
        for path in wild {
            let names = path.split("{*").map(|name| name.trim_start_matches(['*', '+', '?']));
            let named = names.collect::<Vec<_>>().join("{");
            if !paths.contains_key(&named)
                && let Some(item) = paths.remove(&path)
            {
                self.order.rename_path(&path, &named);
                paths.insert(named, item);
            }
        }
    }

    /// Rewrites every operation, in the order of [`operations`](Self::operations).
    pub(crate) fn rewrite(
        &mut self,
        mut rewrite: impl FnMut(&str, &Method, &mut Map<String, Value>),
    ) {
        let paths = self.members.get_mut("paths").and_then(Value::as_object_mut);
        let paths = paths.into_iter().flatten().filter(|(path, _)| !is_extension(path));
        for (path, item) in paths {
            for (method, operation) in operations_mut(item) {
                if let Value::Object(operation) = operation {
                    rewrite(path, &method, operation);
                }
            }
        }
    }
}

/// Edits a member that is an object; anything else becomes one.
pub(super) fn edit(
    members: &mut Map<String, Value>,
    name: &str,
    edit: impl FnOnce(&mut Map<String, Value>),
) {
    let member = members.entry(name).or_insert(Value::Null);
    let mut object = match member.take() {
        Value::Object(object) => object,
        _ => Map::new(),
    };
    edit(&mut object);
    *member = Value::Object(object);
}

/// The operations of a path item: the fixed members first, then the additional ones.
pub(super) fn operations_mut(item: &mut Value) -> Vec<(Method, &mut Value)> {
    let (mut fixed, mut additional) = (Vec::new(), Vec::new());
    for (name, value) in item.as_object_mut().into_iter().flatten() {
        if let Some(method) = method_of(name) {
            fixed.push((method, value));
        } else if let (ADDITIONAL, Value::Object(operations)) = (name.as_str(), value) {
            additional = operations
                .iter_mut()
                .filter_map(|(name, operation)| Some((custom_method(name)?, operation)))
                .collect();
        }
    }
    fixed.extend(additional);
    fixed
}

fn additional(item: &Value) -> impl Iterator<Item = (Method, &Value)> {
    let operations = item.get(ADDITIONAL).and_then(Value::as_object).into_iter().flatten();
    operations.filter_map(|(name, operation)| Some((custom_method(name)?, operation)))
}

/// A method that is not a member of path items: those are excluded there, in any letter case.
pub(super) fn custom_method(name: &str) -> Option<Method> {
    let method = Method::from_bytes(name.as_bytes()).ok()?;
    method_of(&name.to_ascii_lowercase()).is_none().then_some(method)
}

/// Whether a member of the Paths Object is an extension, and not a path.
pub(super) fn is_extension(path: &str) -> bool {
    path.starts_with("x-")
}

/// The security schemes of a document.
pub(super) fn schemes(members: &Map<String, Value>) -> impl Iterator<Item = (&str, &Value)> {
    let schemes =
        members.get("components").and_then(|components| components.get("securitySchemes"));
    let schemes = schemes.and_then(Value::as_object).into_iter().flatten();
    schemes.map(|(name, scheme)| (name.as_str(), scheme))
}

/// The path of a server's URL (OpenAPI 3.0 §4.7.5), its variables being their defaults.
fn base_path(server: &Value) -> Option<String> {
    let mut url = server.get("url")?.as_str()?.to_owned();
    let variables = server.get("variables").and_then(Value::as_object).into_iter().flatten();
    for (name, variable) in variables {
        if let Some(default) = variable.get("default").and_then(Value::as_str) {
            url = url.replace(&format!("{{{name}}}"), default);
        }
    }
    let path = match url.split_once("://") {
        Some((_, rest)) => rest.split_once('/').map(|(_, path)| format!("/{path}"))?,
        None => url,
    };
    let path = path.split(['?', '#']).next()?.trim_end_matches('/').to_owned();
    path.starts_with('/').then_some(path)
}
