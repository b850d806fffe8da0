//! Step by step to a [`ProtectApi`]: what no variable can say.

use std::{
    env,
    error::Error as StdError,
    fmt,
    path::PathBuf,
    sync::{Arc, Mutex, OnceLock},
    time::{Duration, Instant, SystemTime},
};

use figment::value::Value;
use http::HeaderMap;

use super::{
    api::{ApiSettings, ProtectApi, TokenResolver},
    assembly,
    decision::{Decision, DecisionHook, DecisionRequest},
    refusal::{Answering, ErrorBody, Refusal},
    tenants::Tenants,
};
use crate::{
    certificate::CertificateBinding,
    clock::Clock,
    config::{ClientAuthMethod, ConfigError, DpopMode, Key, Sources},
    dpop::ReplayStore,
    introspection::{
        Introspector,
        cache::IntrospectionCache,
        client_auth::{ClientAuthentication, SvidProvider},
    },
    meter::Meter,
    tenant::{Tenant, http::HttpClient, settings::TenantConfig},
    token::{rules::Expectations, verified::VerifiedJwts},
    validator::TokenValidator,
};

/// A longer token is rejected before anything of it is decoded, in bytes.
const MAX_TOKEN_LENGTH: usize = 16 * 1024;

/// How often a token is introspected while a response lasts, at most; without a cache too.
const MIN_INTROSPECTION_INTERVAL: Duration = Duration::from_secs(10);

/// Configures a [`ProtectApi`].
///
/// A call here is stronger than the environment, the environment stronger than a file, and a file
/// stronger than the defaults. Nothing is read that was not asked for: start with
/// [`env`](Self::env) to have the variables too. [`build`](Self::build) validates everything at once.
///
/// ```
/// # use monocloud_backend::{ConfigError, ProtectApi};
/// # fn main() -> Result<(), ConfigError> {
/// let protect = ProtectApi::builder()
///     .env()
///     .tenant_domain("acme.us.monocloud.com")
///     .audience("https://api.example.com")
///     .build()?;
/// # Ok(())
/// # }
/// ```
#[must_use = "nothing is configured before `build`"]
pub struct ProtectApiBuilder {
    sources: Sources,
    /// Or what is wrong with the one that was given.
    error_body: Result<ErrorBody, &'static str>,
    rfc9068: bool,
    max_token_length: usize,
    token_resolver: Option<TokenResolver>,
    decision: Option<DecisionHook>,
    decision_timeout: Duration,
    svid_provider: Option<SvidProvider>,
    introspection_cache: Option<Arc<dyn IntrospectionCache>>,
    replay_store: Option<Arc<dyn ReplayStore>>,
    http_client: Option<Arc<dyn HttpClient>>,
    clock: Clock,
}

impl ProtectApi {
    /// Configures from the `MONOCLOUD_BACKEND_…` variables of the environment.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] with every problem.
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::builder().env().build()
    }

    /// Configures from a list of variables instead of the environment, as a test would.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] with every problem.
    pub fn from_vars<N, V>(vars: impl IntoIterator<Item = (N, V)>) -> Result<Self, ConfigError>
    where
        N: Into<String>,
        V: Into<String>,
    {
        Self::builder().vars(vars).build()
    }

    /// Configures step by step: for settings that are not variables, and for a file.
    pub fn builder() -> ProtectApiBuilder {
        ProtectApiBuilder::new()
    }
}

impl ProtectApiBuilder {
    fn new() -> Self {
        Self {
            sources: Sources::new(),
            error_body: Ok(ErrorBody::Message),
            rfc9068: false,
            max_token_length: MAX_TOKEN_LENGTH,
            token_resolver: None,
            decision: None,
            decision_timeout: DecisionHook::DEFAULT_LIMIT,
            svid_provider: None,
            introspection_cache: None,
            replay_store: None,
            http_client: None,
            clock: Clock::SYSTEM,
        }
    }

    /// Reads the `MONOCLOUD_BACKEND_…` variables of the environment.
    pub fn env(mut self) -> Self {
        self.sources.env(env::vars_os());
        self
    }

    /// Reads the `MONOCLOUD_BACKEND_…` variables of a list.
    pub fn vars<N, V>(mut self, vars: impl IntoIterator<Item = (N, V)>) -> Self
    where
        N: Into<String>,
        V: Into<String>,
    {
        self.sources.vars(vars.into_iter().map(|(name, value)| (name.into(), value.into())));
        self
    }

