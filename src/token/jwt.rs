//! JWTs (RFC 7519) in JWS compact serialisation (RFC 7515): what is validated without any key.
//!
//! A token is taken apart in this order, and the first rule it breaks is its end:
//!
//! 1. three segments, each strict base64url: no padding, no stray bits in the tail;
//! 2. the payload is a JSON object without duplicate members, and so is the header;
//! 3. no `crit` (RFC 7515 §4.1.11) and no `b64` (RFC 7797);
//! 4. `alg` is one of [`SigningAlgorithm`]'s;
//! 5. `typ` is that of an access token, the general `JWT`, or absent.
//!
//! `jwk`, `jku`, `x5u` and `x5c` are not looked at: a token does not choose its key.

use serde_json::{Map, Value};

use super::{
    algorithm::SigningAlgorithm,
    claims::Claims,
    jws::{self, Jws, NotAJws},
    keys::Verifier,
};
use crate::error::InvalidToken;

/// A JWT whose payload and signature are what they should be; nothing of it is validated yet.
#[derive(Debug)]
pub(crate) struct DecodedJwt<'t> {
    /// Encoded, as it may be known already.
    pub(crate) encoded_header: &'t str,
    claims: Claims,
    signing_input: &'t str,
    signature: Vec<u8>,
}

/// What the header of a JWT says.
#[derive(Debug)]
pub(crate) struct Header {
    pub(crate) algorithm: SigningAlgorithm,
    pub(crate) kid: Option<Box<str>>,
}

impl<'t> DecodedJwt<'t> {
    /// Decodes payload and signature: the first two rules, but for the header.
    pub(crate) fn decode(token: &'t str) -> Result<Self, InvalidToken> {
        let Jws { header: encoded_header, payload, signing_input, signature } =
            Jws::decode(token).map_err(|NotAJws| InvalidToken::Malformed)?;
        Ok(Self { encoded_header, claims: Claims::new(payload), signing_input, signature })
    }

    /// Who the token says has issued it. That may select the tenant that validates it, and nothing
    /// else.
    pub(crate) fn claimed_issuer(&self) -> Result<&str, InvalidToken> {
        self.claims.issuer().ok_or(InvalidToken::Claim("iss"))
    }

    /// Checks that the header is a JSON object, as that of a JWT must be.
    pub(crate) fn check_header(&self) -> Result<(), InvalidToken> {
        self.parse_header().map(drop)
    }

    /// Validates the header: the other rules. With `rfc9068` its `typ` must say that the token is an
    /// access token (RFC 9068 §4).
    pub(crate) fn header(&self, rfc9068: bool) -> Result<Header, InvalidToken> {
        let header = self.parse_header()?;
        if jws::requires_extension(&header) {
            return Err(InvalidToken::Critical);
        }
        let algorithm = header
            .get("alg")
            .and_then(Value::as_str)
            .and_then(SigningAlgorithm::from_name)
            .ok_or(InvalidToken::Algorithm)?;
        if !is_access_token_type(header.get("typ"), rfc9068) {
            return Err(InvalidToken::Type);
        }
        let kid = match header.get("kid") {
            None => None,
            Some(Value::String(kid)) => Some(kid.as_str().into()),
            Some(_) => return Err(InvalidToken::Malformed),
        };
        Ok(Header { algorithm, kid })
    }

    fn parse_header(&self) -> Result<Map<String, Value>, InvalidToken> {
        jws::parse_segment(self.encoded_header).map_err(|NotAJws| InvalidToken::Malformed)
    }

    /// The claims, which anybody may have written: for a diagnosis alone.
    pub(crate) fn unverified_claims(&self) -> &Claims {
        &self.claims
    }

    /// Hands out the claims if the key verifies the signature.
    pub(crate) fn verified_by(self, key: &Verifier) -> Result<Claims, InvalidToken> {
        key.verify(self.signing_input, &self.signature)?;
        Ok(self.claims)
    }
}

/// The header of what may not even be a JWT: for a diagnosis alone.
pub(crate) fn unverified_header(token: &str) -> Option<Map<String, Value>> {
    let (header, _) = token.split_once('.')?;
    jws::parse_segment(header).ok()
}

/// `typ` is a media type, compared without regard to case (RFC 7515 §4.1.9).
fn is_access_token_type(typ: Option<&Value>, rfc9068: bool) -> bool {
    match typ {
        None => !rfc9068,
        Some(Value::String(typ)) => {
            // The prefix may be left out.
            let subtype = match typ.split_at_checked("application/".len()) {
                Some((prefix, subtype)) if prefix.eq_ignore_ascii_case("application/") => subtype,
                _ => typ,
            };
            subtype.eq_ignore_ascii_case("at+jwt")
                || (!rfc9068 && subtype.eq_ignore_ascii_case("jwt"))
        }
        Some(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
    use serde_json::json;

    use super::*;

    fn segment(value: &Value) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(value.to_string())
    }

    #[test]
    fn the_issuer_that_a_token_claims_is_a_string() {
        let claimed = |payload: &Value| {
            let token = format!("{}.{}.AA", segment(&json!({})), segment(payload));
            DecodedJwt::decode(&token).unwrap().claimed_issuer().map(str::to_owned)
        };
        assert_eq!(claimed(&json!({"iss": "https://a.test"})), Ok("https://a.test".to_owned()));
        for odd in [json!({}), json!({"iss": 1})] {
            assert_eq!(claimed(&odd), Err(InvalidToken::Claim("iss")));
        }
    }

    #[test]
    fn a_type_is_a_media_type_whose_prefix_may_be_left_out() {
        for (typ, plain, strict) in [
            (json!(null), false, false),
            (json!("JWT"), true, false),
            (json!("jwt"), true, false),
            (json!("application/jwt"), true, false),
            (json!("Application/JWT"), true, false),
            (json!("at+jwt"), true, true),
            (json!("AT+JWT"), true, true),
            (json!("application/at+jwt"), true, true),
            (json!("APPLICATION/at+JWT"), true, true),
            (json!(""), false, false),
            (json!("application/"), false, false),
            (json!("application/application/jwt"), false, false),
            (json!("text/jwt"), false, false),
            (json!("application-jwt"), false, false),
            (json!("JOSE"), false, false),
            (json!("dpop+jwt"), false, false),
            (json!("jwt;a=b"), false, false),
            (json!(" jwt"), false, false),
            (json!(["JWT"]), false, false),
        ] {
            assert_eq!(is_access_token_type(Some(&typ), false), plain, "{typ}");
            assert_eq!(is_access_token_type(Some(&typ), true), strict, "{typ}");
        }
        assert!(is_access_token_type(None, false) && !is_access_token_type(None, true));
    }

    #[test]
    fn the_header_of_what_is_hardly_a_token_can_still_be_shown() {
        let header = json!({"alg": "none"});
        let shown = unverified_header(&format!("{}.", segment(&header)));
        assert_eq!(shown.map(Value::Object), Some(header));
        for odd in ["", "abc", ".abc", "e30", "AA."] {
            assert_eq!(unverified_header(odd), None, "{odd}");
        }
    }
}
