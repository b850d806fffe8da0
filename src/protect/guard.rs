//! Authenticates a request, and authorizes it by a policy.

use std::sync::Arc;

use tracing::{Instrument as _, field};

use super::{
    api::ProtectApi,
    authentication::Unauthenticated,
    caller::{Authenticated, Caller},
    decision::Operation,
    presentation::Presentation,
    refusal::{Answering, Refusal},
    request::RequestHead,
};
use crate::{
    error::{Chain, Error},
    policy::{Access, Denied, Policy, PolicyBuf},
};

impl ProtectApi {
    /// A guard that lets requests pass whose token satisfies `policy`.
    #[must_use]
    pub fn require(&self, policy: impl Into<PolicyBuf>) -> Guard {
        self.guard(policy.into().into(), None)
    }

    /// A guard that lets requests pass whose token is valid, and those without a token.
    #[must_use]
    pub fn optional(&self) -> Guard {
        self.guard(Access::any_token_or_none(), None)
    }

    /// A guard for what an operation of a document declares.
    pub(crate) fn guard(&self, access: Access, operation: Option<Operation>) -> Guard {
        Guard {
            protect: self.clone(),
            access: Arc::new(access),
            operation: operation.map(Arc::new),
        }
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
    /// Of a document, if one declares what is needed.
    operation: Option<Arc<Operation>>,
}

impl Guard {
    /// How many alternatives there are to satisfy the policy.
    #[cfg(feature = "salvo")]
    pub(crate) fn alternatives(&self) -> usize {
        self.access.alternatives.len()
    }

    /// Authenticates a request and authorizes it by the policy.
    ///
    /// # Errors
    ///
    /// A [`Refusal`], ready to be sent.
    pub async fn check(&self, head: RequestHead<'_>) -> Result<Caller, Refusal> {
        let span = tracing::debug_span!(
            "authenticate",
            outcome = field::Empty,
            reason = field::Empty,
            issuer = self.protect.issuer()
        );
        let authorized = self.authorize_request(head).instrument(span.clone()).await;
        let (outcome, reason) = match &authorized {
            Ok(caller) => {
                ("accepted", caller.authenticated().map_or("anonymous", |it| it.kind().word()))
            }
            Err(refusal) => (refusal.error().code(), refusal.error().reason()),
        };
        self.protect.tenants().own().meter().validated(outcome, reason);
        span.record("outcome", outcome).record("reason", reason);
        authorized.inspect_err(|refusal| {
            let _span = span.enter();
            tracing::debug!(
                name: "request.rejected",
                error = %Chain(refusal.error()),
                outcome,
                reason,
                "a request was rejected"
            );
        })
    }

    /// Authorizes a caller by a further policy.
    pub(crate) fn authorize(&self, caller: &Authenticated, policy: Policy) -> Result<(), Refusal> {
        if policy.requires_nothing() {
            return Ok(());
        }
        let evidence = caller.evidence(self.protect.implied_scopes());
        Access::from(policy)
            .authorize(&evidence)
            .map_err(|denied| self.refuse_by(denied, caller.presentation()))
    }

    async fn authorize_request(&self, head: RequestHead<'_>) -> Result<Caller, Refusal> {
        let caller = match self.protect.authenticate(head).await {
            Ok(caller) => caller,
            Err(Unauthenticated { error: Error::MissingToken, .. })
                if self.access.is_optional() =>
            {
                let refusal = self.refuse(Error::MissingToken, &Presentation::default());
                return Ok(Caller::anonymous(refusal));
            }
            Err(Unauthenticated { error, presentation }) => {
                return Err(self.refuse(error, &presentation));
            }
        };
        let evidence = caller.evidence(self.protect.implied_scopes());
        let presentation = caller.presentation();
        self.access.authorize(&evidence).map_err(|denied| self.refuse_by(denied, presentation))?;
        if let Some(hook) = &self.protect.settings().decision {
            let clock = self.protect.tenants().own().clock();
            let decided = hook.ask(clock, head, &caller, self.operation.as_deref()).await;
            decided.map_err(|error| self.refuse(error, presentation))?;
        }
        Ok(caller.accepted_by(self.answering(), &self.access).into())
    }

    fn refuse(&self, error: Error, presentation: &Presentation) -> Refusal {
        Refusal::by_first_of(&self.access, error, Arc::clone(self.answering())).to(presentation)
    }

    fn refuse_by(&self, denied: Denied<'_>, presentation: &Presentation) -> Refusal {
        let Denied { error, alternative } = denied;
        let refusal = Refusal::new(error, Arc::clone(self.answering()));
        refusal.with_scope(alternative.scope()).to(presentation)
    }

    fn answering(&self) -> &Arc<Answering> {
        &self.protect.settings().answering
    }
}
