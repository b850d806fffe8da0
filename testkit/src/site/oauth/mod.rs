//! The tenant as an authorization server (RFC 6749, OpenID Connect Core).

mod authorize;
mod call;
mod clients;
mod code;
mod credentials;
mod device;
mod end_session;
mod error;
mod exchange;
mod issue;
mod login;
mod params;
mod proof;
mod redirect;
mod redirect_uri;
mod refresh;
mod registration;
mod revocation;
mod scope;
mod store;
mod target;
mod token;
mod userinfo;
mod users;

pub(crate) use authorize::respond_as;
pub(crate) use call::Call;
pub(crate) use clients::Confidential;
pub(crate) use device::decide as decide_device;
pub(crate) use error::private;
pub(crate) use params::{Params, encoded_pairs};
pub(crate) use redirect_uri::is_redirect_uri;
pub(crate) use revocation::revoke_token;
pub(crate) use scope::{OWN as OWN_SCOPES, is_scope};
pub(crate) use users::all_claims_of;

use std::sync::Arc;

use http::StatusCode;
use serde_json::{Map, Value};

use crate::{
    Algorithm, Client, Endpoint, GrantType, OAuthClient, TenantConfig, User,
    site::{
        answer::{Answer, empty},
        oauth::store::Store,
    },
};

/// The settings and the state of the authorization server.
#[derive(Debug)]
pub(crate) struct OAuth {
    pub(crate) config: TenantConfig,
    /// Those of the configuration, and the one under test.
    clients: Vec<Arc<OAuthClient>>,
    /// That of its tokens.
    algorithm: Algorithm,
    /// Claims of every access token.
    claims: Map<String, Value>,
    store: Store,
}

impl OAuth {
    pub(crate) fn new(
        config: TenantConfig,
        algorithm: Algorithm,
        claims: impl IntoIterator<Item = (String, Value)>,
        under_test: &Client,
    ) -> Self {
        let under_test = OAuthClient::confidential(under_test.id(), under_test.secret())
            .grant_type(GrantType::ClientCredentials)
            .grant_type(GrantType::TokenExchange);
        let clients = config.clients.iter().cloned().chain([under_test]);
        Self {
            clients: clients.map(Arc::new).collect(),
            config,
            algorithm,
            claims: claims.into_iter().collect(),
            store: Store::default(),
        }
    }

    /// The user of this name.
    pub(crate) fn user(&self, name: &str) -> Option<&User> {
        self.config.users.iter().find(|user| user.name == name)
    }

    /// Forgets codes, refresh tokens, devices, sessions, consents and registered clients.
    pub(crate) fn forget(&self) {
        self.store.clear();
    }

    /// The user with this `sub`.
    pub(crate) fn user_by_subject(&self, subject: &str) -> Option<&User> {
        self.config.users.iter().find(|user| user.subject() == subject)
    }
}

/// Answers a request to an endpoint of the authorization server.
pub(crate) fn respond(call: &Call<'_>) -> Answer {
    match call.endpoint {
        Endpoint::Authorize => authorize::respond(call),
        Endpoint::Token => token::respond(call),
        Endpoint::DeviceAuthorization => device::respond(call),
        Endpoint::Device => device::respond_to_user(call),
        Endpoint::Revocation => revocation::respond(call),
        Endpoint::Userinfo => userinfo::respond(call),
        Endpoint::EndSession => end_session::respond(call),
        Endpoint::Registration => registration::respond(call),
        _ => empty(StatusCode::NOT_FOUND),
    }
}