    /// Reads a TOML file, whose keys are the variables' names in lower case without the prefix.
    pub fn file(mut self, path: impl Into<PathBuf>) -> Self {
        self.sources.file(path);
        self
    }

    /// The tenant: `acme.us.monocloud.com` or an `https://` URL.
    pub fn tenant_domain(self, domain: impl Into<String>) -> Self {
        self.set(Key::TenantDomain, domain.into())
    }

    /// What `aud` must hold, byte for byte.
    pub fn audience(self, audience: impl Into<String>) -> Self {
        self.set(Key::Audience, audience.into())
    }

    /// The realm a challenge names, in printable ASCII; the audience unless set.
    pub fn realm(self, realm: impl Into<String>) -> Self {
        self.set(Key::Realm, realm.into())
    }

    /// How far this machine's clock is behind, in whole seconds up to an hour.
    pub fn clock_skew(self, skew: Duration) -> Self {
        self.set(Key::ClockSkew, seconds(skew))
    }

    /// How far clocks may differ, in whole seconds up to an hour; one minute unless set.
    pub fn clock_tolerance(self, tolerance: Duration) -> Self {
        self.set(Key::ClockTolerance, seconds(tolerance))
    }

    /// The client this API is when it introspects, and its secret: plain text, or a JWK as JSON text.
    pub fn client(self, id: impl Into<String>, secret: impl Into<String>) -> Self {
        self.set(Key::ClientId, id.into()).set(Key::ClientSecret, secret.into())
    }

    /// The client this API is when it introspects, where something else than a secret proves it.
    pub fn client_id(self, id: impl Into<String>) -> Self {
        self.set(Key::ClientId, id.into())
    }

    /// PEM files with the client's certificate chain and its key, for the methods by mutual TLS
    /// (RFC 8705 §2, SPIFFE). They are read again when they change.
    pub fn client_certificate(
        self,
        certificate_file: impl Into<PathBuf>,
        key_file: impl Into<PathBuf>,
    ) -> Self {
        let text = |path: PathBuf| path.to_string_lossy().into_owned();
        self.set(Key::ClientCertificateFile, text(certificate_file.into()))
            .set(Key::ClientKeyFile, text(key_file.into()))
    }

    /// The trust store of the tenant that vouches for the client's certificate: introspection goes
    /// to its own endpoint.
    pub fn trust_store_id(self, id: impl Into<String>) -> Self {
        self.set(Key::TrustStoreId, id.into())
    }

    /// How the client authenticates; [`ClientAuthMethod::ClientSecretPost`] unless set.
    pub fn client_auth_method(self, method: ClientAuthMethod) -> Self {
        self.set(Key::ClientAuthMethod, method.name())
    }

    /// Hands over the JWT-SVID of `spiffe_jwt`, asked for with every call, instead of a file.
    pub fn svid_provider<F, R>(mut self, provider: F) -> Self
    where
        F: Fn() -> R + Send + Sync + 'static,
        R: Future<Output = Result<String, Box<dyn StdError + Send + Sync>>> + Send + 'static,
    {
        self.svid_provider = Some(Arc::new(move || Box::pin(provider())));
        self.set(Key::SvidProvider, true)
    }

    /// Whether JWTs are introspected too: a revoked one is rejected at once, and each one costs a
    /// call to the tenant or a hit in the cache.
    pub fn introspect_jwt_tokens(self, introspect: bool) -> Self {
        self.set(Key::IntrospectJwtTokens, introspect)
    }

    /// Keeps the tenant's answers in the memory of this process.
    pub fn introspection_cache_in_memory(self) -> Self {
        self.set(Key::IntrospectionCache, "memory".to_owned())
    }

    /// Keeps the tenant's responses in a store of the application's, or in a `RedisCache` (one
    /// server, Sentinel or a cluster), sealed. It needs a [`fleet_key`](Self::fleet_key).
    pub fn introspection_cache(mut self, store: impl IntrospectionCache) -> Self {
        self.introspection_cache = Some(Arc::new(store));
        self.set(Key::IntrospectionCacheStore, true)
    }

    /// The secret that the instances of this API share and that no store knows: at least 32 bytes,
    /// random (`openssl rand -base64 32`). It seals what is kept in a shared store and is required
    /// with one. The nonces for DPoP proofs are issued under it too; without it, those of one process
    /// are unknown to another.
    ///
    /// A party that knows it and can write to the store can sign in as anyone. A new key turns what
    /// the store holds into misses.
    pub fn fleet_key(self, secret: impl Into<String>) -> Self {
        self.set(Key::FleetKey, secret.into())
    }

