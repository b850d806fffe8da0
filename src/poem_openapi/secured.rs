//! The wrapper that puts each operation behind its guard.
//!
//! For each route of the wrapped API:
//!
//! 1. its operation is documented with a requirement of ours: a guard judges the request before
//!    anything of it is parsed;
//! 2. its operation is documented without one: it is public, and a handler that asks for the
//!    caller all the same gets none but a 500;
//! 3. it is not documented: the argument's type is all that is known, so it judges for itself;
//! 4. the document does not say clearly what it needs: it answers 500, and the log says why.

use std::{collections::HashMap, fmt};

use ::poem::{
    EndpointExt, Request, Result,
    endpoint::{BoxEndpoint, make},
    http::Method,
};
use poem_openapi::{
    OpenApi,
    registry::{MetaApi, MetaOperation, Registry},
};

use super::{policy_name, routes};
use crate::{
    error::{Error, Internal},
    poem::refused,
    policy::{Access, Policy},
    protect::{Caller, Guard, ProtectApi},
    refusal::{Realm, Refusal},
};

type RouteTable = HashMap<String, HashMap<Method, BoxEndpoint<'static>>>;

impl ProtectApi {
    /// Puts every operation of an API, or of a tuple of APIs, behind the requirement that its
    /// document states.
    ///
    /// ```
    /// # use monocloud_backend::{ConfigError, ProtectApi, poem_openapi::Bearer};
    /// # use poem_openapi::{OpenApi, OpenApiService};
    /// # struct PostsApi;
    /// # #[OpenApi]
    /// # impl PostsApi {
    /// #     #[oai(path = "/posts", method = "get")]
    /// #     async fn list(&self, _caller: Bearer) {}
    /// # }
    /// # fn main() -> Result<(), ConfigError> {
    /// # let vars = [("MONOCLOUD_BACKEND_TENANT_DOMAIN", "acme.us.monocloud.com"), ("MONOCLOUD_BACKEND_AUDIENCE", "api")];
    /// # let protect = ProtectApi::from_vars(vars)?;
    /// let service = OpenApiService::new(protect.secure(PostsApi), "Posts", "1.0");
    /// # let _ = service;
    /// # Ok(())
    /// # }
    /// ```
    pub fn secure<T: OpenApi>(&self, api: T) -> Secured<T> {
        Secured { protect: self.clone(), api }
    }
}

/// An API whose document is its policy; [`ProtectApi::secure`] makes it.
#[derive(Clone)]
pub struct Secured<T> {
    protect: ProtectApi,
    api: T,
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

    fn add_routes(self, route_table: &mut RouteTable) {
        let mut routes = RouteTable::new();
        self.api.add_routes(&mut routes);
        let operations = Operations::of::<T>();
        for (path, methods) in routes {
            let secured = methods.into_iter().map(|(method, endpoint)| {
                let endpoint = match operations.access_to(&path, &method) {
                    Ok(Some(access)) => endpoint.with(self.protect.guard(access)).boxed(),
                    Ok(None) => endpoint,
                    Err(Unclear::Undocumented) => {
                        endpoint.data(Hidden(self.protect.clone())).boxed()
                    }
                    Err(Unclear::Contradictory(reason)) => {
                        tracing::error!(%method, path, reason, "an operation answers 500");
                        refuse_all()
                    }
                };
                (method, endpoint)
            });
            route_table.entry(path.clone()).or_default().extend(secured);
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
struct Operations(Vec<(String, MetaOperation)>);

/// Why the document does not say what a route needs.
enum Unclear {
    Contradictory(&'static str),
    Undocumented,
}

impl Operations {
    fn of<T: OpenApi>() -> Self {
        let paths = T::meta().into_iter().flat_map(|api| api.paths);
        let operations = paths.flat_map(|path| {
            path.operations.into_iter().map(move |operation| (path.path.clone(), operation))
        });
        Self(operations.collect())
    }

    /// Who may call a route; `None` if everybody may.
    fn access_to(&self, route: &str, method: &Method) -> Result<Option<Access>, Unclear> {
        let mut accesses = self
            .0
            .iter()
            .filter(|(path, operation)| operation.method == *method && routes::matches(path, route))
            .map(|(_, operation)| access(operation));
        let access = accesses.next().ok_or(Unclear::Undocumented)??;
        for other in accesses {
            if other? != access {
                return Err(Unclear::Contradictory(
                    "it is documented twice, with different requirements",
                ));
            }
        }
        Ok(access)
    }
}

/// Reads an operation's requirement: its alternatives of ours, and whether there are others.
fn access(operation: &MetaOperation) -> Result<Option<Access>, Unclear> {
    let mut access = Access::default();
    for alternative in &operation.security {
        let ours = alternative
            .iter()
            .filter_map(|(name, scopes)| Some((policy_name::requirement(name)?, scopes)));
        let mut ours = ours.map(|(mut requirement, scopes)| {
            requirement.scopes.extend(scopes.iter().map(|scope| (*scope).to_owned()));
            requirement
        });
        match ours.next() {
            Some(requirement) => access.alternatives.push(requirement),
            None => access.is_optional = true,
        }
    }
    match access.alternatives.len() {
        0 => Ok(None),
        1 => Ok(Some(access)),
        _ => Err(Unclear::Contradictory("two of its arguments are bearer tokens")),
    }
}

/// Stands where it is not clear who may pass.
fn refuse_all() -> BoxEndpoint<'static> {
    let endpoint = make(|_: Request| async {
        let refusal = Refusal::new(Error::Internal(Internal::Unprotected), &Realm::new(""));
        Err::<(), _>(refused(refusal))
    });
    endpoint.map_to_response().boxed()
}
