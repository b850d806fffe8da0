//! The `Authorization` header of a request (RFC 9110 §11.6.2).

use http::{HeaderMap, header::AUTHORIZATION};

use crate::error::InvalidRequest;

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

/// Finds credentials of one of these schemes, in any case: what follows the scheme, after blanks or
/// tabs. Without the header, with another scheme or with nothing after the scheme there are none.
pub(crate) fn find<'h>(
    headers: &'h HeaderMap,
    schemes: &[Scheme],
) -> Result<Option<(Scheme, &'h [u8])>, InvalidRequest> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(InvalidRequest::RepeatedHeader);
    }
    Ok(match split(value.as_bytes(), schemes) {
        (Some(scheme), token) if !token.is_empty() => Some((scheme, token)),
        _ => None,
    })
}

/// The scheme that all credentials of a request name, as far as they name one of these: where they
/// cannot be read, the answer is about it.
pub(crate) fn only_scheme(headers: &HeaderMap, schemes: &[Scheme]) -> Option<Scheme> {
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
