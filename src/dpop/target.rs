//! `htu`: the URI that a proof is for (RFC 9449 §4.2).

use std::fmt::Write as _;

use url::{Host, Url};

/// Where clients reach an API. The `Host` header says nothing about it, and a proxy may rewrite the
/// path of a request.
#[derive(Clone, Debug)]
pub(crate) struct PublicUrl {
    /// Scheme, host and port.
    origin: String,
    /// What a proxy removes from the path of each request.
    path_prefix: String,
}

impl PublicUrl {
    /// The origin of a URL, and a path, or nothing, that stands before those of requests.
    pub(crate) fn new(url: &Url, path_prefix: &str) -> Self {
        let path_prefix = path_prefix.trim_end_matches('/').to_owned();
        Self { origin: url.origin().ascii_serialization(), path_prefix }
    }

    /// Whether `htu` is the URI of the request for `path`, both normalised by RFC 3986 §6.2.2 and
    /// §6.2.3. An `htu` with a query or a fragment is another URI.
    pub(crate) fn is_target(&self, htu: &str, path: &str) -> bool {
        // Most clients write it as it is, and equal texts are equal URIs.
        let rest = htu.strip_prefix(&self.origin).and_then(|it| it.strip_prefix(&self.path_prefix));
        if rest == Some(path) && is_made_of_uri_characters(path) {
            return true;
        }
        // In a path of HTTP it is a character like any other, and a separator to the parser.
        let path = path.replace('\\', "%5C");
        let own = Url::parse(&format!("{}{}{path}", self.origin, self.path_prefix));
        own.is_ok_and(|own| absolute(htu).is_some_and(|uri| normalised(&uri) == normalised(&own)))
    }
}

/// An absolute `http` or `https` URI with an authority. The parser repairs what is none, so that is
/// rejected before.
fn absolute(htu: &str) -> Option<Url> {
    let (scheme, rest) = htu.split_once("://")?;
    let is_http = ["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known));
    let authority = rest.split('/').next().unwrap_or_default();
    let is_host = !authority.is_empty() && !authority.contains('@');
    if !is_http || !is_host || !is_made_of_uri_characters(htu) {
        return None;
    }
    let url = Url::parse(htu).ok()?;
    // The parser also takes `127.1` and `127.0.0.1.` for an address.
    let is_repaired =
        matches!(url.host(), Some(Host::Ipv4(_))) && authority.split(':').next() != url.host_str();
    (!is_repaired).then_some(url)
}

/// Those of RFC 3986 §2 but for the start of a query and of a fragment, and some that it lacks.
fn is_made_of_uri_characters(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic() && !b"\\?#".contains(&byte))
}

/// The parser has normalised scheme, host, port and dot segments; what is left are the
/// percent-encodings of the path.
fn normalised(url: &Url) -> String {
    let mut text = url.origin().ascii_serialization();
    let mut rest = url.path();
    while let Some((before, after)) = rest.split_once('%') {
        text.push_str(before);
        rest = match split_octet(after) {
            Some((octet, rest)) if is_unreserved(octet) => {
                text.push(char::from(octet));
                rest
            }
            Some((octet, rest)) => {
                let _ = write!(text, "%{octet:02X}");
                rest
            }
            None => {
                text.push('%');
                after
            }
        };
    }
    text.push_str(rest);
    text
}

/// The octet of two hexadecimal digits, and what follows them.
fn split_octet(text: &str) -> Option<(u8, &str)> {
    let (digits, rest) = text.split_at_checked(2)?;
    // `from_str_radix` alone would accept a sign.
    let is_hexadecimal = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    let octet = u8::from_str_radix(digits, 16).ok().filter(|_| is_hexadecimal)?;
    Some((octet, rest))
}

