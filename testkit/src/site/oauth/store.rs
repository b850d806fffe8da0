//! What the authorization server remembers, each of it in a bounded number.

use std::sync::{Arc, Mutex, MutexGuard};

use crate::{
    OAuthClient,
    lock::locked,
    site::{
        oauth::{authorize::AuthorizationRequest, device::Device, target::Target},
        recent::Recent,
    },
};

/// The number of entries of each kind: the oldest ones are forgotten.
const ENTRIES: usize = 10_000;

/// The number of users who are asked something at a time.
const ASKED: usize = 1000;

/// The number of clients that can register themselves.
const CLIENTS: usize = 1000;

/// The number of proofs and assertions that cannot be used again.
const USED: usize = 100_000;

#[derive(Debug, Default)]
pub(crate) struct Store(Mutex<Entries>);

#[derive(Debug)]
pub(crate) struct Entries {
    /// By a random name that the pages carry.
    pub(crate) interactions: Recent<Interaction>,
    pub(crate) codes: Recent<Code>,
    pub(crate) refresh_tokens: Recent<RefreshToken>,
    pub(crate) devices: Recent<Device>,
    /// The device code of each user code.
    pub(crate) user_codes: Recent<String>,
    /// By the value of the cookie.
    pub(crate) sessions: Recent<Login>,
    /// The scopes that a user has granted to a client.
    pub(crate) consents: Recent<Vec<String>>,
    /// Those that have registered themselves.
    pub(crate) clients: Recent<Arc<OAuthClient>>,
    /// The `jti` of proofs and assertions.
    pub(crate) used: Recent<()>,
}

/// An authorization request that waits for the user.
#[derive(Clone, Debug)]
pub(crate) struct Interaction {
    pub(crate) request: Arc<AuthorizationRequest>,
    /// Who has logged in, and is asked to consent.
    pub(crate) login: Option<Login>,
    pub(crate) expires: i64,
}

/// How and when a user has logged in.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Login {
    /// The name of the user.
    pub(crate) user: String,
    pub(crate) auth_time: i64,
    pub(crate) acr: Option<String>,
    /// The name of the session in ID tokens (OpenID Connect Back-Channel Logout §2.1).
    pub(crate) sid: String,
    pub(crate) expires: i64,
}

/// What a user, or a client for itself, has been granted: the origin of a family of tokens.
#[derive(Debug)]
pub(crate) struct Grant {
    pub(crate) id: String,
    pub(crate) client: Arc<OAuthClient>,
    /// `None` for a client's own grant.
    pub(crate) login: Option<Login>,
    pub(crate) scopes: Vec<String>,
    /// The audiences that were requested, at least one.
    pub(crate) audiences: Vec<String>,
}

/// An authorization code.
#[derive(Debug)]
pub(crate) struct Code {
    pub(crate) grant: Arc<Grant>,
    /// If the authorization request named it, the token request must as well.
    pub(crate) redirect_uri: Option<String>,
    pub(crate) challenge: Option<String>,
    pub(crate) jkt: Option<String>,
    /// That of the first ID token.
    pub(crate) nonce: Option<String>,
    pub(crate) expires: i64,
    pub(crate) is_used: bool,
}

/// A refresh token, which is remembered after its use.
#[derive(Debug)]
pub(crate) struct RefreshToken {
    pub(crate) grant: Arc<Grant>,
    /// What a public client's token is bound to.
    pub(crate) binding: Binding,
    pub(crate) expires: i64,
    pub(crate) is_used: bool,
}

/// A key and a certificate that a token is bound to (RFC 9449 §6.1, RFC 8705 §3.1).
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Binding {
    pub(crate) jkt: Option<String>,
    pub(crate) x5t: Option<String>,
}

impl Grant {
    /// All scopes and audiences.
    pub(crate) fn target(&self) -> Target {
        Target { scopes: self.scopes.clone(), audiences: self.audiences.clone() }
    }
}

impl Store {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Entries> {
        locked(&self.0)
    }

    pub(crate) fn clear(&self) {
        *self.lock() = Entries::default();
    }
}

impl Default for Entries {
    fn default() -> Self {
        Self {
            interactions: Recent::new(ASKED),
            codes: Recent::new(ENTRIES),
            refresh_tokens: Recent::new(ENTRIES),
            devices: Recent::new(ASKED),
            user_codes: Recent::new(ASKED),
            sessions: Recent::new(ENTRIES),
            consents: Recent::new(ENTRIES),
            clients: Recent::new(CLIENTS),
            used: Recent::new(USED),
        }
    }
}
