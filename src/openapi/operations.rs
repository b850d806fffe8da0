//! Which documented operation a route is, and so what a request to it needs.
//!
//! An operation and a route belong together if each is the only one the other can be. A route that
//! no operation can be is hidden, and needs what the application lists for it. Everything else is
//! unclear, and an unclear route rejects every request.

use std::collections::BTreeSet;

use http::Method;

use super::{
    document::Document,
    plan::{Listed, Plan},
    security::{self, Declared, OperationKey, Unclear},
};
use crate::{
    policy::Access,
    protect::{Guard, ProtectApi, decision::Operation},
};

/// What the log says of a request to a route that is [`Entry::Rejected`].
pub(crate) const UNCLEAR: &str = "resolve what the start-up check says of this route";

/// What each operation of a document needs, beside what is routed.
pub(crate) struct Operations<'a> {
    pub(super) declared: Vec<(OperationKey, Declared)>,
    /// By path and method.
    routes: BTreeSet<(String, String)>,
    /// Those without a documented operation.
    hidden: Vec<(String, String)>,
    pub(super) dialect: Dialect,
    pub(super) document: &'a Document,
    pub(super) plan: &'a Plan,
    pub(super) protect: &'a ProtectApi,
}

/// How a host writes paths and declarations.
#[derive(Clone, Copy)]
pub(crate) struct Dialect {
    /// Whether a path of the document may be the path of a route.
    pub(crate) is_route: fn(documented: &str, routed: &str) -> bool,
    /// Whether a path that a developer wrote may be the path of a route.
    pub(crate) lists_route: fn(written: &str, routed: &str) -> bool,
    /// How an operation declares that it needs a token, given the name of this library's scheme.
    pub(crate) declare: fn(scheme: &str) -> String,
    /// How a type describes scopes, where the host has such types.
    pub(crate) scopes_by_type: Option<&'static str>,
    /// Why a route is hidden.
    pub(crate) hidden: &'static str,
}

/// What a request to a route needs.
#[derive(Debug)]
pub(crate) enum Entry {
    /// Nothing.
    Public,
    /// A token that a guard accepts.
    Guarded(Guard),
    /// It is not clear; no request passes.
    Rejected,
}

impl<'a> Operations<'a> {
    /// Compares a document with routes, each a path and a method. `unclear` are operations whose
    /// declaration is known to be unclear.
    pub(crate) fn new(
        document: &'a Document,
        unclear: Vec<(OperationKey, Unclear)>,
        routes: impl IntoIterator<Item = (String, String)>,
        dialect: Dialect,
        plan: &'a Plan,
        protect: &'a ProtectApi,
    ) -> Self {
        let mut declared =
            security::declarations(document, protect.scheme_name(), &plan.other_schemes);
        declared.retain(|(key, _)| unclear.iter().all(|(other, _)| other != key));
        declared.extend(unclear.into_iter().map(|(key, why)| (key, Err(why))));
        let routes: BTreeSet<_> = routes.into_iter().collect();
        let is_hidden = |(route, method): &&(String, String)| {
            let is_this =
                |key: &OperationKey| key.method == **method && (dialect.is_route)(&key.path, route);
            !declared.iter().any(|(key, _)| is_this(key))
        };
        let hidden = routes.iter().filter(is_hidden).cloned().collect();
        Self { declared, routes, hidden, dialect, document, plan, protect }
    }

    /// What a request to a route needs.
    pub(crate) fn entry(&self, route: &str, method: &Method) -> Entry {
        match self.operations_at(route, method).as_slice() {
            [] => self.entry_of_hidden(route, method),
            [(key, Ok(declared))] if self.route_of(key).is_ok() => match declared {
                Some(access) if access.is_public() => Entry::Public,
                Some(access) => Entry::Guarded(self.guard(key, access)),
                None if self.plan.is_public(key) => Entry::Public,
                None => Entry::Rejected,
            },
            _ => Entry::Rejected,
        }
    }

    /// The operation that a route is, if exactly one can be.
    pub(crate) fn operation_at(&self, route: &str, method: &Method) -> Option<&OperationKey> {
        match self.operations_at(route, method).as_slice() {
            [(key, _)] => Some(key),
            _ => None,
        }
    }

    /// Whether the document has a route, or the application lists it.
    pub(crate) fn is_known(&self, route: &str, method: &str) -> bool {
        let listed = self.plan.hidden.iter().map(|(listed, _)| listed).chain(&self.plan.public);
        let mut listed = listed.map(|listed| self.hidden_routes(listed));
        !self.all_hidden().any(|hidden| hidden == (route, method))
            || listed.any(|routes| routes == [(route, method)])
    }

