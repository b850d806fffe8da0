//! `cnf`: the key that a token is bound to (RFC 7800 §3.1).

use super::{claims::Claims, object::Item, thumbprint::Thumbprint};

/// What a token is bound to, by the members of `cnf` that this library knows. Each must be satisfied.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Confirmation<'c> {
    /// `x5t#S256`: the thumbprint of a certificate (RFC 8705 §3.1).
    pub(crate) certificate: Option<Item<'c>>,
    /// `jkt`: the thumbprint of a key (RFC 9449 §6.1).
    pub(crate) key: Option<KeyConfirmation<'c>>,
    /// Whether there is a `cnf`.
    pub(crate) is_present: bool,
}

/// The thumbprint of the key that a token is bound to, whatever it is made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeyConfirmation<'c>(Item<'c>);

impl<'c> Confirmation<'c> {
    /// A token whose `cnf` is absent or null is bound to nothing.
    pub(crate) fn of(claims: &'c Claims) -> Self {
        let Some(confirmation) = claims.item("cnf").filter(|value| !value.is_null()) else {
            return Self::default();
        };
        Self {
            certificate: confirmation.get("x5t#S256"),
            key: confirmation.get("jkt").map(KeyConfirmation),
            is_present: true,
        }
    }
}

impl KeyConfirmation<'_> {
    /// Whether it names this key.
    pub(crate) fn is_to(&self, thumbprint: &Thumbprint) -> bool {
        self.0.as_str().is_some_and(|jkt| thumbprint.is(jkt))
    }
}
