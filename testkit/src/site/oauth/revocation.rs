//! The revocation endpoint (RFC 7009).

use http::StatusCode;

use crate::site::{
    answer::{Answer, empty},
    oauth::{
        call::Call,
        error::{OAuthError, private},
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
    let introspector = &call.site.introspector;
    let refresh = {
        let store = call.site.oauth.store.lock();
        store.refresh_tokens.get(token).map(|token| token.grant.clone())
    };
    if let Some(grant) = refresh {
        if grant.client.id != client.id {
            return Err(foreign);
        }
        introspector.revoke_grant(&grant.id);
        return Ok(());
    }
    if let Some(claims) = introspector.claims(token) {
        if claims.get("client_id").and_then(|id| id.as_str()) != Some(&client.id) {
            return Err(foreign);
        }
        introspector.revoke(token);
    }
    Ok(())
}
