//! Refresh tokens, which rotate (RFC 6749 §6, RFC 9700 §4.14.2).

use std::sync::Arc;

use serde_json::Value;

use crate::{
    OAuthClient,
    site::oauth::{
        call::Call,
        error::OAuthError,
        issue::issue_for,
        params::Params,
        store::{Binding, RefreshToken},
        target::Target,
    },
};

/// Takes a refresh token in exchange for new tokens.
pub(crate) fn redeem(
    call: &Call<'_>,
    client: &OAuthClient,
    params: &Params,
    binding: Binding,
) -> Result<Value, OAuthError> {
    let name = params.get("refresh_token");
    let name = name.ok_or(OAuthError::request("there is no refresh_token"))?;
    let (grant, target) = {
        let mut store = call.site.oauth.store.lock();
        let token = store.refresh_tokens.get_mut(name);
        let token = token.filter(|token| token.grant.client.id == client.id);
        let token = token.ok_or(OAuthError::grant("the refresh_token is not the client's"))?;
        check(call, token, &binding)?;
        let config = &call.site.oauth.config;
        let (scope, resources) = (params.get("scope"), params.all("resource"));
        let target = Target::narrowed(config, &token.grant.target(), scope, &resources)?;
        token.is_used = true;
        (Arc::clone(&token.grant), target)
    };
    // OpenID Connect Core §12.2: the ID token has no nonce.
    Ok(issue_for(call, &grant, &target, &binding, None))
}

fn check(call: &Call<'_>, token: &RefreshToken, binding: &Binding) -> Result<(), OAuthError> {
    let invalid = |description| Err(OAuthError::grant(description));
    let introspector = &call.site.introspector;
    if introspector.is_revoked(&token.grant.id) {
        return invalid("the refresh_token was revoked");
    }
    if token.is_used {
        // One of the two who used it has stolen it.
        introspector.revoke_grant(&token.grant.id);
        return invalid("the refresh_token was used before: its tokens are revoked");
    }
    if token.expires <= call.now {
        return invalid("the refresh_token has expired");
    }
    if token.binding.jkt.is_some() && token.binding.jkt != binding.jkt {
        return invalid("the refresh_token is bound to another key");
    }
    if token.binding.x5t.is_some() && token.binding.x5t != binding.x5t {
        return invalid("the refresh_token is bound to another certificate");
    }
    Ok(())
}
