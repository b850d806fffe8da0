//! The guard of each operation, before anything of a request is parsed.
//!
//! What an operation needs is what its document says, or what the application lists for it where it
//! is hidden. A handler of a public operation that asks for the caller all the same gets a 500.

use ::poem::{EndpointExt, Response, Result, endpoint::BoxEndpoint, http::Method};
use poem_openapi::{OpenApi, OperationId};

use super::{
    bearer::OperationGuard,
    declared::{Declared, keys},
    routes::{self, RouteTable},
};
use crate::{
    openapi::{
        operations::{Entry, Operations},
        plan::Plan,
        security::OperationKey,
    },
    poem::closed,
    protect::{Guard, ProtectApi},
};

/// Puts each route's guard before it, and says what prevents the API from starting.
pub(super) fn guard<T: OpenApi>(
    table: RouteTable,
    plan: &Plan,
    protect: &ProtectApi,
) -> (RouteTable, Vec<String>) {
    let Declared { document, unclear } = match Declared::by::<T>(plan, protect.scheme_name()) {
        Ok(declared) => declared,
        Err(problem) => return (all_refused(table), vec![problem]),
    };
    let routes: Vec<_> = table
        .iter()
        .flat_map(|(path, methods)| methods.keys().map(|method| (path.clone(), method.to_string())))
        .collect();
    let operations = Operations::new(&document, unclear, routes, routes::DIALECT, plan, protect);
    let ids = operation_ids::<T>();
    let guard = |path: &str, method: &Method, endpoint| match operations.entry(path, method) {
        Entry::Public => endpoint,
        Entry::Guarded(access) => {
            let key = operations.operation_at(path, method);
            let id = ids.iter().find(|(named, _)| Some(named) == key).map(|(_, id)| *id);
            guarded(endpoint, protect.guard(access), id)
        }
        Entry::Rejected => closed().boxed(),
    };
    let guarded = table.into_iter().map(|(path, methods)| {
        let guarded = methods.into_iter().map(|(method, endpoint)| {
            let endpoint = guard(&path, &method, endpoint);
            (method, endpoint)
        });
        let guarded = guarded.collect();
        (path, guarded)
    });
    (guarded.collect(), operations.problems())
}

/// The routes of an API whose document cannot be read.
fn all_refused(table: RouteTable) -> RouteTable {
    let refused = table.into_iter().map(|(path, methods)| {
        let methods = methods.into_keys().map(|method| (method, closed().boxed()));
        (path, methods.collect())
    });
    refused.collect()
}

fn guarded(
    endpoint: BoxEndpoint<'static>,
    guard: Guard,
    id: Option<&'static str>,
) -> BoxEndpoint<'static> {
    let guarded = endpoint.data(OperationGuard(guard.clone())).with(guard);
    let Some(id) = id else {
        return guarded.boxed();
    };
    // poem-openapi names the operation in its own responses; a refusal would lack it.
    let named = guarded.after(move |answer: Result<Response>| async move {
        answer.map_err(|mut refusal| {
            refusal.set_data(OperationId(id));
            refusal
        })
    });
    named.boxed()
}

fn operation_ids<T: OpenApi>() -> Vec<(OperationKey, &'static str)> {
    let ids = keys::<T>().filter_map(|(key, operation)| Some((key, operation.operation_id?)));
    ids.collect()
}

#[cfg(test)]
mod tests {
    use ::poem::{Endpoint as _, Request, endpoint::make_sync};

    use super::*;

    #[tokio::test]
    async fn where_the_document_cannot_be_read_every_route_rejects() {
        let endpoint = make_sync(|_| "in").map_to_response().boxed();
        let methods = [(Method::GET, endpoint)].into();
        let table = all_refused([("/posts".to_owned(), methods)].into());
        let response = table["/posts"][&Method::GET].get_response(Request::default()).await;
        assert_eq!(response.status(), 500);
    }
}
