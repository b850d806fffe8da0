use crate::front::{Door, Front};
use crate::introspection::Introspector;
use crate::requests::Expectations;
use crate::site::Site;
use crate::tls::Tls;
use crate::token::to_json;
use crate::{
    Algorithm, Authority, Client, ClientAuth, Clock, Endpoint, Entrance, Signer, TokenBuilder,
};
use serde::Serialize;
use serde_json::Value;
use std::sync::{Arc, LazyLock};
use std::thread;

/// A MonoCloud tenant that lives as long as this value does.
///
/// It answers on `http://127.0.0.1` at a random port, or with
/// [TLS](MockTenantBuilder::tls) on `https://localhost`, which is also its issuer,
/// byte for byte. All calls but the start are synchronous and take effect with
/// the next request.
#[derive(Debug)]
pub struct MockTenant {
    algorithm: Algorithm,
    audience: String,
    clock: Clock,
    scope: String,
    claims: Vec<(String, Value)>,
    /// Made when first needed, as they cost as much as the rest of a start.
    pub(crate) authority: LazyLock<Authority>,
    pub(crate) client_authority: LazyLock<Authority>,
    pub(crate) tls: Option<Tls>,
    pub(crate) site: Arc<Site>,
    pub(crate) expectations: Expectations,
    _front: Front,
}

impl Drop for MockTenant {
    /// Panics if an [expectation](Self::expect) is not met, and the test has not
    /// panicked already.
    fn drop(&mut self) {
        // The server's last connections may hold on to what it serves a little longer;
        // no file stays behind for them.
        self.client().withdraw_files();
        if !thread::panicking() {
            self.verify();
        }
    }
}

/// Options for a [`MockTenant`]; each has a default.
#[derive(Clone, Debug)]
#[must_use = "a tenant answers from `start` on"]
pub struct MockTenantBuilder {
    algorithm: Algorithm,
    audience: String,
    clock: Clock,
    /// Nothing for plain HTTP.
    entrances: Vec<Entrance>,
    path: String,
    scope: String,
    claims: Vec<(String, Value)>,
}

/// Life.
impl MockTenant {
    /// Starts a tenant that signs with RS256, on the system's time.
    ///
    /// # Panics
    ///
    /// If no port of the loopback interface is free.
    pub async fn start() -> Self {
        Self::builder().start().await
    }

    /// A tenant with options.
    pub fn builder() -> MockTenantBuilder {
        MockTenantBuilder {
            algorithm: Algorithm::Rs256,
            audience: "https://api.example.com".into(),
            clock: Clock::system(),
            entrances: Vec::new(),
            path: String::new(),
            scope: String::new(),
            claims: Vec::new(),
        }
    }

    /// The issuer identifier: the URL it answers on, without a trailing slash.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.site.issuer
    }

    /// The audience of the tokens it mints: the API under test.
    #[must_use]
    pub fn audience(&self) -> &str {
        &self.audience
    }

    /// Where an endpoint is.
    #[must_use]
    pub fn url(&self, endpoint: Endpoint) -> String {
        format!("{}{}", self.issuer(), endpoint.path())
    }

    /// The settings of an API that this tenant protects, as environment
    /// variables: `MONOCLOUD_BACKEND_TENANT_DOMAIN`, `MONOCLOUD_BACKEND_AUDIENCE`,
    /// and with TLS `MONOCLOUD_BACKEND_CA_CERTIFICATE_FILE`, a file that is there as
    /// long as the tenant.
    ///
    /// # Panics
    ///
    /// If there is no temporary directory for that file.
    #[must_use]
    pub fn vars(&self) -> Vec<(String, String)> {
        let var = |name: &str, value: &str| (format!("MONOCLOUD_BACKEND_{name}"), value.into());
        let mut vars = vec![var("TENANT_DOMAIN", self.issuer()), var("AUDIENCE", self.audience())];
        if self.tls.is_some() {
            let file = self.authority.certificate_file();
            vars.push(var("CA_CERTIFICATE_FILE", file.to_str().expect("a path of UTF-8")));
        }
        vars
    }

    /// The settings of an API that also asks this tenant about opaque tokens, and
    /// authenticates by `method`: [`vars`](Self::vars), and
    /// `MONOCLOUD_BACKEND_CLIENT_ID`, `…_CLIENT_AUTH_METHOD` and
    ///
    /// - `…_CLIENT_SECRET`, which is a JWK for
    ///   [`PrivateKeyJwt`](ClientAuth::PrivateKeyJwt): its key is registered with
    ///   the tenant from then on;
    /// - `…_CLIENT_ASSERTION_FILE` for [`SpiffeJwt`](ClientAuth::SpiffeJwt);
    /// - `…_CLIENT_CERTIFICATE_FILE` and `…_CLIENT_KEY_FILE` for
    ///   [`Tls`](ClientAuth::Tls), [`SelfSignedTls`](ClientAuth::SelfSignedTls) and
    ///   [`SpiffeX509`](ClientAuth::SpiffeX509).
    ///
    /// The files are there as long as the tenant.
    ///
    /// # Panics
    ///
    /// If there is no temporary directory for them, or if the method is one with a
    /// certificate and the tenant has no [mutual TLS](MockTenantBuilder::mutual_tls).
    #[must_use]
    #[track_caller]
    pub fn vars_for(&self, method: ClientAuth) -> Vec<(String, String)> {
        let client = self.client().settings(method, self.issuer()).into_iter();
        let client = client.map(|(name, value)| (format!("MONOCLOUD_BACKEND_{name}"), value));
        self.vars().into_iter().chain(client).collect()
    }

    /// The time that tokens are stamped by.
    #[must_use]
    pub const fn clock(&self) -> &Clock {
        &self.clock
    }

    pub(crate) fn introspector(&self) -> &Introspector {
        &self.site.introspector
    }
}

