//! The tenant domain, and with it the issuer that every token must name.

use thiserror::Error;
use url::{Host, Url};

use super::text::is_quote;

const DISCOVERY_PATH: &str = "/.well-known/openid-configuration";

/// A tenant's domain in its one normal form, which is also its issuer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TenantDomain {
    issuer: String,
    discovery_url: Url,
}

/// Why a text is not a tenant domain, and what to write instead.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub(crate) enum TenantDomainError {
    #[error(
        "is not a full domain; write one such as acme.us.monocloud.com, or {0} if that is the \
         whole host name"
    )]
    BareName(String),
    #[error("is the address of the discovery document; write {0}")]
    DiscoveryUrl(String),
    #[error("has a fragment; write it without the `#` and what follows")]
    Fragment,
    #[error("has no valid host name; write one such as acme.us.monocloud.com")]
    Host,
    #[error("is not in its normal form, which `iss` must equal byte for byte; write {0}")]
    NotNormal(String),
    #[error("is a placeholder; write your tenant's own domain, such as acme.us.monocloud.com")]
    Placeholder,
    #[error("uses http:// for a host that is not this machine; write https://")]
    PlainHttp,
    #[error("has a query; write it without the `?` and what follows")]
    Query,
    #[error("has a quote in it; write it without")]
    Quote,
    #[error("has the scheme {0}; write https:// or the host name alone")]
    Scheme(String),
    #[error("has user information; write it without what stands before the `@`")]
    UserInfo,
    #[error("has white space or a control character in it; write it without")]
    WhiteSpace,
}

impl TenantDomain {
    /// Reads a host name, with or without port and path, or an `https://` URL.
    ///
    /// Trailing slashes and the scheme's default port are dropped, scheme and host are lower-cased,
    /// a path is kept. A host name without a dot needs a scheme. `http://` is for this machine
    /// only, unless `dangerously_allow_http`.
    pub(crate) fn parse(
        text: &str,
        dangerously_allow_http: bool,
    ) -> Result<Self, TenantDomainError> {
        refuse_what_no_domain_has(text)?;
        let (scheme, rest) = split_scheme(text);
        let default_port = match scheme.as_str() {
            "https" => ":443",
            "http" => ":80",
            _ => return Err(TenantDomainError::Scheme(scheme)),
        };
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let authority = authority.to_ascii_lowercase();
        let authority = authority.strip_suffix(default_port).unwrap_or(&authority);
        let issuer = format!("{scheme}://{authority}{}", path.trim_end_matches('/'));

        let url = Url::parse(&issuer).map_err(|_| TenantDomainError::Host)?;
        if authority.is_empty() || !url.host().is_some_and(|host| is_host_name(&host)) {
            return Err(TenantDomainError::Host);
        }
        // The URL parser mends what it reads (`/a/../b`, `127.1`, `:0443`); an issuer is compared
        // byte for byte, so a mended one would be another one.
        let normal = url.as_str().trim_end_matches('/');
        if normal != issuer {
            return Err(TenantDomainError::NotNormal(normal.to_owned()));
        }
        if !text.contains("://") && is_bare(&url) {
            return Err(TenantDomainError::BareName(issuer));
        }
        if let Some(issuer) = normal.strip_suffix(DISCOVERY_PATH) {
            return Err(TenantDomainError::DiscoveryUrl(issuer.to_owned()));
        }
        if scheme == "http" && !is_loopback(&url) && !dangerously_allow_http {
            return Err(TenantDomainError::PlainHttp);
        }
        let discovery_url = Url::parse(&format!("{issuer}{DISCOVERY_PATH}"))
            .map_err(|_| TenantDomainError::Host)?;
        Ok(Self { issuer, discovery_url })
    }

    /// What `iss` must equal byte for byte; no trailing slash.
    pub(crate) fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Where the tenant's metadata is.
    pub(crate) fn discovery_url(&self) -> Url {
        self.discovery_url.clone()
    }

    /// Whether the tenant runs on this machine, so that no proxy is asked.
    pub(crate) fn is_loopback(&self) -> bool {
        is_loopback(&self.discovery_url)
    }

    /// Whether the tenant itself is reached without TLS, so that its endpoints may be, too.
    pub(crate) fn allows_http(&self) -> bool {
        self.discovery_url.scheme() == "http"
    }
}

/// Whether a URL's host is this machine: 127.0.0.0/8, `::1` or `localhost`.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// Whether a URL's host is a name without a dot, as an abbreviation is.
fn is_bare(url: &Url) -> bool {
    let is_name = url.domain().is_some_and(|name| !name.contains('.'));
    is_name && !is_loopback(url)
}

