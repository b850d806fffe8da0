//! The guard of each operation, and what speaks against starting.
//!
//! An operation and a route belong together if each is the only one the other can be. Then:
//!
//! 1. the operation is documented with a requirement of ours: a guard judges the request before
//!    anything of it is parsed;
//! 2. it is documented without one: it is public, and a handler that asks for the caller all the
//!    same gets none but a 500.
//!
//! A route that no operation can be is not documented: the default policy holds, and then the
//! argument's type, which judges for itself. Everything else is unclear: it answers 500, and the
//! problem says why.

use std::collections::{BTreeSet, HashMap};

use ::poem::{
    EndpointExt, Request,
    endpoint::{BoxEndpoint, make},
    http::Method,
};
use poem_openapi::OpenApi;

use super::{
    declared::{Declared, Plan, Public, keys},
    judge::{guarded, judged_by_argument},
    routes,
};
use crate::{
    error::{Error, Internal},
    openapi::security::{self, OperationKey},
    poem::refused,
    policy::Access,
    protect::ProtectApi,
};

pub(super) type RouteTable = HashMap<String, HashMap<Method, BoxEndpoint<'static>>>;

/// What the document says of each operation, beside what is routed.
pub(super) struct Operations<'a> {
    declared: Vec<(OperationKey, Result<Access, &'static str>)>,
    ids: Vec<(OperationKey, &'static str)>,
    /// By path and method.
    routes: BTreeSet<(String, String)>,
    plan: &'a Plan,
    protect: &'a ProtectApi,
}

impl<'a> Operations<'a> {
    pub(super) fn of<T: OpenApi>(
        routes: &RouteTable,
        plan: &'a Plan,
        protect: &'a ProtectApi,
    ) -> Self {
        let Declared { document, contradictions } = Declared::by::<T>(plan, protect.scheme_name());
        let mut declared = security::compile(&document, protect.scheme_name());
        declared.retain(|(key, _)| contradictions.iter().all(|(other, _)| other != key));
        declared.extend(contradictions.into_iter().map(|(key, reason)| (key, Err(reason))));
        let routes = routes.iter().flat_map(|(path, methods)| {
            methods.keys().map(|method| (path.clone(), method.to_string()))
        });
        Self { declared, ids: operation_ids::<T>(), routes: routes.collect(), plan, protect }
    }

    /// Puts each route's guard before it.
    pub(super) fn guard(&self, table: RouteTable) -> RouteTable {
        let guard_methods = |(path, methods): (String, HashMap<Method, BoxEndpoint<'static>>)| {
            let guarded = methods.into_iter().map(|(method, endpoint)| {
                let endpoint = self.guard_route(&path, &method, endpoint);
                (method, endpoint)
            });
            let guarded = guarded.collect();
            (path, guarded)
        };
        table.into_iter().map(guard_methods).collect()
    }

    /// What speaks against starting, in the order of paths.
    pub(super) fn problems(&self) -> Vec<String> {
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

    fn guard_route(
        &self,
        route: &str,
        method: &Method,
        endpoint: BoxEndpoint<'static>,
    ) -> BoxEndpoint<'static> {
        match self.operations_at(route, method).as_slice() {
            [] => self.guard_hidden(route, method, endpoint),
            [(key, Ok(access))] if self.route_of(key).is_ok() => {
                if access.is_public() {
                    endpoint
                } else {
                    let id = self.ids.iter().find(|(named, _)| named == key).map(|(_, id)| *id);
                    guarded(endpoint, self.protect, access.clone(), id)
                }
            }
            _ => refuse_all(self.protect.clone()),
        }
    }

    fn guard_hidden(
        &self,
        route: &str,
        method: &Method,
        endpoint: BoxEndpoint<'static>,
    ) -> BoxEndpoint<'static> {
        let endpoint = judged_by_argument(endpoint, self.protect);
        let is_this = |listed: &Public| self.hidden_routes(listed) == [(route, method.as_str())];
        match self.plan.default {
            Some(policy) if !self.plan.public.iter().any(is_this) => {
                endpoint.with(self.protect.require(policy)).boxed()
            }
            _ => endpoint,
        }
    }

    fn problems_of(
        &self,
        key: &OperationKey,
        access: &Result<Access, &'static str>,
    ) -> Vec<String> {
        let access = match access {
            Ok(access) => access,
            Err(reason) => return vec![(*reason).to_owned()],
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
        let matching = self
            .routes
            .iter()
            .filter(|(route, method)| key.method == **method && routes::matches(&key.path, route));
        let matching: Vec<_> = matching.map(|(route, method)| (&**route, &**method)).collect();
        match matching.as_slice() {
            [] => Err("it is documented, and nothing is routed there".to_owned()),
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

    /// What is documented that a route can be.
    fn operations_at(
        &self,
        route: &str,
        method: &Method,
    ) -> Vec<&(OperationKey, Result<Access, &'static str>)> {
        let is_here =
            |key: &OperationKey| key.method == *method && routes::matches(&key.path, route);
        self.declared.iter().filter(|(key, _)| is_here(key)).collect()
    }

    /// The routes without a documented operation that a public one can be.
    fn hidden_routes(&self, public: &Public) -> Vec<(&str, &str)> {
        let is_hidden = |route: &str| {
            !self
                .declared
                .iter()
                .any(|(key, _)| key.method == *public.method && routes::matches(&key.path, route))
        };
        let hidden = self.routes.iter().filter(|(route, method)| {
            public.method == *method && routes::lists_route(&public.path, route) && is_hidden(route)
        });
        hidden.map(|(route, method)| (&**route, &**method)).collect()
    }
}

fn operation_ids<T: OpenApi>() -> Vec<(OperationKey, &'static str)> {
    let ids = keys::<T>().filter_map(|(key, operation)| Some((key, operation.operation_id?)));
    ids.collect()
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

/// Stands where it is not clear who may pass.
fn refuse_all(protect: ProtectApi) -> BoxEndpoint<'static> {
    let endpoint = make(move |_: Request| {
        let refusal = protect.refuse(Error::Internal(Internal::Unprotected));
        async move { Err::<(), _>(refused(refusal)) }
    });
    endpoint.map_to_response().boxed()
}
