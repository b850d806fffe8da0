//! Authenticates a request, and authorizes it by a policy.

use std::{slice, sync::Arc};

use tracing::{Instrument as _, Span, field};

use super::{
    api::ProtectApi,
    authentication::Unauthenticated,
    caller::{Authenticated, Caller},
    decision::Operation,
    presentation::Presentation,
    refusal::Refusal,
    request::RequestHead,
    terms::Terms,
};
use crate::{
    error::{Chain, Denial, Error},
    meter::ACCEPTED,
    policy::{Access, Policy, PolicyBuf},
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
        let terms = self.terms(vec![access]);
        Guard { protect: self.clone(), terms, operation: operation.map(Arc::new) }
    }

    fn terms(&self, accesses: Vec<Access>) -> Arc<Terms> {
        let answering = Arc::clone(&self.settings().answering);
        Arc::new(Terms::new(accesses, answering, Arc::clone(self.implied_scopes())))
    }

    fn span(&self) -> Span {
        tracing::debug_span!(
            "authenticate",
            outcome = field::Empty,
            reason = field::Empty,
            issuer = self.issuer()
        )
    }

    /// Counts what became of a request, and logs why it was rejected.
    fn record(&self, span: &Span, authorized: Result<&Caller, &Refusal>) {
        let (outcome, reason) = match authorized {
            Ok(caller) => {
                (ACCEPTED, caller.authenticated().map_or("anonymous", |it| it.kind().word()))
            }
            Err(refusal) => (refusal.error().code(), refusal.error().reason()),
        };
        self.tenants().own().meter().validated(outcome, reason);
        span.record("outcome", outcome).record("reason", reason);
        if let Err(refusal) = authorized {
            let _span = span.enter();
            tracing::debug!(
                name: "request.rejected",
                error = %Chain(refusal.error()),
                outcome,
                reason,
                "a request was rejected"
            );
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
    terms: Arc<Terms>,
    /// Of a document, if one declares what is needed.
    operation: Option<Arc<Operation>>,
}

impl Guard {
    /// How many alternatives there are to satisfy the policy.
    #[cfg(feature = "salvo")]
    pub(crate) fn alternatives(&self) -> usize {
        self.terms.accesses().iter().map(|access| access.alternatives.len()).sum()
    }

    /// Authenticates a request and authorizes it by the policy.
    ///
    /// # Errors
    ///
    /// A [`Refusal`], ready to be sent.
    pub async fn check(&self, head: RequestHead<'_>) -> Result<Caller, Refusal> {
        let span = self.protect.span();
        let authorized = self.authorize_request(head).instrument(span.clone()).await;
        self.protect.record(&span, authorized.as_ref());
        authorized
    }

    /// Authorizes a caller by a further policy.
    pub(crate) fn authorize(&self, caller: &Authenticated, policy: Policy) -> Result<(), Refusal> {
        if policy.requires_nothing() {
            return Ok(());
        }
        let terms = self.protect.terms(vec![policy.into()]);
        terms.authorize(&caller.evidence(terms.implied()), caller.presentation())
    }

    /// A guard that requires what each of these does, of one API; nothing if there is none.
    #[cfg(feature = "mcp")]
    pub(crate) fn of_all(guards: &[&Self]) -> Option<Self> {
        let mut distinct: Vec<&Self> = Vec::new();
        for guard in guards {
            if !distinct.iter().any(|it| Arc::ptr_eq(&it.terms, &guard.terms)) {
                distinct.push(guard);
            }
        }
        match distinct.as_slice() {
            [] => None,
            [single] => Some((*single).clone()),
            [first, ..] => {
                let accesses = distinct.iter().flat_map(|guard| guard.terms.accesses());
                let terms = first.protect.terms(accesses.cloned().collect());
                Some(Self { terms, ..(*first).clone() })
            }
        }
    }

    /// Authenticates a request, which is authorized once more of it is read.
    #[cfg(feature = "mcp")]
    pub(crate) async fn authenticate(
        &self,
        head: RequestHead<'_>,
    ) -> Result<Authenticated, Refusal> {
        let span = self.protect.span();
        let authenticated = self.protect.authenticate(head).instrument(span.clone()).await;
        authenticated.map_err(|Unauthenticated { error, presentation }| {
            let refusal = self.terms.refuse(error, &presentation);
            self.protect.record(&span, Err(&refusal));
            refusal
        })
    }

    /// Authorizes the caller of a request that asks for these operations.
    #[cfg(feature = "mcp")]
    pub(crate) async fn authorize_for(
        &self,
        head: RequestHead<'_>,
        caller: Authenticated,
        operations: &[Operation],
    ) -> Result<Caller, Refusal> {
        let span = self.protect.span();
        let authorized = self.authorize_caller(head, caller, operations);
        let authorized = authorized.instrument(span.clone()).await;
        self.protect.record(&span, authorized.as_ref());
        authorized
    }

    /// Rejects a request for something that no policy permits.
    #[cfg(feature = "mcp")]
    pub(crate) fn refuse_unlisted(&self, caller: &Authenticated) -> Refusal {
        let error = Error::InsufficientScope(Denial::Unlisted);
        let refusal = self.terms.refuse(error, caller.presentation());
        self.protect.record(&self.protect.span(), Err(&refusal));
        refusal
    }

    /// Whether the policy permits what a caller asks for.
    #[cfg(feature = "mcp")]
    pub(crate) fn permits(&self, caller: &Authenticated) -> bool {
        self.terms.permit(&caller.evidence(self.terms.implied()))
    }

    async fn authorize_request(&self, head: RequestHead<'_>) -> Result<Caller, Refusal> {
        match self.protect.authenticate(head).await {
            Ok(caller) => {
                let operation = self.operation.as_deref().map(slice::from_ref);
                self.authorize_caller(head, caller, operation.unwrap_or_default()).await
            }
            Err(Unauthenticated { error: Error::MissingToken, .. }) if self.terms.is_optional() => {
                let refusal = self.terms.refuse(Error::MissingToken, &Presentation::default());
                Ok(Caller::anonymous(refusal))
            }
            Err(Unauthenticated { error, presentation }) => {
                Err(self.terms.refuse(error, &presentation))
            }
        }
    }

    /// Authorizes the caller of a request by the policy, and by the application's own decision.
    async fn authorize_caller(
        &self,
        head: RequestHead<'_>,
        caller: Authenticated,
        operations: &[Operation],
    ) -> Result<Caller, Refusal> {
        let presentation = caller.presentation();
        self.terms.authorize(&caller.evidence(self.terms.implied()), presentation)?;
        if let Some(hook) = &self.protect.settings().decision {
            let clock = self.protect.tenants().own().clock();
            let refuse = |error| self.terms.refuse(error, presentation);
            if operations.is_empty() {
                hook.ask(clock, head, &caller, None).await.map_err(refuse)?;
            }
            for operation in operations {
                hook.ask(clock, head, &caller, Some(operation)).await.map_err(refuse)?;
            }
        }
        Ok(caller.accepted_by(&self.terms).into())
    }
}
