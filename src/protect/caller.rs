//! The caller of a request that a guard accepted.

use std::{fmt, sync::Arc, time::Duration};

use http::{HeaderMap, Response, StatusCode, header::WWW_AUTHENTICATE};

use super::{
    presentation::Presentation,
    refusal::{Answering, Refusal},
    terms::Terms,
};
use crate::{
    clock::Clock,
    error::{Error, InvalidToken},
    policy::{AuthorizationRules, Evidence, GroupMatch, ImpliedScopes},
    token::{
        AccessToken, TokenKind,
        claims::Claims,
        credentials::Scheme,
        typed::{FromClaims, Unfit},
    },
    validator::TokenValidator,
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

    /// Completes a response of the application: with the nonce for the client's next DPoP proof, if
    /// one is due (RFC 9449 §8.2), and with challenges where it rejects an anonymous caller with 401,
    /// as a token would have been another way in. The hosts of this library call it; a middleware for
    /// [another one](crate::manual::adding_a_host) does so with every response of a handler.
    pub fn complete<B>(&self, response: &mut Response<B>) {
        let (status, error) = (response.status(), response.extensions().get().cloned());
        self.complete_headers(status, error.as_ref(), response.headers_mut());
    }

    /// A refusal, whose `error` is in the response's extensions, has its challenges already.
    pub(crate) fn complete_headers(
        &self,
        status: StatusCode,
        error: Option<&Error>,
        headers: &mut HeaderMap,
    ) {
        match &self.0 {
            Ok(caller) => caller.presentation.provide_nonce(headers),
            Err(refusal) if status == StatusCode::UNAUTHORIZED && error.is_none() => {
                for challenge in refusal.challenges() {
                    headers.append(WWW_AUTHENTICATE, challenge);
                }
            }
            Err(_) => {}
        }
    }

    /// Whether there is anything to complete, so that a host need not touch the response.
    #[allow(dead_code, reason = "poem uses it")]
    pub(crate) fn completes(&self, status: StatusCode) -> bool {
        match &self.0 {
            Ok(caller) => caller.presentation.next_nonce.is_some(),
            Err(_) => status == StatusCode::UNAUTHORIZED,
        }
    }
}

/// A caller with a valid access token that permits the operation.
///
/// `C` is the type that the handler reads the claims in: [`Claims`], or one of the application's, which
/// serde deserializes. A token whose claims do not fit is rejected with 401 and
/// `error="invalid_token"`; the event `token.claim_unfit` of the debug log names the path that failed.
/// Claims that the type does not name are ignored. Make optional what not every token has.
///
/// ```
/// use monocloud_backend::{Authenticated, Claims};
/// use serde::Deserialize;
/// use serde_json::json;
///
/// #[derive(Deserialize)]
/// struct Profile {
///     email: String,
///     plan: Option<String>,
/// }
///
/// // A handler on axum, salvo or poem.
/// async fn greet(caller: Authenticated<Profile>) -> String {
///     format!("hello, {}", caller.claims().email)
/// }
///
/// let claims = Claims::for_tests(json!({ "sub": "alice", "email": "alice@example.com" }));
/// let alice = Authenticated::for_tests(claims).typed::<Profile>().unwrap();
/// assert_eq!(alice.claims().plan, None);
/// assert_eq!(alice.token_claims().subject(), Some("alice"));
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// assert_eq!(greet(alice).await, "hello, alice@example.com");
/// # });
/// ```
pub struct Authenticated<C = Claims> {
    claims: Arc<C>,
    pub(super) token_claims: Arc<Claims>,
    kind: TokenKind,
    /// Whether the request proved that the token was issued to its sender.
    pub(super) is_sender_constrained: bool,
    presentation: Presentation,
    /// Those of the tenant that issued the token.
    pub(super) rules: Arc<AuthorizationRules>,
    /// Those of the guard that accepted the request; nothing in unit tests of handlers.
    pub(super) terms: Option<Arc<Terms>>,
    /// Of a token that does not say when it expires.
    pub(super) introspection: Option<Introspection>,
}

