//! The revocation endpoint (RFC 7009).

use std::sync::Arc;

use http::StatusCode;

use crate::site::{
    Site,
    answer::{Answer, empty},
    oauth::{
        OAuth,
        call::Call,
        error::{OAuthError, private},
        store::Grant,
    },
};

/// Answers a client that revokes one of its tokens.
pub(crate) fn respond(call: &Call<'_>) -> Answer {
    match revoke(call) {
        Ok(()) => private(empty(StatusCode::OK)),
        Err(error) => error.answer(),
    }
}

/// A refresh token takes all tokens of its grant with it. Unknown tokens are no error (§2.2).
fn revoke(call: &Call<'_>) -> Result<(), OAuthError> {
    let params = call.form()?;
    let client = call.client(&params)?;
    let token = params.get("token").ok_or(OAuthError::request("there is no token"))?;
    let foreign = OAuthError::new("unauthorized_client", "the token was issued to another client");
    let site = call.site;
    let is_foreign = match site.oauth.grant_of_refresh_token(token) {
        Some(grant) => grant.client.id != client.id,
        None => site.introspector.claims(token).is_some_and(|claims| {
            claims.get("client_id").and_then(|id| id.as_str()) != Some(&client.id)
        }),
    };
    if is_foreign {
        return Err(foreign);
    }
    revoke_token(site, token);
    Ok(())
}

/// Revokes an access token, or a refresh token with all tokens of its grant.
pub(crate) fn revoke_token(site: &Site, token: &str) {
    match site.oauth.grant_of_refresh_token(token) {
        Some(grant) => site.introspector.revoke_grant(&grant.id),
        None => site.introspector.revoke(token),
    }
}

impl OAuth {
    fn grant_of_refresh_token(&self, token: &str) -> Option<Arc<Grant>> {
        self.store.lock().refresh_tokens.get(token).map(|token| Arc::clone(&token.grant))
    }
}
