//! What a guard requires, and how it answers a request that does not comply.

use std::sync::Arc;

use super::{
    presentation::Presentation,
    refusal::{Answering, Refusal},
};
use crate::{
    error::{Denial, Error},
    policy::{Access, Evidence, ImpliedScopes, Requirement},
};

/// What a guard requires of a request, and how it answers one that does not comply.
#[derive(Debug)]
pub(crate) struct Terms {
    /// A request must satisfy each of them. There are several where it asks for several things.
    accesses: Vec<Access>,
    answering: Arc<Answering>,
    implied: Arc<ImpliedScopes>,
}

impl Terms {
    pub(super) const fn new(
        accesses: Vec<Access>,
        answering: Arc<Answering>,
        implied: Arc<ImpliedScopes>,
    ) -> Self {
        Self { accesses, answering, implied }
    }

    pub(super) fn accesses(&self) -> &[Access] {
        &self.accesses
    }

    pub(super) fn implied(&self) -> &ImpliedScopes {
        &self.implied
    }

    /// Whether a request without a token may pass.
    pub(super) fn is_optional(&self) -> bool {
        self.accesses.iter().all(Access::is_optional)
    }

    /// Whether a request is authorized.
    pub(super) fn permit(&self, evidence: &Evidence<'_>) -> bool {
        let is_met = |access: &Access| access.nearest(evidence).is_none_or(|(unmet, _)| unmet == 0);
        self.accesses.iter().all(is_met)
    }

    /// Authorizes a request; it presented its token in this way.
    pub(super) fn authorize(
        &self,
        evidence: &Evidence<'_>,
        presentation: &Presentation,
    ) -> Result<(), Refusal> {
        let denial = self.accesses.iter().find_map(|access| access.authorize(evidence).err());
        let Some(error) = denial else { return Ok(()) };
        // The scopes of all that the request asks for: a client may replace its token by one with
        // exactly these.
        let nearest = self.accesses.iter().filter_map(|access| access.nearest(evidence));
        let scope = scope_of(nearest.map(|(_, alternative)| alternative));
        let error = naming(error, scope.as_ref());
        Err(Refusal::new(error, Arc::clone(&self.answering)).with_scope(scope).to(presentation))
    }

    /// Rejects a request by what the first alternative needs: the document lists it first.
    pub(super) fn refuse(&self, error: Error, presentation: &Presentation) -> Refusal {
        let scope = scope_of(self.accesses.iter().filter_map(|it| it.alternatives.first()));
        Refusal::new(error, Arc::clone(&self.answering)).with_scope(scope).to(presentation)
    }
}

/// Every scope of these, as a challenge lists them; `None` if there are none.
fn scope_of<'r>(requirements: impl Iterator<Item = &'r Requirement>) -> Option<Arc<str>> {
    let mut scopes = Vec::new();
    for scope in requirements.flat_map(|requirement| &requirement.scopes) {
        if !scopes.contains(&scope.as_str()) {
            scopes.push(scope);
        }
    }
    (!scopes.is_empty()).then(|| scopes.join(" ").into())
}

/// An error that names these scopes where it names any.
fn naming(error: Error, scope: Option<&Arc<str>>) -> Error {
    match (error, scope) {
        (Error::InsufficientScope(Denial::Scopes { .. }), Some(scope)) => {
            Error::InsufficientScope(Denial::Scopes { required: Arc::clone(scope) })
        }
        (Error::InsufficientUserAuthentication(mut step_up), Some(scope)) => {
            step_up.scope = step_up.scope.map(|_| Arc::clone(scope));
            Error::InsufficientUserAuthentication(step_up)
        }
        (error, _) => error,
    }
}
