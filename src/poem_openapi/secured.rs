//! The wrapper that puts each operation behind its guard.
//!
//! For each route of the wrapped API:
//!
//! 1. its operation is documented with a requirement of ours: a guard judges the request before
//!    anything of it is parsed;
//! 2. its operation is documented without one: it is public, and a handler that asks for the
//!    caller all the same gets none but a 500;
//! 3. it is not documented: the default policy holds, and then the argument's type, which judges
//!    for itself;
//! 4. the document does not say clearly what it needs: it answers 500, and the log says why.

use std::{collections::HashMap, fmt, mem};

use ::poem::{
    EndpointExt, Request, Result,
    endpoint::{BoxEndpoint, make},
    http::Method,
};
use poem_openapi::{
    OAuthScopes, OpenApi, OpenApiService, Webhook,
    registry::{MetaApi, Registry},
};

use super::{
    declared::{Declared, Plan},
    routes,
};
use crate::{
    error::{Error, Internal},
    openapi::{
        ApiDocument, DocumentError,
        security::{self, OperationKey},
    },
    poem::refused,
    policy::{Access, Policy},
    protect::{Caller, Guard, ProtectApi},
};

pub(super) type RouteTable = HashMap<String, HashMap<Method, BoxEndpoint<'static>>>;

impl ProtectApi {
    /// Puts every operation of an API, or of a tuple of APIs, behind the requirement that its
    /// document states.
    ///
    /// ```
    /// # use monocloud_backend::{Policy, ProtectApi, poem_openapi::Bearer};
    /// # use poem_openapi::{OpenApi, OpenApiService};
    /// # struct PostsApi;
    /// # #[OpenApi]
    /// # impl PostsApi {
    /// #     #[oai(path = "/posts", method = "get")]
    /// #     async fn list(&self, _caller: Bearer) {}
    /// #     #[oai(path = "/health", method = "get")]
    /// #     async fn health(&self) {}
    /// # }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let vars = [("MONOCLOUD_BACKEND_TENANT_DOMAIN", "acme.us.monocloud.com"), ("MONOCLOUD_BACKEND_AUDIENCE", "api")];
    /// # let protect = ProtectApi::from_vars(vars)?;
    /// let (service, document) = protect
    ///     .secure(PostsApi)
    ///     .by_default(Policy::ANY_TOKEN)
    ///     .public("GET", "/health")
    ///     .into_service(|api| OpenApiService::new(api, "Posts", "1.0"))?;
    /// let app = poem::Route::new().nest("/", service).at("/openapi.json", document.json());
    /// # let _ = app;
    /// # Ok(())
    /// # }
    /// ```
    pub fn secure<T: OpenApi>(&self, api: T) -> Secured<T> {
        Secured { protect: self.clone(), plan: Plan::default(), api: Api::Unguarded(api) }
    }

    /// Describes every scope of an enum, by the comments on its variants.
    #[must_use]
    pub fn scopes<S: OAuthScopes>(self) -> Self {
        S::meta().into_iter().fold(self, |protect, scope| {
            protect.scope(scope.name, scope.description.unwrap_or_default())
        })
    }
}

/// An API whose document is its policy; [`ProtectApi::secure`] makes it.
pub struct Secured<T> {
    protect: ProtectApi,
    plan: Plan,
    api: Api<T>,
}

enum Api<T> {
    Unguarded(T),
    Guarded(RouteTable),
}

impl<T: OpenApi> Secured<T> {
    /// Protects every operation that declares no requirement of its own, in the document too.
    #[must_use]
    pub fn by_default(mut self, policy: Policy) -> Self {
        self.plan.default = Some(policy);
        self
    }

    /// Leaves an operation out of the [default](Self::by_default): anybody may call it. The path is
    /// written as in the document, `/posts/{id}`, or as it is declared, `/posts/:id`.
    #[must_use]
    pub fn public(mut self, method: &str, path: &str) -> Self {
        let method = Method::from_bytes(method.to_ascii_uppercase().as_bytes()).unwrap_or_default();
        self.plan.public.push(OperationKey { path: routes::documented(path), method });
        self
    }