/// How a token is introspected again.
#[derive(Clone)]
pub(super) struct Introspection {
    pub(super) token: AccessToken,
    pub(super) validator: Arc<TokenValidator>,
}

impl Authenticated {
    pub(super) fn new(
        claims: Arc<Claims>,
        kind: TokenKind,
        is_sender_constrained: bool,
        presentation: Presentation,
        rules: Arc<AuthorizationRules>,
    ) -> Self {
        Self {
            claims: Arc::clone(&claims),
            token_claims: claims,
            kind,
            is_sender_constrained,
            presentation,
            rules,
            terms: None,
            introspection: None,
        }
    }

    /// The caller, whose token is introspected again while a response lasts.
    pub(super) fn with_introspection(self, introspection: Option<Introspection>) -> Self {
        Self { introspection, ..self }
    }

    /// A caller that no guard has authenticated, for unit tests of handlers. The token passes for a
    /// JWT. A handler that takes a type of its own is given [`typed`](Self::typed).
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
        let presentation = Presentation::by(Scheme::Bearer);
        Self::new(Arc::new(claims), TokenKind::Jwt, false, presentation, Arc::new(rules))
    }

    /// The caller as a guard with these terms hands it out.
    pub(super) fn accepted_by(self, terms: &Arc<Terms>) -> Self {
        Self { terms: Some(Arc::clone(terms)), ..self }
    }

    pub(crate) const fn presentation(&self) -> &Presentation {
        &self.presentation
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

impl<C> Authenticated<C> {
    /// What the token says, in the type that the handler asks for.
    #[must_use]
    pub fn claims(&self) -> &C {
        &self.claims
    }

    /// All that the token says, whatever type [`claims`](Self::claims) are.
    #[must_use]
    pub fn token_claims(&self) -> &Claims {
        &self.token_claims
    }

    /// How the token was validated.
    #[must_use]
    pub const fn kind(&self) -> TokenKind {
        self.kind
    }

    /// The same caller with the claims in another type. Handlers that take `Authenticated<T>` or
    /// `Bearer<P, T>` have it done; this is for optional callers, middleware and tests.
    ///
    /// # Errors
    ///
    /// The [`Refusal`] of a token whose claims do not fit `T`. The debug log names the path.
    pub fn typed<T: FromClaims>(&self) -> Result<Authenticated<T>, Refusal> {
        let claims = T::read(&self.token_claims).map_err(|Unfit { path, expected }| {
            tracing::debug!(
                name: "token.claim_unfit",
                path,
                expected,
                "the claims of a token do not fit the application's type"
            );
            let error = Error::InvalidToken(InvalidToken::TypedClaims);
            match &self.terms {
                Some(terms) => terms.refuse(error, &self.presentation),
                None => Refusal::new(error, Answering::in_realm("tests")),
            }
        })?;
        Ok(self.with_claims(claims))
    }

    fn with_claims<T>(&self, claims: Arc<T>) -> Authenticated<T> {
        Authenticated {
            claims,
            token_claims: Arc::clone(&self.token_claims),
            kind: self.kind,
            is_sender_constrained: self.is_sender_constrained,
            presentation: self.presentation.clone(),
            rules: Arc::clone(&self.rules),
            terms: self.terms.clone(),
            introspection: self.introspection.clone(),
        }
    }
}

/// `C` need not be `Clone`: it is shared.
impl<C> Clone for Authenticated<C> {
    fn clone(&self) -> Self {
        self.with_claims(Arc::clone(&self.claims))
    }
}

/// Shows all that the token says, and asks nothing of `C`.
impl<C> fmt::Debug for Authenticated<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authenticated")
            .field("claims", &self.token_claims)
            .field("kind", &self.kind)
            .field("is_sender_constrained", &self.is_sender_constrained)
            .finish_non_exhaustive()
    }
}

impl From<Authenticated> for Caller {
    fn from(authenticated: Authenticated) -> Self {
        Self(Ok(authenticated))
    }
}