fn refuse_what_no_domain_has(text: &str) -> Result<(), TenantDomainError> {
    if is_placeholder(text) {
        return Err(TenantDomainError::Placeholder);
    }
    if text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err(TenantDomainError::WhiteSpace);
    }
    if text.contains(is_quote) {
        return Err(TenantDomainError::Quote);
    }
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        return Err(TenantDomainError::UserInfo);
    }
    match rest.find(['?', '#']).and_then(|at| rest.get(at..)) {
        Some(tail) if tail.starts_with('?') => Err(TenantDomainError::Query),
        Some(_) => Err(TenantDomainError::Fragment),
        None => Ok(()),
    }
}

/// Whether the text was copied from a manual: `https://<your-domain>`, `${TENANT}`, `your-tenant…`.
fn is_placeholder(text: &str) -> bool {
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    let rest = rest.to_ascii_lowercase();
    text.contains(['<', '>', '{', '}', '…'])
        || text.contains("...")
        || ["your-tenant", "your-domain", "your_tenant", "your_domain"]
            .iter()
            .any(|word| rest.starts_with(word))
}

/// The scheme in lower case and what follows it; a bare host name means `https`.
fn split_scheme(text: &str) -> (String, &str) {
    if let Some((scheme, rest)) = text.split_once("://") {
        return (scheme.to_ascii_lowercase(), rest);
    }
    // `acme.com:8443` has a port, `urn:acme` a scheme.
    if let Some((scheme, rest)) = text.split_once(':')
        && scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && rest.starts_with(|c: char| !c.is_ascii_digit())
        && !scheme.contains('/')
    {
        return (scheme.to_ascii_lowercase(), rest.trim_start_matches('/'));
    }
    ("https".to_owned(), text)
}

