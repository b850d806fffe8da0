//! JWS compact serialisation (RFC 7515 §3.1) with JSON in it: what tokens and DPoP proofs share.

use base64_simd::URL_SAFE_NO_PAD;
use memchr::{memchr, memrchr};
use serde_json::{Map, Value};

use super::{json, object::Object};

/// A JWS taken apart: three segments, of which payload and signature are strict base64url, and the
/// payload a JSON object without duplicate members. Nothing in it is validated yet.
#[derive(Debug)]
pub(crate) struct Jws<'t> {
    /// Encoded, as it may be known already.
    pub(crate) header: &'t str,
    pub(crate) payload: Object,
    pub(crate) signing_input: &'t str,
    pub(crate) signature: Vec<u8>,
}

/// The text is not such a JWS.
#[derive(Debug)]
pub(crate) struct NotAJws;

impl<'t> Jws<'t> {
    pub(crate) fn decode(text: &'t str) -> Result<Self, NotAJws> {
        let dot = |found: Option<usize>| found.ok_or(NotAJws);
        let first = dot(memchr(b'.', text.as_bytes()))?;
        let last = dot(memrchr(b'.', text.as_bytes()))?;
        // With one dot alone, there is none between them.
        let payload = text.get(first + 1..last).ok_or(NotAJws)?;
        let (header, _) = text.split_at(first);
        let (signing_input, signature) = text.split_at(last);
        let signature = signature.get(1..).ok_or(NotAJws)?;
        let payload = String::from_utf8(decode(payload)?).map_err(|_| NotAJws)?;
        let payload = Object::parse(payload).map_err(|_| NotAJws)?;
        let signature = decode(signature)?;
        Ok(Self { header, payload, signing_input, signature })
    }
}

/// Whether a header asks for an extension that must be understood (`crit`, RFC 7515 §4.1.11), or
/// changes what is signed (`b64`, RFC 7797).
pub(crate) fn requires_extension(header: &Map<String, Value>) -> bool {
    header.contains_key("crit") || header.contains_key("b64")
}

/// Decodes a segment that holds a JSON object without duplicate members.
pub(crate) fn parse_segment(segment: &str) -> Result<Map<String, Value>, NotAJws> {
    json::parse_object(&decode(segment)?).map_err(|_| NotAJws)
}

/// Strict base64url (RFC 7515 §2): each octet sequence has exactly one text.
fn decode(segment: &str) -> Result<Vec<u8>, NotAJws> {
    match URL_SAFE_NO_PAD.decode_to_vec(segment) {
        Ok(octets) if !octets.is_empty() => Ok(octets),
        _ => Err(NotAJws),
    }
}
