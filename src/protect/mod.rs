//! What happens to a request, in order.
//!
//! 1. The token is found, by the application's resolver or in the `Authorization` header. Where
//!    there are several tenants, it is settled which one judges it.
//! 2. A JWT is taken apart, its signature verified with the tenant's keys, its claims judged. An
//!    opaque token is introspected, and its claims are judged alike.
//! 3. Possession is proved before permission is asked: the certificate the token is bound to.
//! 4. Scopes, then groups.

pub(crate) mod builder;
pub(crate) mod error_body;
pub(crate) mod refusal;
pub(crate) mod resource;
pub(crate) mod tenants;

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

use http::{HeaderMap, HeaderValue};
use tracing::{Instrument as _, field};

use crate::{
    certificate::{CertificateBinding, PeerCertificate, header::CertificateHeader},
    clock::Clock,
    config::{ConfigError, Resource},
    doctor::{Doctor, diagnosis::Diagnosis},
    error::{Cause, Chain, Error, ForgetError, Internal, InvalidToken},
    introspection::{Introspector, cache::NotRemoved},
    meter::Meter,
    policy::{Access, GroupMatch, GroupRules, Policy},
    protect::{
        builder::ProtectApiBuilder,
        error_body::ErrorBody,
        refusal::{Realm, Refusal},
        tenants::{FurtherTenants, Presented},
    },
    tenant::{Tenant, health::Health},
    token::{
        AccessToken, TokenKind,
        claims::{Claims, Expectations},
        jwt::DecodedJwt,
    },
};

/// At most this often is the log told of opaque tokens that cannot be introspected.
const OPAQUE_WARNING_INTERVAL: Duration = Duration::from_secs(60);

/// Protects an API: validates access tokens of one tenant for one audience, and of
/// [further tenants](Self::also_accept) if there are any.
///
/// Clones share keys and state. Nothing is fetched before the first request, so the API starts
/// while the tenant is down; [`warm_up`](Self::warm_up) is for those who would rather wait.
#[derive(Clone)]
pub struct ProtectApi {
    pub(crate) inner: Arc<Inner>,
    pub(crate) further: Arc<FurtherTenants>,
    scopes: Arc<ScopeDescriptions>,
}

/// The scopes an API knows, and what each permits.
pub(crate) type ScopeDescriptions = BTreeMap<String, String>;

pub(crate) struct Inner {
    pub(crate) tenant: Tenant,
    pub(crate) meter: Meter,
    pub(crate) introspector: Option<Introspector>,
    pub(crate) introspect_jwt_tokens: bool,
    pub(crate) clock: Clock,
    pub(crate) expectations: Expectations,
    pub(crate) binding: CertificateBinding,
    /// Where a trusted proxy says what certificate it saw.
    pub(crate) certificate_header: Option<CertificateHeader>,
    pub(crate) group_rules: Arc<GroupRules>,
    pub(crate) realm: Realm,
    pub(crate) error_body: ErrorBody,
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
        Self { inner: Arc::new(inner), further: Arc::default(), scopes: Arc::default() }
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

    /// Fetches the tenant's metadata and keys now instead of with the first request; those of every
    /// tenant at once, if there are several.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`] or [`Error::Internal`], as the first request would have met: the first
    /// one, after every tenant was tried.
    pub async fn warm_up(&self) -> Result<(), Error> {
        let further = self.further.start_warming_up();
        let outcome = self.inner.tenant.warm_up().await;
        outcome.and(further.await)
    }

    /// How this API stands with its tenants, for a readiness probe: what it keeps, how old that is,
    /// when it is fetched next, and what went wrong.
    ///
    /// It waits for nothing. If nobody has asked a tenant for anything yet, that is started, so
    /// that an API which gets no requests before it is ready comes to be ready.
    #[must_use]
    pub fn health(&self) -> Health {
        Health::new(self.issuers().map(|issuer| issuer.tenant.health()).collect())
    }