/// Tokens and metadata.
impl MockTenant {
    /// A valid access token, to be changed and minted. It carries the scopes, the
    /// groups and the claims that the tenant was built with.
    pub fn token(&self) -> TokenBuilder<'_> {
        let token = TokenBuilder::new(self, self.algorithm).scope(&self.scope);
        self.claims.iter().fold(token, |token, (name, value)| token.claim(name, value))
    }

    /// The tenant's own discovery document, the start of a variation to
    /// [serve](Self::serve_metadata).
    #[must_use]
    pub fn metadata(&self) -> Value {
        self.site.discovery_document()
    }

    /// Serves exactly this discovery document from now on.
    pub fn serve_metadata(&self, document: Value) {
        self.site.documents().metadata = Some(document);
    }
}

impl MockTenantBuilder {
    /// What the tenant signs with, RS256 by default. It publishes a key for every other
    /// algorithm as well.
    pub const fn algorithm(mut self, algorithm: Algorithm) -> Self {
        self.algorithm = algorithm;
        self
    }

    /// The API under test, `https://api.example.com` by default.
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audience = audience.into();
        self
    }

    /// The time that tokens are stamped by, the system's by default.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// A path for the issuer, such as `/acme`; none by default.
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    /// Scopes that every token carries, [hostile](crate::Hostile) ones too,
    /// separated by blanks; none by default.
    pub fn scope(mut self, scopes: impl Into<String>) -> Self {
        self.scope = scopes.into();
        self
    }

    /// A claim of every token, [hostile](crate::Hostile) ones and
    /// [controls](crate::Control) too: where each operation needs a claim of the
    /// application's own, none of them should be refused for the lack of it.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// use monocloud_testkit::MockTenant;
    ///
    /// let tenant = MockTenant::builder().claim("tenant_id", "acme").groups(["admin"]);
    /// let tenant = tenant.start().await;
    /// let token = tenant.token().mint();
    /// # let _ = token;
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// If `value` has no JSON form.
    #[track_caller]
    pub fn claim(mut self, name: &str, value: impl Serialize) -> Self {
        self.claims.push((name.into(), to_json(value)));
        self
    }

    /// The groups in the `groups` claim of every token, as names; none by default.
    pub fn groups(self, groups: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let groups: Vec<String> = groups.into_iter().map(Into::into).collect();
        self.claim("groups", groups)
    }

    /// Answers over TLS, on `https://localhost`, with a certificate by the tenant's own
    /// [authority](MockTenant::authority).
    pub fn tls(self) -> Self {
        self.entrance(Entrance::Issuer)
    }

    /// Has a second port beside that of [TLS](Self::tls), for clients with
    /// certificates, which the metadata names in `mtls_endpoint_aliases` (RFC 8705 §5).
    pub fn mutual_tls(self) -> Self {
        self.tls().entrance(Entrance::MutualTls)
    }

    /// Has a further port for clients with [certificates](Self::mutual_tls), which the
    /// metadata names in `mtls_additional_endpoint_aliases` under this id. It trusts
    /// the same [authority](MockTenant::client_authority), and is told apart by
    /// [`Introspection::entrance`](crate::Introspection::entrance).
    pub fn trust_store(self, id: impl Into<String>) -> Self {
        self.mutual_tls().entrance(Entrance::TrustStore(id.into()))
    }

    /// Starts the tenant.
    ///
    /// # Panics
    ///
    /// If no port of the loopback interface is free.
    pub async fn start(self) -> MockTenant {
        let path = match self.path.trim_matches('/') {
            "" => String::new(),
            path => format!("/{path}"),
        };
        let authority = LazyLock::new(Authority::new as fn() -> _);
        let client_authority = LazyLock::new(Authority::new as fn() -> _);
        let has_clients = self.entrances.contains(&Entrance::MutualTls);
        let clients = has_clients.then(|| &*client_authority);
        let tls = (!self.entrances.is_empty()).then(|| Tls::new(&authority, clients));

        let doors: Vec<_> = match &tls {
            Some(tls) => self.entrances.into_iter().map(|entrance| tls.door(entrance)).collect(),
            None => vec![Door::plain()],
        };
        let mut origins = doors.iter().map(|door| (door.entrance.clone(), door.origin()));
        let (_, origin) = origins.next().expect("the issuer's own door is the first");
        let client = Client::new(clients);
        let site = Arc::new(Site::new(&origin, origins, path, self.clock.clone(), client));
        {
            let keys = &mut site.documents().keys;
            keys.key(Signer::Active, self.algorithm);
            keys.publish_all_algorithms();
        }
        MockTenant {
            algorithm: self.algorithm,
            audience: self.audience,
            clock: self.clock,
            scope: self.scope,
            claims: self.claims,
            authority,
            client_authority,
            tls,
            expectations: Expectations::default(),
            _front: Front::open(doors, Arc::clone(&site)),
            site,
        }
    }

    fn entrance(mut self, entrance: Entrance) -> Self {
        if !self.entrances.contains(&entrance) {
            self.entrances.push(entrance);
        }
        self
    }
}
