//! References within a document (RFC 6901), and what they lead to.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

/// How many references one may lead through.
pub(super) const MAX_HOPS: usize = 16;

/// What a value refers to, through further references.
pub(super) fn follow<'d>(
    root: &'d Map<String, Value>,
    value: &'d Value,
) -> Result<&'d Value, String> {
    let mut value = value;
    for _ in 0..MAX_HOPS {
        let Some(reference) = value.get("$ref") else { return Ok(value) };
        value = target(root, reference)?;
    }
    Err(too_long())
}

/// What a reference within the document leads to, to be edited.
pub(super) fn target_mut<'d>(
    root: &'d mut Map<String, Value>,
    reference: &str,
) -> Option<&'d mut Value> {
    let tokens = tokens(reference)?;
    let (first, rest) = tokens.split_first()?;
    let first = root.get_mut(&**first)?;
    rest.iter().try_fold(first, |value, token| value.get_mut(&**token))
}

/// The tokens of a reference within its document (RFC 6901 §6).
pub(super) fn tokens(reference: &str) -> Option<Vec<Cow<'_, str>>> {
    let pointer = percent_decode_str(reference.strip_prefix('#')?).decode_utf8().ok()?;
    let tokens = pointer.strip_prefix('/')?.split('/');
    Some(tokens.map(|token| token.replace("~1", "/").replace("~0", "~").into()).collect())
}

/// What a reference leads to; the error says why it leads nowhere.
pub(super) fn target<'d>(
    root: &'d Map<String, Value>,
    reference: &Value,
) -> Result<&'d Value, String> {
    let text = reference.as_str().filter(|reference| reference.starts_with('#')).ok_or_else(|| {
        format!(
            "it refers to {reference}; only references within the document (`#/…`) are followed: bundle the files into one"
        )
    })?;
    let missing = || format!("it refers to {reference}, which the document does not contain");
    let tokens = tokens(text).ok_or_else(missing)?;
    let (first, rest) = tokens.split_first().ok_or_else(missing)?;
    let first = root.get(&**first).ok_or_else(missing)?;
    rest.iter().try_fold(first, |value, token| value.get(&**token)).ok_or_else(missing)
}

/// What is wrong with a reference that leads through too many others.
pub(super) fn too_long() -> String {
    format!("its reference goes in a circle, or through more than {MAX_HOPS} others")
}
