//! The routes of a router: those it has, and the guard before each.

use std::{collections::BTreeSet, sync::Arc};

use ::salvo_core::{
    Depot, FlowCtrl, Handler, Request, Response, Router, async_trait,
    http::Method,
    routing::{Filter, FilterInfo, filters},
};
use salvo_oapi::EndpointRegistry;

use super::{bearer::SCHEME, template};
use crate::{
    openapi::{
        Declaration, Routes,
        extensions::ALTERNATIVES,
        operations::{Dialect, Entry, Operations, UNCLEAR},
    },
    protect::{ProtectApi, refusal::Refusal},
};

/// Every endpoint is compared with the document, however deep it is nested.
///
/// A filter that is more than a path, a method, a scheme, a host or a port, and an endpoint for
/// any method, are rejected: the operation they serve is unknown. HEAD counts as GET unless it
/// is documented; an OPTIONS that is not documented is left to the application.
impl Routes for Router {
    type Guarded = Self;

    fn guard(mut self, declaration: &Declaration<'_>) -> (Self, Vec<String>) {
        let mut routes = BTreeSet::new();
        let mut problems = Vec::new();
        each_endpoint(&mut self, &Filtered::default(), &mut |_, filtered| match filtered.route() {
            Ok((path, method)) => {
                if !routes.insert((path.to_owned(), method.to_string())) {
                    problems.push(format!(
                        "{method} {path}: it is routed twice; remove one of the two"
                    ));
                }
            }
            Err(problem) => problems.push(problem),
        });
        let implied = implied(&routes, &declaration.operations(routes.clone(), DIALECT));
        let compared = routes.difference(&implied).cloned();
        let operations = declaration.operations(compared, DIALECT);
        problems.extend(operations.problems());
        each_endpoint(&mut self, &Filtered::default(), &mut |router, filtered| {
            let Ok((path, method)) = filtered.route() else {
                return put_before(router, Arc::new(Closed));
            };
            let is_implied = implied.contains(&(path.to_owned(), method.to_string()));
            // It is left to the application, a preflight for instance.
            if is_implied && method == Method::OPTIONS {
                return;
            }
            let method = if is_implied { &Method::GET } else { method };
            let is_head = |(other, method): &(String, String)| {
                method == "HEAD" && template::are_equal(path, other)
            };
            if method == Method::GET && !routes.iter().any(is_head) {
                answer_head(router);
            }
            let entry = operations.entry(path, method);
            let by_type = declares_by_type(router);
            if by_type.is_some_and(|by_type| !by_type.is_alone(&entry, declaration.protect)) {
                problems.push(format!(
                    "{method} {path}: an argument's type declares what it needs, in the scheme {SCHEME:?}; remove what else declares it"
                ));
            }
            match entry {
                Entry::Public => {}
                Entry::Guarded(guard) => {
                    put_before(router, Arc::new(guard));
                }
                Entry::Rejected => put_before(router, Arc::new(Closed)),
            }
        });
        (self, problems)
    }
}

/// Puts a handler before the endpoint of a router, and before none of those below.
fn put_before(router: &mut Router, handler: Arc<dyn Handler>) {
    if router.routers.is_empty() {
        router.hoops.insert(0, handler);
    } else {
        // As the last below it is asked when it was before: after all others.
        let mut endpoint = Router::new();
        endpoint.hoops.push(handler);
        endpoint.goal = router.goal.take();
        router.routers.push(endpoint);
    }
}

/// Rejects every request: what the endpoint behind it needs is not clear.
struct Closed;

#[async_trait]
impl Handler for Closed {
    async fn handle(
        &self,
        request: &mut Request,
        _depot: &mut Depot,
        response: &mut Response,
        ctrl: &mut FlowCtrl,
    ) {
        let path = request.uri().path();
        response.render(Refusal::unprotected(request.method(), path, UNCLEAR));
        ctrl.skip_rest();
    }
}

/// The routes that are not documented and need not be: HEAD beside GET, and OPTIONS.
fn implied(
    routes: &BTreeSet<(String, String)>,
    operations: &Operations<'_>,
) -> BTreeSet<(String, String)> {
    let is_implied = |(path, method): &&(String, String)| match method.as_str() {
        "HEAD" => {
            routes.contains(&(path.clone(), "GET".to_owned())) && !operations.is_known(path, method)
        }
        "OPTIONS" => !operations.is_known(path, method),
        _ => false,
    };
    routes.iter().filter(is_implied).cloned().collect()
}

/// Lets an endpoint for GET answer HEAD, as it does on every other host (RFC 9110 §9.3.2).
fn answer_head(router: &mut Router) {
    for filter in &mut router.filters {
        if matches!(filter.info(), FilterInfo::Method(Method::GET)) {
            *filter = Box::new(filters::get().or(filters::head()));
        }
    }
}

/// What an argument's type declares.
struct DeclaredByType {
    has_several_alternatives: bool,
}

