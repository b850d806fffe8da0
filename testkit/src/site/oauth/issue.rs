//! Issuing tokens.

use std::sync::Arc;

use aws_lc_rs::digest::{self, digest};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value, json};

use crate::{
    Algorithm, GrantType, Signer, TokenFormat,
    site::{
        Site,
        oauth::{
            call::Call,
            scope,
            store::{Binding, Grant, RefreshToken},
            target::{Target, api},
            users::{all_claims_of, claims_of},
        },
    },
    token::{Unsigned, base64url, random_id},
};

/// The tokens of a user's grant: the response to a token request (RFC 6749 §5.1).
pub(crate) fn issue_for(
    call: &Call<'_>,
    grant: &Arc<Grant>,
    target: &Target,
    binding: &Binding,
    nonce: Option<&str>,
) -> Value {
    let access = access_token(call, grant, target, binding, Map::new(), None);
    let mut response = access.response(&target.scopes);
    let may_refresh = grant.client.may_use(GrantType::RefreshToken);
    if may_refresh && scope::has(&grant.scopes, "offline_access") {
        response["refresh_token"] = refresh_token(call, grant, binding).into();
    }
    if scope::has(&target.scopes, "openid") && grant.login.is_some() {
        response["id_token"] = id_token(call, grant, target, &access.token, nonce).into();
    }
    response
}

/// An access token, and what the client needs to know about it.
pub(crate) struct AccessToken {
    pub(crate) token: String,
    token_type: &'static str,
    expires_in: i64,
}

impl AccessToken {
    /// RFC 6749 §5.1.
    pub(crate) fn response(&self, scopes: &[String]) -> Value {
        json!({
            "access_token": self.token,
            "token_type": self.token_type,
            "expires_in": self.expires_in,
            "scope": scopes.join(" "),
        })
    }
}

/// An access token (RFC 9068 §2.2) that expires at this time at the latest.
pub(crate) fn access_token(
    call: &Call<'_>,
    grant: &Grant,
    target: &Target,
    binding: &Binding,
    more: Map<String, Value>,
    latest: Option<i64>,
) -> AccessToken {
    let oauth = &call.site.oauth;
    let api = target.audiences.first().and_then(|audience| api(&oauth.config, audience));
    let lifetime = api.and_then(|api| api.lifetime).unwrap_or(oauth.config.lifetimes.access_token);
    let expires = call.now + i64::from(lifetime);
    let expires = latest.map_or(expires, |latest| expires.min(latest));

    let mut claims = oauth.claims.clone();
    let user = grant.login.as_ref().and_then(|login| oauth.user(&login.user));
    match user {
        Some(user) => claims.extend(all_claims_of(user)),
        None => put(&mut claims, "sub", grant.client.id.as_str()),
    }
    claims.extend(more);
    put(&mut claims, "iss", call.site.issuer.as_str());
    put(&mut claims, "aud", one_or_all(&target.audiences));
    put(&mut claims, "client_id", grant.client.id.as_str());
    put(&mut claims, "iat", call.now);
    put(&mut claims, "nbf", call.now);
    put(&mut claims, "exp", expires);
    put(&mut claims, "jti", random_id());
    if !target.scopes.is_empty() {
        put(&mut claims, "scope", target.scopes.join(" "));
    }
    if let Some(login) = &grant.login {
        put(&mut claims, "auth_time", login.auth_time);
        put_some(&mut claims, "acr", login.acr.as_deref());
    }
    if *binding != Binding::default() {
        let mut cnf = Map::new();
        put_some(&mut cnf, "jkt", binding.jkt.as_deref());
        put_some(&mut cnf, "x5t#S256", binding.x5t.as_deref());
        put(&mut claims, "cnf", cnf);
    }
    let token_type = if binding.jkt.is_some() { "DPoP" } else { "Bearer" };
    let token = match api.map(|api| api.tokens).unwrap_or_default() {
        TokenFormat::Jwt => sign(call, "at+jwt", &claims),
        TokenFormat::Opaque => {
            if binding.jkt.is_some() {
                put(&mut claims, "token_type", token_type);
            }
            random_id() + &random_id()
        }
    };
    let payload = Value::Object(claims).to_string().into_bytes();
    call.site.introspector.issue_under(&token, payload, Some(&grant.id));
    AccessToken { token, token_type, expires_in: expires - call.now }
}

