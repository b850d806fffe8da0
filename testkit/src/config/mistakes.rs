//! What is wrong with a configuration.

use std::collections::HashSet;

use crate::{
    Api, Lifetimes, OAuthClient, TenantConfig, User,
    site::{is_redirect_uri, is_scope},
    token::PublicKey,
};

pub(crate) fn mistakes(config: &TenantConfig) -> Vec<String> {
    let mut mistakes = Vec::new();
    names("user", config.users.iter().map(|user| user.name.as_str()), &mut mistakes);
    names("subject", config.users.iter().map(User::subject), &mut mistakes);
    names("client", config.clients.iter().map(|client| client.id.as_str()), &mut mistakes);
    names("API", config.apis.iter().map(|api| api.audience.as_str()), &mut mistakes);
    for client in &config.clients {
        of_client(client, &mut mistakes);
    }
    for api in &config.apis {
        of_api(api, &mut mistakes);
    }
    of_lifetimes(config.lifetimes, &mut mistakes);
    if let Some(name) = &config.auto_login
        && !config.users.iter().any(|user| user.name == *name)
    {
        mistakes.push(format!("auto_login: there is no user {name:?}"));
    }
    mistakes
}

/// Names are not empty, and none is used twice.
fn names<'a>(what: &str, names: impl Iterator<Item = &'a str>, mistakes: &mut Vec<String>) {
    let mut seen = HashSet::new();
    for name in names {
        if name.trim().is_empty() {
            mistakes.push(format!("a {what} has an empty name"));
        } else if !seen.insert(name) {
            mistakes.push(format!("there are two of the {what} {name:?}"));
        }
    }
}

fn of_client(client: &OAuthClient, mistakes: &mut Vec<String>) {
    let id = &client.id;
    if client.secret.as_ref().is_some_and(String::is_empty) {
        mistakes.push(format!("client {id:?}: the secret is empty"));
    }
    for uri in client.redirect_uris.iter().chain(&client.post_logout_redirect_uris) {
        if !is_redirect_uri(uri) {
            mistakes.push(format!(
                "client {id:?}: {uri:?} is not an absolute URI without a fragment to redirect to"
            ));
        }
    }
    for key in &client.keys {
        if PublicKey::from_jwk(key).is_none() {
            mistakes.push(format!("client {id:?}: a key is not a public JWK"));
        }
    }
}

fn of_api(api: &Api, mistakes: &mut Vec<String>) {
    let audience = &api.audience;
    for scope in &api.scopes {
        if !is_scope(scope) {
            mistakes.push(format!("API {audience:?}: {scope:?} is not a scope (RFC 6749 §3.3)"));
        }
    }
    if api.lifetime == Some(0) {
        mistakes.push(format!("API {audience:?}: the lifetime is 0"));
    }
}

fn of_lifetimes(lifetimes: Lifetimes, mistakes: &mut Vec<String>) {
    for (name, seconds) in [
        ("access_token", lifetimes.access_token),
        ("id_token", lifetimes.id_token),
        ("refresh_token", lifetimes.refresh_token),
        ("authorization_code", lifetimes.authorization_code),
        ("device_code", lifetimes.device_code),
        ("session", lifetimes.session),
    ] {
        if seconds == 0 {
            mistakes.push(format!("lifetimes.{name} is 0"));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_default_has_no_mistakes() {
        assert_eq!(TenantConfig::default().mistakes(), Vec::<String>::new());
    }

    #[test]
    fn every_mistake_is_reported_at_once() {
        let config = json!({
            "users": [{ "name": "bob" }, { "name": "bob", "subject": "b" }, { "name": " " }],
            "clients": [
                { "id": "a", "secret": "", "redirect_uris": ["/relative", "https://a.b/#c"] },
                { "id": "a", "keys": [{ "kty": "oct", "k": "AA" }] },
            ],
            "apis": [{ "audience": "x", "scopes": ["a b", "fine"], "lifetime": 0 }],
            "lifetimes": { "session": 0 },
            "auto_login": "eve",
        });
        let config: TenantConfig = serde_json::from_value(config).unwrap();
        let mistakes = config.mistakes();
        for expected in [
            "two of the user \"bob\"",
            "a user has an empty name",
            "a subject has an empty name",
            "two of the client \"a\"",
            "secret is empty",
            "\"/relative\"",
            "\"https://a.b/#c\"",
            "a key is not a public JWK",
            "\"a b\" is not a scope",
            "API \"x\": the lifetime is 0",
            "lifetimes.session is 0",
            "no user \"eve\"",
        ] {
            let found = mistakes.iter().filter(|mistake| mistake.contains(expected)).count();
            assert_eq!(found, 1, "{expected}: {mistakes:#?}");
        }
        assert_eq!(mistakes.len(), 12, "{mistakes:#?}");
    }

    #[test]
    fn unknown_keys_are_errors() {
        for config in [
            json!({ "user": [] }),
            json!({ "users": [{ "name": "bob", "group": "admin" }] }),
            json!({ "clients": [{ "id": "a", "redirect_uri": "http://127.0.0.1/" }] }),
            json!({ "apis": [{ "audience": "x", "scope": "a" }] }),
            json!({ "lifetimes": { "token": 1 } }),
        ] {
            assert!(serde_json::from_value::<TenantConfig>(config.clone()).is_err(), "{config}");
        }
    }
}
