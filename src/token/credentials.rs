//! The `Authorization` header of a request (RFC 9110 §11.6.2).

use http::{HeaderMap, header::AUTHORIZATION};

use super::AccessToken;
use crate::error::{Error, InvalidRequest};

/// How a token is presented.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Scheme {
    /// RFC 6750 §2.1.
    Bearer,
    /// RFC 9449 §7.1.
    Dpop,
}

impl Scheme {
    /// As challenges write it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Bearer => "Bearer",
            Self::Dpop => "DPoP",
        }
    }
}

/// A token as a request presents it.
#[derive(Debug)]
pub(crate) struct Credentials {
    pub(crate) scheme: Scheme,
    pub(crate) token: AccessToken,
}

/// Credentials that cannot be read.
#[derive(Debug)]
pub(crate) struct Unreadable {
    pub(crate) error: Error,
    /// Nothing where several may be meant.
    pub(crate) scheme: Option<Scheme>,
}

impl Credentials {
    /// Reads the token of one of these schemes, in any case, then blanks or tabs, then one token of at
    /// most `max_length` bytes: a longer one is not even copied. Without the header, with another
    /// scheme or with no token after the scheme there is none.
    pub(crate) fn in_headers(
        headers: &HeaderMap,
        schemes: &[Scheme],
        max_length: usize,
    ) -> Result<Option<Self>, Unreadable> {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let Some(value) = values.next() else {
            return Ok(None);
        };
        let unreadable = |error| Unreadable { error, scheme: only_scheme(headers, schemes) };
        if values.next().is_some() {
            return Err(unreadable(Error::InvalidRequest(InvalidRequest::RepeatedHeader)));
        }
        match split(value.as_bytes(), schemes) {
            (Some(scheme), token) if !token.is_empty() => {
                let token = AccessToken::from_bytes(token, max_length).map_err(unreadable)?;
                Ok(Some(Self { scheme, token }))
            }
            _ => Ok(None),
        }
    }
}

/// The scheme that all credentials of a request name, as far as they name one of these.
fn only_scheme(headers: &HeaderMap, schemes: &[Scheme]) -> Option<Scheme> {
    let values = headers.get_all(AUTHORIZATION).iter();
    let credentials = values.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    let mut named = credentials.filter_map(|credentials| split(credentials, schemes).0);
    named.next().filter(|first| named.all(|other| other == *first))
}

/// Which of these schemes credentials name, and what follows its name.
fn split<'v>(credentials: &'v [u8], schemes: &[Scheme]) -> (Option<Scheme>, &'v [u8]) {
    let credentials = credentials.trim_ascii();
    let scheme_end = credentials.iter().position(|byte| matches!(byte, b' ' | b'\t'));
    let (name, rest) = credentials.split_at(scheme_end.unwrap_or(credentials.len()));
    let is_named = |scheme: &&Scheme| name.eq_ignore_ascii_case(scheme.name().as_bytes());
    (schemes.iter().find(is_named).copied(), rest.trim_ascii_start())
}
