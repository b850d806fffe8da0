//! How a request presents its token, as far as the answer depends on it.

use std::sync::Arc;

use http::{
    HeaderMap, HeaderValue,
    header::{CACHE_CONTROL, HeaderName},
};

use crate::token::credentials::Scheme;

/// RFC 9449 §8.1.
const NONCE_HEADER: HeaderName = HeaderName::from_static("dpop-nonce");

/// What is remembered of the credentials of a request until it is answered.
#[derive(Clone, Debug, Default)]
pub(crate) struct Presentation {
    /// Nothing without credentials, and where several schemes are meant.
    pub(crate) scheme: Option<Scheme>,
    /// The nonce for the client's next proof.
    pub(crate) next_nonce: Option<Arc<str>>,
}

impl Presentation {
    pub(crate) const fn by(scheme: Scheme) -> Self {
        Self { scheme: Some(scheme), next_nonce: None }
    }

    /// Gives the client its next nonce, which no cache must repeat (RFC 9449 §8.2).
    pub(crate) fn provide_nonce(&self, headers: &mut HeaderMap) {
        let nonce = self.next_nonce.as_ref().and_then(|nonce| HeaderValue::try_from(&**nonce).ok());
        if let Some(nonce) = nonce {
            headers.insert(NONCE_HEADER, nonce);
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        }
    }
}
