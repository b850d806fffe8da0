//! The options of a tenant, and its start.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, LazyLock},
};

use http::Uri;
use serde::Serialize;
use serde_json::Value;

use crate::{
    Algorithm, Api, Authority, Client, Clock, Entrance, MockTenant, OAuthClient, Signer,
    TenantConfig, User,
    control::Control,
    site::{
        OAuth, Site,
        server::{Port, Server},
    },
    tenant::expectations::Expectations,
    tls::Tls,
    token::to_json,
};

/// Options for a [`MockTenant`]; each has a default.
#[derive(Clone, Debug)]
#[must_use = "the tenant is started by `start`"]
pub struct MockTenantBuilder {
    algorithm: Algorithm,
    /// By default that of the first API.
    audience: Option<String>,
    clock: Clock,
    /// Empty for plain HTTP.
    entrances: Vec<Entrance>,
    path: String,
    listen: SocketAddr,
    issuer: Option<String>,
    has_control: bool,
    scope: String,
    claims: Vec<(String, Value)>,
    config: TenantConfig,
}

/// Starting a tenant.
impl MockTenant {
    /// Starts a tenant that signs with RS256 and uses the system's time.
    ///
    /// # Panics
    ///
    /// If no port of the loopback interface is free.
    pub async fn start() -> Self {
        Self::builder().start().await
    }

    /// Returns the options of a tenant.
    pub fn builder() -> MockTenantBuilder {
        MockTenantBuilder {
            algorithm: Algorithm::Rs256,
            audience: None,
            clock: Clock::system(),
            entrances: Vec::new(),
            path: String::new(),
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            issuer: None,
            has_control: false,
            scope: String::new(),
            claims: Vec::new(),
            config: TenantConfig::default(),
        }
    }
}

impl MockTenantBuilder {
    /// The algorithm that the tenant signs with, RS256 by default. It also publishes a key for
    /// every other algorithm.
    pub const fn algorithm(mut self, algorithm: Algorithm) -> Self {
        self.algorithm = algorithm;
        self
    }

