//! The compact serialization of signed tokens (RFC 7515 §7.1).

use crate::token::signing_key::{SigningKey, base64url};

/// A header and a payload, and the key to sign them with.
#[derive(Clone)]
pub(crate) struct Unsigned {
    pub(crate) header: Vec<u8>,
    pub(crate) payload: Vec<u8>,
    pub(crate) key: SigningKey,
}

impl Unsigned {
    pub(crate) fn sign(&self) -> String {
        self.with_signature(self.signature())
    }

    pub(crate) fn with_signature(&self, signature: impl AsRef<[u8]>) -> String {
        format!("{}.{}", self.input(), base64url(signature))
    }

    pub(crate) fn signature(&self) -> Vec<u8> {
        self.key.sign(self.input().as_bytes())
    }

    /// The JWS signing input (RFC 7515 §5.1).
    pub(crate) fn input(&self) -> String {
        format!("{}.{}", base64url(&self.header), base64url(&self.payload))
    }
}
