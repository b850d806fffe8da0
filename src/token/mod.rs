//! The access token as it stands in a request (RFC 6750 §2.1).

pub(crate) mod algorithm;
pub(crate) mod claims;
pub(crate) mod confirmation;
pub(crate) mod credentials;
pub(crate) mod json;
pub(crate) mod jws;
pub(crate) mod jwt;
pub(crate) mod keys;
pub(crate) mod object;
#[cfg(test)]
mod rfc_vectors;
pub(crate) mod rules;
pub(crate) mod thumbprint;
pub(crate) mod typed;
pub(crate) mod verified;

use std::{fmt, mem};

use base64_simd::URL_SAFE_NO_PAD;
use http::HeaderMap;
use memchr::memchr_iter;

use self::credentials::Scheme;
use crate::error::{Error, InvalidRequest, InvalidToken};

/// An access token, as presented: not validated, and never printed.
#[derive(Clone, Eq, PartialEq)]
pub struct AccessToken(Box<str>);

/// How a token is validated: by its own signature, or by asking the tenant. Either kind can be a bearer
/// token, or bound to a certificate or a key.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum TokenKind {
    /// A signed token (RFC 9068), validated here against the tenant's keys.
    Jwt,
    /// A reference token, or a JWT the tenant was asked about: validated by introspection
    /// (RFC 7662).
    Opaque,
}

impl TokenKind {
    /// As logs and metrics have it.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Jwt => "jwt",
            Self::Opaque => "opaque",
        }
    }
}

impl AccessToken {
    /// Reads the bearer token from the `Authorization` header.
    ///
    /// The scheme is case-insensitive, then come blanks or tabs, then one token. Without the
    /// header, with another scheme or with no token after the scheme there is no token: `None`.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidRequest`] if the header is repeated or the token is not a `b64token`
    /// (RFC 6750 §2.1), which is also the case for two tokens in one header.
    pub fn from_headers(headers: &HeaderMap) -> Result<Option<Self>, Error> {
        let found = credentials::find(headers, &[Scheme::Bearer]).map_err(Error::InvalidRequest)?;
        found.map(|(_, token)| Self::from_bytes(token, usize::MAX)).transpose()
    }

    /// Takes a token that was found elsewhere: in a cookie, in another header.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidRequest`] if it is not a `b64token` (RFC 6750 §2.1).
    pub fn new(token: &str) -> Result<Self, Error> {
        Self::from_bytes(token.as_bytes(), usize::MAX)
    }

    /// Takes the bytes of a token, unless there are too many.
    pub(crate) fn from_bytes(token: &[u8], max_length: usize) -> Result<Self, Error> {
        let malformed = Error::InvalidRequest(InvalidRequest::MalformedToken);
        if !is_b64token(token) {
            return Err(malformed);
        }
        if token.len() > max_length {
            return Err(Error::InvalidToken(InvalidToken::Oversized));
        }
        let token = std::str::from_utf8(token).map_err(|_| malformed)?;
        Ok(Self(token.into()))
    }

    /// The token's text. It is a secret: possession is all it takes to use it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Tells by the number of segments how the token is to be validated (RFC 7515 §3.1,
    /// RFC 7516 §3.1).
    pub(crate) fn kind(&self) -> Result<TokenKind, InvalidToken> {
        match memchr_iter(b'.', self.0.as_bytes()).count() {
            2 => Ok(TokenKind::Jwt),
            4 => Err(InvalidToken::Encrypted),
            _ => Ok(TokenKind::Opaque),
        }
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessToken([redacted])")
    }
}

/// `1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="`
fn is_b64token(token: &[u8]) -> bool {
    // Most tokens are base64url with dots in between, which is found out in less time.
    let is_base64url = |part: &[u8]| URL_SAFE_NO_PAD.check(part).is_ok();
    let mut start = 0;
    let dots = memchr_iter(b'.', token).chain([token.len()]);
    let mut parts = dots.map(|end| token.get(mem::replace(&mut start, end + 1)..end));
    if !token.is_empty() && parts.all(|part| part.is_some_and(is_base64url)) {
        return true;
    }
    let padding = token.iter().rev().take_while(|byte| **byte == b'=').count();
    let (text, _) = token.split_at(token.len() - padding);
    // `-`, `.` and `/` stand right before the digits. No early exit, and it runs in vectors.
    let is_text = |byte: u8| {
        byte.is_ascii_alphabetic()
            | (b'-'..=b'9').contains(&byte)
            | (byte == b'+')
            | (byte == b'_')
            | (byte == b'~')
    };
    !text.is_empty() && text.iter().fold(true, |all, byte| all & is_text(*byte))
}

