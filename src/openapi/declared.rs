//! An API whose document is given: written by hand before there was code, or by a tool from code.

use super::{
    check,
    document::{Document, operation_place},
    error::DocumentError,
    operations::{Dialect, Operations},
    plan::Plan,
    read, references,
    report::value::{self, PolicyReport},
    security::{OperationKey, OtherSchemes, Unclear},
    serve::ApiDocument,
};
use crate::{policy::PolicyBuf, protect::ProtectApi};

impl ProtectApi {
    /// Takes an OpenAPI document (3.0 to 3.2, as JSON, or as YAML with the feature `yaml`) for the
    /// policy of an API.
    ///
    /// An operation declares what it needs as `security`, in this library's scheme (`MonoCloud`
    /// unless configured), with root `security` for those without their own; groups are in
    /// `x-monocloud-groups`. The scheme itself need not be described, since the document that is
    /// served has the tenant's endpoints in it; if it is, its flows describe the scopes. Other
    /// schemes are those of [`application_scheme`](DeclaredApi::application_scheme), and are served
    /// as they are described. A requirement names a scheme of `components.securitySchemes`, never a
    /// URI (OpenAPI 3.2).
    ///
    /// ```
    /// # use monocloud_backend::ProtectApi;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let vars = [("MONOCLOUD_BACKEND_TENANT_DOMAIN", "acme.us.monocloud.com"), ("MONOCLOUD_BACKEND_AUDIENCE", "api")];
    /// # let protect = ProtectApi::from_vars(vars)?;
    /// let api = protect.document(
    ///     r#"{
    ///         "openapi": "3.1.0",
    ///         "info": { "title": "Posts", "version": "1.0" },
    ///         "paths": { "/posts": { "get": {
    ///             "security": [{ "MonoCloud": [] }],
    ///             "responses": { "200": { "description": "All posts" } }
    ///         } } }
    ///     }"#,
    /// )?;
    /// # let _ = api;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`DocumentError`] if the text is not valid JSON or YAML, is YAML without that feature, has a
    /// member twice, is of another version, refers to operations in other files, or has `security`
    /// or an extension of this library where it is not read.
    pub fn document(&self, text: &str) -> Result<DeclaredApi, DocumentError> {
        let document = read_document(text, self)?;
        let mut protect = self.clone();
        for (scope, description) in document.scopes(self.scheme_name()) {
            if !protect.scope_descriptions().contains_key(scope) {
                protect = protect.describe_scope(scope, description);
            }
        }
        for (scope, implied) in document.implied_scopes(self.scheme_name()) {
            let implied: Vec<&str> = implied.iter().map(String::as_str).collect();
            protect = protect.implies(scope, &implied);
        }
        Ok(DeclaredApi { protect, document, plan: Plan::default() })
    }
}

fn read_document(text: &str, protect: &ProtectApi) -> Result<Document, DocumentError> {
    let scheme = protect.scheme_name();
    let read::Text { mut members, order, version } =
        read::read(text).map_err(DocumentError::unreadable)?;
    let mut problems = check::extensions(&members, scheme, protect.binding(), protect.dpop_mode());
    references::resolve_paths(&mut members, &mut problems);
    check::security_schemes(&members, &mut problems);
    check::implied_scopes(&members, scheme, &mut problems);
    check::paths(&members, version, &mut problems);
    if !problems.is_empty() {
        return Err(DocumentError::unusable(problems));
    }
    let mut document = Document::new(members, order);
    document.name_wildcards();
    Ok(document)
}

/// An API as its document declares it; [`ProtectApi::document`] makes it.
#[derive(Clone, Debug)]
pub struct DeclaredApi {
    protect: ProtectApi,
    document: Document,
    plan: Plan,
}

impl DeclaredApi {
    /// Requires a policy of every operation without a requirement of this library's scheme, in
    /// addition to whatever else it lists; the document that is served says so.
    ///
    /// It does not apply to operations that are [`public`](Self::public) or have `security: []` of
    /// their own, nor to [`hidden`](Self::hidden) ones.
    #[must_use]
    pub fn by_default(mut self, policy: impl Into<PolicyBuf>) -> Self {
        self.plan.default = Some(policy.into());
        self
    }

    /// As [`by_default`](Self::by_default), for the operations whose path is `path` or lies below it
    /// by whole segments. Of several such paths the longest counts, and each takes precedence over
    /// the default for all.
    #[must_use]
    pub fn by_default_under(mut self, path: &str, policy: impl Into<PolicyBuf>) -> Self {
        self.plan.by_default_under(path, policy.into());
        self
    }

    /// Lets anyone call an operation: no [default](Self::by_default) applies to it. A route that the
    /// document does not have is listed likewise.
    #[must_use]
    pub fn public(mut self, method: &str, path: &str) -> Self {
        self.plan.public(method, path);
        self
    }

    /// Requires a policy of one operation, in addition to what the document declares for it; the
    /// document that is served says so. It writes what the macro of a framework has no words for.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use monocloud_backend::{openapi::DeclaredApi, Policy};
    /// const STRONG: Policy = Policy::ANY_TOKEN.acr_values(&["urn:example:mfa"]);
    ///
    /// # fn with_step_up(api: DeclaredApi) -> DeclaredApi {
    /// api.require("POST", "/posts/{id}/publish", STRONG)
    /// # }
    /// ```
    #[must_use]
    pub fn require(mut self, method: &str, path: &str, policy: impl Into<PolicyBuf>) -> Self {
        self.plan.require(method, path, policy.into());
        self
    }

