//! How the API under audit validates tokens.

use std::{collections::HashMap, sync::Mutex};

use aws_lc_rs::{
    hmac,
    signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents},
};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use monocloud_testkit::Clock;
use serde_json::Value;

use crate::{defect::Defect, keys::Keys};

const TOLERANCE: f64 = 60.0;

/// Why a token is not accepted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Failure {
    Invalid,
    /// The API crashes.
    Crash,
    HangUp,
    /// The API ends.
    End,
    Unavailable,
}

#[derive(Debug)]
pub(crate) struct Validator {
    pub(crate) keys: Keys,
    pub(crate) defect: Defect,
    pub(crate) issuer: String,
    pub(crate) audience: String,
    pub(crate) introspection: String,
    pub(crate) client: (String, String),
    pub(crate) clock: Clock,
    pub(crate) cache: Mutex<HashMap<String, Value>>,
}

impl Validator {
    pub(crate) async fn claims(&self, token: &str) -> Result<Value, Failure> {
        if self.defect == Defect::AcceptsAnyText {
            return Ok(serde_json::json!({ "scope": "posts:read posts:write" }));
        }
        if token.len() > 16 * 1024 {
            return Err(Failure::Invalid);
        }
        let claims = match token.matches('.').count() {
            2 => self.jwt(token).await?,
            4 => return Err(Failure::Invalid),
            _ => return self.opaque(token).await,
        };
        self.check(&claims, true)?;
        Ok(claims)
    }

    async fn jwt(&self, token: &str) -> Result<Value, Failure> {
        let (input, signature) = token.rsplit_once('.').ok_or(Failure::Invalid)?;
        let (header, payload) = input.split_once('.').ok_or(Failure::Invalid)?;
        let header = object(header).ok_or(Failure::Invalid)?;
        let claims = object(payload).ok_or(match self.defect {
            Defect::CrashesOnPayload => Failure::Crash,
            Defect::HangsUpOnPayload => Failure::HangUp,
            Defect::EndsOnPayload => Failure::End,
            _ => Failure::Invalid,
        })?;
        if self.defect != Defect::IgnoresCrit
            && (header.get("crit").is_some() || header.get("b64").is_some())
        {
            return Err(Failure::Invalid);
        }
        let typ = header.get("typ").map(|typ| typ.as_str().unwrap_or("?").to_ascii_lowercase());
        let typ = typ.as_deref().map(|typ| typ.strip_prefix("application/").unwrap_or(typ));
        if self.defect != Defect::IgnoresType && !matches!(typ, None | Some("jwt" | "at+jwt")) {
            return Err(Failure::Invalid);
        }
        if self.defect == Defect::FetchesKeyUrl {
            for name in ["jku", "x5u"] {
                if let Some(url) = header[name].as_str()
                    && url.starts_with("http")
                {
                    reqwest::get(url).await.unwrap();
                }
            }
        }
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| Failure::Invalid)?;
        if self.defect == Defect::TrustsAnyTenant
            && claims["iss"] != *self.issuer
            && header["alg"] == "RS256"
            && let Some(key) = key_of_issuer(&claims, &header).await
            && verifies(&key, input, &signature)
        {
            return Ok(claims);
        }
        let is_verified = self.is_verified(&header, input, &signature).await;
        if is_verified { Ok(claims) } else { Err(Failure::Invalid) }
    }

    async fn is_verified(&self, header: &Value, input: &str, signature: &[u8]) -> bool {
        let alg = header["alg"].as_str().unwrap_or_default();
        if self.defect == Defect::AcceptsNone && alg.eq_ignore_ascii_case("none") {
            return true;
        }
        if self.defect == Defect::TrustsEmbeddedKey && header["jwk"].is_object() {
            return verifies(&header["jwk"], input, signature);
        }
        let Some(kid) = header["kid"].as_str() else { return false };
        let Some(key) = self.keys.find(kid).await else {
            let is_open = matches!(
                self.defect,
                Defect::AcceptsAllInOutage | Defect::AcceptsAllInOutageAfterPause
            );
            return is_open && self.keys.is_in_outage();
        };
        match self.defect {
            Defect::DecodesWithoutVerifying => true,
            Defect::UsesPublicKeyAsSecret if alg == "HS256" => {
                let secret = hmac::Key::new(hmac::HMAC_SHA256, &spki_pem(&key));
                hmac::verify(&secret, input.as_bytes(), signature).is_ok()
            }
            _ if alg != "RS256" && self.defect != Defect::IgnoresAlg => false,
            _ => verifies(&key, input, signature),
        }
    }

    fn check(&self, claims: &Value, is_jwt: bool) -> Result<(), Failure> {
        let ensure = |holds: bool| if holds { Ok(()) } else { Err(Failure::Invalid) };
        let issuer = claims["iss"].as_str();
        ensure(match self.defect {
            Defect::IgnoresIssuer => true,
            Defect::TrustsAnyTenant => issuer.is_some_and(|it| port_of(it).is_some()),
            Defect::AcceptsMissingIssuer if claims.get("iss").is_none() => true,
            Defect::ComparesStartOfIssuer => issuer.is_some_and(|it| it.starts_with(&self.issuer)),
            _ => issuer == Some(&self.issuer),
        })?;
        let is_ours = |audience: &Value| match self.defect {
            Defect::SearchesAudience => {
                audience.as_str().is_some_and(|it| it.contains(&self.audience))
            }
            Defect::AcceptsTokensForItsClient if audience == "test-client" => true,
            _ => audience == &self.audience,
        };
        ensure(match &claims["aud"] {
            _ if is_jwt && self.defect == Defect::IgnoresAudience => true,
            _ if !is_jwt && self.defect == Defect::IgnoresAudienceOfOpaque => true,
            Value::Array(all) => all.iter().all(Value::is_string) && all.iter().any(is_ours),
            one => is_ours(one),
        })?;
        let now = self.now();
        let latest = 253_402_300_799.0;
        let time = |name: &str| {
            claims.get(name).map(|it| it.as_f64().filter(|it| (0.0..=latest).contains(it)))
        };
        let is_beyond = |exp: f64| exp <= now - TOLERANCE;
        ensure(match time("exp") {
            None => !is_jwt || self.defect == Defect::AcceptsMissingExpiry,
            Some(exp) if self.defect == Defect::IgnoresExpiry => exp.is_some(),
            Some(exp) => exp.is_some_and(|exp| !is_beyond(exp)),
        })?;
        ensure(match time("nbf") {
            None => true,
            Some(nbf) if self.defect == Defect::IgnoresNotBefore => nbf.is_some(),
            Some(nbf) => nbf.is_some_and(|nbf| nbf <= now + TOLERANCE),
        })?;
        let has_subject = claims.get("sub").is_none_or(Value::is_string);
        if self.defect == Defect::CrashesOnSubject && !has_subject {
            return Err(Failure::Crash);
        }
        ensure(has_subject)
    }

    fn now(&self) -> f64 {
        let now = self.clock.now().duration_since(std::time::UNIX_EPOCH).unwrap();
        now.as_secs_f64()
    }

    async fn opaque(&self, token: &str) -> Result<Value, Failure> {
        if self.defect == Defect::CachesBeyondExpiry
            && let Some(claims) = self.cache.lock().unwrap().get(token)
        {
            return Ok(claims.clone());
        }
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("token", token)
            .append_pair("token_type_hint", "access_token")
            .append_pair("client_id", &self.client.0)
            .append_pair("client_secret", &self.client.1)
            .finish();
        let request = reqwest::Client::new().post(&self.introspection);
        let request =
            request.header("content-type", "application/x-www-form-urlencoded").body(form);
        let answer = request.send().await.unwrap();
        if answer.status() != 200 {
            let granted = serde_json::json!({ "scope": "posts:read posts:write" });
            let is_open = self.defect == Defect::AcceptsWithoutIntrospection;
            return if is_open { Ok(granted) } else { Err(Failure::Unavailable) };
        }
        let mut claims: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
        if claims["active"] != true {
            if self.defect != Defect::IgnoresActive {
                return Err(Failure::Invalid);
            }
            claims["scope"] = "posts:read posts:write".into();
            return Ok(claims);
        }
        self.check(&claims, false)?;
        self.cache.lock().unwrap().insert(token.to_owned(), claims.clone());
        Ok(claims)
    }
}

