//! Authenticates the client: a request must use exactly one method, which is checked in full.

use std::collections::BTreeMap;

use aws_lc_rs::hmac;
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use serde_json::Value;

use crate::{
    Algorithm, Client, ClientAuth, Entrance,
    lock::locked,
    site::{
        entrance::Arrival,
        form,
        refusal::{Refusal, ensure},
        registration::Registration,
    },
};

/// The parts of a request that may authenticate a client, and where and when it arrived.
#[derive(Clone, Copy)]
pub(crate) struct Credentials<'a> {
    pub(crate) authorization: &'a [&'a str],
    pub(crate) form: &'a BTreeMap<String, String>,
    pub(crate) issuer: &'a str,
    pub(crate) arrival: &'a Arrival,
    /// Seconds since the epoch.
    pub(crate) now: i64,
}

const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const JWT_SPIFFE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-spiffe";

/// The longest lifetime of an assertion, in seconds.
const ASSERTION_LIFE: i64 = 60;

/// A client with credentials.
pub(crate) trait Identity {
    fn id(&self) -> &str;

    fn secret(&self) -> Option<&str>;

    /// The algorithm by which one of the client's keys has signed an assertion with this header.
    fn signer_of(
        &self,
        header: &Value,
        input: &[u8],
        signature: &[u8],
    ) -> Result<Algorithm, Refusal>;

    /// Whether no assertion with this `jti` has been accepted. From now on it has.
    fn is_unused(&self, jti: &str) -> bool;

    /// Whether this is the client's current SVID.
    fn has_svid(&self, _text: &str) -> bool {
        false
    }

    /// The certificates that authenticate the client, if any can.
    fn registration(&self) -> Option<&Registration> {
        None
    }

    /// Whether its assertions must have the one form that MonoCloud documents, instead of any that
    /// RFC 7523 allows.
    fn is_strict(&self) -> bool {
        false
    }

    /// Returns the method by which the request authenticates this client (RFC 6749 §2.3).
    fn authenticate(&self, request: Credentials<'_>) -> Result<ClientAuth, Refusal> {
        let assertion = ["client_assertion", "client_assertion_type"];
        let basic = !request.authorization.is_empty();
        let post = request.form.contains_key("client_secret");
        let assertion = assertion.iter().any(|name| request.form.contains_key(*name));
        // At the issuer's own port, a certificate does not authenticate.
        let certificate = self.registration().is_some()
            && request.arrival.entrance != Entrance::Issuer
            && !request.arrival.certificates.is_empty();
        match (basic, post, assertion, certificate) {
            (true, false, false, false) => self.check_basic(request),
            (false, true, false, false) => self.check_post(request),
            (false, false, true, false) => self.check_assertion(request),
            (false, false, false, true) => self.check_certificate(request),
            (false, false, false, false) => Err(what_is_missing(request.arrival)),
            _ => Err("the client authenticated by more than one method"),
        }
    }

    /// RFC 6749 §2.3.1, RFC 7617 §2.
    fn check_basic(&self, request: Credentials<'_>) -> Result<ClientAuth, Refusal> {
        let [header] = request.authorization else {
            return Err("there are two Authorization headers");
        };
        let (scheme, credentials) =
            header.split_once(' ').ok_or("the Authorization has no credentials")?;
        ensure(scheme.eq_ignore_ascii_case("basic"), "the Authorization scheme is not Basic")?;
        let credentials =
            STANDARD.decode(credentials).map_err(|_| "the Basic credentials are not base64")?;
        let credentials =
            str::from_utf8(&credentials).map_err(|_| "the Basic credentials are not UTF-8")?;
        let (id, secret) =
            credentials.split_once(':').ok_or("the Basic credentials have no colon")?;
        let unencoded = "the Basic id or secret is not form-encoded (RFC 6749 2.3.1)";
        let id = form::decoded(id).ok_or(unencoded)?;
        let secret = form::decoded(secret).ok_or(unencoded)?;

        ensure(id == self.id(), "the Basic id is not the client's")?;
        ensure(Some(&*secret) == self.secret(), "the Basic secret is not the client's")?;
        if let Some(id) = request.form.get("client_id") {
            ensure(id == self.id(), "the client_id is not the client's")?;
        }
        Ok(ClientAuth::SecretBasic)
    }

    fn check_post(&self, request: Credentials<'_>) -> Result<ClientAuth, Refusal> {
        self.check_client_id(request)?;
        let secret = request.form.get("client_secret").map(String::as_str);
        ensure(secret.is_some() && secret == self.secret(), "the client_secret is wrong")?;
        Ok(ClientAuth::SecretPost)
    }

    /// RFC 7521 §4.2.
    fn check_assertion(&self, request: Credentials<'_>) -> Result<ClientAuth, Refusal> {
        self.check_client_id(request)?;
        let field = |name| request.form.get(name).map(String::as_str);
        let assertion = field("client_assertion").ok_or("there is no client_assertion")?;
        match field("client_assertion_type") {
            Some(JWT_BEARER) => self.check_jwt(assertion, request),
            Some(JWT_SPIFFE) => {
                ensure(self.has_svid(assertion), "the client_assertion is not the client's SVID")?;
                Ok(ClientAuth::SpiffeJwt)
            }
            Some(_) => Err("the client_assertion_type is unknown"),
            None => Err("there is no client_assertion_type"),
        }
    }

    /// RFC 8705 §2.
    fn check_certificate(&self, request: Credentials<'_>) -> Result<ClientAuth, Refusal> {
        self.check_client_id(request)?;
        let registration = self.registration().ok_or("there is no mutual TLS")?;
        registration.recognize(&request.arrival.certificates, request.now)
    }

