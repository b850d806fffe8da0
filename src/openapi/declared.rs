//! An API whose document is given: written by hand before there was code, or by a tool from code.

use super::{
    ApiDocument, DocumentError,
    document::Document,
    operations::{Dialect, Operations},
    plan::Plan,
    references,
    security::OperationKey,
};
use crate::{policy::Policy, protect::ProtectApi};

impl ProtectApi {
    /// Takes an OpenAPI document (3.0 to 3.2, as JSON or YAML) for the policy of an API.
    ///
    /// An operation states what it needs as `security`, in our scheme's name, with root `security`
    /// for those that state nothing; groups stand in `x-monocloud-groups`. The scheme itself need
    /// not be described, since the document that is served has the tenant's endpoints in it; if it
    /// is, its flows describe the scopes.
    ///
    /// ```
    /// # use monocloud_backend::ProtectApi;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let vars = [("MONOCLOUD_BACKEND_TENANT_DOMAIN", "acme.us.monocloud.com"), ("MONOCLOUD_BACKEND_AUDIENCE", "api")];
    /// # let protect = ProtectApi::from_vars(vars)?;
    /// let api = protect.from_document(
    ///     r#"
    ///     openapi: 3.1.0
    ///     info: { title: Posts, version: "1.0" }
    ///     paths:
    ///       /posts:
    ///         get:
    ///           security: [MonoCloud: []]
    ///           responses: { "200": { description: All posts } }
    ///     "#,
    /// )?;
    /// # let _ = api;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`DocumentError`] if the text is not valid JSON or YAML, has a member twice, is of another
    /// version, refers to operations in other files, or has `security` or an extension of this
    /// library where it is not read.
    pub fn from_document(&self, text: &str) -> Result<DeclaredApi, DocumentError> {
        let document = Document::read(text, self.scheme_name(), self.binding())?;
        let mut protect = self.clone();
        for (scope, description) in document.scopes(self.scheme_name()) {
            if !protect.scope_descriptions().contains_key(scope) {
                protect = protect.scope(scope, description);
            }
        }
        Ok(DeclaredApi { protect, document, plan: Plan::default() })
    }
}

/// An API as its document declares it; [`ProtectApi::from_document`] makes it.
#[derive(Clone, Debug)]
pub struct DeclaredApi {
    protect: ProtectApi,
    document: Document,
    plan: Plan,
}

impl DeclaredApi {
    /// Protects every operation that states no requirement, where the document has no root
    /// `security` either; the document that is served says so.
    #[must_use]
    pub fn by_default(mut self, policy: Policy) -> Self {
        self.plan.default = Some(policy);
        self
    }

    /// Leaves an operation out of the [default](Self::by_default): anybody may call it. A route
    /// that the document does not know is named so too.
    #[must_use]
    pub fn public(mut self, method: &str, path: &str) -> Self {
        self.plan.public(method, path);
        self
    }

    /// Puts a guard before each of a host's routes, after comparing routes and document.
    ///
    /// # Errors
    ///
    /// [`DocumentError`] with everything on which the two differ, every operation whose requirement
    /// is not clear, every scope that nothing describes, and every public path that does not exist.
    pub fn routes<R: Routes>(
        mut self,
        routes: R,
    ) -> Result<(R::Guarded, ApiDocument), DocumentError> {
        let Self { protect, document, plan } = &mut self;
        if !document.members().contains_key("security") {
            document.rewrite(|path, method, operation| {
                if !operation.contains_key("security") {
                    let key = OperationKey { path: path.to_owned(), method: method.clone() };
                    plan.complete(&key, operation, protect.scheme_name());
                }
            });
        }
        let mut problems = references::resolve_refusals(document, protect.scheme_name());
        let (guarded, differences) = routes.guard(&Declaration { protect, document, plan });
        problems.extend(differences);
        if !problems.is_empty() {
            return Err(DocumentError::new(problems));
        }
        Ok((guarded, ApiDocument::new(self.protect, self.document)))
    }
}

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
}

impl Declaration<'_> {
    /// Every path that is documented or listed as public, as it is written there.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &str> {
        let documented = self.document.operations().map(|operation| operation.path);
        documented.chain(self.plan.public.iter().map(|public| &*public.path))
    }

    /// The document beside a host's routes, each a path and a method.
    pub(crate) fn operations(
        &self,
        routes: impl IntoIterator<Item = (String, String)>,
        dialect: Dialect,
    ) -> Operations<'_> {
        Operations::new(self.document, Vec::new(), routes, dialect, self.plan, self.protect)
    }
}
