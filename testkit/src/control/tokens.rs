//! Minting tokens.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{
    Hostile, MockTenant, TokenFormat,
    control::mistake::Mistake,
    site::{OAuth, oauth::all_claims_of},
};

/// The longest lifetime of a token, in seconds: a hundred years.
const LONGEST: i64 = 100 * 366 * 24 * 3600;

/// The options of `mock-tenant token`. All are optional.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Order {
    user: Option<String>,
    client: Option<String>,
    scope: Option<String>,
    audience: Option<String>,
    claim: Map<String, Value>,
    expires_in: Option<i64>,
    opaque: Option<bool>,
    hostile: Option<String>,
}

pub(super) fn mint(tenant: &MockTenant, order: Order) -> Result<String, Mistake> {
    let oauth = &tenant.site.oauth;
    let config = &oauth.config;
    let mut claims = match (&order.user, &order.client) {
        (Some(_), Some(_)) => {
            return Err(Mistake::new("a token is for a `user` or for a `client`, not for both"));
        }
        (None, Some(id)) => claims_of_client(oauth, id)?,
        (name, None) => claims_of_user(oauth, name.as_deref())?,
    };
    claims.extend(order.claim);
    let api = match &order.audience {
        Some(audience) => config.apis.iter().find(|api| api.audience == *audience),
        None => config.apis.first(),
    };
    let tenant = tenant.with_defaults(order.audience, order.scope, claims);
    if let Some(name) = &order.hostile {
        if order.opaque == Some(true) || order.expires_in.is_some() {
            let message = "a `hostile` token has its own form and lifetime: leave out `opaque` and \
                           `expires_in`";
            return Err(Mistake::new(message));
        }
        return hostile(&tenant, name);
    }
    let lifetime = api.and_then(|api| api.lifetime).unwrap_or(config.lifetimes.access_token);
    let expires_in = order.expires_in.unwrap_or_else(|| lifetime.into());
    if !(-LONGEST..=LONGEST).contains(&expires_in) {
        return Err(Mistake::new("`expires_in` is not within a hundred years"));
    }
    let is_opaque = api.is_some_and(|api| api.tokens == TokenFormat::Opaque);
    let token =
        if order.opaque.unwrap_or(is_opaque) { tenant.opaque_token() } else { tenant.token() };
    Ok(token.expires_in(expires_in).mint())
}

/// Without a name, the first user. The token is as if the first public client had asked for it.
fn claims_of_user(oauth: &OAuth, name: Option<&str>) -> Result<Map<String, Value>, Mistake> {
    let user = match name {
        None => oauth.config.users.first(),
        Some(name) => {
            let names = oauth.config.users.iter().map(|user| &*user.name);
            Some(oauth.user(name).ok_or_else(|| Mistake::unknown("user", name, names))?)
        }
    };
    let mut claims = user.map(all_claims_of).unwrap_or_default();
    if let Some(client) = oauth.config.clients.iter().find(|client| client.is_public()) {
        claims.insert("client_id".to_owned(), client.id.as_str().into());
    }
    Ok(claims)
}

/// A client that asks for itself is the subject of its token (RFC 9068 §2.2).
fn claims_of_client(oauth: &OAuth, id: &str) -> Result<Map<String, Value>, Mistake> {
    if oauth.client(id).is_none() {
        let ids = oauth.config.clients.iter().map(|client| &*client.id);
        return Err(Mistake::unknown("client", id, ids));
    }
    let names = ["sub", "client_id"].into_iter();
    Ok(names.map(|name| (name.to_owned(), id.into())).collect())
}

fn hostile(tenant: &MockTenant, name: &str) -> Result<String, Mistake> {
    let Some(hostile) = Hostile::named(tenant, name) else {
        let all = Hostile::all(tenant);
        let names = all.iter().map(|hostile| hostile.name);
        return Err(Mistake::unknown("hostile token", name, names));
    };
    Ok(hostile.token)
}
