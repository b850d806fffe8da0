//! Which API a token is for, and with which scopes (RFC 8707).

use crate::{
    Api, TenantConfig,
    site::oauth::{
        error::OAuthError,
        scope::{self, scopes},
    },
};

/// The scopes and audiences of a request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Target {
    pub(crate) scopes: Vec<String>,
    /// At least one.
    pub(crate) audiences: Vec<String>,
}

impl Target {
    /// Those that are requested, which the APIs must have.
    pub(crate) fn requested(
        config: &TenantConfig,
        scope: Option<&str>,
        resources: &[&str],
    ) -> Result<Self, OAuthError> {
        let audiences = match resources {
            [] => config.apis.first().map(|api| api.audience.clone()).into_iter().collect(),
            resources => audiences(config, resources)?,
        };
        let invalid = |description| OAuthError::new("invalid_scope", description);
        let scopes = scopes(scope.unwrap_or_default()).ok_or(invalid("the scope is malformed"))?;
        let apis: Vec<_> = audiences.iter().filter_map(|audience| api(config, audience)).collect();
        let is_known = |scope: &String| {
            let of_api = |api: &&Api| api.scopes.is_empty() || scope::has(&api.scopes, scope);
            scope::OWN.contains(&scope.as_str()) || apis.iter().any(of_api)
        };
        if !scopes.iter().all(is_known) {
            return Err(invalid("the API has no such scope"));
        }
        Ok(Self { scopes, audiences })
    }

    /// Those that are requested of what was granted: all of it by default.
    pub(crate) fn narrowed(
        config: &TenantConfig,
        granted: &Self,
        scope: Option<&str>,
        resources: &[&str],
    ) -> Result<Self, OAuthError> {
        let mut target = granted.clone();
        if !resources.is_empty() {
            target.audiences = audiences(config, resources)?;
            if !target.audiences.iter().all(|audience| granted.audiences.contains(audience)) {
                return Err(OAuthError::new("invalid_target", "the resource was not granted"));
            }
        }
        if let Some(scope) = scope {
            let invalid = |description| OAuthError::new("invalid_scope", description);
            target.scopes = scopes(scope).ok_or(invalid("the scope is malformed"))?;
            if !target.scopes.iter().all(|scope| scope::has(&granted.scopes, scope)) {
                return Err(invalid("the scope was not granted"));
            }
        }
        Ok(target)
    }
}

/// The API with this audience.
pub(crate) fn api<'a>(config: &'a TenantConfig, audience: &str) -> Option<&'a Api> {
    config.apis.iter().find(|api| api.audience == audience)
}

/// The audiences that are meant. A URL parser adds a slash to a URL without a path, so that one at
/// the end makes no difference.
pub(crate) fn audiences(
    config: &TenantConfig,
    resources: &[&str],
) -> Result<Vec<String>, OAuthError> {
    let mut audiences = Vec::new();
    for resource in resources {
        let is_it = |api: &&Api| without_slash(&api.audience) == without_slash(resource);
        let api = config.apis.iter().find(|api| api.audience == *resource);
        let api = api.or_else(|| config.apis.iter().find(is_it));
        let api = api.ok_or(OAuthError::new("invalid_target", "there is no such resource"))?;
        if !audiences.contains(&api.audience) {
            audiences.push(api.audience.clone());
        }
    }
    Ok(audiences)
}

fn without_slash(text: &str) -> &str {
    text.strip_suffix('/').unwrap_or(text)
}
