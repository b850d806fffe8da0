//! The headers that repeat what the body asks for (Streamable HTTP, standard request headers).

use base64::{Engine as _, prelude::BASE64_STANDARD};
use http::HeaderMap;

use super::operation::{Kind, Operation};

const METHOD: &str = "mcp-method";
const NAME: &str = "mcp-name";

/// What the headers say that the body asks for; nothing in revisions that do not have them.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct StandardHeaders {
    method: Option<String>,
    name: Option<String>,
}

impl StandardHeaders {
    /// # Errors
    ///
    /// What is wrong with them.
    pub(super) fn read(headers: &HeaderMap) -> Result<Self, &'static str> {
        let method = text(headers, METHOD)
            .ok_or("the Mcp-Method header is repeated or not printable ASCII")?;
        let name =
            text(headers, NAME).ok_or("the Mcp-Name header is repeated or not printable ASCII")?;
        let name = match name {
            None => None,
            Some(name) => Some(decode(name).ok_or("the Mcp-Name header is not valid Base64")?),
        };
        Ok(Self { method: method.map(str::to_owned), name })
    }

    /// What they call for, before the body is read.
    pub(super) fn operation(&self) -> Option<Operation> {
        let method = self.method.clone()?;
        let subjects = match (Kind::of_method(&method), &self.name) {
            (Some(kind), Some(name)) => vec![kind.named(name)],
            _ => Vec::new(),
        };
        Some(Operation { method: Some(method), subjects })
    }

    /// Compares them with what the body asks for.
    ///
    /// # Errors
    ///
    /// What differs.
    pub(super) fn agree_with(&self, operation: &Operation) -> Result<(), &'static str> {
        if self.method.is_some() && self.method != operation.method {
            return Err("the Mcp-Method header differs from the body");
        }
        let kind = operation.method.as_deref().and_then(Kind::of_method);
        if kind.is_none() || (self.method.is_none() && self.name.is_none()) {
            return Ok(());
        }
        match (&self.name, operation.subjects.as_slice()) {
            (Some(name), [subject]) if *name == subject.name => Ok(()),
            (None, _) => Err("the Mcp-Name header is missing"),
            _ => Err("the Mcp-Name header differs from the body"),
        }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.method.is_none() && self.name.is_none()
    }
}

/// The text of a header that may be absent; nothing if there are several, or it is not text.
#[allow(clippy::option_option, reason = "absent and unusable are two things")]
fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<Option<&'h str>> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Some(None),
        (Some(value), None) => value.to_str().ok().map(Some),
        (Some(_), Some(_)) => None,
    }
}

/// A value as it is, or in the markers for what a header cannot hold, which are case-sensitive.
fn decode(value: &str) -> Option<String> {
    let encoded = value.strip_prefix("=?base64?").and_then(|rest| rest.strip_suffix("?="));
    match encoded {
        None => Some(value.to_owned()),
        Some(encoded) => String::from_utf8(BASE64_STANDARD.decode(encoded).ok()?).ok(),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn read(headers: &[(&'static str, &[u8])]) -> Result<StandardHeaders, &'static str> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_bytes(value).unwrap());
        }
        StandardHeaders::read(&map)
    }

    fn name_in(value: &str) -> Option<String> {
        read(&[(NAME, value.as_bytes())]).ok()?.name
    }

    fn asks(method: Option<&str>, subject: Option<(Kind, &str)>) -> Operation {
        Operation {
            method: method.map(str::to_owned),
            subjects: subject.into_iter().map(|(kind, name)| kind.named(name)).collect(),
        }
    }

    #[test]
    fn a_name_stands_as_it_is_or_between_markers() {
        for (value, name) in [
            ("create_post", Some("create_post")),
            ("=?base64?Y3JlYXRlX3Bvc3Q=?=", Some("create_post")),
            ("=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?=", Some("=?base64?literal?=")),
            ("=?base64??=", Some("")),
            ("=?BASE64?Y3JlYXRlX3Bvc3Q=?=", Some("=?BASE64?Y3JlYXRlX3Bvc3Q=?=")),
            ("=?base64?Y3JlYXRlX3Bvc3Q=", Some("=?base64?Y3JlYXRlX3Bvc3Q=")),
            ("=?base64?=", Some("=?base64?=")),
            // No padding, trailing bits, a blank, another alphabet, not UTF-8.
            ("=?base64?Y3JlYXRlX3Bvc3Q?=", None),
            ("=?base64?Y3JlYXRlX3Bvc3R=?=", None),
            ("=?base64?Y3Jl YXRlX3Bvc3Q=?=", None),
            ("=?base64?_-8=?=", None),
            ("=?base64?/w==?=", None),
        ] {
            assert_eq!(name_in(value).as_deref(), name, "{value}");
        }
    }

    #[test]
    fn each_header_may_stand_once_and_is_text() {
        assert_eq!(read(&[]), Ok(StandardHeaders::default()));
        for name in [METHOD, NAME] {
            assert!(read(&[(name, b"a"), (name, b"a")]).is_err(), "{name}");
            assert!(read(&[(name, "\u{fc}".as_bytes())]).is_err(), "{name}");
        }
    }

    #[test]
    fn what_the_headers_call_for_needs_a_method() {
        let called = |headers: &[(&'static str, &[u8])]| read(headers).unwrap().operation();
        assert_eq!(
            called(&[(METHOD, b"resources/read"), (NAME, b"file:///a")]),
            Some(asks(Some("resources/read"), Some((Kind::Resource, "file:///a"))))
        );
        assert_eq!(called(&[(METHOD, b"tools/call")]), Some(asks(Some("tools/call"), None)));
        assert_eq!(
            called(&[(METHOD, b"tasks/get"), (NAME, b"7")]),
            Some(asks(Some("tasks/get"), None))
        );
        assert_eq!(called(&[(NAME, b"create_post")]), None);
    }

    #[test]
    fn headers_and_body_must_agree() {
        let create = asks(Some("tools/call"), Some((Kind::Tool, "create_post")));
        let ping = asks(Some("ping"), None);
        let response = asks(None, None);
        for (method, name, body, agrees) in [
            (None, None, &create, true),
            (Some("tools/call"), Some("create_post"), &create, true),
            (Some("tools/call"), Some("list_posts"), &create, false),
            (Some("tools/call"), Some("Create_post"), &create, false),
            (Some("tools/call"), Some(""), &create, false),
            (Some("tools/call"), None, &create, false),
            (Some("tools/list"), Some("create_post"), &create, false),
            (Some("Tools/call"), Some("create_post"), &create, false),
            (Some("prompts/get"), Some("create_post"), &create, false),
            (None, Some("create_post"), &create, true),
            (None, Some("list_posts"), &create, false),
            (Some("ping"), None, &ping, true),
            (Some("ping"), Some("anything"), &ping, true),
            (Some("tools/list"), None, &ping, false),
            (None, None, &response, true),
            (Some("ping"), None, &response, false),
        ] {
            let headers = StandardHeaders {
                method: method.map(str::to_owned),
                name: name.map(str::to_owned),
            };
            assert_eq!(headers.agree_with(body).is_ok(), agrees, "{headers:?} {body:?}");
        }
    }
}
