//! A DPoP proof (RFC 9449 §4.2): a JWT that the client signs for one request, by the key that its
//! token is bound to.
//!
//! What a proof must be is validated in this order, and the first rule it breaks is its end:
//!
//! 1. it is one JWT of at most 8 KiB, as strict as a token;
//! 2. the header: `typ`, no `crit` and no `b64`, `alg`, `jwk`; its other members are not read;
//! 3. the claims: `jti`, `htm`, `htu`, `iat`, `ath`;
//! 4. the signature, by the `jwk`.
//!
//! Then it proves that the client has the key. That the token is bound to it, the nonce, and whether
//! the proof was used before, are not the proof's affair.

use std::time::Duration;

use aws_lc_rs::{constant_time::verify_slices_are_equal, digest};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use http::Method;
use serde_json::Value;

use super::target::PublicUrl;
use crate::{
    error::InvalidProof,
    token::{
        AccessToken,
        algorithm::SigningAlgorithm,
        claims::numeric_date,
        jws::{self, Jws, NotAJws},
        keys::Verifier,
        thumbprint::Thumbprint,
    },
};

/// A longer proof is rejected before anything of it is decoded, in bytes.
const MAX_LENGTH: usize = 8 * 1024;

/// The longest `jti`, in characters.
const MAX_JTI: usize = 256;

/// A proof taken apart, not validated yet.
#[derive(Debug)]
pub(crate) struct UnverifiedProof<'p>(Jws<'p>);

/// The request that a proof must be for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ProvenRequest<'r> {
    pub(crate) method: &'r Method,
    /// As it arrives here.
    pub(crate) path: &'r str,
    pub(crate) token: &'r AccessToken,
    pub(crate) api: &'r PublicUrl,
}

/// The key of a client, as the header of its proofs has it.
#[derive(Debug)]
pub(crate) struct ProofKey {
    verifier: Verifier,
    pub(crate) thumbprint: Thumbprint,
}

/// What is known by a valid proof.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Proof<'p> {
    /// Of the key that signed it.
    pub(crate) thumbprint: Thumbprint,
    pub(crate) jti: &'p str,
    /// `iat`, in seconds since the epoch.
    pub(crate) issued_at: f64,
}

impl<'p> UnverifiedProof<'p> {
    /// Decodes the value of the `DPoP` header.
    pub(crate) fn decode(header: &'p [u8]) -> Result<Self, InvalidProof> {
        if header.len() > MAX_LENGTH {
            return Err(InvalidProof::Oversized);
        }
        let text = std::str::from_utf8(header).map_err(|_| InvalidProof::Malformed)?;
        Jws::decode(text).map(Self).map_err(|NotAJws| InvalidProof::Malformed)
    }

    /// The nonce that it claims to be for.
    pub(crate) fn unverified_nonce(&self) -> Option<&str> {
        self.string("nonce")
    }

    /// Its encoded header, from which the key follows.
    pub(crate) fn header(&self) -> &str {
        self.0.header
    }

    /// Validates it, signed by the key of its header, for a request, at a time in seconds since the
    /// epoch, from which `iat` may differ by `lifetime`.
    pub(crate) fn validate(
        &self,
        key: &ProofKey,
        request: ProvenRequest<'_>,
        now: f64,
        lifetime: Duration,
    ) -> Result<Proof<'_>, InvalidProof> {
        let jti = self.string("jti").ok_or(InvalidProof::Claim("jti"))?;
        if jti.is_empty() || jti.chars().count() > MAX_JTI {
            return Err(InvalidProof::Claim("jti"));
        }
        let method = self.string("htm").ok_or(InvalidProof::Claim("htm"))?;
        if method != request.method.as_str() {
            return Err(InvalidProof::Method);
        }
        let htu = self.string("htu").ok_or(InvalidProof::Claim("htu"))?;
        if !request.api.is_target(htu, request.path) {
            return Err(InvalidProof::Target);
        }
        let issued_at = self.0.payload.get("iat").and_then(numeric_date);
        let issued_at = issued_at.ok_or(InvalidProof::Claim("iat"))?;
        if (now - issued_at).abs() > lifetime.as_secs_f64() {
            return Err(InvalidProof::Time);
        }
        let hash = self.string("ath").ok_or(InvalidProof::Claim("ath"))?;
        if !is_hash_of(hash, request.token) {
            return Err(InvalidProof::TokenHash);
        }
        key.verifier
            .verify(self.0.signing_input, &self.0.signature)
            .map_err(|_| InvalidProof::Signature)?;
        Ok(Proof { thumbprint: key.thumbprint, jti, issued_at })
    }

    fn string(&self, claim: &str) -> Option<&str> {
        self.0.payload.get(claim)?.as_str()
    }
}

