//! What this API is to its clients (RFC 9728).

use std::sync::Arc;

use url::Url;

use super::{Key, settings::Settings, tenant_domain::is_loopback};

/// Where clients look for the metadata of a host's only API (RFC 9728 §3).
pub(crate) const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

/// What this API is to its clients, and where they read about it.
#[derive(Clone, Debug)]
pub(crate) struct Resource {
    /// As it was written: clients compare it byte for byte (RFC 9728 §3.3).
    pub(crate) identifier: String,
    pub(crate) url: Url,
    /// Where clients read about it; every challenge shares it.
    pub(crate) metadata_url: Arc<str>,
    pub(crate) metadata_path: String,
    /// What it is called for people.
    pub(crate) name: Option<String>,
    /// A page about it for developers.
    pub(crate) documentation: Option<String>,
}

impl Resource {
    pub(super) fn validate(settings: &mut Settings, audience: Option<&str>) -> Option<Self> {
        let name = settings.text(Key::ResourceName);
        let documentation = settings.parsed(Key::ResourceDocumentation, |text| {
            let is_page = Url::parse(text).is_ok_and(|url| is_public(&url));
            is_page
                .then(|| text.to_owned())
                .ok_or("must be a URL such as https://docs.example.com, without user information")
        });
        let resource = Self::find(settings, audience)?;
        Some(Self { name, documentation, ..resource })
    }

    /// RFC 9728 §1.2: an https URL without a fragment. The audience is one, if none is set.
    fn find(settings: &mut Settings, audience: Option<&str>) -> Option<Self> {
        let read = |text: &str| {
            let is_resource = |url: &Url| is_public(url) && url.fragment().is_none();
            let url = Url::parse(text).ok().filter(is_resource)?;
            Some(Self::new(text, url))
        };
        if !settings.is_set(Key::Resource) {
            let is_https = |resource: &Self| resource.metadata_url.starts_with("https:");
            return audience.and_then(read).filter(is_https);
        }
        settings.parsed(Key::Resource, |text| {
            read(text)
                .ok_or("must be a URL such as https://api.example.com, without user information and fragment")
        })
    }

    /// Inserts the well-known path after the host (RFC 9728 §3.1).
    fn new(identifier: &str, url: Url) -> Self {
        let path = match url.path() {
            "/" => WELL_KNOWN.to_owned(),
            path => format!("{WELL_KNOWN}{path}"),
        };
        let mut metadata = url.clone();
        metadata.set_path(&path);
        Self {
            identifier: identifier.to_owned(),
            url,
            metadata_url: metadata.as_str().into(),
            metadata_path: metadata.path().to_owned(),
            name: None,
            documentation: None,
        }
    }
}

/// Whether clients may be told a URL: an https one, or one on loopback, that holds no credentials.
fn is_public(url: &Url) -> bool {
    let is_secure = match url.scheme() {
        "https" => true,
        "http" => is_loopback(url),
        _ => false,
    };
    let has_user = !url.username().is_empty() || url.password().is_some();
    is_secure && !has_user
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_well_known_path_stands_between_the_host_and_the_path() {
        for (identifier, metadata) in [
            (
                "https://api.example.com",
                "https://api.example.com/.well-known/oauth-protected-resource",
            ),
            (
                "https://api.example.com/",
                "https://api.example.com/.well-known/oauth-protected-resource",
            ),
            (
                "https://example.com:8443/posts/v1",
                "https://example.com:8443/.well-known/oauth-protected-resource/posts/v1",
            ),
            (
                "https://example.com/posts/",
                "https://example.com/.well-known/oauth-protected-resource/posts/",
            ),
            (
                "https://example.com/posts?v=1",
                "https://example.com/.well-known/oauth-protected-resource/posts?v=1",
            ),
        ] {
            let resource = Resource::new(identifier, Url::parse(identifier).unwrap());
            assert_eq!(&*resource.metadata_url, metadata);
            assert_eq!(resource.identifier, identifier);
        }
    }
}