    /// Says what a route needs that the document does not have.
    ///
    /// ```
    /// # use monocloud_backend::{openapi::DeclaredApi, Policy};
    /// # fn with_reindex(api: DeclaredApi) -> DeclaredApi {
    /// api.hidden("POST", "/internal/reindex", Policy::ANY_TOKEN.any_group(&["operators"]))
    /// # }
    /// ```
    #[must_use]
    pub fn hidden(mut self, method: &str, path: &str, policy: impl Into<PolicyBuf>) -> Self {
        self.plan.hidden(method, path, policy.into());
        self
    }

    /// Says that the application enforces a security scheme of the document, such as an API key.
    ///
    /// Requirements of any other scheme but this library's are an error: nothing would enforce them.
    #[must_use]
    pub fn application_scheme(mut self, name: &str) -> Self {
        if let OtherSchemes::Declared(names) = &mut self.plan.other_schemes {
            names.push(name.to_owned());
        }
        self
    }

    /// Puts a guard before each of a host's routes, after comparing routes and document.
    ///
    /// # Errors
    ///
    /// [`DocumentError`] with everything on which the two differ, every operation that does not
    /// declare what it needs or not clearly, every scope that is not described, and everything that
    /// was listed and does not exist.
    pub fn routes<R: Routes>(
        mut self,
        routes: R,
    ) -> Result<(R::Guarded, ApiDocument), DocumentError> {
        let (guarded, problems) = self.guard(routes);
        if !problems.is_empty() {
            return Err(DocumentError::new(problems));
        }
        Ok((guarded, ApiDocument::new(self.protect, self.document)))
    }

    /// What every operation of the document needs, without routes: of an older document, which a newer
    /// report is [compared with](PolicyReport::weakened_since).
    ///
    /// # Errors
    ///
    /// [`DocumentError`] if it is not clear what an operation needs. One that declares nothing is
    /// public in the report, although an API with it does not start.
    pub fn report(&self) -> Result<PolicyReport, DocumentError> {
        let Self { protect, mut document, plan } = self.clone();
        let unclear = plan.apply(&mut document, "", protect.scheme_name());
        let (report, mut problems) = value::read(&document, &protect);
        problems.extend(unclear.into_iter().filter_map(|(key, why)| match why {
            Unclear::Because(why) => {
                Some(format!("{}: {why}", operation_place(&key.method, &key.path)))
            }
            Unclear::AtRoot => None,
        }));
        match problems.is_empty() {
            true => Ok(report),
            false => Err(DocumentError::unusable(problems)),
        }
    }

    /// The routes with their guards, and what prevents the API from starting.
    pub(crate) fn guard<R: Routes>(&mut self, routes: R) -> (R::Guarded, Vec<String>) {
        let Self { protect, document, plan } = self;
        let unclear = plan.apply(document, "", protect.scheme_name());
        let mut problems = references::check_refusals(document, protect.scheme_name());
        let (guarded, differences) =
            routes.guard(&Declaration { protect, document, plan, unclear });
        problems.extend(differences);
        (guarded, problems)
    }
}

/// For the tests of the hosts: operations that are not clear, each routed by `GET`. The API does not
/// start; if it did, every one of them would have to reject.
#[cfg(test)]
pub(crate) fn unclear_api() -> DeclaredApi {
    let document = r#"{
        "openapi": "3.1.0",
        "info": { "title": "Posts", "version": "1.0" },
        "components": { "securitySchemes": { "Foreign": { "type": "http", "scheme": "bearer" } } },
        "paths": {
            "/silent": { "get": {} },
            "/malformed": { "get": { "security": { "MonoCloud": [] } } },
            "/foreign": { "get": { "security": [{ "Foreign": [] }] } },
            "/shared/{one}": { "get": { "security": [] } },
            "/shared/{other}": { "get": { "security": [] } }
        }
    }"#;
    let vars = [
        ("MONOCLOUD_BACKEND_TENANT_DOMAIN", "acme.us.monocloud.com"),
        ("MONOCLOUD_BACKEND_AUDIENCE", "https://api.example.com"),
    ];
    ProtectApi::from_vars(vars).unwrap().document(document).unwrap()
}

/// The paths of [`unclear_api`], and one that is hidden and not listed.
#[cfg(test)]
pub(crate) const UNCLEAR_PATHS: [&str; 5] =
    ["/silent", "/malformed", "/foreign", "/shared/7", "/hidden"];

/// The routes of a host: what [`DeclaredApi::routes`] can put guards before.
pub trait Routes {
    /// The routes with their guards.
    type Guarded;

    #[doc(hidden)]
    fn guard(self, declaration: &Declaration<'_>) -> (Self::Guarded, Vec<String>);
}

/// What a host compares its routes with.
#[allow(unnameable_types, reason = "hosts are modules of this crate")]
#[derive(Debug)]
pub struct Declaration<'d> {
    pub(crate) protect: &'d ProtectApi,
    document: &'d Document,
    plan: &'d Plan,
    /// Operations to which a default cannot be added.
    unclear: Vec<(OperationKey, Unclear)>,
}

impl Declaration<'_> {
    /// Every path that is documented or listed, as it is written there.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &str> {
        let documented = self.document.operations().map(|operation| operation.path);
        let hidden = self.plan.hidden.iter().map(|(listed, _)| listed);
        documented.chain(self.plan.public.iter().chain(hidden).map(|listed| &*listed.path))
    }

    /// The document beside a host's routes, each a path and a method.
    pub(crate) fn operations(
        &self,
        routes: impl IntoIterator<Item = (String, String)>,
        dialect: Dialect,
    ) -> Operations<'_> {
        let unclear = self.unclear.clone();
        Operations::new(self.document, unclear, routes, dialect, self.plan, self.protect)
    }
}