    /// How long answers are kept, in whole seconds; five minutes unless set, and never longer than
    /// the token lives. Zero turns caching off.
    pub fn introspection_cache_duration(self, duration: Duration) -> Self {
        self.set(Key::IntrospectionCacheDuration, seconds(duration))
    }

    /// The claim that lists a caller's groups; `groups` unless set.
    pub fn groups_claim(self, claim: impl Into<String>) -> Self {
        self.set(Key::GroupsClaim, claim.into())
    }

    /// Whether [`Policy::groups`](crate::Policy::groups) asks for all groups instead of one.
    pub fn groups_match_all(self, all: bool) -> Self {
        self.set(Key::GroupsMatchAll, all)
    }

    /// The memory for JWTs whose signature was verified, in bytes: 8 MiB unless set, at most 1 GiB. The
    /// signature of a token that comes again is not verified again while its key is in use; everything
    /// else is validated at each request. Zero turns this off.
    pub fn jwt_cache(self, bytes: u64) -> Self {
        self.set(Key::JwtCache, bytes)
    }

    /// How long the key set is fresh, in whole seconds; five minutes unless set.
    pub fn jwks_cache_duration(self, duration: Duration) -> Self {
        self.set(Key::JwksCacheDuration, seconds(duration))
    }

    /// How long the metadata is fresh, in whole seconds; five minutes unless set.
    pub fn metadata_cache_duration(self, duration: Duration) -> Self {
        self.set(Key::MetadataCacheDuration, seconds(duration))
    }

    /// How long the last good documents serve while the tenant fails, in whole seconds; six hours
    /// unless set.
    pub fn keys_outage_tolerance(self, duration: Duration) -> Self {
        self.set(Key::KeysOutageTolerance, seconds(duration))
    }

    /// How long an exchange with the tenant may take, body included, in milliseconds from one
    /// second to one minute; ten seconds unless set.
    pub fn response_timeout(self, timeout: Duration) -> Self {
        let is_whole = timeout.subsec_nanos().is_multiple_of(1_000_000);
        let whole = u64::try_from(timeout.as_millis()).ok().filter(|_| is_whole);
        self.set(
            Key::ResponseTimeout,
            whole.map_or_else(|| Value::from(timeout.as_secs_f64() * 1000.0), Value::from),
        )
    }

    /// A PEM file of authorities trusted in addition to the system's, for the tenant and for the
    /// Redis that the variable `INTROSPECTION_CACHE` names.
    pub fn ca_certificate_file(self, path: impl Into<PathBuf>) -> Self {
        self.set(Key::CaCertificateFile, path.into().to_string_lossy().into_owned())
    }

    /// Which tokens must be bound to a client certificate (RFC 8705). Whether they may be bound to a key
    /// is for [`dpop`](Self::dpop) to say; a token that is bound to both needs both.
    pub fn certificate_binding(self, binding: CertificateBinding) -> Self {
        self.set(Key::ValidateCertificateBinding, binding.word().to_owned())
    }

    /// The header in which a trusted proxy passes on the certificate of its TLS client.
    ///
    /// Anyone who can bypass the proxy can impersonate any client, and so can every client if the
    /// proxy does not remove the header from the requests it receives. The header holds exactly one
    /// certificate, `X-Forwarded-Client-Cert` exactly one element.
    pub fn client_certificate_header(self, name: impl Into<String>) -> Self {
        self.set(Key::ClientCertificateHeader, name.into())
    }

    /// Accepts an `X-Forwarded-Client-Cert` of several elements and reads the last one, for a proxy
    /// that appends to what it receives (Envoy's `APPEND_FORWARD`).
    ///
    /// Only the proxy next to this API vouches for anything, and only for the element it writes.
    /// The elements before it come from earlier proxies or from the caller, and are ignored. The
    /// last element must therefore be the one about the caller: where a sidecar adds its own, it
    /// describes the gateway instead.
    ///
    /// Envoy writes `URI=` and `DNS=`, the subject alternative names of the caller's certificate,
    /// without quotes, so that a name with a comma in it begins another element. Do not have the
    /// proxy forward them unless it accepts only certificates whose names it vouches for.
    pub fn last_forwarded_certificate_counts(self) -> Self {
        self.set(Key::LastForwardedCertificate, true)
    }

