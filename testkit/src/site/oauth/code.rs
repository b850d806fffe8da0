//! Authorization codes (RFC 6749 §4.1).

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use serde_json::Value;

use crate::{
    OAuthClient,
    site::{
        answer::Answer,
        oauth::{
            authorize::AuthorizationRequest,
            call::Call,
            error::OAuthError,
            issue::issue_for,
            params::Params,
            store::{Binding, Code, Grant, Login},
            target::Target,
        },
    },
    token::{base64url, random_id},
};

/// Sends the user back with a code.
pub(crate) fn issue(call: &Call<'_>, request: &AuthorizationRequest, login: Login) -> Answer {
    let grant = Grant {
        id: random_id(),
        client: Arc::clone(&request.client),
        login: Some(login),
        scopes: request.target.scopes.clone(),
        audiences: request.target.audiences.clone(),
    };
    let lifetime = call.site.oauth.config.lifetimes.authorization_code;
    let code = Code {
        grant: Arc::new(grant),
        redirect_uri: request.names_redirect_uri.then(|| request.return_to.uri.clone()),
        challenge: request.challenge.clone(),
        jkt: request.jkt.clone(),
        nonce: request.nonce.clone(),
        expires: call.now + i64::from(lifetime),
        is_used: false,
    };
    let name = random_id();
    call.site.oauth.store.lock().codes.insert(&name, code);
    request.return_to.code(call, &name)
}

/// RFC 6749 §4.1.3.
pub(crate) fn redeem(
    call: &Call<'_>,
    client: &Arc<OAuthClient>,
    params: &Params,
    binding: Binding,
) -> Result<Value, OAuthError> {
    let name = params.get("code").ok_or(OAuthError::request("there is no code"))?;
    let (grant, target, nonce) = {
        let mut store = call.site.oauth.store.lock();
        let code = store.codes.get_mut(name).filter(|code| code.grant.client.id == client.id);
        let code = code.ok_or(OAuthError::grant("the code is not one of the client's"))?;
        if code.is_used {
            // RFC 6749 §4.1.2: one of the two who used it has stolen it.
            call.site.introspector.revoke_grant(&code.grant.id);
            return Err(OAuthError::grant("the code was used before: its tokens are revoked"));
        }
        check(call, code, params, &binding)?;
        let target = code.grant.target();
        let config = &call.site.oauth.config;
        let target =
            Target::narrowed(config, &target, params.get("scope"), &params.all("resource"))?;
        code.is_used = true;
        (Arc::clone(&code.grant), target, code.nonce.take())
    };
    Ok(issue_for(call, &grant, &target, &binding, nonce.as_deref()))
}

fn check(
    call: &Call<'_>,
    code: &Code,
    params: &Params,
    binding: &Binding,
) -> Result<(), OAuthError> {
    let invalid = |description| Err(OAuthError::grant(description));
    if code.expires <= call.now {
        return invalid("the code has expired");
    }
    if code.redirect_uri.is_some() && code.redirect_uri.as_deref() != params.get("redirect_uri") {
        return invalid("the redirect_uri is not that of the authorization request");
    }
    if code.jkt.is_some() && code.jkt != binding.jkt {
        return invalid("the code is bound to another key");
    }
    match (&code.challenge, params.get("code_verifier")) {
        (None, None) => Ok(()),
        (Some(challenge), Some(verifier)) if hash(verifier) == *challenge => Ok(()),
        (Some(_), Some(_)) => invalid("the code_verifier is not that of the code_challenge"),
        (Some(_), None) => invalid("there is no code_verifier"),
        // RFC 9700 §4.8.2: the challenge may have been removed by an attacker.
        (None, Some(_)) => invalid("there was no code_challenge"),
    }
}

/// RFC 7636 §4.6.
fn hash(verifier: &str) -> String {
    base64url(digest(&SHA256, verifier.as_bytes()))
}