pub(crate) fn object(segment: &str) -> Option<Value> {
    let bytes = URL_SAFE_NO_PAD.decode(segment).ok()?;
    serde_json::from_slice(&bytes).ok().filter(Value::is_object)
}

/// The port of a tenant on this machine.
fn port_of(issuer: &str) -> Option<u16> {
    issuer.strip_prefix("http://127.0.0.1:")?.parse().ok()
}

/// The key that the issuer of a token publishes, which may be an attacker.
async fn key_of_issuer(claims: &Value, header: &Value) -> Option<Value> {
    let issuer = claims["iss"].as_str().filter(|it| port_of(it).is_some_and(|port| port > 1))?;
    let read = async |url: String| -> Option<Value> {
        let answer = reqwest::get(url).await.ok()?;
        serde_json::from_slice(&answer.bytes().await.ok()?).ok()
    };
    let metadata = read(format!("{issuer}/.well-known/openid-configuration")).await?;
    let keys = read(metadata["jwks_uri"].as_str()?.to_owned()).await?;
    keys["keys"].as_array()?.iter().find(|key| key["kid"] == header["kid"]).cloned()
}

fn verifies(key: &Value, input: &str, signature: &[u8]) -> bool {
    let part = |name: &str| {
        URL_SAFE_NO_PAD.decode(key[name].as_str().unwrap_or_default()).unwrap_or_default()
    };
    let key = RsaPublicKeyComponents { n: part("n"), e: part("e") };
    key.verify(&RSA_PKCS1_2048_8192_SHA256, input.as_bytes(), signature).is_ok()
}

/// The public key in PEM (RFC 7468), for 2048 bits and the usual exponent.
fn spki_pem(key: &Value) -> Vec<u8> {
    const BEFORE: &[u8] = &[
        0x30, 0x82, 0x01, 0x22, 0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01,
        0x01, 0x01, 0x05, 0x00, 0x03, 0x82, 0x01, 0x0f, 0x00, 0x30, 0x82, 0x01, 0x0a, 0x02, 0x82,
        0x01, 0x01, 0x00,
    ];
    let modulus = URL_SAFE_NO_PAD.decode(key["n"].as_str().unwrap()).unwrap();
    let der = [BEFORE, &modulus, &[0x02, 0x03, 0x01, 0x00, 0x01]].concat();
    let base64 = STANDARD.encode(der);
    let lines: Vec<&[u8]> = base64.as_bytes().chunks(64).collect();
    let middle = lines.join(&b'\n');
    [b"-----BEGIN PUBLIC KEY-----\n", middle.as_slice(), b"\n-----END PUBLIC KEY-----\n"].concat()
}