    /// Whether tokens may, or must, be bound to a key of the client (DPoP, RFC 9449);
    /// [`DpopMode::Disabled`] unless set. Proofs name the URL of the request, so the API must know its
    /// own: the [resource](Self::resource).
    ///
    /// ```
    /// # use monocloud_backend::{ConfigError, ProtectApi, dpop::DpopMode};
    /// # fn main() -> Result<(), ConfigError> {
    /// let protect = ProtectApi::builder()
    ///     .tenant_domain("acme.us.monocloud.com")
    ///     .audience("https://api.example.com")
    ///     .dpop(DpopMode::Allowed)
    ///     .build()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn dpop(self, mode: DpopMode) -> Self {
        self.set(Key::Dpop, mode.word().to_owned())
    }

    /// How far the time of a DPoP proof may differ from now, in whole seconds from one second to five
    /// minutes; one minute unless set. Proofs are remembered for as long, to be accepted once.
    pub fn dpop_proof_lifetime(self, lifetime: Duration) -> Self {
        self.set(Key::DpopProofLifetime, seconds(lifetime))
    }

    /// Whether every DPoP proof must contain a nonce of this API (RFC 9449 §9), so that proofs cannot
    /// be made in advance. Instances that share a [`fleet_key`](Self::fleet_key) accept each other's.
    pub fn dpop_nonce(self, required: bool) -> Self {
        self.set(Key::DpopNonce, required)
    }

    /// Records the DPoP proofs that were used in a store of the application's, which several processes
    /// share. It needs a [`fleet_key`](Self::fleet_key).
    pub fn dpop_replay_store(mut self, store: impl ReplayStore) -> Self {
        self.replay_store = Some(Arc::new(store));
        self.set(Key::DpopReplayStore, true)
    }

    /// The part of each request's path that a proxy removes, such as `/api/v1`. A DPoP proof names the
    /// URL that the client sees, so it is put back before they are compared.
    pub fn stripped_path_prefix(self, prefix: impl Into<String>) -> Self {
        self.set(Key::StrippedPathPrefix, prefix.into())
    }

    /// Reaches a tenant over plain `http` that is not on this machine. Anyone on the network path
    /// can then publish their own keys and forge tokens.
    pub fn dangerously_allow_http(self) -> Self {
        self.set(Key::DangerouslyAllowHttp, true)
    }

    /// What the security scheme is called in OpenAPI documents; `MonoCloud` unless set. A
    /// component's name has letters, digits, `.`, `_` and `-`.
    pub fn scheme_name(self, name: impl Into<String>) -> Self {
        self.set(Key::SchemeName, name.into())
    }

    /// Writes the bodies of refusals as problem details (RFC 9457), and describes them so in
    /// documents: `application/problem+json` with `type`, `title`, `status`, `code`, which is
    /// [`Error::reason`](crate::Error::reason), and `detail` where the challenge has an
    /// `error_description`. Status and headers stay as they are.
    pub fn problem_details(mut self) -> Self {
        self.error_body = Ok(ErrorBody::ProblemDetails);
        self
    }

    /// Writes the bodies of refusals by a function, and describes them in documents by the content
    /// type and the JSON Schema given here. Status and headers stay as they are. Of several calls,
    /// and of [`problem_details`](Self::problem_details), the last one counts.
    ///
    /// Callers who are not authenticated read what the function writes. A handler that no guard
    /// precedes is rejected with the default body, as nothing there knows this API.
    ///
    /// ```
    /// # use monocloud_backend::ProtectApi;
    /// use serde_json::json;
    ///
    /// let schema = json!({
    ///     "type": "object",
    ///     "required": ["errors"],
    ///     "properties": { "errors": { "type": "array", "items": { "type": "string" } } },
    /// });
    /// let builder = ProtectApi::builder().error_body("application/json", schema, |refusal| {
    ///     json!({ "errors": [refusal.error().reason()] }).to_string()
    /// });
    /// # let _ = builder;
    /// ```
    pub fn error_body<F>(mut self, content_type: &str, schema: serde_json::Value, write: F) -> Self
    where
        F: Fn(&Refusal) -> String + Send + Sync + 'static,
    {
        self.error_body = ErrorBody::custom(content_type, schema, write);
        self
    }

    /// The public client that people log in with on the page of the documentation; never this
    /// API's own.
    pub fn swagger_client_id(self, id: impl Into<String>) -> Self {
        self.set(Key::SwaggerClientId, id.into())
    }

    /// The public URL of this API, for its [metadata](ProtectApi::serve_resource_metadata); the audience,
    /// if that is an https URL, unless set.
    pub fn resource(self, url: impl Into<String>) -> Self {
        self.set(Key::Resource, url.into())
    }

    /// What the API is called for people, in its [metadata](ProtectApi::serve_resource_metadata).
    pub fn resource_name(self, name: impl Into<String>) -> Self {
        self.set(Key::ResourceName, name.into())
    }

    /// The URL of a page about this API for developers, in its
    /// [metadata](ProtectApi::serve_resource_metadata).
    pub fn resource_documentation(self, url: impl Into<String>) -> Self {
        self.set(Key::ResourceDocumentation, url.into())
    }

    /// Takes only tokens that say they are access tokens and carry every claim that RFC 9068 §2.2
    /// requires.
    pub fn require_rfc9068(mut self) -> Self {
        self.rfc9068 = true;
        self
    }

    /// The longest token that is read, in bytes; 16 KiB unless set.
    pub fn max_token_length(mut self, bytes: usize) -> Self {
        self.max_token_length = bytes;
        self
    }

    /// Finds the token elsewhere than in the `Authorization` header, which is still read where the
    /// resolver finds none. If it fails the request is answered with 500.
    ///
    /// What it finds is a bearer token: it is rejected if it is bound to a key, and where
    /// [`dpop`](Self::dpop) is required.
    ///
    /// ```
    /// # use monocloud_backend::ProtectApi;
    /// let builder = ProtectApi::builder().token_resolver(|headers| {
    ///     Ok(match headers.get("x-access-token") {
    ///         Some(token) => Some(token.to_str()?.to_owned()),
    ///         None => None,
    ///     })
    /// });
    /// # let _ = builder;
    /// ```
    pub fn token_resolver<F>(mut self, resolver: F) -> Self
    where
        F: Fn(&HeaderMap) -> Result<Option<String>, Box<dyn StdError + Send + Sync>>
            + Send
            + Sync
            + 'static,
    {
        self.token_resolver = Some(Box::new(resolver));
        self
    }

    /// Asks the application about every request whose token permits the operation: the last word,
    /// with everything that is known of the request but its body.
    ///
    /// `Deny` rejects it with 403, as a missing group would. An error, a panic and an answer that
    /// takes [too long](Self::decision_timeout) are 500 and logged: a request is never let through
    /// without a decision. Each decision is an event, `decision.allowed` or `decision.denied`, so that
    /// a subscriber can be the audit log. Requests without a token, where none is needed, are not asked
    /// about.
    ///
    /// The manual shows it with an [AuthZEN](crate::manual::decisions) endpoint.
    ///
    /// ```
    /// use monocloud_backend::{ProtectApi, decision::Decision};
    ///
    /// let builder = ProtectApi::builder().decide(|request| async move {
    ///     let suspended = request.claims.get("suspended").is_some();
    ///     Ok(if suspended { Decision::Deny } else { Decision::Allow })
    /// });
    /// # let _ = builder;
    /// ```
    pub fn decide<F, R>(mut self, hook: F) -> Self
    where
        F: Fn(DecisionRequest) -> R + Send + Sync + 'static,
        R: Future<Output = Result<Decision, Box<dyn StdError + Send + Sync>>> + Send + 'static,
    {
        self.decision = Some(DecisionHook::new(hook));
        self
    }

    /// How long a [decision](Self::decide) may take; five seconds unless set.
    pub fn decision_timeout(mut self, limit: Duration) -> Self {
        self.decision_timeout = limit;
        self
    }

    /// Reaches the tenant through an HTTP client of the application's.
    ///
    /// It does what the configuration would have the built-in one do: it knows the authorities to
    /// trust and, where a client authenticates by mutual TLS, presents the certificate (RFC 8705
    /// §2). `CLIENT_CERTIFICATE_FILE` and `CLIENT_KEY_FILE` are a mistake then; that endpoint's URL
    /// tells an introspection from a document.
    pub fn http_client(mut self, client: impl HttpClient) -> Self {
        self.http_client = Some(Arc::new(client));
        self.set(Key::HttpClient, true)
    }

    /// Takes wall time and monotonic time from a function, so that a test can move both.
    pub fn clock<F>(mut self, clock: F) -> Self
    where
        F: Fn() -> (SystemTime, Instant) + Send + Sync + 'static,
    {
        self.clock.set_reading(clock);
        self
    }

    /// Waits by a function instead of the machine's timers: what it hands back ends once the
    /// [clock](Self::clock)'s monotonic time has come. A test that moves its clock then wakes all
    /// that waits for a moment to come: refreshes, pauses, time-outs.
    ///
    /// ```
    /// # use monocloud_backend::ProtectApi;
    /// let clock = monocloud_testkit::Clock::frozen();
    /// let builder = ProtectApi::builder().clock(clock.reading()).timer(clock.timer());
    /// # let _ = builder;
    /// ```
    pub fn timer<F, R>(mut self, timer: F) -> Self
    where
        F: Fn(Instant) -> R + Send + Sync + 'static,
        R: Future<Output = ()> + Send + 'static,
    {
        self.clock.set_timer(timer);
        self
    }

    /// Validates every setting.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] with every mistake there is.
    pub fn build(self) -> Result<ProtectApi, ConfigError> {
        let config = self.sources.resolve()?;
        let error_body =
            self.error_body.map_err(|rule| ConfigError::of("builder: error_body", rule))?;
        let (http, introspection_http) = assembly::doors(self.http_client, &config, &self.clock)?;
        let meter = Meter::new(config.tenant.issuer());
        let tenant = Tenant::new(TenantConfig::from(&config), http, self.clock.clone(), meter);
        let expectations = Expectations {
            issuer: config.tenant.issuer().to_owned(),
            audience: config.audience.clone(),
            clock_skew: config.clock_skew,
            clock_tolerance: config.clock_tolerance,
            rfc9068: self.rfc9068,
        };
        let introspector = match &config.client {
            None => None,
            Some(client) => {
                let client = ClientAuthentication::new(client, self.svid_provider)?;
                let cache =
                    assembly::verdict_cache(&config, self.introspection_cache, &self.clock)?;
                let expectations = expectations.clone();
                Some(Introspector::new(
                    &tenant,
                    introspection_http,
                    client,
                    expectations,
                    cache,
                    config.response_timeout,
                ))
            }
        };
        let keeps_jwts = config.jwt_cache > 0 && !config.introspect_jwt_tokens;
        let verified = keeps_jwts.then(|| VerifiedJwts::new(config.jwt_cache)).transpose();
        let verified = verified.map_err(|_| {
            ConfigError::of(&Key::JwtCache.variable(), "there is no randomness for its key")
        })?;
        let validator = TokenValidator {
            tenant,
            introspector,
            introspect_jwt_tokens: config.introspect_jwt_tokens,
            introspection_interval: config
                .introspection_cache_duration
                .max(MIN_INTROSPECTION_INTERVAL),
            verified,
            expectations,
            binding: config.certificate_binding,
            authorization_rules: Arc::new(config.authorization_rules(self.clock.clone())),
            last_opaque_warning: Mutex::default(),
        };
        let dpop = match &config.dpop {
            None => None,
            Some(dpop) => Some(assembly::dpop(&config, dpop, self.replay_store, &self.clock)?),
        };
        let settings = ApiSettings {
            certificate_header: config.client_certificate_header,
            answering: Arc::new(Answering {
                realm: config.realm.unwrap_or(config.audience),
                body: error_body,
                metadata: OnceLock::new(),
                dpop: dpop.as_ref().map_or(DpopMode::Disabled, |dpop| dpop.mode),
            }),
            resource: config.resource,
            scheme_name: config.scheme_name,
            swagger_client_id: config.swagger_client_id,
            max_token_length: self.max_token_length,
            token_resolver: self.token_resolver,
            decision: self.decision.map(|hook| hook.within(self.decision_timeout)),
            dpop,
            has_fleet_key: config.fleet_key.is_some(),
        };
        Ok(ProtectApi::new(Tenants::new(validator), settings))
    }

    fn set(mut self, key: Key, value: impl Into<Value>) -> Self {
        self.sources.set(key, value);
        self
    }
}

impl fmt::Debug for ProtectApiBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProtectApiBuilder").finish_non_exhaustive()
    }
}

/// A number of seconds: a fraction stays one, so that it is rejected rather than cut off.
fn seconds(duration: Duration) -> Value {
    match duration.subsec_nanos() {
        0 => duration.as_secs().into(),
        _ => duration.as_secs_f64().into(),
    }
}
