//! The guard of each operation.
//!
//! 1. An operation that is documented with a requirement of ours has a guard before it, which
//!    judges the request before anything of it is parsed;
//! 2. one documented without is public, and a handler that asks for the caller all the same gets
//!    none but a 500;
//! 3. for one that is not documented the default policy holds, and then the argument's type, which
//!    judges for itself.

use std::collections::HashMap;

use ::poem::{
    EndpointExt, Request,
    endpoint::{BoxEndpoint, make},
    http::Method,
};
use poem_openapi::OpenApi;

use super::{
    declared::{Declared, keys},
    judge::{guarded, judged_by_argument},
    routes,
};
use crate::{
    error::{Error, Internal},
    openapi::{
        operations::{Operations, Place},
        plan::Plan,
        security::OperationKey,
    },
    poem::refused,
    protect::ProtectApi,
};

pub(super) type RouteTable = HashMap<String, HashMap<Method, BoxEndpoint<'static>>>;

/// Puts each route's guard before it, and says what speaks against starting.
pub(super) fn guard<T: OpenApi>(
    table: RouteTable,
    plan: &Plan,
    protect: &ProtectApi,
) -> (RouteTable, Vec<String>) {
    let Declared { document, contradictions } = match Declared::by::<T>(plan, protect.scheme_name())
    {
        Ok(declared) => declared,
        Err(problem) => return (all_refused(table, protect), vec![problem]),
    };
    let routes: Vec<_> = table
        .iter()
        .flat_map(|(path, methods)| methods.keys().map(|method| (path.clone(), method.to_string())))
        .collect();
    let operations =
        Operations::new(&document, contradictions, routes, routes::DIALECT, plan, protect);
    let guards = Guards { operations: &operations, ids: operation_ids::<T>(), plan, protect };
    let guarded = table.into_iter().map(|(path, methods)| {
        let guarded = methods.into_iter().map(|(method, endpoint)| {
            let endpoint = guards.guard(&path, &method, endpoint);
            (method, endpoint)
        });
        let guarded = guarded.collect();
        (path, guarded)
    });
    (guarded.collect(), operations.problems())
}

struct Guards<'a> {
    operations: &'a Operations<'a>,
    ids: Vec<(OperationKey, &'static str)>,
    plan: &'a Plan,
    protect: &'a ProtectApi,
}

impl Guards<'_> {
    fn guard(
        &self,
        route: &str,
        method: &Method,
        endpoint: BoxEndpoint<'static>,
    ) -> BoxEndpoint<'static> {
        match self.operations.at(route, method) {
            Place::Operation(_, access) if access.is_public() => endpoint,
            Place::Operation(key, access) => {
                let id = self.ids.iter().find(|(named, _)| named == key).map(|(_, id)| *id);
                guarded(endpoint, self.protect, access.clone(), id)
            }
            Place::Hidden => {
                let endpoint = judged_by_argument(endpoint, self.protect);
                match self.plan.default {
                    Some(policy) if !self.operations.is_listed(route, method) => {
                        endpoint.with(self.protect.require(policy)).boxed()
                    }
                    _ => endpoint,
                }
            }
            Place::Unclear => refuse_all(self.protect.clone()),
        }
    }
}

fn operation_ids<T: OpenApi>() -> Vec<(OperationKey, &'static str)> {
    let ids = keys::<T>().filter_map(|(key, operation)| Some((key, operation.operation_id?)));
    ids.collect()
}

/// The routes of an API whose document cannot be read.
fn all_refused(table: RouteTable, protect: &ProtectApi) -> RouteTable {
    let refused = table.into_iter().map(|(path, methods)| {
        let methods = methods.into_keys().map(|method| (method, refuse_all(protect.clone())));
        (path, methods.collect())
    });
    refused.collect()
}

/// Stands where it is not clear who may pass.
fn refuse_all(protect: ProtectApi) -> BoxEndpoint<'static> {
    let endpoint = make(move |_: Request| {
        let refusal = protect.refuse(Error::Internal(Internal::Unprotected));
        async move { Err::<(), _>(refused(refusal)) }
    });
    endpoint.map_to_response().boxed()
}
