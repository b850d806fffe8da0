//! A client's own tokens (RFC 6749 §4.4).

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::{
    OAuthClient,
    site::oauth::{
        call::Call,
        error::OAuthError,
        issue::access_token,
        params::Params,
        scope,
        store::{Binding, Grant},
        target::Target,
    },
    token::random_id,
};

/// Issues an access token for the client itself. Scopes about users are left out.
pub(crate) fn issue(
    call: &Call<'_>,
    client: &Arc<OAuthClient>,
    params: &Params,
    binding: &Binding,
) -> Result<Value, OAuthError> {
    let (scope, resources) = (params.get("scope"), params.all("resource"));
    let mut target = Target::requested(&call.site.oauth.config, scope, &resources)?;
    target.scopes.retain(|scope| !scope::OWN.contains(&scope.as_str()));
    let grant = Grant {
        id: random_id(),
        client: Arc::clone(client),
        login: None,
        scopes: target.scopes.clone(),
        audiences: target.audiences.clone(),
    };
    let access = access_token(call, &grant, &target, binding, Map::new(), None);
    Ok(access.response(&target.scopes))
}