/// RFC 3986 §2.3.
fn is_unreserved(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || b"-._~".contains(&octet)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn api() -> PublicUrl {
        PublicUrl::new(&Url::parse("https://api.example.com/posts?v=1").unwrap(), "")
    }

    #[test]
    fn uris_that_differ_in_spelling_alone_are_one() {
        for (htu, path) in [
            ("https://api.example.com/posts/7", "/posts/7"),
            ("HTTPS://API.Example.COM/posts/7", "/posts/7"),
            ("https://api.example.com:443/posts/7", "/posts/7"),
            ("https://api.example.com:/posts/7", "/posts/7"),
            ("https://api.example.com", "/"),
            ("https://api.example.com/", "/"),
            ("https://api.example.com/%7Ealice/%e4", "/~alice/%E4"),
            ("https://api.example.com/~alice/%E4", "/%7ealice/%e4"),
            ("https://api.example.com/a/./b/../c", "/a/c"),
            ("https://api.example.com/a/c", "/a/%2e/b/%2E./c"),
            ("https://api.example.com//a", "//a"),
            ("https://api.example.com/%7Ba%7D", "/{a}"),
            ("https://api.example.com/%5Ca", "/\\a"),
            ("https://api.example.com/%C3%BC", "/\u{fc}"),
            ("https://api.example.com/100%", "/100%"),
        ] {
            assert!(api().is_target(htu, path), "{htu} {path}");
        }
    }

    #[test]
    fn every_other_uri_is_another() {
        for htu in [
            "",
            "/posts/7",
            "posts/7",
            "//api.example.com/posts/7",
            "http://api.example.com/posts/7",
            "ws://api.example.com/posts/7",
            "https://evil.example.com/posts/7",
            "https://api.example.com.evil.com/posts/7",
            "https://api.example.com:8443/posts/7",
            "https://alice@api.example.com/posts/7",
            "https://:secret@api.example.com/posts/7",
            "https://@api.example.com/posts/7",
            "https://api.example.com/posts/7/",
            "https://api.example.com/posts",
            "https://api.example.com/posts/70",
            "https://api.example.com/Posts/7",
            "https://api.example.com/posts%2F7",
            "https://api.example.com/posts%252F7",
            "https://api.example.com/posts/7?",
            "https://api.example.com/posts/7?a=b",
            "https://api.example.com/posts/7#",
            "https://api.example.com/posts/7#a",
            "https://api.example.com\\posts\\7",
            "https:api.example.com/posts/7",
            "https:///api.example.com/posts/7",
            "https:\\\\api.example.com/posts/7",
            " https://api.example.com/posts/7",
            "https://api.example.com/posts/7 ",
            "https://api.example.com/po\tsts/7",
            "https://api.example.com/posts/7\n",
            "https://api.example.com/posts/\u{ff17}",
        ] {
            assert!(!api().is_target(htu, "/posts/7"), "{htu:?}");
        }
        assert!(!api().is_target("https://api.example.com/a%", "/a%25"));
        assert!(!api().is_target("https://api.example.com/%+1", "/%01"));
    }

    #[test]
    fn an_address_has_one_spelling() {
        let api = PublicUrl::new(&Url::parse("http://127.0.0.1:3000").unwrap(), "");
        assert!(api.is_target("HTTP://127.0.0.1:3000/%7Ea", "/~a"));
        for host in ["127.0.0.1.", "127.1", "0x7f.0.0.1", "2130706433", "0177.0.0.1", "127.0.0.01"]
        {
            assert!(!api.is_target(&format!("http://{host}:3000/a"), "/a"), "{host}");
        }
    }

    #[test]
    fn a_prefix_that_a_proxy_removes_is_a_part_of_the_uri() {
        let url = Url::parse("http://localhost:8080/ignored").unwrap();
        for prefix in ["/api/v1", "/api/v1/"] {
            let api = PublicUrl::new(&url, prefix);
            assert!(api.is_target("http://localhost:8080/api/v1/posts", "/posts"), "{prefix}");
            assert!(api.is_target("http://LOCALHOST:8080/api/v1/", "/"), "{prefix}");
            assert!(!api.is_target("http://localhost:8080/posts", "/posts"), "{prefix}");
            assert!(!api.is_target("http://localhost/api/v1/posts", "/posts"), "{prefix}");
        }
    }
}
