//! Redirect URIs (RFC 6749 §3.1.2, RFC 8252 §7.3).

use http::Uri;

use crate::OAuthClient;

/// Schemes that make a browser run or show something instead of leaving for a client.
const NOT_A_CLIENT: [&str; 6] = ["about", "blob", "data", "file", "javascript", "vbscript"];

/// Whether a client may register it: an absolute URI without a fragment.
pub(crate) fn is_redirect_uri(uri: &str) -> bool {
    let Some((scheme, rest)) = uri.split_once(':') else { return false };
    let mut letters = scheme.bytes();
    let is_scheme = letters.next().is_some_and(|first| first.is_ascii_alphabetic())
        && letters.all(|letter| letter.is_ascii_alphanumeric() || b"+-.".contains(&letter));
    let is_visible = rest.bytes().all(|letter| letter.is_ascii_graphic());
    let scheme = scheme.to_ascii_lowercase();
    let names_host = !matches!(&*scheme, "http" | "https")
        || uri.parse::<Uri>().is_ok_and(|uri| uri.host().is_some_and(|host| !host.is_empty()));
    is_scheme
        && is_visible
        && names_host
        && !rest.is_empty()
        && !uri.contains(['#', '"', '<', '>', '\\', '^', '`', '{', '|', '}'])
        && !NOT_A_CLIENT.contains(&&*scheme)
}

impl OAuthClient {
    /// Whether the client may have its user redirected there.
    pub(crate) fn redirects_to(&self, uri: &str) -> bool {
        self.is_among(&self.redirect_uris, uri)
    }

    /// Whether the client may have its user sent there after a logout.
    pub(crate) fn ends_at(&self, uri: &str) -> bool {
        self.is_among(&self.post_logout_redirect_uris, uri)
    }

    fn is_among(&self, registered: &[String], uri: &str) -> bool {
        is_redirect_uri(uri)
            && (self.any_loopback_redirect && without_loopback_port(uri).is_some()
                || registered.iter().any(|registered| is_same(registered, uri)))
    }
}

/// Exactly the same, or the same but for the port on loopback.
fn is_same(registered: &str, uri: &str) -> bool {
    registered == uri
        || without_loopback_port(registered)
            .is_some_and(|registered| without_loopback_port(uri) == Some(registered))
}

/// The host and what follows the port of an `http` URI on loopback.
fn without_loopback_port(uri: &str) -> Option<(&str, &str)> {
    let rest = uri.strip_prefix("http://")?;
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, rest) = rest.split_at(end);
    let host = ["127.0.0.1", "[::1]", "localhost"].into_iter().find(|host| {
        authority.strip_prefix(host).is_some_and(|port| {
            port.is_empty()
                || port.strip_prefix(':').is_some_and(|port| {
                    port.parse::<u16>().is_ok() && port.bytes().all(|digit| digit.is_ascii_digit())
                })
        })
    })?;
    Some((host, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_uri_is_absolute_and_leads_to_a_client() {
        for uri in ["https://app.example.com/cb?a=b", "http://[::1]:80/", "com.example.app:/cb"] {
            assert!(is_redirect_uri(uri), "{uri}");
        }
        for uri in [
            "",
            "/cb",
            "cb",
            "https://",
            "https:",
            "https:///cb",
            "https://app.example.com/#top",
            "https://app.example.com/a b",
            "https://app.example.com/\r\nLocation:x",
            "javascript:alert(1)",
            "JavaScript:alert(1)",
            "data:text/html,x",
            "1a:b",
            ":b",
        ] {
            assert!(!is_redirect_uri(uri), "{uri}");
        }
    }

    #[test]
    fn a_redirect_uri_is_compared_exactly() {
        let client = OAuthClient::public("app").redirect_uri("https://app.example.com:8443/cb");
        assert!(client.redirects_to("https://app.example.com:8443/cb"));
        for uri in [
            "https://app.example.com:8443/cb/",
            "https://app.example.com:8443/cb?a=b",
            "https://app.example.com:8443/CB",
            "https://App.example.com:8443/cb",
            "https://app.example.com/cb",
            "http://app.example.com:8443/cb",
            "https://app.example.com:8443@evil.example/cb",
            "http://127.0.0.1/cb",
        ] {
            assert!(!client.redirects_to(uri), "{uri}");
        }
    }

    #[test]
    fn any_port_matches_on_loopback() {
        let client = OAuthClient::public("app")
            .redirect_uri("http://127.0.0.1/cb")
            .redirect_uri("http://[::1]:1234/cb");
        for uri in ["http://127.0.0.1:51004/cb", "http://127.0.0.1/cb", "http://[::1]:7/cb"] {
            assert!(client.redirects_to(uri), "{uri}");
        }
        for uri in [
            "http://127.0.0.1:51004/other",
            "http://localhost:51004/cb",
            "https://127.0.0.1:51004/cb",
            "http://127.0.0.1:99999/cb",
            "http://127.0.0.1:+80/cb",
            "http://127.0.0.1:80@evil.example/cb",
            "http://127.0.0.1.evil.example/cb",
            "http://127.0.0.2/cb",
        ] {
            assert!(!client.redirects_to(uri), "{uri}");
        }
    }

    #[test]
    fn a_client_may_take_any_uri_on_loopback() {
        let client = OAuthClient::public("web").any_loopback_redirect();
        for uri in ["http://localhost:3000/docs/oauth2-redirect.html", "http://[::1]/"] {
            assert!(client.redirects_to(uri) && client.ends_at(uri), "{uri}");
        }
        for uri in ["http://localhost.evil.example/", "http://127.0.0.1@evil.example/", "app:/"] {
            assert!(!client.redirects_to(uri), "{uri}");
        }
    }
}
