//! The tenant itself, and its settings for an API.

mod builder;
mod expectations;
mod faults;
mod introspection;
mod keys;
mod mocks;
mod requests;
mod sign_in;
mod tls;
mod tokens;

pub use builder::MockTenantBuilder;
pub use expectations::Times;
pub use faults::FaultGuard;
pub use keys::KeySetState;
pub use sign_in::{SignIn, Tokens};
pub use tokens::TokenBuilder;

use std::{
    net::SocketAddr,
    sync::{Arc, LazyLock},
    thread,
};

use serde_json::Value;

use crate::{
    Algorithm, Authority, ClientAuth, Clock, Endpoint,
    site::{Introspector, Site, server::Server},
    tenant::expectations::Expectations,
    tls::Tls,
};

/// A MonoCloud tenant that lives as long as this value does.
///
/// It serves `http://127.0.0.1` at a random port, or `https://localhost` with
/// [TLS](MockTenantBuilder::tls). This URL is also its issuer, byte for byte. All methods but
/// [`start`](Self::start), [`mount`](Self::mount) and [`requested`](Self::requested) are
/// synchronous; changes take effect with the next request.
#[derive(Debug)]
pub struct MockTenant {
    algorithm: Algorithm,
    address: SocketAddr,
    audience: String,
    clock: Clock,
    scope: String,
    claims: Vec<(String, Value)>,
    /// Created when first needed: they take as long as the rest of the start.
    pub(crate) authority: Arc<LazyLock<Authority>>,
    pub(crate) client_authority: Arc<LazyLock<Authority>>,
    pub(crate) tls: Option<Arc<Tls>>,
    pub(crate) site: Arc<Site>,
    pub(crate) expectations: Expectations,
    /// `None` for a [handle](Self::handle).
    server: Option<Server>,
}

impl Drop for MockTenant {
    /// Panics if an [expectation](Self::expect) is not met, or one of a [mock](Self::mount), unless
    /// the test has panicked already.
    fn drop(&mut self) {
        if self.server.is_none() {
            return;
        }
        // A fault's guard may hold on to the site for longer.
        self.client().withdraw_files();
        if !thread::panicking() {
            self.verify();
        }
    }
}

/// Identity and settings.
impl MockTenant {
    /// The issuer identifier: the URL of the tenant, without a trailing slash.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.site.issuer
    }

    /// The address that it listens on.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The audience of the tokens that it mints: the API under test.
    #[must_use]
    pub fn audience(&self) -> &str {
        &self.audience
    }

    /// The URL of an endpoint.
    #[must_use]
    pub fn url(&self, endpoint: Endpoint) -> String {
        format!("{}{}", self.issuer(), endpoint.path())
    }

    /// The settings of an API that this tenant protects, as environment variables:
    /// `MONOCLOUD_BACKEND_TENANT_DOMAIN`, `MONOCLOUD_BACKEND_AUDIENCE`, and with TLS
    /// `MONOCLOUD_BACKEND_CA_CERTIFICATE_FILE`, a file that exists as long as the tenant.
    ///
    /// # Panics
    ///
    /// If the file cannot be written.
    #[must_use]
    pub fn vars(&self) -> Vec<(String, String)> {
        let var = |name: &str, value: &str| (format!("MONOCLOUD_BACKEND_{name}"), value.to_owned());
        let mut vars = vec![var("TENANT_DOMAIN", self.issuer()), var("AUDIENCE", self.audience())];
        if self.tls.is_some() {
            let file = self.authority.certificate_file();
            vars.push(var("CA_CERTIFICATE_FILE", file.to_str().expect("the path is UTF-8")));
        }
        vars
    }

    /// The settings of an API that also introspects tokens at this tenant and authenticates by
    /// `method`: [`vars`](Self::vars), `MONOCLOUD_BACKEND_CLIENT_ID`, `…_CLIENT_AUTH_METHOD` and
    ///
    /// - `…_CLIENT_SECRET`, which is a JWK for [`PrivateKeyJwt`](ClientAuth::PrivateKeyJwt): its
    ///   key is then registered with the tenant;
    /// - `…_CLIENT_ASSERTION_FILE` for [`SpiffeJwt`](ClientAuth::SpiffeJwt);
    /// - `…_CLIENT_CERTIFICATE_FILE` and `…_CLIENT_KEY_FILE` for [`Tls`](ClientAuth::Tls),
    ///   [`SelfSignedTls`](ClientAuth::SelfSignedTls) and [`SpiffeX509`](ClientAuth::SpiffeX509).
    ///
    /// The files exist as long as the tenant.
    ///
    /// # Panics
    ///
    /// If the files cannot be written, or if the method needs a certificate and the tenant has no
    /// [mutual TLS](MockTenantBuilder::mutual_tls).
    #[must_use]
    #[track_caller]
    pub fn vars_for(&self, method: ClientAuth) -> Vec<(String, String)> {
        let client = self.client().settings(method, self.issuer()).into_iter();
        let client = client.map(|(name, value)| (format!("MONOCLOUD_BACKEND_{name}"), value));
        self.vars().into_iter().chain(client).collect()
    }

    /// The time of the tenant.
    #[must_use]
    pub const fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The same tenant for its own server, such as its control API: dropping it ends nothing.
    pub(crate) fn handle(&self) -> Self {
        Self {
            algorithm: self.algorithm,
            address: self.address,
            audience: self.audience.clone(),
            clock: self.clock.clone(),
            scope: self.scope.clone(),
            claims: self.claims.clone(),
            authority: Arc::clone(&self.authority),
            client_authority: Arc::clone(&self.client_authority),
            tls: self.tls.clone(),
            site: Arc::clone(&self.site),
            expectations: Expectations::default(),
            server: None,
        }
    }

    /// The same tenant with other defaults for its tokens, also for hostile ones.
    pub(crate) fn with_defaults(
        &self,
        audience: Option<String>,
        scope: Option<String>,
        claims: impl IntoIterator<Item = (String, Value)>,
    ) -> Self {
        let mut handle = self.handle();
        handle.audience = audience.unwrap_or_else(|| self.audience.clone());
        handle.scope = scope.unwrap_or_else(|| self.scope.clone());
        handle.claims.extend(claims);
        handle
    }

    pub(crate) fn introspector(&self) -> &Introspector {
        &self.site.introspector
    }
}

/// Metadata.
impl MockTenant {
    /// The tenant's own discovery document, from which a test can derive another one to
    /// [serve](Self::serve_metadata).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// # let tenant = monocloud_testkit::MockTenant::start().await;
    /// // A tenant without DPoP (RFC 9449 §5.1).
    /// let mut document = tenant.metadata();
    /// document.as_object_mut().unwrap().remove("dpop_signing_alg_values_supported");
    /// tenant.serve_metadata(document);
    /// # }
    /// ```
    #[must_use]
    pub fn metadata(&self) -> Value {
        self.site.discovery_document()
    }

    /// Serves exactly this discovery document from now on.
    pub fn serve_metadata(&self, document: Value) {
        self.site.documents().metadata = Some(document);
    }
}