    fn check_client_id(&self, request: Credentials<'_>) -> Result<(), Refusal> {
        match request.form.get("client_id") {
            Some(id) => ensure(id == self.id(), "the client_id is not the client's"),
            // RFC 7521 §4.2: an assertion names the client as well.
            None if !self.is_strict() => Ok(()),
            None => Err("there is no client_id"),
        }
    }

    /// RFC 7523 §3, OpenID Connect Core §9.
    fn check_jwt(&self, jwt: &str, request: Credentials<'_>) -> Result<ClientAuth, Refusal> {
        let (input, signature) = jwt.rsplit_once('.').ok_or("the assertion is not a JWT")?;
        let (header, claims) = input.split_once('.').ok_or("the assertion is not a JWT")?;
        let signature = URL_SAFE_NO_PAD
            .decode(signature)
            .map_err(|_| "the assertion's signature is not base64url")?;
        let header = json(header).ok_or("the assertion's header is not JSON")?;
        let method = match header["alg"].as_str() {
            Some("HS256") => {
                let secret = self.secret().ok_or("the client has no secret")?;
                let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
                hmac::verify(&key, input.as_bytes(), &signature)
                    .map_err(|_| "the assertion's HMAC is not by the client's secret")?;
                ClientAuth::SecretJwt
            }
            _ => {
                ClientAuth::PrivateKeyJwt(self.signer_of(&header, input.as_bytes(), &signature)?)
            }
        };
        let claims = json(claims).ok_or("the assertion's payload is not JSON")?;
        self.check_claims(&claims, request)?;
        Ok(method)
    }

    fn check_claims(&self, claims: &Value, request: Credentials<'_>) -> Result<(), Refusal> {
        ensure(claims["iss"] == self.id(), "the assertion's iss is not the client id")?;
        ensure(claims["sub"] == self.id(), "the assertion's sub is not the client id")?;
        if self.is_strict() {
            let aud = claims["aud"] == request.issuer;
            ensure(aud, "the assertion's aud is not the issuer as a single string")?;
            check_times(claims, request.now)?;
        } else {
            let aud = names_issuer(&claims["aud"], request.issuer);
            ensure(aud, "the assertion's aud is not the issuer")?;
            let exp = claims["exp"].as_f64().ok_or("the assertion has no exp")?;
            ensure(exp > request.now as f64, "the assertion has expired")?;
            let nbf = claims["nbf"].as_f64().unwrap_or_default();
            ensure(nbf <= request.now as f64, "the assertion is not valid yet")?;
        }
        let jti = claims["jti"].as_str().ok_or("the assertion's jti is not a string")?;
        ensure(!jti.is_empty(), "the assertion's jti is empty")?;
        ensure(self.is_unused(jti), "the assertion was used before: its jti is known")
    }
}

/// The client under test.
impl Identity for Client {
    fn id(&self) -> &str {
        self.id()
    }

    fn secret(&self) -> Option<&str> {
        Some(self.secret())
    }

    fn signer_of(
        &self,
        header: &Value,
        input: &[u8],
        signature: &[u8],
    ) -> Result<Algorithm, Refusal> {
        let kid = header["kid"].as_str().ok_or("the assertion has no kid")?;
        let key = self.key(kid).ok_or("the assertion's kid is not that of a registered key")?;
        let is_its = header["alg"] == key.algorithm.as_str();
        ensure(is_its, "the assertion's alg is not its key's")?;
        let signed = key.verifies(input, signature);
        ensure(signed, "the assertion's signature is not by the key of its kid")?;
        Ok(key.algorithm)
    }

    fn is_unused(&self, jti: &str) -> bool {
        locked(&self.used_assertions).insert(jti, ())
    }

    fn has_svid(&self, text: &str) -> bool {
        self.has_svid(text)
    }

    fn registration(&self) -> Option<&Registration> {
        self.registration.as_ref()
    }

    fn is_strict(&self) -> bool {
        true
    }
}

/// The times of an assertion as MonoCloud documents them.
fn check_times(claims: &Value, now: i64) -> Result<(), Refusal> {
    let time = |name: &str| claims[name].as_i64();
    let iat = time("iat").ok_or("the assertion's iat is not an integer")?;
    let nbf = time("nbf").ok_or("the assertion's nbf is not an integer")?;
    let exp = time("exp").ok_or("the assertion's exp is not an integer")?;
    ensure(iat <= now, "the assertion's iat is in the future")?;
    ensure(nbf == iat, "the assertion's nbf is not its iat")?;
    ensure(exp > now, "the assertion has expired")?;
    ensure(exp <= iat.saturating_add(ASSERTION_LIFE), "the assertion lives longer than a minute")
}

/// RFC 7523 §3: the issuer, or a URL of the tenant's endpoints, alone or among others.
fn names_issuer(aud: &Value, issuer: &str) -> bool {
    let is_tenant = |aud: &str| {
        aud.strip_prefix(issuer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    match aud {
        Value::Array(several) => several.iter().filter_map(Value::as_str).any(is_tenant),
        aud => aud.as_str().is_some_and(is_tenant),
    }
}

/// What is missing in a request without credentials.
fn what_is_missing(arrival: &Arrival) -> Refusal {
    match (&arrival.entrance, arrival.certificates.is_empty()) {
        (Entrance::Issuer, true) => "the client did not authenticate",
        (Entrance::Issuer, false) => "the certificate was not sent to a mutual-TLS endpoint",
        _ => "the client sent no certificate",
    }
}

/// The JSON object in a segment of a JWT.
fn json(segment: &str) -> Option<Value> {
    let json = URL_SAFE_NO_PAD.decode(segment).ok()?;
    serde_json::from_slice(&json).ok().filter(Value::is_object)
}
