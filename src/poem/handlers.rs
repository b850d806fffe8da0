//! Handlers by method and path: routes that can be compared with a document, as poem's own cannot.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use ::poem::{EndpointExt, IntoEndpoint, Route, RouteMethod, endpoint::BoxEndpoint, http::Method};

use super::{closed, head::share_with_head};
use crate::openapi::{
    Declaration, Routes,
    operations::{Dialect, Entry},
    plan::agree,
};

/// The handlers of an API, each for a method and a path as poem writes it, such as `/posts/:id`.
///
/// ```
/// use monocloud_backend::{Authenticated, DocumentError, Policy, ProtectApi, poem::Handlers};
/// use poem::{Route, handler};
///
/// #[handler]
/// fn list(caller: Authenticated) -> String {
///     format!("posts of {}", caller.claims().subject().unwrap_or("nobody"))
/// }
///
/// fn app(protect: &ProtectApi, document: &str) -> Result<Route, DocumentError> {
///     let handlers = Handlers::new().get("/posts", list);
///     let api = protect.document(document)?.by_default(Policy::ANY_TOKEN);
///     let (api, document) = api.routes(handlers)?;
///     Ok(Route::new().nest("/", api).at("/openapi.json", document.json()))
/// }
/// ```
#[derive(Default)]
#[must_use = "a document protects it"]
pub struct Handlers(BTreeMap<(String, String), BoxEndpoint<'static>>);

impl Handlers {
    /// No handlers yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Handles DELETE.
    pub fn delete<E>(self, path: &str, handler: E) -> Self
    where
        E: IntoEndpoint,
        E::Endpoint: 'static,
    {
        self.at(Method::DELETE, path, handler)
    }

    /// Handles GET, and HEAD.
    pub fn get<E>(self, path: &str, handler: E) -> Self
    where
        E: IntoEndpoint,
        E::Endpoint: 'static,
    {
        self.at(Method::GET, path, handler)
    }

    /// Handles PATCH.
    pub fn patch<E>(self, path: &str, handler: E) -> Self
    where
        E: IntoEndpoint,
        E::Endpoint: 'static,
    {
        self.at(Method::PATCH, path, handler)
    }

    /// Handles POST.
    pub fn post<E>(self, path: &str, handler: E) -> Self
    where
        E: IntoEndpoint,
        E::Endpoint: 'static,
    {
        self.at(Method::POST, path, handler)
    }

    /// Handles PUT.
    pub fn put<E>(self, path: &str, handler: E) -> Self
    where
        E: IntoEndpoint,
        E::Endpoint: 'static,
    {
        self.at(Method::PUT, path, handler)
    }

    /// Handles a method. Of two handlers for the same method and path, the later one counts.
    pub fn at<E>(mut self, method: Method, path: &str, handler: E) -> Self
    where
        E: IntoEndpoint,
        E::Endpoint: 'static,
    {
        let handler = handler.map_to_response().boxed();
        self.0.insert((path.to_owned(), method.to_string()), handler);
        self
    }
}

impl fmt::Debug for Handlers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Routes for Handlers {
    type Guarded = Route;

    fn guard(self, declaration: &Declaration<'_>) -> (Route, Vec<String>) {
        let operations = declaration.operations(self.0.keys().cloned(), DIALECT);
        let own_head = self.0.keys().filter(|(_, method)| method == "HEAD");
        let own_head: BTreeSet<String> = own_head.map(|(path, _)| path.clone()).collect();
        let mut methods: BTreeMap<String, RouteMethod> = BTreeMap::new();
        for ((path, method), handler) in self.0 {
            let Ok(method) = Method::from_bytes(method.as_bytes()) else { continue };
            let mut route = methods.remove(&path).unwrap_or_default();
            route = match operations.entry(&path, &method) {
                Entry::Public => route.method(method, handler),
                Entry::Guarded(guard) if method == Method::GET && !own_head.contains(&path) => {
                    let (get, head) = share_with_head(handler);
                    route.get(get.with(guard.clone())).head(head.with(guard))
                }
                Entry::Guarded(guard) => route.method(method, handler.with(guard)),
                Entry::Rejected => route.method(method, closed()),
            };
            methods.insert(path, route);
        }
        let route = methods
            .into_iter()
            .fold(Route::new(), |route, (path, methods)| route.at(path, methods));
        (route, operations.problems())
    }
}

const DIALECT: Dialect = Dialect {
    is_route,
    lists_route: is_route,
    declare: |scheme| format!("write `security: [{{{scheme}: []}}]` in the document"),
    scopes_by_type: None,
    hidden: "it is routed, and the document does not have it",
};

/// poem writes `:id`, `:id<\d+>`, `<\d+>` and `*rest` where a document writes `{id}`.
fn is_route(documented: &str, routed: &str) -> bool {
    let is_same = |documented: &str, routed: &str| {
        let is_parameter = documented.starts_with('{') && documented.ends_with('}');
        documented == routed || (is_parameter && routed.starts_with([':', '<', '*']))
    };
    agree(documented, routed, is_same)
}

#[cfg(test)]
mod tests {
    use ::poem::{endpoint::make_sync, test::TestClient};

    use super::*;
    use crate::openapi::{UNCLEAR_PATHS, unclear_api};

    #[tokio::test]
    async fn what_is_not_clear_rejects_every_request() {
        let paths = ["/silent", "/malformed", "/foreign", "/shared/:id", "/hidden"];
        let handlers = paths
            .into_iter()
            .fold(Handlers::new(), |handlers, path| handlers.get(path, make_sync(|_| "in")));
        let (route, problems) = unclear_api().guard(handlers);
        assert_eq!(problems.len(), 6, "{problems:#?}");
        let client = TestClient::new(route);
        for path in UNCLEAR_PATHS {
            assert_eq!(client.get(path).send().await.0.status(), 500, "{path}");
        }
    }
    #[test]
    fn a_documented_parameter_is_in_braces() {
        for routed in ["/posts/:id", "/posts/:id<\\d+>", "/posts/<\\d+>", "/posts/*id"] {
            assert!(is_route("/posts/{id}", routed), "{routed}");
            for documented in ["/posts/{id", "/posts/id}", "/posts/id"] {
                assert!(!is_route(documented, routed), "{documented} {routed}");
            }
        }
    }
}
