//! The tenant itself, and its settings for an API.

mod builder;
mod expectations;
mod faults;
mod introspection;
mod json;
mod keys;
mod mocks;
mod requests;
mod tls;
mod tokens;

pub use builder::MockTenantBuilder;
pub use expectations::Times;
pub use faults::FaultGuard;
pub use keys::KeySetState;
pub use tokens::TokenBuilder;

use std::{
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
    _server: Server,
}

impl Drop for MockTenant {
    /// Panics if an [expectation](Self::expect) is not met, or one of a [mock](Self::mount), unless
    /// the test has panicked already.
    fn drop(&mut self) {
        // A fault's guard may hold on to the site for longer.
        self.client().withdraw_files();
        if !thread::panicking() {
            self.verify();
        }
    }
}

/// Life.
impl MockTenant {
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
