//! What clients learn about users.

use serde_json::{Map, Value};

use crate::{User, site::oauth::scope};

const EMAIL: [&str; 2] = ["email", "email_verified"];

/// The claims of a user that an ID token and the userinfo endpoint have with these scopes (OpenID
/// Connect Core §5.4).
pub(crate) fn claims_of(user: &User, scopes: &[String]) -> Map<String, Value> {
    let (email, profile) = (scope::has(scopes, "email"), scope::has(scopes, "profile"));
    let is_shown = |name: &str| if EMAIL.contains(&name) { email } else { profile };
    let claims = all_claims_of(user).into_iter();
    let mut claims: Map<_, _> = claims.filter(|(name, _)| is_shown(name)).collect();
    claims.insert("sub".to_owned(), user.subject().into());
    claims
}

/// All claims of a user, as access tokens have them.
pub(crate) fn all_claims_of(user: &User) -> Map<String, Value> {
    let mut claims = user.claims.clone();
    if !user.groups.is_empty() {
        claims.insert("groups".to_owned(), user.groups.clone().into());
    }
    claims.insert("sub".to_owned(), user.subject().into());
    claims
}
