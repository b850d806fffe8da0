//! The encoding of forms.

use std::collections::BTreeMap;

/// Parses a body of type `application/x-www-form-urlencoded`. Returns `None` if it is not encoded
/// correctly or repeats a field (RFC 6749 §3.2 and §B).
pub(crate) fn fields(body: &[u8]) -> Option<BTreeMap<String, String>> {
    let body = str::from_utf8(body).ok()?;
    let mut fields = BTreeMap::new();
    for field in body.split('&').filter(|field| !field.is_empty()) {
        let (name, value) = field.split_once('=')?;
        if fields.insert(decoded(name)?, decoded(value)?).is_some() {
            return None;
        }
    }
    Some(fields)
}

/// Decodes a name or a value. Unlike a browser's parser it is strict: it rejects a character that
/// should have been encoded.
pub(crate) fn decoded(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::new();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => hex(bytes.next()?)? << 4 | hex(bytes.next()?)?,
            b'*' | b'-' | b'.' | b'_' | b'~' => byte,
            _ if byte.is_ascii_alphanumeric() => byte,
            _ => return None,
        });
    }
    String::from_utf8(decoded).ok()
}

fn hex(digit: u8) -> Option<u8> {
    let value = char::from(digit).to_digit(16)?;
    u8::try_from(value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoded_text_is_decoded() {
        for (encoded, text) in [
            ("", ""),
            ("a-b.c_d*~9", "a-b.c_d*~9"),
            ("a+b%20c", "a b c"),
            ("%3A%25%2b%26%3D", ":%+&="),
            ("%C3%A9", "é"),
        ] {
            assert_eq!(decoded(encoded).as_deref(), Some(text), "{encoded}");
        }
    }

    #[test]
    fn text_that_was_not_encoded_is_rejected() {
        for text in ["a b", "a:b", "é", "100%", "%4", "%4g", "%g4", "%FF", "a/b", "a=b", "a\"b"] {
            assert_eq!(decoded(text), None, "{text}");
        }
    }

    #[test]
    fn a_form_names_each_field_once() {
        let form = fields(b"a=1&b=x+y&c=").unwrap();
        let expected = [("a", "1"), ("b", "x y"), ("c", "")];
        assert!(form.iter().map(|(name, value)| (&**name, &**value)).eq(expected));
        assert_eq!(fields(b"").unwrap().len(), 0);

        for body in ["a=1&a=1", "a=1&%61=2", "a", "a=b=c", "a=1&b"] {
            assert_eq!(fields(body.as_bytes()), None, "{body}");
        }
        assert_eq!(fields(b"a=\xC3\xA9\xFF"), None);
    }
}
