//! An API's settings, and the tenants whose tokens it accepts.

use std::{collections::BTreeMap, error::Error as StdError, fmt, sync::Arc};

use http::HeaderMap;

use super::{
    decision::DecisionHook,
    refusal::{Answering, ErrorBody},
    tenants::Tenants,
};
use crate::{
    certificate::{CertificateBinding, header::CertificateHeader},
    config::{ConfigError, DpopMode, Resource},
    dpop::Dpop,
    error::{Error, ForgetError},
    introspection::cache::NotRemoved,
    policy::{GroupMatch, ImpliedScopes},
    tenant::{Tenant, health::Health},
    token::AccessToken,
};

/// Protects an API: validates access tokens of one tenant for one audience, and of
/// [further tenants](Self::also_accept) if there are any.
///
/// Clones share keys and state. Nothing is fetched before the first request, so the API starts
/// while the tenant is down; [`warm_up`](Self::warm_up) is for those who would rather wait.
#[derive(Clone)]
pub struct ProtectApi {
    tenants: Tenants,
    settings: Arc<ApiSettings>,
    scopes: Arc<ScopeDescriptions>,
    implied: Arc<ImpliedScopes>,
}

/// The scopes an API knows, and what each permits.
pub(crate) type ScopeDescriptions = BTreeMap<String, String>;

/// What is configured for the API rather than for a tenant.
pub(crate) struct ApiSettings {
    /// Where a trusted proxy passes the client certificate on.
    pub(crate) certificate_header: Option<CertificateHeader>,
    pub(crate) answering: Arc<Answering>,
    pub(crate) resource: Option<Resource>,
    pub(crate) scheme_name: String,
    pub(crate) swagger_client_id: Option<String>,
    pub(crate) max_token_length: usize,
    pub(crate) token_resolver: Option<TokenResolver>,
    pub(crate) decision: Option<DecisionHook>,
    /// Nothing while DPoP is disabled.
    pub(crate) dpop: Option<Dpop>,
    /// Whether the instances of this API share a secret.
    pub(crate) has_fleet_key: bool,
}

/// Finds the token of a request elsewhere than in the `Authorization` header.
pub(crate) type TokenResolver = Box<
    dyn Fn(&HeaderMap) -> Result<Option<String>, Box<dyn StdError + Send + Sync>> + Send + Sync,
>;

impl ProtectApi {
    pub(super) fn new(tenants: Tenants, settings: ApiSettings) -> Self {
        Self {
            tenants,
            settings: Arc::new(settings),
            scopes: Arc::default(),
            implied: Arc::default(),
        }
    }

    /// The tenant's issuer, as `iss` must name it.
    #[must_use]
    pub fn issuer(&self) -> &str {
        self.tenants.own().issuer()
    }

    /// This API's audience, as `aud` must hold it.
    #[must_use]
    pub fn audience(&self) -> &str {
        &self.tenants.own().expectations.audience
    }

    /// Fetches the tenant's metadata and keys now instead of with the first request; those of every
    /// tenant at once, if there are several.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`] or [`Error::Internal`], as for the first request: the first one, after
    /// every tenant was tried.
    pub async fn warm_up(&self) -> Result<(), Error> {
        self.tenants.warm_up().await
    }

    /// The state of this API and its tenants, for a readiness probe: what is kept, how old it is,
    /// when it is fetched next, and what failed.
    ///
    /// It waits for nothing. Before the first request it starts what that would start, so that an
    /// API that gets no requests until it is ready becomes ready.
    #[must_use]
    pub fn health(&self) -> Health {
        Health::new(self.tenants.all().map(|validator| validator.tenant.health()).collect())
    }

    /// Forgets what any tenant said of an opaque token, for example at logout: the next request with
    /// it asks the tenant again. A call that is under way still serves the requests that wait for
    /// it, and its result is not kept.
    ///
    /// Where a cache is shared, this holds in every process that shares it once `Ok` is returned.
    ///
    /// # Errors
    ///
    /// [`ForgetError`] if a shared cache did not confirm it. This process has forgotten the token
    /// all the same; the others may accept it until the removal, which is retried, succeeds, or the
    /// result expires.
    pub async fn forget(&self, token: &AccessToken) -> Result<(), ForgetError> {
        // Every cache starts before the first is waited for.
        let removals: Vec<_> = self
            .tenants
            .all()
            .filter_map(|validator| {
                let removal = validator.introspector.as_ref()?.forget(token);
                Some((validator.issuer().to_owned(), removal))
            })
            .collect();
        let mut failures = Vec::new();
        for (issuer, removal) in removals {
            if let Err(NotRemoved { is_retried }) = removal.await {
                failures.push((issuer, is_retried));
            }
        }
        ForgetError::of(failures)
    }

