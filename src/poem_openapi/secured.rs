//! From an API to a service: what the application says beside the document, and the API with a guard
//! before each operation.

use std::{fmt, marker::PhantomData};

use poem_openapi::{
    OAuthScopes, OpenApi, OpenApiService, Webhook,
    registry::{MetaApi, Registry},
};

use super::{
    declared::Declared,
    guards::guard,
    raw,
    routes::{self, RouteTable},
};
use crate::{
    openapi::{ApiDocument, DocumentError, plan::Plan, security::OtherSchemes},
    policy::PolicyBuf,
    protect::ProtectApi,
};

impl ProtectApi {
    /// Puts every operation of an API, or of a tuple of APIs, behind the requirement that its
    /// document states.
    ///
    /// ```
    /// # use monocloud_backend::{Bearer, Policy, ProtectApi};
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
        let plan = Plan { other_schemes: OtherSchemes::Extracted, ..Plan::default() };
        Secured { protect: self.clone(), plan, api }
    }

    /// Describes every scope of an enum, by the comments on its variants.
    #[must_use]
    pub fn describe_scopes<S: OAuthScopes>(self) -> Self {
        S::meta().into_iter().fold(self, |protect, scope| {
            protect.describe_scope(scope.name, scope.description.unwrap_or_default())
        })
    }
}

/// An API on its way to a service; [`ProtectApi::secure`] makes it.
///
/// It is not an API itself: [`into_service`](Self::into_service) is the only way to serve it.
#[must_use = "call `into_service`"]
pub struct Secured<T> {
    protect: ProtectApi,
    plan: Plan,
    api: T,
}

impl<T: OpenApi> Secured<T> {
    /// Requires a policy of every operation without a [`Bearer`](crate::Bearer), in addition to
    /// whatever else it takes, and in the document too.
    ///
    /// It does not apply to operations that are [`public`](Self::public) or [`hidden`](Self::hidden).
    pub fn by_default(mut self, policy: impl Into<PolicyBuf>) -> Self {
        self.plan.default = Some(policy.into());
        self
    }

    /// As [`by_default`](Self::by_default), for the operations whose path is `path` or lies below it
    /// by whole segments, written as for [`public`](Self::public). Of several such paths the longest
    /// counts, and each takes precedence over the default for all.
    pub fn by_default_under(mut self, path: &str, policy: impl Into<PolicyBuf>) -> Self {
        self.plan.by_default_under(path, policy.into());
        self
    }

    /// Lets anyone call an operation: no [default](Self::by_default) applies to it. The path is
    /// written as it is declared, `/posts/:id`, or as in the document, `/posts/{id}`; in both
    /// without the service's `url_prefix`.
    pub fn public(mut self, method: &str, path: &str) -> Self {
        self.plan.public(method, path);
        self
    }

    /// Says what an operation needs that is hidden from the document, `#[oai(hidden)]`: its scopes
    /// cannot be read there.
    ///
    /// ```
    /// # use monocloud_backend::{poem_openapi::Secured, Bearer, Policy, ProtectApi};
    /// # use poem_openapi::OpenApi;
    /// struct Internal;
    ///
    /// #[OpenApi]
    /// impl Internal {
    ///     #[oai(path = "/internal/reindex", method = "post", hidden)]
    ///     async fn reindex(&self, _caller: Bearer) {}
    /// }
    ///
    /// # fn secured(protect: &ProtectApi) -> Secured<Internal> {
    /// const OPERATORS: Policy = Policy::ANY_TOKEN.any_group(&["operators"]);
    /// protect.secure(Internal).hidden("POST", "/internal/reindex", OPERATORS)
    /// # }
    /// ```
    pub fn hidden(mut self, method: &str, path: &str, policy: impl Into<PolicyBuf>) -> Self {
        self.plan.hidden(method, path, policy.into());
        self
    }

    /// Makes the service and its document, after comparing the two.
    ///
    /// # Errors
    ///
    /// [`DocumentError`] with every operation that does not declare what it needs or not clearly,
    /// every hidden one that is not listed, every scope that is not described, and everything that
    /// was listed and does not exist.
    pub fn into_service<W: Webhook>(
        self,
        build: impl FnOnce(Guarded<T>) -> OpenApiService<Guarded<T>, W>,
    ) -> Result<(OpenApiService<Guarded<T>, W>, ApiDocument), DocumentError> {
        let Self { protect, plan, api } = self;
        let mut routes = RouteTable::new();
        api.add_routes(&mut routes);
        let (routes, problems) = guard::<T>(routes, &plan, &protect);
        if !problems.is_empty() {
            return Err(DocumentError::new(problems));
        }
        let service = build(Guarded { routes, api: PhantomData });
        let raw =
            raw::parse(&service.spec()).map_err(|problem| DocumentError::new(vec![problem]))?;
        let prefix = routes::prefix::<T>(&raw);
        let declared = Declared::of(raw, &plan, &prefix, protect.scheme_name());
        Ok((service, ApiDocument::new(protect, declared.document)))
    }
}

impl<T> fmt::Debug for Secured<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secured").field("protect", &self.protect).finish_non_exhaustive()
    }
}

/// An API with a guard before each operation; [`Secured::into_service`] hands it out.
pub struct Guarded<T> {
    routes: RouteTable,
    /// Whose metadata the document is made of.
    api: PhantomData<fn() -> T>,
}

impl<T: OpenApi> OpenApi for Guarded<T> {
    fn meta() -> Vec<MetaApi> {
        T::meta()
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }

    fn add_routes(self, route_table: &mut RouteTable) {
        for (path, methods) in self.routes {
            route_table.entry(path).or_default().extend(methods);
        }
    }
}

impl<T> fmt::Debug for Guarded<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guarded").field("paths", &self.routes.keys()).finish()
    }
}
