//! Proofs of possession (RFC 9449 §4.3).

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::Value;

use crate::{
    Algorithm,
    dpop::{DPOP, thumbprint_of},
    site::{
        oauth::call::Call,
        refusal::{Refusal, ensure},
    },
    token::{PublicKey, base64url},
};

/// How many seconds a proof may be older, or newer, than the tenant's time.
const WINDOW: i64 = 300;

/// Returns the thumbprint of the key that the request proves possession of; `None` if it has no
/// proof. With an access token, the proof must be for that token.
pub(crate) fn check(call: &Call<'_>, token: Option<&str>) -> Result<Option<String>, Refusal> {
    let mut proofs = call.request.headers().get_all(DPOP).iter();
    let Some(proof) = proofs.next() else { return Ok(None) };
    ensure(proofs.next().is_none(), "there are two DPoP headers")?;
    let proof = proof.to_str().map_err(|_| "the DPoP header is not a JWT")?;

    let (input, signature) = proof.rsplit_once('.').ok_or("the proof is not a JWT")?;
    let (header, claims) = input.split_once('.').ok_or("the proof is not a JWT")?;
    let signature =
        URL_SAFE_NO_PAD.decode(signature).map_err(|_| "the proof's signature is not base64url")?;
    let header = object(header).ok_or("the proof's header is not JSON")?;
    let claims = object(claims).ok_or("the proof's payload is not JSON")?;

    ensure(header["typ"] == "dpop+jwt", "the proof's typ is not dpop+jwt")?;
    ensure(header.get("crit").is_none(), "the proof has a crit")?;
    let algorithm = Algorithm::ALL.into_iter().find(|known| header["alg"] == known.as_str());
    let algorithm = algorithm.ok_or("the proof's alg is not an asymmetric one")?;
    let key = PublicKey::from_jwk(&header["jwk"]).ok_or("the proof's jwk is not a public key")?;
    let is_signed = key.verifies(algorithm, input.as_bytes(), &signature);
    ensure(is_signed, "the proof's signature is not by its key")?;

    ensure(claims["htm"] == call.request.method().as_str(), "the proof's htm is another method")?;
    let htu = claims["htu"].as_str().ok_or("the proof has no htu")?;
    let htu = htu.split(['?', '#']).next().unwrap_or_default();
    ensure(htu == call.url(), "the proof's htu is another URL")?;
    let iat = claims["iat"].as_f64().ok_or("the proof has no iat")?;
    let is_recent = (iat - call.now as f64).abs() <= WINDOW as f64;
    ensure(is_recent, "the proof's iat is too old, or in the future")?;
    if let Some(token) = token {
        let ath = base64url(digest(&SHA256, token.as_bytes()));
        ensure(claims["ath"] == ath, "the proof's ath is that of another token")?;
    }
    let jti = claims["jti"].as_str().filter(|jti| !jti.is_empty());
    let jti = jti.ok_or("the proof has no jti")?;
    let thumbprint = thumbprint_of(&header["jwk"]);
    let is_new = call.site.oauth.store.lock().used.insert(&format!("{thumbprint}\n{jti}"), ());
    ensure(is_new, "the proof was used before: its jti is known")?;
    Ok(Some(thumbprint))
}

/// The JSON object in a segment of a JWT.
fn object(segment: &str) -> Option<Value> {
    let json = URL_SAFE_NO_PAD.decode(segment).ok()?;
    serde_json::from_slice(&json).ok().filter(Value::is_object)
}