    /// Also accepts the tokens that `other` accepts, each validated by what is configured there for
    /// its tenant: audience, times, keys, introspection, certificate binding, groups.
    ///
    /// The settings of the API rather than of a tenant stay those of `self`: where a token and a
    /// certificate are found, the longest token, realm, documents and scopes.
    ///
    /// ```no_run
    /// # use monocloud_backend::{ConfigError, ProtectApi};
    /// # fn main() -> Result<(), ConfigError> {
    /// let partner = ProtectApi::builder().file("partner.toml").build()?;
    /// let protect = ProtectApi::from_env()?.also_accept(partner)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if an issuer is accepted already, even for another audience: a token does not
    /// say which of the two configurations applies to it.
    pub fn also_accept(mut self, other: Self) -> Result<Self, ConfigError> {
        self.tenants.add(&other.tenants).map_err(|issuer| {
            ConfigError::of("also_accept", format!("the issuer {issuer} is accepted already"))
        })?;
        Ok(self)
    }

    /// Names the issuer of the opaque token in a request, by its headers; compared with
    /// [`issuer`](Self::issuer) byte for byte. Without a name, and with one whose tokens are not
    /// accepted, the token is rejected and no tenant is asked.
    ///
    /// Needed for opaque tokens of several tenants; a JWT names its issuer itself.
    ///
    /// ```
    /// # use monocloud_backend::ProtectApi;
    /// # fn named(protect: ProtectApi) -> ProtectApi {
    /// protect.issuer_resolver(|headers| match headers.get("x-partner")?.to_str().ok()? {
    ///     "acme" => Some("https://acme.us.monocloud.com".to_owned()),
    ///     "partner" => Some("https://partner.eu.monocloud.com".to_owned()),
    ///     _ => None,
    /// })
    /// # }
    /// # let _ = named;
    /// ```
    #[must_use]
    pub fn issuer_resolver<F>(mut self, resolver: F) -> Self
    where
        F: Fn(&HeaderMap) -> Option<String> + Send + Sync + 'static,
    {
        self.tenants.set_resolver(resolver);
        self
    }

    /// Describes a scope, once, for the document of every operation that needs it.
    #[must_use]
    pub fn describe_scope(
        mut self,
        name: impl Into<String>,
        description: impl Into<String>,
    ) -> Self {
        Arc::make_mut(&mut self.scopes).insert(name.into(), description.into());
        self
    }

    /// Says that a scope stands for others too, and for what those imply: a token with it permits
    /// whatever they do. A challenge still names the scopes that the operation declares.
    ///
    /// Every scope named here must be [described](Self::describe_scope), and none may imply itself;
    /// otherwise an API whose document is its policy does not start.
    ///
    /// ```
    /// # use monocloud_backend::ProtectApi;
    /// # fn described(protect: ProtectApi) -> ProtectApi {
    /// protect
    ///     .describe_scope("posts:read", "Read posts")
    ///     .describe_scope("posts:write", "Write posts")
    ///     .describe_scope("posts:admin", "Administer posts")
    ///     .implies("posts:admin", &["posts:read", "posts:write"])
    /// # }
    /// # let _ = described;
    /// ```
    #[must_use]
    pub fn implies(mut self, scope: impl Into<String>, implied: &[&str]) -> Self {
        let implied = implied.iter().map(|scope| (*scope).to_owned());
        Arc::make_mut(&mut self.implied).declare(scope.into(), implied);
        self
    }

    pub(crate) fn implied_scopes(&self) -> &Arc<ImpliedScopes> {
        &self.implied
    }

    pub(crate) fn tenant(&self) -> &Tenant {
        &self.tenants.own().tenant
    }

    pub(crate) fn scope_descriptions(&self) -> &ScopeDescriptions {
        &self.scopes
    }

    /// Whether tokens may, or must, be bound to a key of the client.
    pub(crate) fn dpop_mode(&self) -> DpopMode {
        self.settings.answering.dpop
    }

    pub(crate) fn binding(&self) -> CertificateBinding {
        self.tenants.own().binding
    }

    /// Whether one or all of the groups count where a policy does not say.
    pub(crate) fn default_group_match(&self) -> GroupMatch {
        self.tenants.own().authorization_rules.default_match
    }

    /// This API as a resource, if it has a URL. Challenges name its metadata from now on.
    pub(crate) fn announce_resource(&self) -> Option<&Resource> {
        let resource = self.settings.resource.as_ref()?;
        self.settings.answering.metadata.get_or_init(|| Arc::clone(&resource.metadata_url));
        Some(resource)
    }

    pub(crate) fn scheme_name(&self) -> &str {
        &self.settings.scheme_name
    }

    pub(crate) fn error_body(&self) -> &ErrorBody {
        &self.settings.answering.body
    }

    pub(crate) fn swagger_client_id(&self) -> Option<&str> {
        self.settings.swagger_client_id.as_deref()
    }

    pub(crate) fn tenants(&self) -> &Tenants {
        &self.tenants
    }

    pub(crate) fn settings(&self) -> &ApiSettings {
        &self.settings
    }
}

impl fmt::Debug for ProtectApi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProtectApi")
            .field("issuer", &self.issuer())
            .field("audience", &self.audience())
            .finish_non_exhaustive()
    }
}