    /// Makes the service and its document, after comparing the two.
    ///
    /// # Errors
    ///
    /// [`DocumentError`] with every operation whose requirement is not clear or that is documented
    /// and not routed, every scope that nothing describes, and every public path that does not
    /// exist.
    pub fn into_service<W: Webhook>(
        mut self,
        build: impl FnOnce(Self) -> OpenApiService<Self, W>,
    ) -> Result<(OpenApiService<Self, W>, ApiDocument), DocumentError> {
        let problems = self.guard();
        if !problems.is_empty() {
            return Err(DocumentError::new(problems));
        }
        let (protect, plan) = (self.protect.clone(), self.plan.clone());
        let service = build(self);
        let raw = service.spec();
        let prefix = routes::prefix::<T>(&raw);
        let declared = Declared::read(&raw, &plan, &prefix, protect.scheme_name());
        Ok((service, ApiDocument::new(protect, declared.document)))
    }

    /// Puts guards before the routes, and says what is wrong with the document.
    fn guard(&mut self) -> Vec<String> {
        let api = mem::replace(&mut self.api, Api::Guarded(RouteTable::new()));
        let (routes, problems) = match api {
            Api::Guarded(routes) => (routes, Vec::new()),
            Api::Unguarded(api) => {
                let mut routes = RouteTable::new();
                api.add_routes(&mut routes);
                let operations = Operations::of::<T>(&self.plan, &self.protect);
                let problems = operations.problems(&routes, &self.plan, &self.protect);
                (operations.guard(routes, &self.plan, &self.protect), problems)
            }
        };
        self.api = Api::Guarded(routes);
        problems
    }
}

impl<T> fmt::Debug for Secured<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secured").field("protect", &self.protect).finish_non_exhaustive()
    }
}

impl<T: OpenApi> OpenApi for Secured<T> {
    fn meta() -> Vec<MetaApi> {
        T::meta()
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }

    fn add_routes(mut self, route_table: &mut RouteTable) {
        for problem in self.guard() {
            tracing::error!("{problem}");
        }
        if let Api::Guarded(routes) = self.api {
            for (path, methods) in routes {
                route_table.entry(path).or_default().extend(methods);
            }
        }
    }
}

/// Marks a request to an operation that is not documented.
#[derive(Clone, Debug)]
pub(super) struct Hidden(ProtectApi);

impl Hidden {
    pub(super) async fn check(&self, request: &Request, policy: Policy) -> Result<Caller> {
        Self::ask(&self.0.require(policy), request).await
    }

    pub(super) async fn check_optional(&self, request: &Request) -> Result<Caller> {
        Self::ask(&self.0.optional(), request).await
    }

    async fn ask(guard: &Guard, request: &Request) -> Result<Caller> {
        guard.check(request.headers()).await.map_err(refused)
    }
}

