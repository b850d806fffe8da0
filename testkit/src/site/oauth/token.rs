//! The token endpoint (RFC 6749 §3.2).

use http::StatusCode;
use serde_json::Value;

use crate::{
    GrantType,
    site::{
        answer::Answer,
        oauth::{
            call::Call,
            code, credentials, device,
            error::{OAuthError, private_json},
            exchange, proof, refresh,
            store::Binding,
        },
    },
};

/// Answers a request to the token endpoint.
pub(crate) fn respond(call: &Call<'_>) -> Answer {
    match tokens(call) {
        Ok(response) => private_json(StatusCode::OK, &response),
        Err(error) => error.answer(),
    }
}

fn tokens(call: &Call<'_>) -> Result<Value, OAuthError> {
    let params = call.form()?;
    let client = call.client(&params)?;
    let grant = params.get("grant_type").ok_or(OAuthError::request("there is no grant_type"))?;
    let unsupported = OAuthError::new("unsupported_grant_type", "the grant_type is unknown");
    let grant = GrantType::named(grant).ok_or(unsupported)?;
    if !client.may_use(grant) {
        let description = "the client may not use this grant_type";
        return Err(OAuthError::new("unauthorized_client", description));
    }
    let invalid = |description| OAuthError::new("invalid_dpop_proof", description);
    let jkt = proof::check(call, None).map_err(invalid)?;
    let binding = Binding { jkt, x5t: call.certificate() };
    match grant {
        GrantType::AuthorizationCode => code::redeem(call, &client, &params, binding),
        GrantType::RefreshToken => refresh::redeem(call, &client, &params, binding),
        GrantType::ClientCredentials => credentials::issue(call, &client, &params, &binding),
        GrantType::DeviceCode => device::redeem(call, &client, &params, &binding),
        GrantType::TokenExchange => exchange::issue(call, &client, &params, &binding),
    }
}