#[cfg(test)]
mod tests {
    use http::{HeaderValue, header::AUTHORIZATION};

    use super::*;

    /// What a request with these Authorization headers presents.
    fn presented(values: &[&[u8]]) -> Result<Option<String>, Error> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, HeaderValue::from_bytes(value).unwrap());
        }
        let token = AccessToken::from_headers(&headers)?;
        Ok(token.map(|token| token.expose().to_owned()))
    }

    #[test]
    fn a_token_follows_the_scheme_after_blanks_or_a_tab() {
        for value in [
            "Bearer abc",
            "bearer abc",
            "BEARER   abc",
            "Bearer\tabc",
            "bEaReR \t abc",
            "Bearer abc ",
        ] {
            assert_eq!(
                presented(&[value.as_bytes()]).unwrap().as_deref(),
                Some("abc"),
                "{value:?}"
            );
        }
        assert_eq!(presented(&[b"Bearer a-Z0._~+/=="]).unwrap().as_deref(), Some("a-Z0._~+/=="));
    }

    #[test]
    fn nothing_another_scheme_and_an_empty_scheme_are_a_missing_token() {
        assert_eq!(presented(&[]).unwrap(), None);
        for value in [
            "",
            "Bearer",
            "Bearer ",
            "Bearer \t",
            "Basic YWJj",
            "Bearerabc",
            "Bearer=abc",
            "DPoP abc",
            "abc",
        ] {
            assert_eq!(presented(&[value.as_bytes()]).unwrap(), None, "{value:?}");
        }
    }

    #[test]
    fn two_headers_two_tokens_and_strange_bytes_are_an_invalid_request() {
        let refused = |values: &[&[u8]]| matches!(presented(values), Err(Error::InvalidRequest(_)));
        assert!(refused(&[b"Bearer abc", b"Bearer abc"]));
        assert!(refused(&[b"Basic YWJj", b"Bearer abc"]));
        let values: [&[u8]; 9] = [
            b"Bearer a b",
            b"Bearer a,b",
            b"Bearer a, Bearer b",
            b"Bearer \xc3\xbc",
            b"Bearer a\"b",
            b"Bearer =",
            b"Bearer a=b",
            b"Bearer a%20b",
            b"Bearer {}",
        ];
        for value in values {
            assert!(refused(&[value]), "{value:?}");
        }
    }

    #[test]
    fn a_token_is_made_of_the_bytes_of_a_b64token_and_no_other() {
        let allowed = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/";
        for byte in 0..=u8::MAX {
            let taken = AccessToken::from_bytes(&[b'a', byte, b'a'], 3).is_ok();
            assert_eq!(taken, allowed.contains(&byte), "{byte}");
        }
    }

    #[test]
    fn without_a_limit_a_token_may_have_any_length() {
        let token = "a".repeat(1 << 20);
        assert_eq!(AccessToken::new(&token).unwrap().expose(), token);
        let presented = presented(&[format!("Bearer {token}").as_bytes()]).unwrap();
        assert_eq!(presented, Some(token));
    }

    #[test]
    fn a_token_is_as_long_as_allowed_and_not_a_byte_longer() {
        let taken = |token: &[u8]| AccessToken::from_bytes(token, 3);
        assert_eq!(taken(b"ab").unwrap().expose(), "ab");
        assert_eq!(taken(b"abc").unwrap().expose(), "abc");
        let oversized = taken(b"abcd");
        assert!(matches!(oversized, Err(Error::InvalidToken(InvalidToken::Oversized))));
    }

    #[test]
    fn three_segments_are_a_jwt_five_are_encrypted_and_any_other_number_is_opaque() {
        let kind = |token: &str| AccessToken::new(token).unwrap().kind();
        for opaque in ["a", "a.b", "a.b.c.d", "a.b.c.d.e.f", "..."] {
            assert_eq!(kind(opaque), Ok(TokenKind::Opaque), "{opaque}");
        }
        for jwt in ["a.b.c", ".."] {
            assert_eq!(kind(jwt), Ok(TokenKind::Jwt), "{jwt}");
        }
        for encrypted in ["a.b.c.d.e", "...."] {
            assert_eq!(kind(encrypted), Err(InvalidToken::Encrypted), "{encrypted}");
        }
    }

    #[test]
    fn each_kind_has_a_word_of_its_own() {
        assert_eq!([TokenKind::Jwt, TokenKind::Opaque].map(TokenKind::word), ["jwt", "opaque"]);
    }

    #[test]
    fn debug_does_not_print_the_token() {
        assert_eq!(format!("{:?}", AccessToken::new("abc").unwrap()), "AccessToken([redacted])");
    }
}
