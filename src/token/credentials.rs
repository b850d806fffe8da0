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
        if values.next().is_some() {
            let error = Error::InvalidRequest(InvalidRequest::RepeatedHeader);
            return Err(Unreadable { error, scheme: None });
        }
        let credentials = value.as_bytes().trim_ascii();
        let scheme_end = credentials.iter().position(|byte| matches!(byte, b' ' | b'\t'));
        let (name, rest) = credentials.split_at(scheme_end.unwrap_or(credentials.len()));
        let token = rest.trim_ascii_start();
        let is_named = |scheme: &&Scheme| name.eq_ignore_ascii_case(scheme.name().as_bytes());
        match schemes.iter().find(is_named) {
            Some(&scheme) if !token.is_empty() => {
                let token = AccessToken::from_bytes(token, max_length).map_err(|error| {
                    // A list may hold credentials of several schemes.
                    let scheme = Some(scheme).filter(|_| !rest.contains(&b','));
                    Unreadable { error, scheme }
                })?;
                Ok(Some(Self { scheme, token }))
            }
            _ => Ok(None),
        }
    }
}