    /// The API under test: by default the first [API](Self::api), or else
    /// `https://api.example.com`.
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audience = Some(audience.into());
        self
    }

    /// The time of the tenant, the system's by default.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// A path for the issuer, such as `/acme`; none by default.
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    /// The address to listen on: `127.0.0.1` and any free port by default. Ports for clients with
    /// [certificates](Self::mutual_tls) are other free ones at the same IP address.
    pub fn listen(mut self, address: impl Into<SocketAddr>) -> Self {
        self.listen = address.into();
        self
    }

    /// An issuer other than the address that the tenant [listens](Self::listen) on, for clients
    /// that reach it by another name: a host name that is right inside and outside of a container,
    /// or a proxy. Its path replaces the one of [`path`](Self::path), and all URLs of the metadata
    /// start with it.
    ///
    /// ```
    /// use monocloud_testkit::MockTenant;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let tenant = MockTenant::builder().issuer("http://tenant.internal:4444/acme").start().await;
    /// assert_eq!(tenant.issuer(), "http://tenant.internal:4444/acme");
    /// assert_eq!(tenant.address().ip().to_string(), "127.0.0.1");
    /// # }
    /// ```
    pub fn issuer(mut self, url: impl Into<String>) -> Self {
        self.issuer = Some(url.into());
        self
    }

    /// Serves the control API under `/_control/`, through which programs in other languages mint
    /// tokens, rotate keys, set faults and move the clock; `/_control/openapi.json` describes it.
    /// With the feature `pages`, the issuer's URL is then a page that shows the tenant and its
    /// requests, and mints and decodes tokens. It is off by default: who can reach the tenant can then mint tokens.
    ///
    /// A web page can send requests to loopback addresses. So that none can mint tokens, requests
    /// with an `Origin` other than the tenant's own are rejected, a body must have the media type
    /// `application/json`, and no response has CORS headers.
    pub const fn control(mut self) -> Self {
        self.has_control = true;
        self
    }

    /// Scopes of every token, including [hostile](crate::Hostile) ones, separated by spaces; none
    /// by default.
    pub fn scope(mut self, scopes: impl Into<String>) -> Self {
        self.scope = scopes.into();
        self
    }

    /// A claim of every token, including [hostile](crate::Hostile) ones and
    /// [controls](crate::Control). An application may require an additional claim on every
    /// operation; without it, tokens would be rejected for the wrong reason.
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
    /// If `value` cannot be serialized as JSON.
    #[track_caller]
    pub fn claim(mut self, name: &str, value: impl Serialize) -> Self {
        self.claims.push((name.to_owned(), to_json(value)));
        self
    }

    /// The groups in the `groups` claim of every token, as names; none by default.
    pub fn groups(self, groups: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let groups: Vec<String> = groups.into_iter().map(Into::into).collect();
        self.claim("groups", groups)
    }

    /// The users, clients, APIs and lifetimes, all at once.
    pub fn config(mut self, config: TenantConfig) -> Self {
        self.config = config;
        self
    }

    /// Adds a user, or replaces the one of the same name. There are `alice`, and `admin` in the
    /// group `admin`.
    pub fn user(mut self, user: User) -> Self {
        self.config.put_user(user);
        self
    }

    /// Adds a client, or replaces the one with the same id. There are the public client `web`,
    /// with any loopback redirect URI, and the confidential client `service` with the secret
    /// `secret`.
    pub fn oauth_client(mut self, client: OAuthClient) -> Self {
        self.config.put_client(client);
        self
    }

    /// Adds an API that tokens are issued for, or replaces the one with the same audience. The
    /// first one is the default.
    pub fn api(mut self, api: Api) -> Self {
        self.config.put_api(api);
        self
    }

    /// Logs in this user at the authorization endpoint, and consents, without a page.
    pub fn auto_login(mut self, user: impl Into<String>) -> Self {
        self.config.auto_login = Some(user.into());
        self
    }

    /// Serves TLS, on `https://localhost`, with a certificate by the tenant's own
    /// [authority](MockTenant::authority).
    pub fn tls(self) -> Self {
        self.entrance(Entrance::Issuer)
    }

    /// Adds a port to that of [TLS](Self::tls), for clients with certificates. The metadata names
    /// it in `mtls_endpoint_aliases` (RFC 8705 §5).
    pub fn mutual_tls(self) -> Self {
        self.tls().entrance(Entrance::MutualTls)
    }

    /// Adds another port for clients with [certificates](Self::mutual_tls). The metadata names it
    /// in `mtls_additional_endpoint_aliases` under this id. It trusts the same
    /// [authority](MockTenant::client_authority);
    /// [`Introspection::entrance`](crate::Introspection::entrance) names the port that a request used.
    pub fn trust_store(self, id: impl Into<String>) -> Self {
        self.mutual_tls().entrance(Entrance::TrustStore(id.into()))
    }

    /// Starts the tenant.
    ///
    /// # Panics
    ///
    /// If the address is not free, the [issuer](Self::issuer) is not an `http` or `https` URL
    /// without query and fragment, or the [configuration](Self::config) has
    /// [mistakes](TenantConfig::mistakes).
    pub async fn start(self) -> MockTenant {
        self.try_start().await.unwrap_or_else(|error| panic!("the tenant cannot start: {error}"))
    }

    /// Starts the tenant, for programs that report why it cannot.
    ///
    /// # Errors
    ///
    /// Where [`start`](Self::start) panics.
    pub async fn try_start(mut self) -> io::Result<MockTenant> {
        let issuer = self.issuer.as_deref().map(checked_issuer).transpose()?;
        let mistakes = self.config.mistakes();
        if !mistakes.is_empty() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, mistakes.join("\n")));
        }
        let audience = self.settle_audience();
        let path = match self.path.trim_matches('/') {
            "" => String::new(),
            path => format!("/{path}"),
        };
        let authority = Arc::new(LazyLock::new(Authority::new as fn() -> _));
        let client_authority = Arc::new(LazyLock::new(Authority::new as fn() -> _));
        let has_clients = self.entrances.contains(&Entrance::MutualTls);
        let clients = has_clients.then(|| &**client_authority);
        let (issuer, host) = issuer.unzip();
        let has_tls = !self.entrances.is_empty();
        let tls = has_tls.then(|| Arc::new(Tls::new(&authority, host, clients)));

        let ports: Vec<_> = match &tls {
            None => vec![Port::plain(self.listen)?],
            Some(tls) => {
                let port = |entrance| {
                    let config = tls.config(entrance != Entrance::Issuer);
                    let port = if entrance == Entrance::Issuer { self.listen.port() } else { 0 };
                    Port::with_tls(entrance, (self.listen.ip(), port).into(), config)
                };
                self.entrances.into_iter().map(port).collect::<io::Result<_>>()?
            }
        };
        let address = ports.first().map_or(self.listen, Port::address);
        let mut origins = ports.iter().map(|port| (port.entrance.clone(), port.origin()));
        let (_, origin) = origins.next().expect("the issuer's own port is the first");
        let client = Client::new(clients);
        let issuer = issuer.unwrap_or_else(|| format!("{origin}{path}"));
        let claims = self.claims.iter().cloned();
        let oauth = OAuth::new(self.config, self.algorithm, claims, &client);
        let site = Arc::new(Site::new(issuer, origins, self.clock.clone(), client, oauth));
        {
            let keys = &mut site.documents().keys;
            keys.key(Signer::Active, self.algorithm);
            keys.publish_all_algorithms();
        }
        let mut tenant = MockTenant {
            algorithm: self.algorithm,
            address,
            audience,
            clock: self.clock,
            scope: self.scope,
            claims: self.claims,
            authority,
            client_authority,
            tls,
            expectations: Expectations::default(),
            site: Arc::clone(&site),
            server: None,
        };
        let control = self.has_control.then(|| Control::new(tenant.handle()));
        tenant.server = Some(Server::start(ports, site, control));
        Ok(tenant)
    }

    /// Makes the audience that of the first API, and returns it.
    fn settle_audience(&mut self) -> String {
        let apis = &mut self.config.apis;
        let first = || apis.first().map(|api| api.audience.clone());
        let audience = self.audience.take().or_else(first);
        let audience = audience.unwrap_or_else(|| "https://api.example.com".to_owned());
        let place = apis.iter().position(|api| api.audience == audience);
        let api = place.map_or_else(|| Api::new(&audience), |place| apis.remove(place));
        apis.insert(0, api);
        audience
    }

    fn entrance(mut self, entrance: Entrance) -> Self {
        if !self.entrances.contains(&entrance) {
            self.entrances.push(entrance);
        }
        self
    }
}

/// An issuer without a trailing slash, and its host.
fn checked_issuer(issuer: &str) -> io::Result<(String, String)> {
    let mistake = || {
        let text = format!(
            "the issuer {issuer:?} is not an http or https URL without query and fragment, such as \
             http://tenant.internal:4444"
        );
        io::Error::new(io::ErrorKind::InvalidInput, text)
    };
    let url: Uri = issuer.parse().map_err(|_| mistake())?;
    let is_http = matches!(url.scheme_str(), Some("http" | "https"));
    let is_plain = !issuer.contains(['?', '#', '@', '"', '\\']);
    let host = url.host().filter(|host| is_http && is_plain && !host.is_empty());
    let host = host.ok_or_else(mistake)?.trim_matches(['[', ']']);
    Ok((issuer.trim_end_matches('/').to_owned(), host.to_owned()))
}