/// A refresh token. One of a public client is bound to its key and its certificate (RFC 9449 §5,
/// RFC 8705 §4).
fn refresh_token(call: &Call<'_>, grant: &Arc<Grant>, binding: &Binding) -> String {
    let token = random_id() + &random_id();
    let is_bound = grant.client.is_public();
    let lifetime = call.site.oauth.config.lifetimes.refresh_token;
    let entry = RefreshToken {
        grant: Arc::clone(grant),
        binding: if is_bound { binding.clone() } else { Binding::default() },
        expires: call.now + i64::from(lifetime),
        is_used: false,
    };
    call.site.oauth.store.lock().refresh_tokens.insert(&token, entry);
    token
}

/// OpenID Connect Core §2 and §3.1.3.6.
fn id_token(
    call: &Call<'_>,
    grant: &Grant,
    target: &Target,
    access_token: &str,
    nonce: Option<&str>,
) -> String {
    let oauth = &call.site.oauth;
    let mut claims = Map::new();
    if let Some(login) = &grant.login {
        if let Some(user) = oauth.user(&login.user) {
            claims = claims_of(user, &target.scopes);
        }
        put(&mut claims, "auth_time", login.auth_time);
        put_some(&mut claims, "acr", login.acr.as_deref());
        put(&mut claims, "sid", login.sid.as_str());
    }
    put(&mut claims, "iss", call.site.issuer.as_str());
    put(&mut claims, "aud", grant.client.id.as_str());
    put(&mut claims, "iat", call.now);
    put(&mut claims, "exp", call.now + i64::from(oauth.config.lifetimes.id_token));
    put(&mut claims, "at_hash", half_hash(oauth.algorithm, access_token));
    put_some(&mut claims, "nonce", nonce);
    sign(call, "JWT", &claims)
}

impl Site {
    /// The claims of an ID token that one of the published keys has signed, also of an expired one
    /// (OpenID Connect Core §3.1.2.1).
    pub(crate) fn own_claims(&self, jwt: &str) -> Option<Value> {
        let (input, signature) = jwt.rsplit_once('.')?;
        let (_, claims) = input.split_once('.')?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        let documents = self.documents();
        let mut keys = documents.keys.published();
        let is_own = keys.any(|key| key.verifies(input.as_bytes(), &signature));
        let claims = URL_SAFE_NO_PAD.decode(claims).ok().filter(|_| is_own)?;
        serde_json::from_slice(&claims).ok()
    }
}

/// Signs with the active key.
fn sign(call: &Call<'_>, typ: &str, claims: &Map<String, Value>) -> String {
    let algorithm = call.site.oauth.algorithm;
    let key = call.site.documents().keys.key(Signer::Active, algorithm);
    let header = json!({ "alg": algorithm.as_str(), "kid": key.kid, "typ": typ });
    let payload = Value::Object(claims.clone()).to_string().into_bytes();
    Unsigned { header: header.to_string().into_bytes(), payload, key }.sign()
}

/// The left half of the hash that the algorithm uses, for `at_hash`.
fn half_hash(algorithm: Algorithm, text: &str) -> String {
    let hash = match algorithm {
        Algorithm::Rs256 | Algorithm::Ps256 | Algorithm::Es256 => &digest::SHA256,
        Algorithm::Rs384 | Algorithm::Ps384 | Algorithm::Es384 => &digest::SHA384,
        Algorithm::Rs512 | Algorithm::Ps512 | Algorithm::Es512 | Algorithm::EdDsa => {
            &digest::SHA512
        }
    };
    let hash = digest(hash, text.as_bytes());
    let (half, _) = hash.as_ref().split_at(hash.as_ref().len() / 2);
    base64url(half)
}

/// RFC 7519 §4.1.3.
fn one_or_all(audiences: &[String]) -> Value {
    match audiences {
        [one] => one.as_str().into(),
        all => all.into(),
    }
}

fn put(claims: &mut Map<String, Value>, name: &str, value: impl Into<Value>) {
    claims.insert(name.to_owned(), value.into());
}

fn put_some(claims: &mut Map<String, Value>, name: &str, value: Option<&str>) {
    if let Some(value) = value {
        put(claims, name, value);
    }
}
