//! Signed client assertions (RFC 7523 §2.2).

use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::rand;
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::json;

use crate::config::SigningKey;

/// How long an assertion is good for, in seconds.
const LIFETIME: u64 = 60;

/// A fresh assertion of `client` for `audience`; nothing if no random bytes are available.
pub(super) fn sign(
    key: &SigningKey,
    client: &str,
    audience: &str,
    now: SystemTime,
) -> Option<String> {
    let mut jti = [0; 32];
    rand::fill(&mut jti).ok()?;
    let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    key.sign(&json!({
        "iss": client,
        "sub": client,
        "aud": audience,
        "jti": BASE64_URL_SAFE_NO_PAD.encode(jti),
        "iat": now,
        "nbf": now,
        "exp": now + LIFETIME,
    }))
}
