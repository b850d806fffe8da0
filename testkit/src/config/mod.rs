//! The users, clients and APIs of a tenant, as a configuration file names them.

mod api;
mod client;
mod mistakes;
mod user;

pub use api::{Api, Lifetimes, TokenFormat};
pub use client::{GrantType, OAuthClient};
pub use user::User;

use serde::Deserialize;

/// The users, clients, APIs and lifetimes of a tenant.
///
/// A configuration file is read into it with serde; unknown keys are errors, and
/// [`mistakes`](Self::mistakes) finds what else is wrong. A list that the file has replaces the
/// default one.
///
/// ```
/// use monocloud_testkit::{MockTenant, TenantConfig};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let config = r#"{
///     "users": [{ "name": "bob", "groups": ["sales"], "claims": { "email": "bob@example.com" } }],
///     "clients": [{ "id": "shop", "redirect_uris": ["http://127.0.0.1/callback"] }],
///     "apis": [{ "audience": "https://orders.example.com", "scopes": ["orders:read"] }],
///     "lifetimes": { "access_token": 600 }
/// }"#;
/// let config: TenantConfig = serde_json::from_str(config).unwrap();
/// assert!(config.mistakes().is_empty());
/// let tenant = MockTenant::builder().config(config).start().await;
/// assert_eq!(tenant.audience(), "https://orders.example.com");
/// # }
/// ```
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct TenantConfig {
    /// Those who can log in: `alice`, and `admin` in the group `admin`, by default.
    pub users: Vec<User>,
    /// The clients: the public client `web` with any loopback redirect URI, and the confidential
    /// client `service` with the secret `secret`, by default.
    pub clients: Vec<OAuthClient>,
    /// The APIs that tokens are issued for, the default one first. Without any, it is the
    /// [audience](crate::MockTenant::audience) of the tenant, with any scope.
    pub apis: Vec<Api>,
    /// How long what the tenant issues is valid.
    pub lifetimes: Lifetimes,
    /// The name of the user who is logged in without a page.
    pub auto_login: Option<String>,
}

impl Default for TenantConfig {
    fn default() -> Self {
        Self {
            users: vec![User::new("alice"), User::new("admin").group("admin")],
            clients: vec![
                OAuthClient::public("web").any_loopback_redirect(),
                OAuthClient::confidential("service", "secret"),
            ],
            apis: Vec::new(),
            lifetimes: Lifetimes::default(),
            auto_login: None,
        }
    }
}

impl TenantConfig {
    /// Everything that is wrong with it, one sentence each: names that are empty or used twice,
    /// redirect URIs and keys that cannot be used, lifetimes of zero, an unknown user.
    #[must_use]
    pub fn mistakes(&self) -> Vec<String> {
        mistakes::mistakes(self)
    }

    /// Adds a user, or replaces the one of the same name.
    pub(crate) fn put_user(&mut self, user: User) {
        self.users.retain(|other| other.name != user.name);
        self.users.push(user);
    }

    /// Adds a client, or replaces the one with the same id.
    pub(crate) fn put_client(&mut self, client: OAuthClient) {
        self.clients.retain(|other| other.id != client.id);
        self.clients.push(client);
    }

    /// Adds an API, or replaces the one with the same audience.
    pub(crate) fn put_api(&mut self, api: Api) {
        self.apis.retain(|other| other.audience != api.audience);
        self.apis.push(api);
    }
}