impl ProofKey {
    /// The key that an encoded header names, for the algorithm that it names.
    pub(crate) fn of_header(header: &str) -> Result<Self, InvalidProof> {
        let header = jws::parse_segment(header).map_err(|NotAJws| InvalidProof::Malformed)?;
        if header.get("typ").and_then(Value::as_str) != Some("dpop+jwt") {
            return Err(InvalidProof::Type);
        }
        if jws::requires_extension(&header) {
            return Err(InvalidProof::Critical);
        }
        let algorithm = header.get("alg").and_then(Value::as_str);
        let algorithm = algorithm.and_then(SigningAlgorithm::from_name);
        let algorithm = algorithm.ok_or(InvalidProof::Algorithm)?;
        let jwk = header.get("jwk").and_then(Value::as_object).ok_or(InvalidProof::Key)?;
        let verifier = Verifier::of_jwk(jwk, algorithm).map_err(|problem| {
            tracing::debug!(name: "dpop.key", problem, "the jwk of a DPoP proof is unusable");
            InvalidProof::Key
        })?;
        let thumbprint = Thumbprint::of_jwk(jwk).ok_or(InvalidProof::Key)?;
        Ok(Self { verifier, thumbprint })
    }
}

/// `ath` (RFC 9449 §4.2).
fn is_hash_of(hash: &str, token: &AccessToken) -> bool {
    let own = digest::digest(&digest::SHA256, token.expose().as_bytes());
    let own = BASE64_URL_SAFE_NO_PAD.encode(own);
    verify_slices_are_equal(own.as_bytes(), hash.as_bytes()).is_ok()
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::*;

    /// RFC 9449 §7.1: the token and the proof of the request.
    const TOKEN: &str = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU";
    const PROOF: &str = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6Ik\
        VDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCR\
        nMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JE\
        QSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIj\
        oiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0Z\
        WRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNF\
        c05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.2oW9RP35yRqzhrtNP86L-Ey71E\
        OptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA";
    const ISSUED: f64 = 1_562_262_618.0;

    /// What comes of the RFC's proof in a request that differs from the RFC's in this.
    fn validated(
        method: &Method,
        url: &str,
        path: &str,
        token: &str,
        now: f64,
    ) -> Result<(String, f64), InvalidProof> {
        let api = PublicUrl::new(&Url::parse(url).unwrap(), "");
        let token = AccessToken::new(token).unwrap();
        let request = ProvenRequest { method, path, token: &token, api: &api };
        let unverified = UnverifiedProof::decode(PROOF.as_bytes())?;
        let key = ProofKey::of_header(unverified.header())?;
        let proof = unverified.validate(&key, request, now, Duration::from_secs(60))?;
        assert!(proof.thumbprint.is("0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"));
        Ok((proof.jti.to_owned(), proof.issued_at))
    }

    #[test]
    fn the_proof_of_the_rfc_is_valid_for_its_request_and_no_other() {
        let (api, path) = ("https://resource.example.org", "/protectedresource");
        let expected = Ok(("e1j3V_bKic8-LAEB".to_owned(), ISSUED));
        for now in [ISSUED - 60.0, ISSUED, ISSUED + 60.0] {
            assert_eq!(validated(&Method::GET, api, path, TOKEN, now), expected, "{now}");
        }
        for now in [0.0, ISSUED - 60.001, ISSUED + 60.001, f64::MAX] {
            let rejected = validated(&Method::GET, api, path, TOKEN, now);
            assert_eq!(rejected, Err(InvalidProof::Time), "{now}");
        }
        for (method, api, path, token, reason) in [
            (Method::HEAD, api, path, TOKEN, InvalidProof::Method),
            (Method::GET, "http://resource.example.org", path, TOKEN, InvalidProof::Target),
            (Method::GET, api, "/protected", TOKEN, InvalidProof::Target),
            (Method::GET, api, path, "another-token", InvalidProof::TokenHash),
        ] {
            let rejected = validated(&method, api, path, token, ISSUED);
            assert_eq!(rejected, Err(reason));
        }
    }

    #[test]
    fn a_longer_proof_than_8_kib_is_not_decoded() {
        let decoded = |length| UnverifiedProof::decode(&vec![b'a'; length]).unwrap_err();
        assert_eq!(decoded(MAX_LENGTH), InvalidProof::Malformed);
        assert_eq!(decoded(MAX_LENGTH + 1), InvalidProof::Oversized);
    }
}
