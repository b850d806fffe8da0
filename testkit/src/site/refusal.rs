//! Why the tenant rejects a request.

/// What is wrong, in the characters of an `error_description` (RFC 6749 §5.2).
pub(crate) type Refusal = &'static str;

pub(crate) fn ensure(condition: bool, otherwise: Refusal) -> Result<(), Refusal> {
    if condition { Ok(()) } else { Err(otherwise) }
}
