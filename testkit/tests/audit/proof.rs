//! How the API under audit validates proofs of possession (RFC 9449).

use std::{collections::HashSet, sync::Mutex};

use aws_lc_rs::{
    digest::{SHA256, digest},
    hmac,
    signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use monocloud_testkit::Clock;
use serde_json::{Value, json};

use crate::{defect::Defect, token::object};

/// The one nonce of the API.
pub(crate) const NONCE: &str = "nonce-1";

const LIFETIME: f64 = 60.0;

const INVALID: &str = "invalid_dpop_proof";

#[derive(Debug)]
pub(crate) struct Proofs {
    pub(crate) defect: Defect,
    /// Whether a proof needs a nonce.
    pub(crate) needs_nonce: bool,
    pub(crate) clock: Clock,
    pub(crate) seen: Mutex<HashSet<String>>,
}

impl Proofs {
    /// The error says what the challenge has.
    pub(crate) fn check(
        &self,
        proof: Option<&str>,
        method: &str,
        url: &str,
        token: &str,
        claims: &Value,
    ) -> Result<(), &'static str> {
        if self.defect == Defect::IgnoresProofs {
            return Ok(());
        }
        let Some(proof) = proof else {
            return if self.defect == Defect::NeedsNoProof { Ok(()) } else { Err(INVALID) };
        };
        let (header, payload) = self.verified(proof).ok_or(INVALID)?;
        if !self.is_for(&payload, method, url, token) {
            return Err(INVALID);
        }
        self.check_nonce(payload.get("nonce"))?;
        let thumbprint = thumbprint(&header["jwk"]);
        self.check_binding(&claims["cnf"], &thumbprint)?;
        let id = format!("{thumbprint} {}", payload["jti"]);
        let is_new = self.seen.lock().unwrap().insert(id);
        if is_new || self.defect == Defect::AcceptsProofTwice { Ok(()) } else { Err(INVALID) }
    }

    /// The header and the payload.
    fn verified(&self, proof: &str) -> Option<(Value, Value)> {
        let (input, signature) = proof.rsplit_once('.').filter(|_| proof.len() <= 8 * 1024)?;
        let (header, payload) = input.split_once('.')?;
        let (header, payload) = (object(header)?, object(payload)?);
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        let has_type = header["typ"] == "dpop+jwt" || self.defect == Defect::IgnoresProofType;
        let is_plain = header.get("crit").is_none() && header.get("b64").is_none();
        if !has_type || !is_plain {
            return None;
        }
        let jwk = &header["jwk"];
        let is_verified = match header["alg"].as_str()? {
            "HS256" if self.defect == Defect::AcceptsSecretOfProof => {
                let secret = URL_SAFE_NO_PAD.decode(jwk["k"].as_str()?).ok()?;
                let key = hmac::Key::new(hmac::HMAC_SHA256, &secret);
                hmac::verify(&key, input.as_bytes(), &signature).is_ok()
            }
            "ES256" => {
                let is_public =
                    jwk.get("d").is_none() || self.defect == Defect::AcceptsPrivateKeyOfProof;
                let coordinate = |name: &str| {
                    let bytes = URL_SAFE_NO_PAD.decode(jwk[name].as_str()?).ok()?;
                    Some(bytes).filter(|bytes| bytes.len() == 32)
                };
                let point = [vec![4], coordinate("x")?, coordinate("y")?].concat();
                let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point);
                let is_signed = key.verify(input.as_bytes(), &signature).is_ok()
                    || self.defect == Defect::IgnoresSignatureOfProof;
                jwk["kty"] == "EC" && jwk["crv"] == "P-256" && is_public && is_signed
            }
            _ => false,
        };
        is_verified.then_some((header, payload))
    }

    fn is_for(&self, payload: &Value, method: &str, url: &str, token: &str) -> bool {
        let hash = URL_SAFE_NO_PAD.encode(digest(&SHA256, token.as_bytes()));
        let now = self.clock.now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64();
        let is_recent = payload["iat"].as_f64().is_some_and(|iat| {
            let is_future = iat > now + LIFETIME;
            let is_old = iat < now - LIFETIME && self.defect != Defect::AcceptsOldProofs;
            iat >= 0.0 && !is_future && !is_old
        });
        let has_id = payload["jti"].as_str().is_some_and(|it| (1..=256).contains(&it.len()));
        has_id
            && is_recent
            && (payload["htm"] == method || self.defect == Defect::IgnoresMethodOfProof)
            && (payload["htu"] == url || self.defect == Defect::IgnoresUrlOfProof)
            && (payload["ath"] == hash || self.defect == Defect::IgnoresTokenOfProof)
    }

    fn check_nonce(&self, nonce: Option<&Value>) -> Result<(), &'static str> {
        let is_forgiven = nonce.is_none() && self.defect == Defect::ForgetsNonce;
        let is_right = nonce.is_some_and(|nonce| nonce == NONCE);
        if is_right || is_forgiven || !self.needs_nonce { Ok(()) } else { Err("use_dpop_nonce") }
    }

    fn check_binding(&self, cnf: &Value, thumbprint: &str) -> Result<(), &'static str> {
        let is_right = *cnf == json!({ "jkt": thumbprint });
        let is_bound = cnf["jkt"].is_string() && cnf.get("x5t#S256").is_none();
        match self.defect {
            Defect::IgnoresThumbprint if is_bound => Ok(()),
            Defect::AcceptsUnboundWithProof if cnf.is_null() => Ok(()),
            _ if is_right => Ok(()),
            _ => Err("invalid_token"),
        }
    }
}

/// RFC 7638.
fn thumbprint(jwk: &Value) -> String {
    let names = if jwk["kty"] == "oct" { &["k", "kty"][..] } else { &["crv", "kty", "x", "y"] };
    let members: Vec<_> = names.iter().map(|name| format!("\"{name}\":{}", jwk[name])).collect();
    let text = format!("{{{}}}", members.join(","));
    URL_SAFE_NO_PAD.encode(digest(&SHA256, text.as_bytes()))
}
