//! The caller of a request that a guard accepted.

use std::{sync::Arc, time::Duration};

use http::{HeaderValue, StatusCode};

use super::refusal::{Answering, Refusal};
use crate::{
    clock::Clock,
    error::Error,
    policy::{AuthorizationRules, Evidence, GroupMatch, ImpliedScopes},
    token::{TokenKind, claims::Claims},
};

/// The caller of a request that a guard accepted; anonymous where a token is optional and absent.
///
/// An operation that requires a token takes [`Authenticated`] instead.
#[derive(Clone, Debug)]
pub struct Caller(Result<Authenticated, Refusal>);

impl Caller {
    /// A caller without a token, and the refusal if one is needed after all.
    pub(super) const fn anonymous(refusal: Refusal) -> Self {
        Self(Err(refusal))
    }

    /// A caller for unit tests of handlers. It is handed to a handler as an argument.
    #[must_use]
    pub fn for_tests(authenticated: Authenticated) -> Self {
        Self(Ok(authenticated))
    }

    /// A caller without a token, for unit tests of handlers.
    #[must_use]
    pub fn anonymous_for_tests() -> Self {
        Self(Err(Refusal::new(Error::MissingToken, Answering::in_realm("tests"))))
    }

    /// The caller, if the request carried a token.
    #[must_use]
    pub fn authenticated(&self) -> Option<&Authenticated> {
        self.0.as_ref().ok()
    }

    /// What the token says, if the request carried one.
    #[must_use]
    pub fn claims(&self) -> Option<&Claims> {
        self.authenticated().map(Authenticated::claims)
    }

    /// The caller, where a token is needed after all.
    ///
    /// # Errors
    ///
    /// The [`Refusal`] of a request without a token.
    pub fn require(&self) -> Result<&Authenticated, Refusal> {
        self.0.as_ref().map_err(Refusal::clone)
    }

    /// The challenge to add to a response of the application: where it rejects an anonymous caller
    /// with a 401, a token would have been another way in. A refusal, whose `error` is in the
    /// response's extensions, has its challenge already.
    pub(crate) fn challenge_for(
        &self,
        status: StatusCode,
        error: Option<&Error>,
    ) -> Option<HeaderValue> {
        match &self.0 {
            Err(refusal) if status == StatusCode::UNAUTHORIZED && error.is_none() => {
                refusal.challenge()
            }
            _ => None,
        }
    }
}

/// A caller with a valid access token that permits the operation.
#[derive(Clone, Debug)]
pub struct Authenticated {
    claims: Arc<Claims>,
    kind: TokenKind,
    /// Whether the request proved that the token was issued to its sender.
    is_sender_constrained: bool,
    /// Those of the tenant that issued the token.
    rules: Arc<AuthorizationRules>,
}

impl Authenticated {
    pub(super) const fn new(
        claims: Arc<Claims>,
        kind: TokenKind,
        is_sender_constrained: bool,
        rules: Arc<AuthorizationRules>,
    ) -> Self {
        Self { claims, kind, is_sender_constrained, rules }
    }

    /// A caller that no guard has authenticated, for unit tests of handlers. The token passes for a
    /// JWT.
    ///
    /// ```
    /// use monocloud_backend::{Authenticated, Claims};
    /// use serde_json::json;
    ///
    /// let alice = Authenticated::for_tests(Claims::for_tests(json!({ "sub": "alice" })));
    /// assert_eq!(alice.claims().subject(), Some("alice"));
    /// ```
    #[must_use]
    pub fn for_tests(claims: Claims) -> Self {
        let rules = AuthorizationRules {
            groups_claim: "groups".to_owned(),
            default_match: GroupMatch::Any,
            clock: Clock::SYSTEM,
            clock_skew: Duration::ZERO,
            clock_tolerance: Duration::ZERO,
        };
        Self::new(Arc::new(claims), TokenKind::Jwt, false, Arc::new(rules))
    }

    /// What the token says.
    #[must_use]
    pub fn claims(&self) -> &Claims {
        &self.claims
    }

    /// How the token was validated.
    #[must_use]
    pub const fn kind(&self) -> TokenKind {
        self.kind
    }

    pub(super) fn shared_claims(&self) -> Arc<Claims> {
        Arc::clone(&self.claims)
    }

    /// What a request of this caller is authorized by.
    pub(super) fn evidence<'e>(&'e self, implied: &'e ImpliedScopes) -> Evidence<'e> {
        Evidence {
            claims: &self.claims,
            is_sender_constrained: self.is_sender_constrained,
            rules: &self.rules,
            implied,
        }
    }
}

impl From<Authenticated> for Caller {
    fn from(authenticated: Authenticated) -> Self {
        Self(Ok(authenticated))
    }
}
