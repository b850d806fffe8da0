//! The arguments by whose type a handler declares what it needs.

use std::{fmt, marker::PhantomData};

use super::{
    caller::{Authenticated, Caller},
    guard::Guard,
    refusal::Refusal,
};
use crate::{
    policy::{AnyToken, Require},
    token::claims::Claims,
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
pub struct Bearer<P = AnyToken> {
    caller: Authenticated,
    policy: PhantomData<fn() -> P>,
}

impl<P> Bearer<P> {
    /// An argument for unit tests of handlers. The policy is not applied.
    #[must_use]
    pub fn for_tests(caller: Authenticated) -> Self {
        Self { caller, policy: PhantomData }
    }

    /// The claims of the token.
    #[must_use]
    pub fn claims(&self) -> &Claims {
        self.caller.claims()
    }

    /// The caller, to be passed on.
    #[must_use]
    pub fn into_authenticated(self) -> Authenticated {
        self.caller
    }
}

impl<P: Require> Bearer<P> {
    /// The caller of a request that a guard accepted, authorized by the type's policy too: the guard
    /// may have been told of another one.
    #[allow(dead_code, reason = "hosts use it")]
    pub(crate) fn of(accepted: &Accepted) -> Result<Self, Refusal> {
        let caller = accepted.caller.require()?;
        accepted.guard.authorize(caller, P::POLICY)?;
        Ok(Self::for_tests(caller.clone()))
    }
}

impl<P> fmt::Debug for Bearer<P> {
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