    fn guard(&self, key: &OperationKey, access: &Access) -> Guard {
        let documented = self
            .document
            .operations()
            .find(|operation| operation.path == key.path && operation.method == key.method);
        let id = documented.and_then(|it| it.operation.get("operationId")?.as_str());
        let operation = Operation { path: key.path.as_str().into(), id: id.map(Into::into) };
        self.protect.guard(access.clone(), Some(operation))
    }

    fn entry_of_hidden(&self, route: &str, method: &Method) -> Entry {
        let is_public = self.plan.public.iter().any(|it| self.is_listing(it, route, method));
        let mut policies =
            self.plan.hidden.iter().filter(|(it, _)| self.is_listing(it, route, method));
        match (is_public, policies.next(), policies.next()) {
            (true, None, None) => Entry::Public,
            (false, Some((_, policy)), None) => {
                Entry::Guarded(self.protect.require(policy.clone()))
            }
            _ => Entry::Rejected,
        }
    }

    fn is_listing(&self, listed: &Listed, route: &str, method: &Method) -> bool {
        self.hidden_routes(listed) == [(route, method.as_str())]
    }

    /// The one route an operation is.
    pub(super) fn route_of(&self, key: &OperationKey) -> Result<(), NoRoute> {
        let matching = self.routes.iter().filter(|(route, method)| {
            key.method == **method && (self.dialect.is_route)(&key.path, route)
        });
        let matching: Vec<_> = matching.map(|(route, _)| &**route).collect();
        match matching.as_slice() {
            [] => self.route_of_get(key),
            [route] => match self.operations_at(route, &key.method).as_slice() {
                [_] => Ok(()),
                rivals => {
                    let rivals = rivals.iter().filter(|(rival, _)| rival != key);
                    let rivals: Vec<_> = rivals.map(|(rival, _)| &*rival.path).collect();
                    Err(NoRoute::Shared(rivals.join(" and ")))
                }
            },
            several => Err(NoRoute::Several(several.join(" and "))),
        }
    }

    /// The route of the GET operation that answers a HEAD operation without a route of its own
    /// (RFC 9110 §9.3.2).
    fn route_of_get(&self, key: &OperationKey) -> Result<(), NoRoute> {
        let at = |method| {
            let is_there =
                |(other, _): &&(OperationKey, _)| other.path == key.path && other.method == method;
            self.declared.iter().find(is_there)
        };
        let get = at(Method::GET).filter(|_| key.method == Method::HEAD);
        match (get, at(Method::HEAD)) {
            (Some((get, needed_by_get)), Some((_, needed_by_head)))
                if self.route_of(get).is_ok() =>
            {
                if needed_by_get == needed_by_head {
                    Ok(())
                } else {
                    Err(NoRoute::OfGet)
                }
            }
            _ => Err(NoRoute::None),
        }
    }

    /// The base path of the document's servers below which an operation is routed.
    pub(super) fn base_path_of(&self, key: &OperationKey) -> Option<String> {
        let is_below = |base: &String| {
            let path = format!("{base}{}", key.path);
            self.routes.iter().any(|(route, method)| {
                key.method == **method && (self.dialect.is_route)(&path, route)
            })
        };
        self.document.base_paths().into_iter().find(is_below)
    }

    /// What is documented that a route can be.
    pub(super) fn operations_at(
        &self,
        route: &str,
        method: &Method,
    ) -> Vec<&(OperationKey, Declared)> {
        let is_here =
            |key: &OperationKey| key.method == *method && (self.dialect.is_route)(&key.path, route);
        self.declared.iter().filter(|(key, _)| is_here(key)).collect()
    }

    /// The routes without a documented operation that a listed one can be.
    pub(super) fn hidden_routes(&self, listed: &Listed) -> Vec<(&str, &str)> {
        let is_listed = |route: &str, method: &str| {
            listed.method == method && (self.dialect.lists_route)(&listed.path, route)
        };
        self.all_hidden().filter(|(route, method)| is_listed(route, method)).collect()
    }

    /// Every route without a documented operation.
    pub(super) fn all_hidden(&self) -> impl Iterator<Item = (&str, &str)> {
        self.hidden.iter().map(|(route, method)| (&**route, &**method))
    }
}

/// Why an operation is not one route.
pub(super) enum NoRoute {
    None,
    /// GET's handler answers it, and GET needs something else.
    OfGet,
    /// It is that of these operations too.
    Shared(String),
    /// It could be any of these.
    Several(String),
}
