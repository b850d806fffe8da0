//! Places in a document (RFC 6901), and references to them.

use serde_json::{Map, Value};

use crate::document::DocumentError;

/// How many references one may lead through.
const MAX_HOPS: usize = 32;

/// A JSON pointer.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Place(String);

impl Place {
    pub(super) fn at(&self, name: &str) -> Self {
        Self(format!("{}/{}", self.0, escaped(name)))
    }

    pub(super) const fn from_pointer(pointer: String) -> Self {
        Self(pointer)
    }

    pub(super) fn pointer(&self) -> &str {
        &self.0
    }
}

pub(super) fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// A value and what it refers to, one after the other, with their places.
pub(super) fn chain<'d>(
    root: &'d Map<String, Value>,
    value: &'d Value,
    place: Place,
) -> Result<Vec<(&'d Value, Place)>, DocumentError> {
    let mut chain = vec![(value, place)];
    while let Some((value, place)) = chain.last() {
        let Some(reference) = value.as_object().and_then(|members| members.get("$ref")) else {
            break;
        };
        let found = match reference.as_str().and_then(|text| text.strip_prefix('#')) {
            Some(fragment) => decoded(fragment)
                .filter(|it| it.starts_with('/'))
                .and_then(|pointer| Some((target(root, &pointer)?, Place(pointer)))),
            None => {
                return Err(DocumentError::new(
                    place,
                    format!(
                        "it refers to {reference}, and only references within the document (#/…) are \
                         followed: bundle the files into one"
                    ),
                ));
            }
        };
        let next = found.ok_or_else(|| {
            DocumentError::new(
                place,
                format!("it refers to {reference}, which the document does not contain"),
            )
        })?;
        if chain.len() > MAX_HOPS || chain.iter().any(|(_, place)| *place == next.1) {
            return Err(DocumentError::new(
                place,
                format!(
                    "its reference {reference} goes in a circle, or through more than {MAX_HOPS} others"
                ),
            ));
        }
        chain.push(next);
    }
    Ok(chain)
}

fn target<'d>(root: &'d Map<String, Value>, pointer: &str) -> Option<&'d Value> {
    let mut names = pointer.strip_prefix('/')?.split('/').map(unescaped);
    let first = root.get(&names.next()?)?;
    names.try_fold(first, |value, name| match value {
        Value::Object(members) => members.get(&name),
        Value::Array(elements) => elements.get(name.parse::<usize>().ok()?),
        _ => None,
    })
}

fn unescaped(name: &str) -> String {
    name.replace("~1", "/").replace("~0", "~")
}

/// The text of a URI fragment, in which percent signs encode bytes.
fn decoded(fragment: &str) -> Option<String> {
    let mut bytes = fragment.bytes();
    let mut decoded = Vec::with_capacity(fragment.len());
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => (digit(bytes.next()?)? << 4) | digit(bytes.next()?)?,
            byte => byte,
        });
    }
    String::from_utf8(decoded).ok()
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}
