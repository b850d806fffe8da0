//! An API that checks proofs of possession as RFC 9449 §4.3 describes, written for the catalogue
//! alone. Its JSON is as lenient as `serde_json` is.

use std::{cell::RefCell, collections::HashSet, time::UNIX_EPOCH};

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderName, HeaderValue};
use monocloud_testkit::{Algorithm, MockTenant};
use serde_json::Value;

use crate::reader::{is_signed_by, segment, verify};

pub(crate) struct Api<'t> {
    pub(crate) tenant: &'t MockTenant,
    pub(crate) method: &'static str,
    pub(crate) url: &'static str,
    pub(crate) lifetime: f64,
    pub(crate) nonce: Option<&'static str>,
    seen: RefCell<HashSet<(String, String)>>,
}

/// A status and an error.
pub(crate) type Refusal = (u16, &'static str);

const REPEATED: Refusal = (400, "invalid_request");
const TOKEN: Refusal = (401, "invalid_token");
const PROOF: Refusal = (401, "invalid_dpop_proof");
const NONCE: Refusal = (401, "use_dpop_nonce");

impl<'t> Api<'t> {
    pub(crate) fn new(
        tenant: &'t MockTenant,
        url: &'static str,
        nonce: Option<&'static str>,
    ) -> Self {
        Self { tenant, method: "GET", url, lifetime: 60.0, nonce, seen: RefCell::default() }
    }

    pub(crate) async fn call(&self, headers: &[(HeaderName, HeaderValue)]) -> Result<(), Refusal> {
        let values = |name| {
            let values = headers.iter().filter(move |(present, _)| present == name);
            values.map(|(_, value)| value.to_str().unwrap()).collect::<Vec<_>>()
        };
        let [authorization] = values("authorization")[..] else { return Err(REPEATED) };
        let (scheme, token) = authorization.split_once(' ').unwrap();
        if token.contains([' ', ',']) {
            return Err(REPEATED);
        }
        let claims = verify(self.tenant, token).await.expect("the token is valid");
        if scheme.eq_ignore_ascii_case("bearer") {
            return Err(TOKEN);
        }
        let proof = match values("dpop")[..] {
            [] => return Err(PROOF),
            [proof] => proof,
            _ => return Err(REPEATED),
        };
        let jwk = self.check(proof, token)?;
        let thumbprint = thumbprint(&jwk).ok_or(PROOF)?;
        if claims["cnf"]["jkt"] != thumbprint {
            return Err(TOKEN);
        }
        let proof = segment(proof, 1).map_err(|_| PROOF)?;
        if self.nonce.is_some_and(|nonce| proof["nonce"] != nonce) {
            return Err(NONCE);
        }
        let is_new = self.seen.borrow_mut().insert((thumbprint, proof["jti"].to_string()));
        if is_new { Ok(()) } else { Err(PROOF) }
    }

    /// Everything but the binding, the nonce and the replay; returns the proof's key.
    fn check(&self, proof: &str, token: &str) -> Result<Value, Refusal> {
        let ensure = |condition: bool| if condition { Ok(()) } else { Err(PROOF) };
        ensure(proof.len() <= 8 * 1024 && proof.split('.').count() == 3)?;
        let [header, claims] =
            [0, 1].map(|index| segment(proof, index).ok().filter(Value::is_object).ok_or(PROOF));
        let (header, claims) = (header?, claims?);
        ensure(header["typ"] == "dpop+jwt")?;
        ensure(header.get("crit").is_none() && header.get("b64").is_none())?;
        let alg = header["alg"].as_str().ok_or(PROOF)?;
        let known = Algorithm::ALL.map(Algorithm::as_str);
        ensure(known.contains(&alg))?;
        let jwk = &header["jwk"];
        ensure(jwk.get("d").is_none() && curve_of(alg) == jwk["crv"].as_str())?;
        ensure(is_signed_by(jwk, alg, proof) == Ok(true))?;

        ensure(claims["htm"] == self.method)?;
        let htu = claims["htu"].as_str().and_then(normalized);
        ensure(htu.is_some() && htu == normalized(self.url))?;
        ensure(claims["ath"] == hash(token))?;
        let now = self.tenant.clock().now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
        ensure((claims["iat"].as_f64().ok_or(PROOF)? - now).abs() <= self.lifetime)?;
        let id = claims["jti"].as_str().ok_or(PROOF)?;
        ensure((1..=256).contains(&id.chars().count()))?;
        Ok(jwk.clone())
    }
}

fn hash(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, text.as_bytes()))
}

fn curve_of(alg: &str) -> Option<&'static str> {
    match alg {
        "ES256" => Some("P-256"),
        "ES384" => Some("P-384"),
        "ES512" => Some("P-521"),
        "EdDSA" => Some("Ed25519"),
        _ => None,
    }
}

/// RFC 7638 §3.
fn thumbprint(jwk: &Value) -> Option<String> {
    let names: &[&str] = match jwk["kty"].as_str()? {
        "EC" => &["crv", "kty", "x", "y"],
        "OKP" => &["crv", "kty", "x"],
        "RSA" => &["e", "kty", "n"],
        _ => return None,
    };
    let members: Vec<_> = names.iter().map(|name| format!("{name:?}:{}", jwk[name])).collect();
    Some(hash(&format!("{{{}}}", members.join(","))))
}

/// RFC 3986 §6.2.2 and §6.2.3. No user, query or fragment is allowed.
fn normalized(url: &str) -> Option<String> {
    let is_allowed =
        |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/%[]!$&'()*+,;=".contains(&byte);
    if !url.bytes().all(is_allowed) {
        return None;
    }
    let (scheme, rest) = url.split_once("://")?;
    let (scheme, rest) = (scheme.to_ascii_lowercase(), rest.to_owned() + "/");
    let (authority, path) = rest.split_once('/')?;
    let authority = authority.to_ascii_lowercase();
    let default = if scheme == "https" { ":443" } else { ":80" };
    let authority = authority.strip_suffix(default).unwrap_or(&authority).trim_end_matches(':');
    let path = decoded(path.strip_suffix('/').unwrap_or(path))?;
    let mut segments: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "." => {}
            ".." => drop(segments.pop()),
            segment => segments.push(segment),
        }
    }
    Some(format!("{scheme}://{authority}/{}", segments.join("/")))
}

/// The path with its unreserved characters decoded and its other encodings in upper case.
fn decoded(path: &str) -> Option<String> {
    let mut parts = path.split('%');
    let mut text = parts.next()?.to_owned();
    for part in parts {
        let (digits, rest) = (part.get(..2)?, part.get(2..)?);
        let letter = char::from(u8::from_str_radix(digits, 16).ok()?);
        if letter.is_ascii_alphanumeric() || "-._~".contains(letter) {
            text.push(letter);
        } else {
            text += &format!("%{}", digits.to_uppercase());
        }
        text += rest;
    }
    Some(text)
}
