//! Users.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::token::to_json;

/// A user, who logs in by name and without a password.
///
/// ```
/// use monocloud_testkit::User;
///
/// let bob = User::new("bob").group("sales").claim("email", "bob@example.com");
/// assert_eq!(bob.subject(), "bob");
/// ```
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct User {
    /// The name on the login page, in `login_hint`, and in
    /// [`sign_in`](crate::MockTenant::sign_in).
    pub name: String,
    /// The `sub` claim; the name by default.
    #[serde(default)]
    pub subject: Option<String>,
    /// The names in the `groups` claim. Without any, tokens do not have the claim.
    #[serde(default)]
    pub groups: Vec<String>,
    /// More claims of the user's access tokens. The ID token and the userinfo endpoint have
    /// `email` and `email_verified` with the scope `email`, and the others with `profile`.
    #[serde(default)]
    pub claims: Map<String, Value>,
}

impl User {
    /// A user of this name, without groups and claims.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), subject: None, groups: Vec::new(), claims: Map::new() }
    }

    /// Sets the `sub` claim.
    #[must_use]
    pub fn with_subject(mut self, subject: impl Into<String>) -> Self {
        self.subject = Some(subject.into());
        self
    }

    /// Adds a group.
    #[must_use]
    pub fn group(mut self, name: impl Into<String>) -> Self {
        self.groups.push(name.into());
        self
    }

    /// Sets a claim.
    ///
    /// # Panics
    ///
    /// If `value` cannot be serialized as JSON.
    #[must_use]
    #[track_caller]
    pub fn claim(mut self, name: impl Into<String>, value: impl Serialize) -> Self {
        self.claims.insert(name.into(), to_json(value));
        self
    }

    /// The `sub` claim.
    #[must_use]
    pub fn subject(&self) -> &str {
        self.subject.as_deref().unwrap_or(&self.name)
    }
}