/// URL parsers take more for a host than DNS does; `$TENANT` and `acme..com` name nothing.
fn is_host_name(host: &Host<&str>) -> bool {
    let Host::Domain(name) = host else {
        return true;
    };
    name.split('.').all(|label| {
        (1..=63).contains(&label.len())
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_accepted_has_one_normal_form() {
        for (text, issuer) in [
            ("acme.us.monocloud.com", "https://acme.us.monocloud.com"),
            ("ACME.Us.MonoCloud.com", "https://acme.us.monocloud.com"),
            ("https://acme.us.monocloud.com", "https://acme.us.monocloud.com"),
            ("HTTPS://acme.us.monocloud.com/", "https://acme.us.monocloud.com"),
            ("https://acme.us.monocloud.com///", "https://acme.us.monocloud.com"),
            ("https://acme.us.monocloud.com:443", "https://acme.us.monocloud.com"),
            ("https://acme.us.monocloud.com:443/", "https://acme.us.monocloud.com"),
            ("acme.us.monocloud.com:443/", "https://acme.us.monocloud.com"),
            ("acme.us.monocloud.com:8443", "https://acme.us.monocloud.com:8443"),
            ("https://Login.Acme.com/Tenants/One/", "https://login.acme.com/Tenants/One"),
            ("login.acme.com/one", "https://login.acme.com/one"),
            ("https://login.acme.com/@one", "https://login.acme.com/@one"),
            ("https://login.acme.com/a%20b", "https://login.acme.com/a%20b"),
            ("xn--mnchen-3ya.example", "https://xn--mnchen-3ya.example"),
            ("localhost:3000", "https://localhost:3000"),
            ("127.0.0.1:8080", "https://127.0.0.1:8080"),
            ("[::1]:8080", "https://[::1]:8080"),
            ("http://localhost", "http://localhost"),
            ("http://LOCALHOST:80/", "http://localhost"),
            ("http://localhost:443", "http://localhost:443"),
            ("HTTP://127.0.0.1:8080/", "http://127.0.0.1:8080"),
            ("http://127.255.3.4", "http://127.255.3.4"),
            ("http://[::1]:8080", "http://[::1]:8080"),
            ("your-bank.eu.monocloud.com", "https://your-bank.eu.monocloud.com"),
            ("https://acme", "https://acme"),
            ("https://acme:8443/one", "https://acme:8443/one"),
            ("localhost", "https://localhost"),
        ] {
            let tenant = TenantDomain::parse(text, false).unwrap();
            assert_eq!(tenant.issuer(), issuer, "{text:?}");
            let again = TenantDomain::parse(issuer, false).unwrap();
            assert_eq!(again, tenant, "{text:?} is not stable");
            let discovery = format!("{issuer}/.well-known/openid-configuration");
            assert_eq!(tenant.discovery_url().as_str(), discovery, "{text:?}");
        }
    }

    #[test]
    fn what_is_refused_is_told_what_is_wrong() {
        use TenantDomainError::*;
        let not_normal = |normal: &str| NotNormal(normal.to_owned());
        let scheme = |name: &str| Scheme(name.to_owned());
        let bare = |url: &str| BareName(url.to_owned());
        for (text, error) in [
            ("https://<your-domain>", Placeholder),
            ("https://<your domain>", Placeholder),
            ("https://{tenant}.us.monocloud.com", Placeholder),
            ("${TENANT_DOMAIN}", Placeholder),
            ("your-tenant…", Placeholder),
            ("your-tenant.us.monocloud.com", Placeholder),
            ("https://YOUR-DOMAIN", Placeholder),
            ("https://...", Placeholder),
            ("acme .us.monocloud.com", WhiteSpace),
            (" acme.us.monocloud.com", WhiteSpace),
            ("acme.us.monocloud.com\n", WhiteSpace),
            ("https:// acme.com", WhiteSpace),
            ("https://acme.com/a\tb", WhiteSpace),
            ("acme.com\u{a0}x", WhiteSpace),
            ("acme\u{0}.com", WhiteSpace),
            ("https://me:pw@acme.com", UserInfo),
            ("https://@acme.com", UserInfo),
            ("me@acme.com/path", UserInfo),
            ("http://localhost@acme.com", UserInfo),
            ("https://acme.com?", Query),
            ("https://acme.com/?a=b#c", Query),
            ("https://acme.com#", Fragment),
            ("acme.com/#a?b", Fragment),
            ("http://acme.com", PlainHttp),
            ("http://10.0.0.1", PlainHttp),
            ("http://128.0.0.1", PlainHttp),
            ("http://localhost.acme.com", PlainHttp),
            ("http://127.0.0.1.nip.io", PlainHttp),
            ("http://[::2]", PlainHttp),
            ("ftp://acme.com", scheme("ftp")),
            ("WSS://acme.com", scheme("wss")),
            ("urn:acme", scheme("urn")),
            ("mailto:acme", scheme("mailto")),
            ("", Host),
            ("https://", Host),
            ("https:///acme.com", Host),
            ("/acme.com", Host),
            (":8080", Host),
            ("::1", Host),
            ("acme.com:99999", Host),
            ("acme..com", Host),
            ("acme", bare("https://acme")),
            ("ACME/", bare("https://acme")),
            ("acme:8443", bare("https://acme:8443")),
            ("acme/one.two", bare("https://acme/one.two")),
            ("\"acme.us.monocloud.com\"", Quote),
            ("'https://acme.us.monocloud.com'", Quote),
            ("“acme.us.monocloud.com”", Quote),
            ("\"acme.us.monocloud.com", Quote),
            ("https://acme.com/it's", Quote),
            ("acme.com.", Host),
            ("$TENANT", Host),
            ("https://acme.com,other.com", Host),
            ("https://acme.com\\evil", not_normal("https://acme.com/evil")),
            ("https://acme.com:0443", not_normal("https://acme.com")),
            ("https://acme.com/a/../b", not_normal("https://acme.com/b")),
            ("https://127.1", not_normal("https://127.0.0.1")),
            ("https://münchen.example", not_normal("https://xn--mnchen-3ya.example")),
            (
                "https://acme.com/.well-known/openid-configuration",
                DiscoveryUrl("https://acme.com".to_owned()),
            ),
        ] {
            assert_eq!(TenantDomain::parse(text, false), Err(error), "{text:?}");
        }
    }

    #[test]
    fn the_dangerous_flag_allows_http_elsewhere_and_nothing_more() {
        let tenant = TenantDomain::parse("http://idp.internal:8080/", true).unwrap();
        assert_eq!(tenant.issuer(), "http://idp.internal:8080");
        assert!(tenant.allows_http() && !tenant.is_loopback());
        assert!(TenantDomain::parse("ftp://idp.internal", true).is_err());
        let tls = TenantDomain::parse("acme.com", true).unwrap();
        assert!(!tls.allows_http());
    }

    #[test]
    fn only_this_machine_is_loopback() {
        for (text, expected) in [
            ("localhost:1", true),
            ("http://127.9.9.9", true),
            ("[::1]", true),
            ("128.0.0.1", false),
            ("localhost.example", false),
            ("[::ffff:7f00:1]", false),
        ] {
            let tenant = TenantDomain::parse(text, false).unwrap();
            assert_eq!(tenant.is_loopback(), expected, "{text}");
        }
    }
}
