//! Clients that register themselves (RFC 7591).

use std::sync::Arc;

use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    GrantType, OAuthClient,
    site::{
        answer::Answer,
        oauth::{
            call::Call,
            error::{OAuthError, private_json},
            redirect_uri::is_redirect_uri,
        },
    },
    token::{PublicKey, random_id},
};

/// The metadata that the tenant understands; others are ignored (§2).
#[derive(Debug, Deserialize)]
struct Metadata {
    #[serde(default)]
    redirect_uris: Vec<String>,
    #[serde(default)]
    post_logout_redirect_uris: Vec<String>,
    #[serde(default = "default_method")]
    token_endpoint_auth_method: String,
    #[serde(default = "default_grants")]
    grant_types: Vec<String>,
    #[serde(default = "default_responses")]
    response_types: Vec<String>,
    client_name: Option<String>,
    jwks: Option<Keys>,
}

#[derive(Debug, Deserialize)]
struct Keys {
    keys: Vec<Value>,
}

fn default_method() -> String {
    "client_secret_basic".to_owned()
}

fn default_grants() -> Vec<String> {
    vec!["authorization_code".to_owned()]
}

fn default_responses() -> Vec<String> {
    vec!["code".to_owned()]
}

/// Registers a client.
pub(crate) fn respond(call: &Call<'_>) -> Answer {
    match register(call) {
        Ok(response) => private_json(StatusCode::CREATED, &response),
        Err(error) => error.answer(),
    }
}

fn register(call: &Call<'_>) -> Result<Value, OAuthError> {
    if call.request.method() != Method::POST {
        return Err(OAuthError::request("the method is not POST"));
    }
    if !call.has_media_type("application/json") {
        return Err(OAuthError::request("the content type is not application/json"));
    }
    let invalid = |description| OAuthError::new("invalid_client_metadata", description);
    let metadata: Metadata = serde_json::from_slice(call.request.body())
        .map_err(|_| invalid("the body is not the metadata of a client"))?;
    let client = client(&metadata)?;

    let mut response = json!({
        "client_id": client.id,
        "client_id_issued_at": call.now,
        "redirect_uris": client.redirect_uris,
        "post_logout_redirect_uris": client.post_logout_redirect_uris,
        "token_endpoint_auth_method": metadata.token_endpoint_auth_method,
        "grant_types": metadata.grant_types,
        "response_types": metadata.response_types,
    });
    if let Some(name) = &client.name {
        response["client_name"] = name.as_str().into();
    }
    if let Some(secret) = &client.secret {
        response["client_secret"] = secret.as_str().into();
        response["client_secret_expires_at"] = 0.into();
    }
    if !client.keys.is_empty() {
        response["jwks"] = json!({ "keys": client.keys });
    }
    call.site.oauth.store.lock().clients.insert(&client.id, Arc::new(client.clone()));
    Ok(response)
}

fn client(metadata: &Metadata) -> Result<OAuthClient, OAuthError> {
    let invalid = |description| OAuthError::new("invalid_client_metadata", description);
    let grants = metadata.grant_types.iter().map(|name| GrantType::named(name));
    let grants: Option<Vec<_>> = grants.collect();
    let grants = grants.ok_or(invalid("a grant type is unknown"))?;
    let uses_codes = grants.contains(&GrantType::AuthorizationCode);
    if metadata.response_types.iter().any(|response| response != "code") {
        return Err(invalid("a response type is not code"));
    }
    let uris = metadata.redirect_uris.iter().chain(&metadata.post_logout_redirect_uris);
    if !uris.clone().all(|uri| is_redirect_uri(uri))
        || uses_codes && metadata.redirect_uris.is_empty()
    {
        let description = "there is no redirect URI, or one is not absolute";
        return Err(OAuthError::new("invalid_redirect_uri", description));
    }

    let mut client = OAuthClient::public(random_id());
    match &*metadata.token_endpoint_auth_method {
        "none" => {}
        "client_secret_basic" | "client_secret_post" | "client_secret_jwt" => {
            client.secret = Some(random_id() + &random_id());
        }
        "private_key_jwt" => {
            let keys = metadata.jwks.as_ref().map(|jwks| jwks.keys.clone()).unwrap_or_default();
            if keys.is_empty() || keys.iter().any(|key| PublicKey::from_jwk(key).is_none()) {
                return Err(invalid("there is no key, or one is not a public JWK"));
            }
            client.keys = keys;
        }
        _ => return Err(invalid("the token_endpoint_auth_method is not supported")),
    }
    client.name.clone_from(&metadata.client_name);
    client.redirect_uris.clone_from(&metadata.redirect_uris);
    client.post_logout_redirect_uris.clone_from(&metadata.post_logout_redirect_uris);
    client.grant_types = grants;
    if !client.grant_types.iter().all(|grant| client.may_use(*grant)) {
        return Err(invalid("a public client may not use one of the grant types"));
    }
    Ok(client)
}