impl DeclaredByType {
    /// Whether it is all that an endpoint declares. Several alternatives are as many as the extension
    /// lists, which the check of the document compares; where the entry is rejected, the problems say
    /// more.
    fn is_alone(&self, entry: &Entry, protect: &ProtectApi) -> bool {
        match entry {
            Entry::Public => false,
            Entry::Guarded(guard) => {
                let is_alone = self.has_several_alternatives || guard.alternatives() == 1;
                protect.scheme_name() == SCHEME && is_alone
            }
            Entry::Rejected => true,
        }
    }
}

/// What an argument of an endpoint says it needs: only such arguments describe our scheme.
fn declares_by_type(router: &Router) -> Option<DeclaredByType> {
    let endpoint = EndpointRegistry::find(&Handler::type_id(&**router.goal.as_ref()?))?();
    let has_several_alternatives = endpoint.operation.extensions.contains_key(ALTERNATIVES);
    let is_declared = endpoint.components.security_schemes.contains_key(SCHEME);
    is_declared.then_some(DeclaredByType { has_several_alternatives })
}

/// What the filters of a router, and of those above it, accept.
#[derive(Clone, Default)]
struct Filtered {
    path: String,
    methods: Vec<Method>,
    /// The type of a filter that cannot be understood.
    unknown: Option<&'static str>,
}

impl Filtered {
    fn and(&self, filters: &[Box<dyn Filter>]) -> Self {
        let mut filtered = self.clone();
        for filter in filters {
            match filter.info() {
                FilterInfo::Path(path) => {
                    let joined =
                        [filtered.path.trim_end_matches('/'), path.trim_start_matches('/')];
                    filtered.path = joined.join("/");
                }
                FilterInfo::Method(method) => filtered.methods.push(method),
                FilterInfo::Scheme(_) | FilterInfo::Host(_) | FilterInfo::Port(_) => {}
                FilterInfo::Other(name) => filtered.unknown = Some(name),
            }
        }
        filtered
    }

    /// The route, or why it is not clear which it is.
    fn route(&self) -> Result<(&str, &Method), String> {
        let path = if self.path.is_empty() { "/" } else { &self.path };
        let (method, why) = match (self.methods.as_slice(), self.unknown) {
            ([method], None) => return Ok((path, method)),
            ([method], Some(filter)) => {
                (method.as_str(), format!("it has the filter {filter}, and which requests that lets pass is not known; use a hoop instead"))
            }
            ([], _) => (
                "ANY",
                "it takes every method, and a document lists each; write `.get(…)`, `.post(…)` and so on instead of `.goal(…)`, or push it to the router that `routes` returns, behind `.hoop(protect.require(POLICY))`".to_owned(),
            ),
            (_, _) => ("ANY", "it has filters for several methods; give each method a router of its own".to_owned()),
        };
        Err(format!("{method} {path}: {why}"))
    }
}

/// Visits every router that has an endpoint.
fn each_endpoint(
    router: &mut Router,
    above: &Filtered,
    visit: &mut impl FnMut(&mut Router, &Filtered),
) {
    let filtered = above.and(&router.filters);
    for below in &mut router.routers {
        each_endpoint(below, &filtered, visit);
    }
    if router.goal.is_some() {
        visit(router, &filtered);
    }
}

const DIALECT: Dialect = Dialect {
    is_route: template::are_equal,
    lists_route: template::are_equal,
    declare: |scheme| {
        format!(
            "write `security((\"{scheme}\" = []))` in its `#[endpoint(…)]` or take a `Bearer` argument"
        )
    },
    scopes_by_type: None,
    hidden: "it is routed, and the document does not have it",
};

#[cfg(test)]
mod tests {
    use ::salvo_core::{
        Service,
        conn::{ConnCtrl, SocketAddr},
        handler,
        http::{StatusCode, uri::Scheme},
    };

    use super::*;
    use crate::openapi::{UNCLEAR_PATHS, unclear_api};

    #[handler]
    async fn say_in() -> &'static str {
        "in"
    }

    #[tokio::test]
    async fn what_is_not_clear_rejects_every_request() {
        let at = Router::with_path;
        let paths = ["silent", "malformed", "foreign", "shared/{id}", "hidden"];
        let router = paths
            .into_iter()
            .fold(Router::new(), |router, path| router.push(at(path).get(say_in)))
            .push(at("any").goal(say_in))
            .push(at("both").filter(filters::post()).goal(say_in));
        let (router, problems) = unclear_api().guard(router);
        assert_eq!(problems.len(), 8, "{problems:#?}");
        let service = Service::new(router).hyper_handler(
            SocketAddr::Unknown,
            SocketAddr::Unknown,
            Scheme::HTTP,
            None,
            ConnCtrl::default(),
            None,
        );
        for path in UNCLEAR_PATHS.into_iter().chain(["/any"]) {
            let mut request = Request::new();
            *request.uri_mut() = path.parse().unwrap();
            let response = service.handle(request).await;
            assert_eq!(response.status_code, Some(StatusCode::INTERNAL_SERVER_ERROR), "{path}");
        }
    }
}