    /// Looks for what is wrong with this deployment: the tenant, this API's client there, the clock,
    /// and a token, if one is given: whether it would be accepted, and if not, why.
    ///
    /// The tenant is asked anew for each of its documents and for one introspection, whatever is
    /// cached, each within the response time-out; nothing is kept. Of the token some claims may be
    /// shown, so this is for its owner, and never an answer to a request.
    ///
    /// Of several tenants each is examined, and a JWT is judged as one of the tenant that it names.
    pub async fn diagnose(&self, token: Option<&str>) -> Diagnosis {
        if self.issuers().nth(1).is_none() {
            return Doctor::of(&self.inner).examine(token).await;
        }
        let judge = token.map(|token| self.issuer_claimed_by(token));
        let mut diagnoses = Vec::new();
        for issuer in self.issuers() {
            let token = token.filter(|_| judge.is_some_and(|judge| Arc::ptr_eq(judge, issuer)));
            let diagnosis = Doctor::of(issuer).examine(token).await;
            diagnoses.push((issuer.expectations.issuer.clone(), diagnosis));
        }
        Diagnosis::of_several(diagnoses)
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
            .issuers()
            .filter_map(|issuer| {
                let removal = issuer.introspector.as_ref()?.forget(token);
                Some((issuer.expectations.issuer.clone(), removal))
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

    /// Whether one or all of the groups count where a policy does not say.
    pub(crate) fn default_group_match(&self) -> GroupMatch {
        self.inner.group_rules.default_match
    }

    /// This API as a resource, if it has a URL. Challenges name its metadata from now on.
    pub(crate) fn announce_resource(&self) -> Option<&Resource> {
        self.inner.is_metadata_served.store(true, Ordering::Relaxed);
        self.inner.resource.as_ref()
    }

    pub(crate) fn scheme_name(&self) -> &str {
        &self.inner.scheme_name
    }

    pub(crate) fn error_body(&self) -> &ErrorBody {
        &self.inner.error_body
    }

    pub(crate) fn swagger_client_id(&self) -> Option<&str> {
        self.inner.swagger_client_id.as_deref()
    }

    pub(crate) fn refuse(&self, error: Error) -> Refusal {
        let served = self.inner.is_metadata_served.load(Ordering::Relaxed);
        let metadata = self.inner.resource.as_ref().filter(|_| served);
        Refusal::new(error, &self.inner.realm)
            .with_metadata_at(metadata.map(|resource| &resource.metadata_url))
            .with_body(&self.inner.error_body)
    }

    async fn authenticate(
        &self,
        headers: &HeaderMap,
        peer: Option<&PeerCertificate>,
    ) -> Result<Authenticated, Error> {
        let token = self.find_token(headers)?.ok_or(Error::MissingToken)?;
        let (issuer, presented) = self.issuer_of(&token, headers).map_err(Error::InvalidToken)?;
        let (claims, kind) = match presented {
            Presented::Jwt(jwt) => (Arc::new(issuer.validate(jwt).await?), TokenKind::Jwt),
            Presented::Opaque => (issuer.introspect(&token).await?, TokenKind::Opaque),
        };
        // Where a proxy is configured, the peer is the proxy.
        let presented = || match &self.inner.certificate_header {
            Some(header) => header.certificate_in(headers),
            None => Ok(peer.cloned()),
        };
        issuer.binding.judge(&claims, presented).map_err(Error::InvalidToken)?;
        Ok(Authenticated { claims, kind, group_rules: Arc::clone(&issuer.group_rules) })
    }

    fn find_token(&self, headers: &HeaderMap) -> Result<Option<AccessToken>, Error> {
        let max_length = self.inner.max_token_length;
        let resolved = match &self.inner.token_resolver {
            None => None,
            Some(resolve) => resolve(headers).map_err(|error| {
                tracing::error!(name: "token_resolver.failed", %error, "the token resolver failed");
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
}

/// Each judges a token by what is configured for its own tenant.
impl Inner {
    async fn validate(&self, jwt: DecodedJwt<'_>) -> Result<Claims, Error> {
        let jwt = jwt.judge_header(self.expectations.rfc9068).map_err(Error::InvalidToken)?;
        let claims = self.tenant.verify(jwt).await?;
        self.expectations.judge(&claims, self.clock.wall()).map_err(Error::InvalidToken)?;
        Ok(claims)
    }

    async fn introspect(&self, token: &AccessToken) -> Result<Arc<Claims>, Error> {
        let Some(introspector) = &self.introspector else {
            self.warn_of_opaque_token("introspection is not configured");
            return Err(Error::InvalidToken(InvalidToken::Unsupported));
        };
        introspector.introspect(token).await
    }

    pub(crate) fn warn_of_opaque_token(&self, why: &str) {
        let now = self.clock.monotonic();
        let mut last = self.last_opaque_warning.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due =
            last.is_none_or(|last| now.saturating_duration_since(last) >= OPAQUE_WARNING_INTERVAL);
        if is_due {
            *last = Some(now);
            tracing::warn!(
                name: "token.opaque_refused",
                "an opaque access token was refused: {why}"
            );
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
        let span = tracing::debug_span!(
            "authenticate",
            outcome = field::Empty,
            reason = field::Empty,
            issuer = self.protect.issuer()
        );
        let judged = self.judge(headers, peer).instrument(span.clone()).await;
        let (outcome, reason) = match &judged {
            Ok(Caller(Ok(caller))) => ("accepted", caller.kind.word()),
            Ok(Caller(Err(_))) => ("accepted", "anonymous"),
            Err(error) => (error.code(), error.reason()),
        };
        self.protect.inner.meter.validated(outcome, reason);
        span.record("outcome", outcome).record("reason", reason);
        judged.map_err(|error| {
            let _span = span.enter();
            tracing::debug!(
                name: "request.refused",
                error = %Chain(&error),
                outcome,
                reason,
                "a request was refused"
            );
            self.protect.refuse(error)
        })
    }

    /// Authorizes a caller that was let pass by a further policy.
    pub(crate) fn authorize(&self, caller: &Authenticated, policy: Policy) -> Result<(), Refusal> {
        Access::from(policy)
            .authorize(&caller.claims, &caller.group_rules)
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
            .authorize(&authenticated.claims, &authenticated.group_rules)
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
    /// A caller for unit tests of handlers. It is handed to a handler as an argument.
    #[must_use]
    pub fn for_tests(authenticated: Authenticated) -> Self {
        Self(Ok(authenticated))
    }

    /// A caller without a token, for unit tests of handlers.
    #[must_use]
    pub fn anonymous_for_tests() -> Self {
        Self(Err(Refusal::new(Error::MissingToken, &Realm::new("tests"))))
    }

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
    /// Those of the tenant that issued the token.
    group_rules: Arc<GroupRules>,
}

impl Authenticated {
    /// A caller that no guard has authenticated, for unit tests of handlers. The token passes for a
    /// JWT.
    ///
    /// ```
    /// use monocloud_backend::{Authenticated, Claims};
    /// use serde_json::json;
    ///
    /// let alice = Authenticated::for_tests(Claims::for_tests(json!({ "sub": "alice" })));
    /// assert_eq!(alice.claims().subject(), Some("alice"));
    /// ```
    #[must_use]
    pub fn for_tests(claims: Claims) -> Self {
        let rules = GroupRules { claim: "groups".to_owned(), default_match: GroupMatch::Any };
        Self { claims: Arc::new(claims), kind: TokenKind::Jwt, group_rules: Arc::new(rules) }
    }

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
