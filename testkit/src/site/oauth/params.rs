//! The parameters of a request (RFC 6749 §3.1 and §3.2).

use std::collections::{BTreeMap, btree_map::Entry};

use crate::site::refusal::Refusal;

/// Parameters in a query or in a form. Those without a value count as omitted.
#[derive(Debug, Default)]
pub(crate) struct Params {
    /// The first value of each.
    first: BTreeMap<String, String>,
    /// Further values.
    more: Vec<(String, String)>,
    is_malformed: bool,
}

/// Those of which a request may have several (RFC 8707 §2, RFC 8693 §2.1).
const REPEATABLE: [&str; 2] = ["resource", "audience"];

impl Params {
    /// Parses a query or a form. Like a browser's parser, and unlike that of the introspection
    /// endpoint, it accepts characters that need not have been encoded.
    pub(crate) fn parse(text: &[u8]) -> Self {
        let mut params = Self::default();
        for field in text.split(|byte| *byte == b'&').filter(|field| !field.is_empty()) {
            let end = field.iter().position(|byte| *byte == b'=').unwrap_or(field.len());
            let (name, value) = field.split_at(end);
            let value = value.strip_prefix(b"=").unwrap_or(value);
            match (decoded(name), decoded(value)) {
                (Some(_), Some(value)) if value.is_empty() => {}
                (Some(name), Some(value)) => params.put(name, value),
                _ => params.is_malformed = true,
            }
        }
        params
    }

    /// The value of a parameter, the first one if it is repeated.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.first.get(name).map(String::as_str)
    }

    /// All values of a parameter that may be repeated.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        let more = self.more.iter().filter(|(other, _)| other == name);
        self.get(name).into_iter().chain(more.map(|(_, value)| value.as_str())).collect()
    }

    /// The first value of each.
    pub(crate) const fn first(&self) -> &BTreeMap<String, String> {
        &self.first
    }

    /// Whether the parameter has exactly one value, or none.
    pub(crate) fn is_unambiguous(&self, name: &str) -> bool {
        self.more.iter().all(|(other, _)| other != name)
    }

    /// Checks that the encoding is right and nothing is repeated.
    pub(crate) fn check(&self) -> Result<(), Refusal> {
        if self.is_malformed {
            return Err("the parameters are not encoded correctly");
        }
        let mut names = self.more.iter().map(|(name, _)| name.as_str());
        match names.all(|name| REPEATABLE.contains(&name)) {
            true => Ok(()),
            false => Err("a parameter is repeated"),
        }
    }

    fn put(&mut self, name: String, value: String) {
        match self.first.entry(name) {
            Entry::Occupied(entry) => self.more.push((entry.key().clone(), value)),
            Entry::Vacant(entry) => {
                entry.insert(value);
            }
        }
    }
}

/// Decodes a name or a value.
fn decoded(text: &[u8]) -> Option<String> {
    let mut bytes = text.iter();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => hex(*bytes.next()?)? << 4 | hex(*bytes.next()?)?,
            byte => *byte,
        });
    }
    String::from_utf8(decoded).ok()
}

/// Encodes a name or a value (RFC 6749 §B).
pub(crate) fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'*' | b'-' | b'.' | b'_' => encoded.push(byte.into()),
            _ if byte.is_ascii_alphanumeric() => encoded.push(byte.into()),
            b' ' => encoded.push('+'),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

/// The parameters as a query or a form.
pub(crate) fn encoded_pairs(pairs: &[(&str, &str)]) -> String {
    let pairs = pairs.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value)));
    pairs.collect::<Vec<_>>().join("&")
}

fn hex(digit: u8) -> Option<u8> {
    let value = char::from(digit).to_digit(16)?;
    u8::try_from(value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_without_a_value_are_omitted() {
        let params = Params::parse(b"a=&b&c=1&&d=x+y%26:/?");
        assert_eq!((params.get("a"), params.get("b")), (None, None));
        assert_eq!((params.get("c"), params.get("d")), (Some("1"), Some("x y&:/?")));
        assert_eq!(params.check(), Ok(()));
    }

    #[test]
    fn only_resource_and_audience_may_be_repeated() {
        let params = Params::parse(b"resource=a&resource=b&audience=c&audience=c");
        assert_eq!(params.check(), Ok(()));
        assert_eq!(params.all("resource"), ["a", "b"]);
        let params = Params::parse(b"scope=a&%73cope=a&client_id=b");
        assert_eq!(params.check(), Err("a parameter is repeated"));
        assert!(params.is_unambiguous("client_id") && !params.is_unambiguous("scope"));
    }

    #[test]
    fn malformed_encodings_are_found() {
        for text in [&b"a=%"[..], b"a=%4", b"a=%zz", b"%=1", b"a=%FF", b"a=\xFF"] {
            assert!(Params::parse(text).check().is_err(), "{text:?}");
        }
    }

    #[test]
    fn what_is_encoded_is_decoded() {
        let text = "a b+c%&=ü/\u{0}";
        assert_eq!(decoded(encoded(text).as_bytes()).as_deref(), Some(text));
        assert_eq!(encoded_pairs(&[("a", "b c"), ("d", "&")]), "a=b+c&d=%26");
    }
}
