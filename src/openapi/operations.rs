//! Which documented operation a route is, and what speaks against starting.
//!
//! An operation and a route belong together if each is the only one the other can be. A route that
//! no operation can be is not documented. Everything else is unclear, and where it is not clear who
//! may call an operation, nobody may.

use std::collections::BTreeSet;

use http::Method;

use super::{
    document::Document,
    plan::{Plan, Public},
    security::{self, OperationKey},
};
use crate::{policy::Access, protect::ProtectApi};

/// What a document says of each operation, beside what is routed.
pub(crate) struct Operations<'a> {
    declared: Vec<(OperationKey, Result<Access, String>)>,
    /// The base paths of the document's servers.
    base_paths: Vec<String>,
    /// By path and method.
    routes: BTreeSet<(String, String)>,
    dialect: Dialect,
    plan: &'a Plan,
    protect: &'a ProtectApi,
}

/// How a host writes the paths of its routes.
#[derive(Clone, Copy)]
pub(crate) struct Dialect {
    /// Whether a path of the document may be the path of a route.
    pub(crate) is_route: fn(documented: &str, routed: &str) -> bool,
    /// Whether a path that a person wrote may be the path of a route.
    pub(crate) lists_route: fn(written: &str, routed: &str) -> bool,
}

/// What a route is in the document.
#[derive(Debug)]
pub(crate) enum Place<'o> {
    Operation(&'o OperationKey, &'o Access),
    /// It is not in the document.
    Hidden,
    /// It is not clear which operation it is, or who may call it.
    Unclear,
}

impl<'a> Operations<'a> {
    /// Compares a document with routes, each a path and a method. `contradictions` are operations
    /// whose declaration is known to be unclear.
    pub(crate) fn new(
        document: &Document,
        contradictions: Vec<(OperationKey, String)>,
        routes: impl IntoIterator<Item = (String, String)>,
        dialect: Dialect,
        plan: &'a Plan,
        protect: &'a ProtectApi,
    ) -> Self {
        let mut declared = security::compile(document, protect.scheme_name());
        declared.retain(|(key, _)| contradictions.iter().all(|(other, _)| other != key));
        declared.extend(contradictions.into_iter().map(|(key, reason)| (key, Err(reason))));
        let (base_paths, routes) = (document.base_paths(), routes.into_iter().collect());
        Self { declared, base_paths, routes, dialect, plan, protect }
    }

