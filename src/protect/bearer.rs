//! The arguments by whose type a handler declares what it needs.

use std::{fmt, marker::PhantomData};

use super::{
    caller::{Authenticated, Caller},
    guard::Guard,
    refusal::Refusal,
};
use crate::{
    policy::{AnyToken, Require},
    token::{claims::Claims, typed::FromClaims},
};

/// Declares that an operation needs an access token, and extracts its caller.
///
/// What the token must carry is the [policy](Require) of the type. poem-openapi and salvo put it into
/// the document, and the guard of the operation enforces it before anything of the request is parsed.
/// On axum, and wherever the guard was told of another policy, the argument enforces it. Plain poem has
/// [`Authenticated`] instead: a type cannot be an argument of poem and of poem-openapi at once.
///
/// Without a guard before the handler the request fails with 500.
///
/// ```
/// use monocloud_backend::{Bearer, Policy, Require};
///
/// struct Admins;
///
/// impl Require for Admins {
///     const POLICY: Policy = Policy::ANY_TOKEN.any_group(&["admin"]);
/// }
///
/// async fn delete(caller: Bearer<Admins>) -> String {
///     caller.claims().subject().unwrap_or_default().to_owned()
/// }
/// ```
///
/// `C` is the type of the claims: [`Claims`], or one of the application's, as for [`Authenticated`].
/// It is not part of the document.
///
/// ```
/// use monocloud_backend::{Authenticated, Bearer, Claims, policy::AnyToken};
/// use serde::Deserialize;
/// use serde_json::json;
///
/// #[derive(Deserialize)]
/// struct Profile {
///     email: String,
/// }
///
/// async fn greet(caller: Bearer<AnyToken, Profile>) -> String {
///     format!("hello, {}", caller.claims().email)
/// }
///
/// let claims = Claims::for_tests(json!({ "email": "alice@example.com" }));
/// let alice = Authenticated::for_tests(claims).typed().unwrap();
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// assert_eq!(greet(Bearer::for_tests(alice)).await, "hello, alice@example.com");
/// # });
/// ```
pub struct Bearer<P = AnyToken, C = Claims> {
    caller: Authenticated<C>,
    policy: PhantomData<fn() -> P>,
}

impl<P, C> Bearer<P, C> {
    /// An argument for unit tests of handlers. The policy is not applied.
    #[must_use]
    pub fn for_tests(caller: Authenticated<C>) -> Self {
        Self { caller, policy: PhantomData }
    }

    /// The claims of the token, in the type that the handler asks for.
    #[must_use]
    pub fn claims(&self) -> &C {
        self.caller.claims()
    }

    /// All claims of the token, whatever type [`claims`](Self::claims) are.
    #[must_use]
    pub fn token_claims(&self) -> &Claims {
        self.caller.token_claims()
    }

    /// The caller, to be passed on.
    #[must_use]
    pub fn into_authenticated(self) -> Authenticated<C> {
        self.caller
    }
}

impl<P: Require, C: FromClaims> Bearer<P, C> {
    /// The caller of a request that a guard accepted, authorized by the type's policy too: the guard
    /// may have been told of another one.
    #[allow(dead_code, reason = "hosts use it")]
    pub(crate) fn of(accepted: &Accepted) -> Result<Self, Refusal> {
        let caller = accepted.caller.require()?;
        // What is wrong with the token comes before what it lacks.
        let typed = caller.typed()?;
        accepted.guard.authorize(caller, P::POLICY)?;
        Ok(Self::for_tests(typed))
    }
}

impl<P, C> fmt::Debug for Bearer<P, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Bearer").field(&self.caller).finish()
    }
}

/// Declares that an operation takes an access token and does not require one.
///
/// Without a token the caller is anonymous; an invalid token is rejected all the same.
#[derive(Debug)]
pub struct MaybeBearer(Caller);

impl MaybeBearer {
    /// An argument for unit tests of handlers.
    #[must_use]
    pub fn for_tests(caller: Caller) -> Self {
        Self(caller)
    }

    /// The claims of the token, if the request carried one.
    #[must_use]
    pub fn claims(&self) -> Option<&Claims> {
        self.0.claims()
    }

    /// The caller, to be passed on.
    #[must_use]
    pub fn into_caller(self) -> Caller {
        self.0
    }
}

impl From<Caller> for MaybeBearer {
    fn from(caller: Caller) -> Self {
        Self(caller)
    }
}

/// What a guard leaves in the extensions of a request that it accepted.
#[allow(dead_code, reason = "hosts use it")]
#[derive(Clone)]
pub(crate) struct Accepted {
    pub(crate) guard: Guard,
    pub(crate) caller: Caller,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn debug_shows_the_caller() {
        let caller = Authenticated::for_tests(Claims::for_tests(json!({"sub": "alice"})));
        let bearer = Bearer::<AnyToken>::for_tests(caller.clone());
        assert_eq!(format!("{bearer:?}"), format!("Bearer({caller:?})"));
    }
}
