//! The guard of each operation, before anything of a request is parsed.
//!
//! What an operation needs is what its document says, or what the application lists for it where it
//! is hidden. A handler of a public operation that asks for the caller all the same gets a 500.

use std::collections::HashMap;

use ::poem::{Endpoint, EndpointExt, Response, Result, endpoint::BoxEndpoint, http::Method};
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
    poem::{closed, head::share_with_head},
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
    let guard = |path: &str, methods: HashMap<Method, BoxEndpoint<'static>>| {
        let has_own_head = methods.contains_key(&Method::HEAD);
        let mut table = HashMap::new();
        for (method, endpoint) in methods {
            let endpoint = match operations.entry(path, &method) {
                Entry::Public => endpoint,
                Entry::Guarded(guard) => {
                    let key = operations.operation_at(path, &method);
                    let id = ids.iter().find(|(named, _)| Some(named) == key).map(|(_, id)| *id);
                    if method == Method::GET && !has_own_head {
                        let (get, head) = share_with_head(endpoint);
                        table.insert(Method::HEAD, guarded(head, guard.clone(), id));
                        guarded(get, guard, id)
                    } else {
                        guarded(endpoint, guard, id)
                    }
                }
                Entry::Rejected => closed().boxed(),
            };
            table.insert(method, endpoint);
        }
        table
    };
    let guarded = table.into_iter().map(|(path, methods)| {
        let guarded = guard(&path, methods);
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
    endpoint: impl Endpoint<Output = Response> + 'static,
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
    use std::iter;

    use ::poem::{Request, endpoint::make_sync, http::StatusCode};

    use super::*;
    use crate::{Authenticated, Bearer};

    struct Silent;

    #[OpenApi]
    impl Silent {
        #[oai(path = "/silent", method = "get")]
        async fn silent(&self) {}

        #[oai(path = "/extractor", method = "get")]
        async fn extractor(&self, _caller: Authenticated) {}

        #[oai(path = "/two-tokens", method = "get")]
        async fn two_tokens(&self, _one: Bearer, _two: Bearer) {}

        #[oai(path = "/hidden", method = "get", hidden)]
        async fn hidden(&self, _caller: Bearer) {}

        #[oai(path = "/tunnel", method = "connect")]
        async fn tunnel(&self, _caller: Bearer) {}
    }

    #[tokio::test]
    async fn what_is_not_clear_rejects_every_request() {
        let vars = [
            ("MONOCLOUD_BACKEND_TENANT_DOMAIN", "acme.us.monocloud.com"),
            ("MONOCLOUD_BACKEND_AUDIENCE", "https://api.example.com"),
        ];
        let protect = ProtectApi::from_vars(vars).unwrap();
        let mut routes = HashMap::new();
        Silent.add_routes(&mut routes);
        let (guarded, problems) = guard::<Silent>(routes, &Plan::default(), &protect);
        assert_eq!(problems.len(), 5, "{problems:#?}");
        let endpoints = guarded.values().flat_map(HashMap::values);
        let requests = iter::repeat_with(Request::default);
        for (endpoint, request) in endpoints.zip(requests) {
            let refusal = endpoint.call(request).await.unwrap_err();
            assert_eq!(refusal.status(), StatusCode::INTERNAL_SERVER_ERROR);
        }
    }

    #[tokio::test]
    async fn where_the_document_cannot_be_read_every_route_rejects() {
        let endpoint = make_sync(|_| "in").map_to_response().boxed();
        let methods = [(Method::GET, endpoint)].into();
        let table = all_refused([("/posts".to_owned(), methods)].into());
        let response = table["/posts"][&Method::GET].get_response(Request::default()).await;
        assert_eq!(response.status(), 500);
    }
}
