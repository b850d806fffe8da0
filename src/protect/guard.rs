//! Authenticates a request, and authorizes it by a policy.

use std::sync::Arc;

use http::HeaderMap;
use tracing::{Instrument as _, field};

use super::{
    api::ProtectApi,
    caller::{Authenticated, Caller},
    refusal::Refusal,
};
use crate::{
    certificate::PeerCertificate,
    error::{Chain, Error},
    policy::{Access, Policy},
};

impl ProtectApi {
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
}

/// Lets requests pass whose access token satisfies a policy.
///
/// [`ProtectApi::require`] makes one. It is a middleware of every host whose feature is on; for any
/// other host, [`check`](Self::check) is enough.
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
        let authorized = self.authorize_request(headers, peer).instrument(span.clone()).await;
        let (outcome, reason) = match &authorized {
            Ok(caller) => {
                ("accepted", caller.authenticated().map_or("anonymous", |it| it.kind().word()))
            }
            Err(error) => (error.code(), error.reason()),
        };
        self.protect.tenants().own().meter().validated(outcome, reason);
        span.record("outcome", outcome).record("reason", reason);
        authorized.map_err(|error| {
            let _span = span.enter();
            tracing::debug!(
                name: "request.rejected",
                error = %Chain(&error),
                outcome,
                reason,
                "a request was rejected"
            );
            self.protect.refuse(error)
        })
    }

    /// Authorizes a caller by a further policy.
    pub(crate) fn authorize(&self, caller: &Authenticated, policy: Policy) -> Result<(), Refusal> {
        Access::from(policy)
            .authorize(caller.claims(), caller.group_rules())
            .map_err(|denial| self.protect.refuse(Error::InsufficientScope(denial)))
    }

    async fn authorize_request(
        &self,
        headers: &HeaderMap,
        peer: Option<&PeerCertificate>,
    ) -> Result<Caller, Error> {
        let authenticated = match self.protect.authenticate(headers, peer).await {
            Err(Error::MissingToken) if self.access.is_optional() => {
                return Ok(Caller::anonymous(self.protect.refuse(Error::MissingToken)));
            }
            authenticated => authenticated?,
        };
        self.access
            .authorize(authenticated.claims(), authenticated.group_rules())
            .map_err(Error::InsufficientScope)?;
        Ok(authenticated.into())
    }
}
