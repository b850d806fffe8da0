//! The URL of a Redis: one server, Sentinel or Cluster.

use std::net::{IpAddr, Ipv6Addr};

use percent_encoding::percent_decode_str;
use rustls::pki_types::ServerName;
use secrecy::SecretString;

/// What a URL says. The errors of its parts are rules, which quote no value.
#[derive(Debug)]
pub(crate) struct RedisUrl {
    pub(crate) deployment: Deployment,
    /// Whether every connection is made over TLS.
    pub(crate) is_tls: bool,
    pub(crate) user: Option<String>,
    pub(crate) password: Option<SecretString>,
    pub(crate) database: u16,
}

/// How the servers are organized.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Deployment {
    Server(Address),
    /// A primary and its replicas, under the name that the sentinels know them by.
    Sentinel {
        sentinels: Vec<Address>,
        service: String,
    },
    /// Some nodes, which know the others.
    Cluster(Vec<Address>),
}

/// A host, IPv6 without brackets, and a port.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Address {
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl RedisUrl {
    pub(crate) const SCHEMES: [&str; 6] =
        ["redis", "rediss", "redis+sentinel", "rediss+sentinel", "redis+cluster", "rediss+cluster"];

    /// Parses `scheme://[[user]:password@]hosts[/path]`.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        let scheme = |&(scheme, _): &(&str, &str)| Self::SCHEMES.contains(&scheme);
        let (scheme, rest) = text.trim().split_once("://").filter(scheme).ok_or(
            "must be a URL that starts with redis://, redis+sentinel:// or redis+cluster://, each \
             with rediss for TLS",
        )?;
        // TLS without verification is not supported.
        if rest.contains(['?', '#']) {
            return Err("must be a URL that has no query and no fragment");
        }
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (login, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
        let (user, password) = login.split_once(':').unwrap_or((login, ""));
        let (deployment, database) = deployment(scheme, hosts, path)?;
        Ok(Self {
            deployment,
            is_tls: scheme.starts_with("rediss"),
            user: decoded(user)?,
            password: decoded(password)?.map(SecretString::from),
            database: database_number(database)?,
        })
    }
}

/// The deployment, and the part of the path that names the database.
fn deployment<'p>(
    scheme: &str,
    hosts: &str,
    path: &'p str,
) -> Result<(Deployment, &'p str), &'static str> {
    match scheme.split_once('+') {
        None => match <[Address; 1]>::try_from(addresses(hosts, 6379)?) {
            Ok([server]) => Ok((Deployment::Server(server), path)),
            Err(_) => Err("must be a URL that names one host; several need redis+sentinel:// or \
                           redis+cluster://"),
        },
        Some((_, "sentinel")) => {
            let sentinels = addresses(hosts, 26379)?;
            let (service, database) = path.split_once('/').unwrap_or((path, ""));
            // What Sentinel itself accepts as a name.
            let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
            if service.is_empty() || !service.bytes().all(is_allowed) {
                return Err(
                    "must be a URL whose path begins with the name of a Sentinel service: \
                            letters, digits, `.`, `-` and `_`",
                );
            }
            Ok((Deployment::Sentinel { sentinels, service: service.to_owned() }, database))
        }
        Some(_) if !path.is_empty() => {
            Err("must be a URL without a path: a cluster has one database")
        }
        Some(_) => Ok((Deployment::Cluster(addresses(hosts, 6379)?), "")),
    }
}

fn addresses(hosts: &str, default_port: u16) -> Result<Vec<Address>, &'static str> {
    let addresses = hosts.split(',').map(|host| address(host, default_port));
    addresses.collect::<Option<_>>().ok_or("must be a URL that names each host as host[:port]")
}

/// Reads `host[:port]`.
fn address(text: &str, default_port: u16) -> Option<Address> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => rest.split_once(']').filter(|(host, _)| host.parse::<Ipv6Addr>().is_ok())?,
        None => text.split_at(text.find(':').unwrap_or(text.len())),
    };
    let port = match port.strip_prefix(':') {
        Some(digits) => number(digits).filter(|&port| port != 0)?,
        None => port.is_empty().then_some(default_port)?,
    };
    match ServerName::try_from(host).ok()? {
        ServerName::IpAddress(address) if IpAddr::from(address).is_unspecified() => None,
        _ => Some(Address { host: host.to_owned(), port }),
    }
}

fn database_number(path: &str) -> Result<u16, &'static str> {
    match path.trim_end_matches('/') {
        "" => Ok(0),
        digits => {
            number(digits).ok_or("must be a URL that names a database, if any, by its number")
        }
    }
}