    /// What a route is.
    pub(crate) fn at(&self, route: &str, method: &Method) -> Place<'_> {
        match self.operations_at(route, method).as_slice() {
            [] => Place::Hidden,
            [(key, Ok(access))] if self.route_of(key).is_ok() => Place::Operation(key, access),
            _ => Place::Unclear,
        }
    }

    /// Whether a route that is not in the document is listed as public.
    pub(crate) fn is_listed(&self, route: &str, method: &Method) -> bool {
        let is_this = |listed: &Public| self.hidden_routes(listed) == [(route, method.as_str())];
        self.plan.public.iter().any(is_this)
    }

    /// What speaks against starting, in the order of paths.
    pub(crate) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        for (key, access) in &self.declared {
            let problem_of_key = |problem| (&*key.path, key.method.as_str(), problem);
            problems.extend(self.problems_of(key, access).into_iter().map(problem_of_key));
        }
        for public in &self.plan.public {
            let problem = self.problem_of_public(public);
            problems.extend(problem.map(|problem| (&*public.path, &*public.method, problem)));
        }
        problems.sort();
        let lines =
            problems.into_iter().map(|(path, method, why)| format!("{method} {path}: {why}"));
        lines.collect()
    }

    /// What speaks against starting where every route is to be documented, or listed as public.
    pub(crate) fn differences(&self) -> Vec<String> {
        let mut problems = self.problems();
        problems.extend(self.undocumented());
        problems
    }

    fn undocumented(&self) -> Vec<String> {
        let hidden = self.routes.iter().filter(|(route, method)| {
            Method::from_bytes(method.as_bytes()).is_ok_and(|method| {
                matches!(self.at(route, &method), Place::Hidden) && !self.is_listed(route, &method)
            })
        });
        let lines = hidden.map(|(route, method)| {
            format!("{method} {route}: it is routed, and the document does not know it")
        });
        lines.collect()
    }

    fn problems_of(&self, key: &OperationKey, access: &Result<Access, String>) -> Vec<String> {
        let access = match access {
            Ok(access) => access,
            Err(reason) => return vec![reason.clone()],
        };
        let mut problems: Vec<String> = self.route_of(key).err().into_iter().collect();
        problems.extend(undescribed(access, self.protect).into_iter().map(|scope| {
            format!(
                "it needs the scope {scope:?}, which nothing describes; add `.scope({scope:?}, \"…\")` or `.scopes::<Scope>()`"
            )
        }));
        if self.plan.is_public(key) && !access.is_public() {
            problems.push("it is listed as public, and declares that it needs a token".to_owned());
        }
        problems
    }

    fn problem_of_public(&self, public: &Public) -> Option<String> {
        if self.declared.iter().any(|(key, _)| public.names(key)) {
            return None;
        }
        match self.hidden_routes(public).as_slice() {
            [] => Some("it is listed as public, and there is no such operation".to_owned()),
            [_] => None,
            several => {
                Some(format!("it is listed as public, and could be any of {}", list(several)))
            }
        }
    }

    /// The one route an operation is.
    fn route_of(&self, key: &OperationKey) -> Result<(), String> {
        let matching = self.routes.iter().filter(|(route, method)| {
            key.method == **method && (self.dialect.is_route)(&key.path, route)
        });
        let matching: Vec<_> = matching.map(|(route, method)| (&**route, &**method)).collect();
        match matching.as_slice() {
            [] => self.route_of_get(key),
            [(route, _)] => match self.operations_at(route, &key.method).as_slice() {
                [_] => Ok(()),
                rivals => {
                    let rivals = rivals.iter().filter(|(rival, _)| rival != key);
                    let rivals: Vec<_> = rivals.map(|(rival, _)| &*rival.path).collect();
                    Err(format!("its route is that of {} too", rivals.join(" and ")))
                }
            },
            several => Err(format!("it could be any of the routes {}", list(several))),
        }
    }

    /// The route of the GET operation that answers a HEAD operation without a route of its own
    /// (RFC 9110 §9.3.2).
    fn route_of_get(&self, key: &OperationKey) -> Result<(), String> {
        let at = |method| {
            let is_there =
                |(other, _): &&(OperationKey, _)| other.path == key.path && other.method == method;
            self.declared.iter().find(is_there)
        };
        let Some((get, access)) = at(Method::GET)
            .filter(|(get, _)| key.method == Method::HEAD && self.route_of(get).is_ok())
        else {
            return Err(self.unrouted(key));
        };
        match at(Method::HEAD) {
            Some((_, head)) if head == access => Ok(()),
            _ => Err(format!(
                "HEAD is answered by the handler of GET {}, and authorized as GET is; give both the same requirement, or route HEAD to a handler of its own",
                get.path
            )),
        }
    }

    /// Why an operation has no route.
    fn unrouted(&self, key: &OperationKey) -> String {
        let mut problem = "it is documented, and nothing is routed there".to_owned();
        let is_below = |base: &&String| {
            let path = format!("{base}{}", key.path);
            self.routes.iter().any(|(route, method)| {
                key.method == **method && (self.dialect.is_route)(&path, route)
            })
        };
        if let Some(base) = self.base_paths.iter().find(is_below) {
            problem.push_str(&format!(
                ", but at {base}{}; {base} is the base path of `servers`, without which routes are compared: route {}, and nest the API that is returned at {base}",
                key.path, key.path
            ));
        }
        problem
    }

    /// What is documented that a route can be.
    fn operations_at(
        &self,
        route: &str,
        method: &Method,
    ) -> Vec<&(OperationKey, Result<Access, String>)> {
        let is_here =
            |key: &OperationKey| key.method == *method && (self.dialect.is_route)(&key.path, route);
        self.declared.iter().filter(|(key, _)| is_here(key)).collect()
    }

    /// The routes without a documented operation that a public one can be.
    fn hidden_routes(&self, public: &Public) -> Vec<(&str, &str)> {
        let is_hidden = |route: &str| {
            let is_route = self.dialect.is_route;
            let is_here =
                |key: &OperationKey| key.method == *public.method && is_route(&key.path, route);
            !self.declared.iter().any(|(key, _)| is_here(key))
        };
        let hidden = self.routes.iter().filter(|(route, method)| {
            public.method == *method
                && (self.dialect.lists_route)(&public.path, route)
                && is_hidden(route)
        });
        hidden.map(|(route, method)| (&**route, &**method)).collect()
    }
}

fn list(routes: &[(&str, &str)]) -> String {
    let paths: Vec<_> = routes.iter().map(|(path, _)| *path).collect();
    paths.join(" and ")
}

/// The scopes an operation needs that the document could not explain.
fn undescribed<'a>(access: &'a Access, protect: &ProtectApi) -> BTreeSet<&'a String> {
    let scopes = access.alternatives.iter().flat_map(|requirement| &requirement.scopes);
    scopes.filter(|scope| !protect.scope_descriptions().contains_key(*scope)).collect()
}
