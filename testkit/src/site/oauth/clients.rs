//! The clients of the authorization server, and how they authenticate.

use std::{collections::BTreeMap, sync::Arc};

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use serde_json::Value;

use crate::{
    Algorithm, OAuthClient,
    site::{
        authentication::{Credentials, Identity},
        form,
        oauth::{OAuth, call::Call, error::OAuthError, params::Params},
        refusal::Refusal,
    },
    token::PublicKey,
};

impl OAuth {
    /// The client with this id: configured or registered.
    pub(crate) fn client(&self, id: &str) -> Option<Arc<OAuthClient>> {
        let configured = self.clients.iter().find(|client| client.id == id).cloned();
        configured.or_else(|| self.store.lock().clients.get(id).cloned())
    }

    /// The client that a request claims to come from, if it has credentials.
    pub(crate) fn confidential_client(
        &self,
        authorization: &[&str],
        form: &BTreeMap<String, String>,
    ) -> Option<Arc<OAuthClient>> {
        let client = self.client(&claimed_id(authorization, form)?);
        client.filter(|client| !client.is_public())
    }
}

impl Call<'_> {
    /// The client of a request to an endpoint at which clients authenticate (RFC 6749 §2.3). A
    /// public client names itself.
    pub(crate) fn client(&self, params: &Params) -> Result<Arc<OAuthClient>, OAuthError> {
        let authorization = self.authorization();
        let id = claimed_id(&authorization, params.first());
        let id = id.ok_or(OAuthError::client("the request names no client"))?;
        let client = self.site.oauth.client(&id);
        let client = client.ok_or(OAuthError::client("there is no such client"))?;
        self.authenticate(&client, &authorization, params).map_err(OAuthError::client)?;
        Ok(client)
    }

    fn authenticate(
        &self,
        client: &OAuthClient,
        authorization: &[&str],
        params: &Params,
    ) -> Result<(), Refusal> {
        if client.is_public() {
            return check_public(authorization, params);
        }
        let credentials = Credentials {
            authorization,
            form: params.first(),
            issuer: &self.site.issuer,
            arrival: self.arrival,
            now: self.now,
        };
        let under_test = self.site.introspector.client();
        if client.id == under_test.id() {
            return under_test.authenticate(credentials).map(|_| ());
        }
        Confidential { client, oauth: &self.site.oauth }.authenticate(credentials).map(|_| ())
    }
}

/// A configured or registered client with credentials.
pub(crate) struct Confidential<'a> {
    pub(crate) client: &'a OAuthClient,
    pub(crate) oauth: &'a OAuth,
}

impl Identity for Confidential<'_> {
    fn id(&self) -> &str {
        &self.client.id
    }

    fn secret(&self) -> Option<&str> {
        self.client.secret.as_deref()
    }

    fn signer_of(
        &self,
        header: &Value,
        input: &[u8],
        signature: &[u8],
    ) -> Result<Algorithm, Refusal> {
        let named = header["alg"].as_str();
        let algorithm =
            Algorithm::ALL.into_iter().find(|algorithm| Some(algorithm.as_str()) == named);
        let algorithm = algorithm.ok_or("the assertion's alg is unknown")?;
        let kid = header["kid"].as_str();
        let keys =
            self.client.keys.iter().filter(|jwk| kid.is_none() || jwk["kid"].as_str() == kid);
        let mut keys = keys.filter_map(PublicKey::from_jwk);
        match keys.any(|key| key.verifies(algorithm, input, signature)) {
            true => Ok(algorithm),
            false => Err("the assertion's signature is not by a registered key"),
        }
    }

    fn is_unused(&self, jti: &str) -> bool {
        let name = format!("{}\n{jti}", self.client.id);
        self.oauth.store.lock().used.insert(&name, ())
    }
}

/// The id of the client that a request claims to come from.
fn claimed_id(authorization: &[&str], form: &BTreeMap<String, String>) -> Option<String> {
    if let Some(id) = form.get("client_id") {
        return Some(id.clone());
    }
    if let Some((id, _)) = authorization.first().and_then(|value| basic(value)) {
        return Some(id);
    }
    // RFC 7521 §4.2: the client_id is optional beside an assertion.
    let claims = form.get("client_assertion")?.split('.').nth(1)?;
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()?;
    claims["sub"].as_str().map(str::to_owned)
}

/// A public client has no credentials. Some clients send an empty secret.
fn check_public(authorization: &[&str], params: &Params) -> Result<(), Refusal> {
    let has_secret = match authorization {
        [] => false,
        [value] => basic(value).is_none_or(|(_, secret)| !secret.is_empty()),
        _ => true,
    };
    let credentials = ["client_secret", "client_assertion", "client_assertion_type"];
    match has_secret || credentials.iter().any(|name| params.get(name).is_some()) {
        true => Err("a public client has no credentials"),
        false => Ok(()),
    }
}

/// RFC 6749 §2.3.1.
fn basic(value: &str) -> Option<(String, String)> {
    let (scheme, credentials) = value.split_once(' ')?;
    let credentials = STANDARD.decode(credentials).ok()?;
    let (id, secret) = str::from_utf8(&credentials).ok()?.split_once(':')?;
    let is_basic = scheme.eq_ignore_ascii_case("basic");
    Some((form::decoded(id)?, form::decoded(secret)?)).filter(|_| is_basic)
}