/// `parse` alone would take `+5`.
fn number(digits: &str) -> Option<u16> {
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

fn decoded(text: &str) -> Result<Option<String>, &'static str> {
    let text = percent_decode_str(text).decode_utf8();
    let text = text.map_err(|_| "must be a URL whose user and password are in UTF-8")?;
    Ok(Some(text.into_owned()).filter(|text| !text.is_empty()))
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn addresses(list: &[(&str, u16)]) -> Vec<Address> {
        list.iter().map(|&(host, port)| Address { host: host.to_owned(), port }).collect()
    }

    fn server(host: &str, port: u16) -> Deployment {
        Deployment::Server(Address { host: host.to_owned(), port })
    }

    fn sentinel(list: &[(&str, u16)], service: &str) -> Deployment {
        Deployment::Sentinel { sentinels: addresses(list), service: service.to_owned() }
    }

    fn cluster(list: &[(&str, u16)]) -> Deployment {
        Deployment::Cluster(addresses(list))
    }

    #[test]
    fn each_form_names_its_servers() {
        for (url, expected) in [
            ("redis://cache", server("cache", 6379)),
            ("redis://cache.internal:6380/", server("cache.internal", 6380)),
            ("redis://my_cache:1", server("my_cache", 1)),
            ("redis://[::1]", server("::1", 6379)),
            (" redis://[2001:db8::7]:65535 ", server("2001:db8::7", 65535)),
            ("redis+sentinel://a/main", sentinel(&[("a", 26379)], "main")),
            (
                "redis+sentinel://a:1,[::1]:2,192.0.2.3/my-main_1.x",
                sentinel(&[("a", 1), ("::1", 2), ("192.0.2.3", 26379)], "my-main_1.x"),
            ),
            ("redis+cluster://a", cluster(&[("a", 6379)])),
            ("redis+cluster://a:7000,b", cluster(&[("a", 7000), ("b", 6379)])),
        ] {
            for (is_tls, url) in [(false, url.to_owned()), (true, url.replace("redis", "rediss"))] {
                let parsed = RedisUrl::parse(&url).unwrap();
                assert_eq!((&parsed.deployment, parsed.is_tls), (&expected, is_tls), "{url}");
                assert_eq!((parsed.user, parsed.database), (None, 0), "{url}");
                assert!(parsed.password.is_none(), "{url}");
            }
        }
    }

    #[test]
    fn user_password_and_database_are_read() {
        for (url, user, password, database) in [
            ("redis://:p%40ss%2Fword@cache/7", None, Some("p@ss/word"), 7),
            ("redis://me:a:b@cache/65535/", Some("me"), Some("a:b"), 65535),
            ("redis://m%C3%A9:p@ss@cache", Some("mé"), Some("p@ss"), 0),
            ("redis://me@cache", Some("me"), None, 0),
            ("redis+sentinel://me:p,w@a,b/main/3", Some("me"), Some("p,w"), 3),
            ("redis+sentinel://:p@a/main/", None, Some("p"), 0),
            ("redis+cluster://:p@a,b", None, Some("p"), 0),
        ] {
            let parsed = RedisUrl::parse(url).unwrap();
            assert_eq!((parsed.user.as_deref(), parsed.database), (user, database), "{url}");
            let said = parsed.password.as_ref().map(ExposeSecret::expose_secret);
            assert_eq!(said, password, "{url}");
        }
    }

    #[test]
    fn a_url_is_right_in_all_its_parts() {
        const SCHEME: &str = "starts with";
        const HOST: &str = "names each host";
        const SERVICE: &str = "name of a Sentinel service";
        const DATABASE: &str = "by its number";
        for (url, rule) in [
            ("", SCHEME),
            ("cache:6379", SCHEME),
            ("redis:cache", SCHEME),
            ("Redis://cache", SCHEME),
            ("redis+tls://cache", SCHEME),
            ("sentinel://cache/main", SCHEME),
            ("redis://cache?protocol=3", "no query"),
            ("redis+cluster://cache#x", "no query"),
            ("redis://", HOST),
            ("redis://:pa55word@", HOST),
            ("redis://cache:", HOST),
            ("redis://cache:0", HOST),
            ("redis://cache:+1", HOST),
            ("redis://cache:65536", HOST),
            ("redis://cache:1:2", HOST),
            ("redis://::1", HOST),
            ("redis://[::1", HOST),
            ("redis://[::1]1", HOST),
            ("redis://[cache]", HOST),
            ("redis://ca%20che", HOST),
            ("redis://ca che", HOST),
            ("redis://0.0.0.0", HOST),
            ("redis://[::]", HOST),
            ("redis+sentinel://a,,b/main", HOST),
            ("redis+cluster://a,", HOST),
            ("redis://a,b", "names one host"),
            ("redis+sentinel://a", SERVICE),
            ("redis+sentinel://a/", SERVICE),
            ("redis+sentinel://a//1", SERVICE),
            ("redis+sentinel://a/my%20main", SERVICE),
            ("redis://cache/main", DATABASE),
            ("redis://cache/-1", DATABASE),
            ("redis://cache/+1", DATABASE),
            ("redis://cache/65536", DATABASE),
            ("redis://cache/1/2", DATABASE),
            ("redis://:pa55/word@cache", HOST),
            ("redis+sentinel://a/main/x", DATABASE),
            ("redis+cluster://a/1", "without a path"),
            ("redis://:pa55word%FF@cache", "UTF-8"),
            ("redis://%FF:pa55word@cache", "UTF-8"),
        ] {
            let broken = RedisUrl::parse(url).unwrap_err();
            assert!(broken.contains(rule), "{url}: {broken}");
        }
    }
}
