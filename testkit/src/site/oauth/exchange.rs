//! Exchanging tokens (RFC 8693).

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::{
    OAuthClient, TokenFormat,
    site::oauth::{
        call::Call,
        error::OAuthError,
        issue::access_token,
        params::Params,
        scope,
        store::{Binding, Grant},
        target::{Target, api},
    },
    token::random_id,
};

const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";

/// Claims of the subject's token that the new one does not take over.
const OWN_CLAIMS: [&str; 11] =
    ["iss", "aud", "client_id", "iat", "nbf", "exp", "jti", "scope", "cnf", "token_type", "act"];

/// Issues a token for the subject of another one, which is active here. With an actor's token, the
/// new one says who acts (§4.1).
pub(crate) fn issue(
    call: &Call<'_>,
    client: &Arc<OAuthClient>,
    params: &Params,
    binding: &Binding,
) -> Result<Value, OAuthError> {
    let subject = token(call, params, "subject_token", "subject_token_type")?;
    let subject = subject.ok_or(OAuthError::request("there is no subject_token"))?;
    let actor = token(call, params, "actor_token", "actor_token_type")?;

    let target = target(call, params, &subject)?;
    let requested = params.get("requested_token_type").unwrap_or(ACCESS_TOKEN);
    let format = target
        .audiences
        .first()
        .and_then(|audience| Some(api(&call.site.oauth.config, audience)?.tokens));
    let is_possible =
        requested == ACCESS_TOKEN || requested == JWT && format == Some(TokenFormat::Jwt);
    if !is_possible {
        return Err(OAuthError::request("the requested_token_type cannot be issued"));
    }

    let latest = subject.get("exp").and_then(Value::as_i64);
    let mut more = subject.clone();
    more.retain(|name, _| !OWN_CLAIMS.contains(&name.as_str()));
    let before = subject.get("act").cloned();
    if let Some(actor) = actor {
        let mut act = json!({ "sub": actor.get("sub") });
        if let Some(before) = before {
            act["act"] = before;
        }
        more.insert("act".to_owned(), act);
    } else if let Some(before) = before {
        more.insert("act".to_owned(), before);
    }
    let grant = Grant {
        id: random_id(),
        client: Arc::clone(client),
        login: None,
        scopes: target.scopes.clone(),
        audiences: target.audiences.clone(),
    };
    let access = access_token(call, &grant, &target, binding, more, latest);
    let mut response = access.response(&target.scopes);
    response["issued_token_type"] = requested.into();
    Ok(response)
}

/// The claims of an active token.
fn token(
    call: &Call<'_>,
    params: &Params,
    name: &str,
    type_name: &str,
) -> Result<Option<Map<String, Value>>, OAuthError> {
    match (params.get(name), params.get(type_name)) {
        (None, None) => Ok(None),
        (Some(token), Some(ACCESS_TOKEN | JWT)) => match call.site.introspector.claims(token) {
            Some(claims) => Ok(Some(claims)),
            None => Err(OAuthError::request("a token is not an active one of the tenant")),
        },
        (Some(_), Some(_)) => Err(OAuthError::request("the type of a token is not supported")),
        _ => Err(OAuthError::request("a token and its type belong together")),
    }
}

/// For the API that the subject's token is for, no more scopes than that has; for others any.
fn target(
    call: &Call<'_>,
    params: &Params,
    subject: &Map<String, Value>,
) -> Result<Target, OAuthError> {
    let config = &call.site.oauth.config;
    let mut resources = params.all("resource");
    resources.extend(params.all("audience"));
    let audiences: Vec<String> = match subject.get("aud") {
        Some(Value::Array(all)) => {
            all.iter().filter_map(Value::as_str).map(str::to_owned).collect()
        }
        Some(Value::String(one)) => vec![one.clone()],
        _ => Vec::new(),
    };
    let granted = subject.get("scope").and_then(Value::as_str).unwrap_or_default();
    let granted = scope::scopes(granted).unwrap_or_default();
    let mut target = Target::requested(config, params.get("scope"), &resources)?;
    if target.audiences.iter().any(|audience| audiences.contains(audience)) {
        if params.get("scope").is_none() {
            target.scopes.clone_from(&granted);
        }
        if !target.scopes.iter().all(|scope| scope::has(&granted, scope)) {
            let description = "the subject_token does not have the scope";
            return Err(OAuthError::new("invalid_scope", description));
        }
    }
    Ok(target)
}
