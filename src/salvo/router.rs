//! The routes of a router: those it has, and the guard before each.

use std::{collections::BTreeSet, sync::Arc};

use ::salvo_core::{
    Handler, Router,
    http::Method,
    routing::{Filter, FilterInfo, filters},
};
use salvo_oapi::EndpointRegistry;

use super::{bearer::SCHEME, template};
use crate::{
    openapi::{
        Declaration, Routes,
        operations::{Dialect, Operations, Place},
    },
    protect::Guard,
};

/// Every endpoint is compared with the document, however deep it is nested.
///
/// A filter that is more than a path, a method, a scheme, a host or a port, and an endpoint for
/// any method, are refused: nobody could tell which operation they are. HEAD counts as GET unless it
/// is documented; an OPTIONS that is not documented is left to the application.
impl Routes for Router {
    type Guarded = Self;

    fn guard(mut self, declaration: &Declaration<'_>) -> (Self, Vec<String>) {
        let mut routes = BTreeSet::new();
        let mut problems = Vec::new();
        each_endpoint(&mut self, &Filtered::default(), &mut |_, filtered| match filtered.route() {
            Ok((path, method)) => {
                if !routes.insert((path.to_owned(), method.to_string())) {
                    problems.push(format!("{method} {path}: it is routed twice"));
                }
            }
            Err(problem) => problems.push(problem),
        });
        let implied = implied(&routes, &declaration.operations(routes.clone(), DIALECT));
        let compared = routes.difference(&implied).cloned();
        let operations = declaration.operations(compared, DIALECT);
        problems.extend(operations.differences());
        each_endpoint(&mut self, &Filtered::default(), &mut |router, filtered| {
            let Ok((path, method)) = filtered.route() else { return };
            let is_implied = implied.contains(&(path.to_owned(), method.to_string()));
            let method = if is_implied && method == Method::HEAD { &Method::GET } else { method };
            let is_head = |(other, method): &(String, String)| {
                method == "HEAD" && template::are_equal(path, other)
            };
            if method == Method::GET && !routes.iter().any(is_head) {
                answer_head(router);
            }
            // Unless it is public the problems say so, and nothing is served.
            let Place::Operation(_, access) = operations.at(path, method) else { return };
            if declares_by_type(router) && access.alternatives.len() != 1 {
                problems.push(format!(
                    "{method} {path}: an argument's type declares what it needs, in the scheme {SCHEME:?}, and beside it there must be nothing"
                ));
            }
            if !access.is_public() {
                guard(router, declaration.protect.guard(access.clone()));
            }
        });
        (self, problems)
    }
}

/// Puts a guard before the endpoint of a router, and before none of those below.
fn guard(router: &mut Router, guard: Guard) {
    let guard: Arc<dyn Handler> = Arc::new(guard);
    if router.routers.is_empty() {
        router.hoops.insert(0, guard);
    } else {
        // As the last below it is asked when it was before: after all others.
        let mut endpoint = Router::new();
        endpoint.hoops.push(guard);
        endpoint.goal = router.goal.take();
        router.routers.push(endpoint);
    }
}

/// The routes that are not documented and need not be: HEAD beside GET, and OPTIONS.
fn implied(
    routes: &BTreeSet<(String, String)>,
    operations: &Operations<'_>,
) -> BTreeSet<(String, String)> {
    let is_implied = |(path, method): &&(String, String)| {
        let is_hidden = |method| {
            matches!(operations.at(path, &method), Place::Hidden)
                && !operations.is_listed(path, &method)
        };
        match method.as_str() {
            "HEAD" => routes.contains(&(path.clone(), "GET".to_owned())) && is_hidden(Method::HEAD),
            "OPTIONS" => is_hidden(Method::OPTIONS),
            _ => false,
        }
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

/// Whether an endpoint has an argument that says what it needs: only such arguments describe our
/// scheme.
fn declares_by_type(router: &Router) -> bool {
    let describe =
        router.goal.as_ref().and_then(|goal| EndpointRegistry::find(&Handler::type_id(&**goal)));
    describe.is_some_and(|describe| describe().components.security_schemes.contains_key(SCHEME))
}

/// What the filters of a router, and of those above it, let pass.
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

    /// The route, or why nobody can tell which it is.
    fn route(&self) -> Result<(&str, &Method), String> {
        let path = if self.path.is_empty() { "/" } else { &self.path };
        let (method, why) = match (self.methods.as_slice(), self.unknown) {
            ([method], None) => return Ok((path, method)),
            ([method], Some(filter)) => {
                (method.as_str(), format!("it has the filter {filter}, which may be anything"))
            }
            ([], _) => (
                "ANY",
                "it takes every method, which no document says; route each by name, or add it to the router that is returned".to_owned(),
            ),
            (_, _) => ("ANY", "it has filters for several methods".to_owned()),
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

const DIALECT: Dialect =
    Dialect { is_route: template::are_equal, lists_route: template::are_equal };