/// What the document says of each operation.
struct Operations(Vec<(OperationKey, Result<Access, &'static str>)>);

impl Operations {
    fn of<T: OpenApi>(plan: &Plan, protect: &ProtectApi) -> Self {
        let declared = Declared::by::<T>(plan, protect.scheme_name());
        let mut operations = security::compile(&declared.document, protect.scheme_name());
        for (key, access) in &mut operations {
            let contradiction =
                declared.contradictions.iter().find(|(contradictory, _)| contradictory == key);
            if let Some((_, reason)) = contradiction {
                *access = Err(reason);
            }
        }
        Self(operations)
    }

    fn guard(&self, routes: RouteTable, plan: &Plan, protect: &ProtectApi) -> RouteTable {
        let guard_methods = |(path, methods): (String, HashMap<Method, BoxEndpoint<'static>>)| {
            let guarded = methods.into_iter().map(|(method, endpoint)| {
                let endpoint = match self.access_to(&path, &method) {
                    Some(Ok(access)) if access.is_public() => endpoint,
                    Some(Ok(access)) => endpoint.with(protect.guard(access)).boxed(),
                    Some(Err(_)) => refuse_all(protect.clone()),
                    None => guard_hidden(endpoint, &path, &method, plan, protect),
                };
                (method, endpoint)
            });
            let guarded = guarded.collect();
            (path, guarded)
        };
        routes.into_iter().map(guard_methods).collect()
    }

    /// Who may call a route; nothing if it is not documented.
    fn access_to(&self, route: &str, method: &Method) -> Option<Result<Access, &'static str>> {
        let mut accesses = self
            .0
            .iter()
            .filter(|(key, _)| key.method == *method && routes::matches(&key.path, route))
            .map(|(_, access)| access);
        let access = accesses.next()?;
        if accesses.any(|other| other != access) {
            return Some(Err(
                "it shares its route with another operation, whose requirement differs",
            ));
        }
        Some(access.clone())
    }

    fn problems(&self, routes: &RouteTable, plan: &Plan, protect: &ProtectApi) -> Vec<String> {
        let mut problems = Vec::new();
        let mut report = |key: &OperationKey, problem: String| {
            problems.push(format!("{} {}: {problem}", key.method, key.path));
        };
        for (key, access) in &self.0 {
            let access_by_route = routes
                .iter()
                .filter(|(route, methods)| {
                    methods.contains_key(&key.method) && routes::matches(&key.path, route)
                })
                .find_map(|(route, _)| self.access_to(route, &key.method));
            match (access, access_by_route) {
                (Err(reason), _) => report(key, (*reason).to_owned()),
                (_, Some(Err(reason))) => report(key, reason.to_owned()),
                (_, None) => {
                    report(key, "it is documented, and nothing is routed there".to_owned())
                }
                (Ok(access), Some(Ok(_))) => {
                    for scope in undescribed(access, protect) {
                        report(
                            key,
                            format!(
                                "it needs the scope {scope:?}, which nothing describes; add `.scope({scope:?}, \"…\")` or `.scopes::<Scope>()`"
                            ),
                        );
                    }
                    if plan.is_public(key) && !access.is_public() {
                        report(
                            key,
                            "it is listed as public, and declares that it needs a token".to_owned(),
                        );
                    }
                }
            }
        }
        for key in &plan.public {
            let is_documented = self.0.iter().any(|(documented, _)| documented == key);
            let is_routed = routes.iter().any(|(route, methods)| {
                methods.contains_key(&key.method) && routes::matches(&key.path, route)
            });
            if !is_documented && !is_routed {
                report(key, "it is listed as public, and there is no such operation".to_owned());
            }
        }
        problems.sort();
        problems
    }
}

/// The scopes an operation needs that the document could not explain.
fn undescribed<'a>(
    access: &'a Access,
    protect: &'a ProtectApi,
) -> impl Iterator<Item = &'a String> {
    let scopes = access.alternatives.iter().flat_map(|requirement| &requirement.scopes);
    scopes.filter(|scope| !protect.scope_descriptions().contains_key(*scope))
}

fn guard_hidden(
    endpoint: BoxEndpoint<'static>,
    route: &str,
    method: &Method,
    plan: &Plan,
    protect: &ProtectApi,
) -> BoxEndpoint<'static> {
    let endpoint = endpoint.data(Hidden(protect.clone())).boxed();
    let is_public =
        plan.public.iter().any(|key| key.method == *method && routes::matches(&key.path, route));
    match plan.default {
        Some(policy) if !is_public => endpoint.with(protect.require(policy)).boxed(),
        _ => endpoint,
    }
}

/// Stands where it is not clear who may pass.
fn refuse_all(protect: ProtectApi) -> BoxEndpoint<'static> {
    let endpoint = make(move |_: Request| {
        let refusal = protect.refuse(Error::Internal(Internal::Unprotected));
        async move { Err::<(), _>(refused(refusal)) }
    });
    endpoint.map_to_response().boxed()
}
