//! The URL that all requests go to.

use std::fmt;

use http::Uri;

/// The scheme, host and port of the API, and a path before those of the document.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Base {
    pub(super) is_tls: bool,
    pub(super) host: String,
    pub(super) port: u16,
    /// As in the `Host` header.
    authority: String,
    /// Without a slash at its end; empty if there is none.
    pub(super) path: String,
}

impl Base {
    /// The error says what is wrong with the URL.
    pub(super) fn parse(url: &str) -> Result<Self, String> {
        let mistake = || {
            format!(
                "{url:?} is not an http or https URL without query and fragment, such as \
                 http://127.0.0.1:3000"
            )
        };
        let uri: Uri = url.parse().map_err(|_| mistake())?;
        let is_tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(mistake()),
        };
        let authority = uri.authority().ok_or_else(mistake)?.as_str().to_owned();
        if authority.contains('@') || url.contains(['?', '#']) {
            return Err(mistake());
        }
        let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(mistake)?;
        let host = host.trim_matches(['[', ']']).to_owned();
        let port = uri.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        let path = uri.path().trim_end_matches('/').to_owned();
        Ok(Self { is_tls, host, port, authority, path })
    }

    pub(super) fn authority(&self) -> &str {
        &self.authority
    }

    /// The origin of all requests (RFC 6454 §6.1).
    pub(super) fn origin(&self) -> String {
        format!("{}://{}", if self.is_tls { "https" } else { "http" }, self.authority)
    }
}

impl fmt::Display for Base {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.origin(), self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_has_a_scheme_a_host_and_perhaps_a_path() {
        let base = Base::parse("http://127.0.0.1:3000/v1/").unwrap();
        assert_eq!((&*base.host, base.port, &*base.path), ("127.0.0.1", 3000, "/v1"));
        assert_eq!(base.to_string(), "http://127.0.0.1:3000/v1");
        let base = Base::parse("https://[::1]").unwrap();
        assert_eq!((&*base.host, base.port, &*base.origin()), ("::1", 443, "https://[::1]"));
    }

    #[test]
    fn what_is_not_the_url_of_an_api_is_a_mistake() {
        for url in ["", "localhost:3000", "ftp://a", "http://u@a", "http://a?b", "http://a#b"] {
            assert!(Base::parse(url).is_err(), "{url}");
        }
    }
}
