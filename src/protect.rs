//! What happens to a request, in order.
//!
//! 1. The token is found, by the application's resolver or in the `Authorization` header.
//! 2. A JWT is taken apart, its signature verified with the tenant's keys, its claims judged. An
//!    opaque token is introspected, and its claims are judged alike.
//! 3. Possession is proved before permission is asked: the certificate the token is bound to.
//! 4. Scopes, then groups.

use std::{
    collections::BTreeMap,
    error::Error as StdError,
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::{
    builder::ProtectApiBuilder,
    certificate::{CertificateBinding, PeerCertificate},
    certificate_header::certificate_in,
    claims::{Claims, Expectations},
    clock::Clock,
    config::{ConfigError, Resource},
    diagnosis::Diagnosis,
    doctor::Doctor,
    error::{Cause, Chain, Error, Internal, InvalidToken},
    jwt::UnverifiedJwt,
    policy::{Access, GroupRules, Policy},
    refusal::{Realm, Refusal},
    tenant::{Tenant, introspection::Introspector},
    token::{AccessToken, TokenKind},
};

/// At most this often is the log told of opaque tokens that cannot be introspected.
const OPAQUE_WARNING_INTERVAL: Duration = Duration::from_secs(60);

/// Protects an API: validates access tokens of one tenant for one audience.
///
/// Clones share keys and state. Nothing is fetched before the first request, so the API starts
/// while the tenant is down; [`warm_up`](Self::warm_up) is for those who would rather wait.
#[derive(Clone)]
pub struct ProtectApi {
    inner: Arc<Inner>,
    scopes: Arc<ScopeDescriptions>,
}

/// The scopes an API knows, and what each permits.
pub(crate) type ScopeDescriptions = BTreeMap<String, String>;

pub(crate) struct Inner {
    pub(crate) tenant: Tenant,
    pub(crate) introspector: Option<Introspector>,
    pub(crate) introspect_jwt_tokens: bool,
    pub(crate) clock: Clock,
    pub(crate) expectations: Expectations,
    pub(crate) binding: CertificateBinding,
    /// Where a trusted proxy says what certificate it saw.
    pub(crate) certificate_header: Option<HeaderName>,
    pub(crate) group_rules: GroupRules,
    pub(crate) realm: Realm,
    pub(crate) resource: Option<Resource>,
    /// Whether the application serves the resource's metadata, so that challenges can name it.
    pub(crate) is_metadata_served: AtomicBool,
    pub(crate) scheme_name: String,
    pub(crate) swagger_client_id: Option<String>,
    pub(crate) max_token_length: usize,
    pub(crate) token_resolver: Option<TokenResolver>,
    pub(crate) last_opaque_warning: Mutex<Option<Instant>>,
}

/// Finds the token of a request elsewhere than in the `Authorization` header.
pub(crate) type TokenResolver = Box<
    dyn Fn(&HeaderMap) -> Result<Option<String>, Box<dyn StdError + Send + Sync>> + Send + Sync,
>;

impl ProtectApi {
    pub(crate) fn new(inner: Inner) -> Self {
        Self { inner: Arc::new(inner), scopes: Arc::default() }
    }

    /// Configures from the `MONOCLOUD_BACKEND_…` variables of the environment.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] with every mistake there is.
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::builder().env().build()
    }

    /// Configures from a list of variables instead of the environment, as a test would.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] with every mistake there is.
    pub fn from_vars<N, V>(vars: impl IntoIterator<Item = (N, V)>) -> Result<Self, ConfigError>
    where
        N: Into<String>,
        V: Into<String>,
    {
        Self::builder().vars(vars).build()
    }

    /// Configures step by step; for what no variable can say, and for a file.
    pub fn builder() -> ProtectApiBuilder {
        ProtectApiBuilder::new()
    }

    /// The tenant's issuer, as `iss` must name it.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.inner.expectations.issuer
    }

    /// This API's audience, as `aud` must hold it.
    #[must_use]
    pub fn audience(&self) -> &str {
        &self.inner.expectations.audience
    }

    /// Fetches the tenant's metadata and keys now instead of with the first request.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`] or [`Error::Internal`], as the first request would have met.
    pub async fn warm_up(&self) -> Result<(), Error> {
        self.inner.tenant.warm_up().await
    }

    /// Looks for what is wrong with this deployment: the tenant, this API's client there, the clock,
    /// and a token, if one is given: whether it would be accepted, and if not, why.
    ///
    /// The tenant is asked anew for each of its documents and for one introspection, whatever is
    /// cached, each within the response time-out; nothing is kept. Of the token some claims may be
    /// shown, so this is for its owner, and never an answer to a request.
    pub async fn diagnose(&self, token: Option<&str>) -> Diagnosis {
        Doctor::of(&self.inner).examine(token).await
    }

    /// Forgets what the tenant said of an opaque token, so that the next request with it asks again:
    /// for a log-out. Where a cache is shared, every process forgets.
    pub async fn forget(&self, token: &AccessToken) {
        if let Some(introspector) = &self.inner.introspector {
            introspector.forget(token).await;
        }
    }

    /// Describes a scope, once, for the document of every operation that needs it.
    #[must_use]
    pub fn scope(mut self, name: impl Into<String>, description: impl Into<String>) -> Self {
        Arc::make_mut(&mut self.scopes).insert(name.into(), description.into());
        self
    }

    /// A guard that lets requests pass whose token satisfies `policy`.
    #[must_use]
    pub fn require(&self, policy: Policy) -> Guard {
        self.guard(policy.into())
    }

    /// A guard that lets requests pass whose token is valid, and those without a token.
    #[must_use]
    pub fn optional(&self) -> Guard {
        self.guard(Access::any_token_or_none())
    }

    pub(crate) fn guard(&self, access: Access) -> Guard {
        Guard { protect: self.clone(), access: Arc::new(access) }
    }

    pub(crate) fn tenant(&self) -> &Tenant {
        &self.inner.tenant
    }

    pub(crate) fn scope_descriptions(&self) -> &ScopeDescriptions {
        &self.scopes
    }

    pub(crate) fn binding(&self) -> CertificateBinding {
        self.inner.binding
    }

    /// This API as a resource, if it has a URL. Challenges name its metadata from now on.
    pub(crate) fn announce_resource(&self) -> Option<&Resource> {
        self.inner.is_metadata_served.store(true, Ordering::Relaxed);
        self.inner.resource.as_ref()
    }

    pub(crate) fn scheme_name(&self) -> &str {
        &self.inner.scheme_name
    }

    pub(crate) fn swagger_client_id(&self) -> Option<&str> {
        self.inner.swagger_client_id.as_deref()
    }

    pub(crate) fn refuse(&self, error: Error) -> Refusal {
        let served = self.inner.is_metadata_served.load(Ordering::Relaxed);
        let metadata = self.inner.resource.as_ref().filter(|_| served);
        Refusal::new(error, &self.inner.realm)
            .with_metadata_at(metadata.map(|resource| &resource.metadata_url))
    }

    async fn authenticate(
        &self,
        headers: &HeaderMap,
        peer: Option<&PeerCertificate>,
    ) -> Result<Authenticated, Error> {
        let token = self.find_token(headers)?.ok_or(Error::MissingToken)?;
        let kind = match token.kind().map_err(Error::InvalidToken)? {
            TokenKind::Jwt if self.inner.introspect_jwt_tokens => TokenKind::Opaque,
            kind => kind,
        };
        let claims = match kind {
            TokenKind::Jwt => Arc::new(self.validate_jwt(&token).await?),
            TokenKind::Opaque => self.introspect(&token).await?,
        };
        // Where a proxy is configured, the peer is the proxy.
        let presented = || match &self.inner.certificate_header {
            Some(name) => certificate_in(headers, name),
            None => Ok(peer.cloned()),
        };
        self.inner.binding.judge(&claims, presented).map_err(Error::InvalidToken)?;
        Ok(Authenticated { claims, kind })
    }

    fn find_token(&self, headers: &HeaderMap) -> Result<Option<AccessToken>, Error> {
        let max_length = self.inner.max_token_length;
        let resolved = match &self.inner.token_resolver {
            None => None,
            Some(resolve) => resolve(headers).map_err(|error| {
                tracing::error!(%error, "the token resolver failed");
                Error::Internal(Internal::TokenResolver(Cause::new(error)))
            })?,
        };
        match resolved {
            // An empty cookie is no token.
            Some(token) if token.trim().is_empty() => Ok(None),
            Some(token) => AccessToken::from_bytes(token.as_bytes(), max_length).map(Some),
            None => AccessToken::in_headers(headers, max_length),
        }
    }

    async fn validate_jwt(&self, token: &AccessToken) -> Result<Claims, Error> {
        let expectations = &self.inner.expectations;
        let jwt = UnverifiedJwt::parse(token.expose(), expectations.rfc9068)
            .map_err(Error::InvalidToken)?;
        let claims = self.inner.tenant.verify(jwt).await?;
        expectations.judge(&claims, self.inner.clock.wall()).map_err(Error::InvalidToken)?;
        Ok(claims)
    }

    async fn introspect(&self, token: &AccessToken) -> Result<Arc<Claims>, Error> {
        let Some(introspector) = &self.inner.introspector else {
            self.warn_of_opaque_token();
            return Err(Error::InvalidToken(InvalidToken::Unsupported));
        };
        introspector.introspect(token).await
    }

    fn warn_of_opaque_token(&self) {
        let now = self.inner.clock.monotonic();
        let mut last =
            self.inner.last_opaque_warning.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due =
            last.is_none_or(|last| now.saturating_duration_since(last) >= OPAQUE_WARNING_INTERVAL);
        if is_due {
            *last = Some(now);
            tracing::warn!("an opaque access token was refused: introspection is not configured");
        }
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

/// Lets requests pass whose access token satisfies a policy.
///
/// [`ProtectApi::require`] makes one. It is a middleware of every host whose feature is on; where
/// there is none, [`check`](Self::check) is all that a host needs.
#[derive(Clone, Debug)]
pub struct Guard {
    protect: ProtectApi,
    access: Arc<Access>,
}

impl Guard {
    /// Authenticates a request and authorizes it by the policy.
    ///
    /// `peer` is the client certificate of the TLS connection that the request came by, if it has
    /// one. It does not count where a header is configured for certificates: there the connection
    /// is the proxy's.
    ///
    /// # Errors
    ///
    /// A [`Refusal`], ready to be sent.
    pub async fn check(
        &self,
        headers: &HeaderMap,
        peer: Option<&PeerCertificate>,
    ) -> Result<Caller, Refusal> {
        self.judge(headers, peer).await.map_err(|error| {
            tracing::debug!(error = %Chain(&error), "a request was refused");
            self.protect.refuse(error)
        })
    }

    /// Authorizes a caller that was let pass by a further policy.
    pub(crate) fn authorize(&self, caller: &Authenticated, policy: Policy) -> Result<(), Refusal> {
        Access::from(policy)
            .authorize(&caller.claims, &self.protect.inner.group_rules)
            .map_err(|denial| self.protect.refuse(Error::InsufficientScope(denial)))
    }

    async fn judge(
        &self,
        headers: &HeaderMap,
        peer: Option<&PeerCertificate>,
    ) -> Result<Caller, Error> {
        let authenticated = match self.protect.authenticate(headers, peer).await {
            Err(Error::MissingToken) if self.access.is_optional() => {
                return Ok(Caller(Err(self.protect.refuse(Error::MissingToken))));
            }
            authenticated => authenticated?,
        };
        self.access
            .authorize(&authenticated.claims, &self.protect.inner.group_rules)
            .map_err(Error::InsufficientScope)?;
        Ok(Caller(Ok(authenticated)))
    }
}

/// Who sent a request that a guard let pass; nobody in particular where a token is optional.
///
/// An operation that requires a token takes [`Authenticated`] instead.
#[derive(Clone, Debug)]
pub struct Caller(Result<Authenticated, Refusal>);

impl Caller {
    /// The caller, if the request carried a token.
    #[must_use]
    pub fn authenticated(&self) -> Option<&Authenticated> {
        self.0.as_ref().ok()
    }

    /// What the token says, if the request carried one.
    #[must_use]
    pub fn claims(&self) -> Option<&Claims> {
        self.authenticated().map(Authenticated::claims)
    }

    /// The caller, where an anonymous one is not enough after all.
    ///
    /// # Errors
    ///
    /// The [`Refusal`] of a request without a token.
    pub fn require(&self) -> Result<&Authenticated, Refusal> {
        self.0.as_ref().map_err(Refusal::clone)
    }

    /// What an anonymous caller is told where the application refuses it: a token would have been
    /// another way in.
    pub(crate) fn challenge(&self) -> Option<HeaderValue> {
        self.0.as_ref().err().and_then(Refusal::challenge)
    }
}

/// A caller with a valid access token that permits the operation.
#[derive(Clone, Debug)]
pub struct Authenticated {
    claims: Arc<Claims>,
    kind: TokenKind,
}

impl Authenticated {
    /// What the token says.
    #[must_use]
    pub fn claims(&self) -> &Claims {
        &self.claims
    }

    /// How the token was validated.
    #[must_use]
    pub const fn kind(&self) -> TokenKind {
        self.kind
    }
}
