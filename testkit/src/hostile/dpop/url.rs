//! The URL in the proof, `htu`.

use serde_json::{Value, json};

use crate::{
    DpopRequest,
    hostile::{
        dpop::Row,
        table::{Row as Text, table},
    },
};

pub(super) fn rows(request: &DpopRequest<'_>) -> Vec<Row> {
    let good = request.good();
    let url = request.url();
    let it = Parts::of(url);
    let is = |htu: Value| good.send(good.proof().claim("htu", htu));
    let mut rows = table! {
        "RFC 9449 §4.2, RFC 7519 §2" {
            "proof-htu-missing": good.send(good.proof().without("htu")),
            "proof-htu-null": is(json!(null)),
            "proof-htu-true": is(json!(true)),
            "proof-htu-number": is(json!(1)),
            "proof-htu-array": is(json!([url])),
            "proof-htu-object": is(json!({ "htu": url })),
            "proof-htu-in-another-claim":
                good.send(good.proof().without("htu").claim("uri", url)),
        }
    };
    let texts = others(&it).into_iter().chain(other_paths(&it));
    // An empty path is the path `/` (RFC 3986 §6.2.3).
    let root = format!("{}://{}", it.scheme, it.authority());
    let spelt = texts.filter(|(_, _, htu)| htu != url && (it.path != "/" || *htu != root));
    rows.extend(spelt.map(|(name, reference, htu)| (name, reference, is(json!(htu)))));
    rows
}

fn others(it: &Parts<'_>) -> Vec<Text> {
    let Parts { scheme, host, path, .. } = *it;
    let authority = it.authority();
    let other_scheme = if scheme == "https" { "http" } else { "https" };
    let other_port = if it.port == Some("8443") { "8444" } else { "8443" };
    let at = |authority: &str| format!("{scheme}://{authority}{path}");
    let whole = at(&authority);
    // Where this host is written in ASCII, another host by RFC 3986 and the same to a browser.
    let wide = |letter: char| char::from_u32(u32::from(letter) + 0xFEE0).unwrap_or(letter);
    let wide: String = host.chars().take(1).map(wide).chain(host.chars().skip(1)).collect();
    table! {
        "RFC 9449 §4.3 rule 9" {
            "proof-htu-other-host": at("other.example.com"),
            "proof-htu-other-port": at(&format!("{host}:{other_port}")),
            "proof-htu-other-scheme": format!("{other_scheme}://{authority}{path}"),
            "proof-htu-empty": String::new(),
            "proof-htu-origin-only": format!("{scheme}://{authority}"),
            "proof-htu-wildcard": "*".to_owned(),
            "proof-htu-twice": format!("{whole} {whole}"),
            "proof-htu-host-longer": at(&format!("{host}.example.com")),
            "proof-htu-host-as-user": at(&format!("{authority}@other.example.com")),
            "proof-htu-as-a-path": format!("https://other.example.com/{whole}"),
        }
        "RFC 9449 §4.2" {
            "proof-htu-with-a-query": format!("{whole}?x=1"),
            "proof-htu-with-an-empty-query": format!("{whole}?"),
            "proof-htu-with-a-fragment": format!("{whole}#x"),
            "proof-htu-with-an-empty-fragment": format!("{whole}#"),
        }
        "RFC 3986 §3.2.1, RFC 9110 §4.2.4" {
            "proof-htu-with-a-user": at(&format!("alice@{authority}")),
            "proof-htu-with-a-password": at(&format!("alice:secret@{authority}")),
            "proof-htu-with-an-empty-user": at(&format!("@{authority}")),
        }
        "RFC 3986 §4.2 and §4.3" {
            "proof-htu-path-only": path.to_owned(),
            "proof-htu-without-scheme": format!("{authority}{path}"),
            "proof-htu-relative-to-the-scheme": format!("//{authority}{path}"),
            "proof-htu-one-slash-after-the-scheme": format!("{scheme}:/{authority}{path}"),
            "proof-htu-three-slashes-after-the-scheme": format!("{scheme}:///{authority}{path}"),
            "proof-htu-no-slash-after-the-scheme": format!("{scheme}:{authority}{path}"),
        }
        "RFC 3986 §2" {
            "proof-htu-blank-before": format!(" {whole}"),
            "proof-htu-blank-after": format!("{whole} "),
            "proof-htu-newline-after": format!("{whole}\n"),
            "proof-htu-nul-after": format!("{whole}\0"),
            "proof-htu-tab-inside": format!("{scheme}://{authority}/\t{}", &path[1..]),
            "proof-htu-backslash-after-host": format!("{scheme}://{authority}\\{}", &path[1..]),
            "proof-htu-backslashes-after-scheme": format!("{scheme}:\\\\{authority}{path}"),
            "proof-htu-host-in-wide-letters": at(&whole_authority(&wide, it.port)),
            "proof-htu-dot-after-host": at(&whole_authority(&format!("{host}."), it.port)),
        }
    }
}

fn other_paths(it: &Parts<'_>) -> Vec<Text> {
    let Parts { scheme, path, .. } = *it;
    let origin = format!("{scheme}://{}", it.authority());
    let to = |path: &str| format!("{origin}{path}");
    let (parent, last) = path.rsplit_once('/').unwrap_or_default();
    let mut shortened = path.chars();
    shortened.next_back();
    let doubly_encoded = it.encoded().map(|path| path.replacen('%', "%25", 1));
    let slashed = path.strip_suffix('/').map_or_else(|| format!("{path}/"), str::to_owned);
    let decoded = path.replace("%2F", "/").replace("%2f", "/");
    table! {
        "RFC 9449 §4.3 rule 9" {
            "proof-htu-other-path": to("/other"),
            "proof-htu-path-longer": to(&format!("{path}x")),
            "proof-htu-path-shorter": to(shortened.as_str()),
            "proof-htu-path-with-a-segment-more": to(&format!("{path}/x")),
            "proof-htu-path-prefix-only": to(parent),
            "proof-htu-path-wildcard": to(&format!("{parent}/*")),
            "proof-htu-path-parameter": to(&format!("{path};x")),
        }
        "RFC 3986 §6.2.2" {
            "proof-htu-path-upper-case": to(&path.to_uppercase()),
            "proof-htu-slash-at-the-end": to(&slashed),
            "proof-htu-slash-doubled": to(&format!("/{path}")),
            "proof-htu-slash-encoded": to(&format!("{parent}{}%2F{last}", slash_before(parent))),
            "proof-htu-slash-decoded": to(&decoded),
            "proof-htu-doubly-encoded": to(&doubly_encoded.unwrap_or_else(|| path.to_owned())),
            "proof-htu-percent-alone": to(&format!("{path}%")),
            "proof-htu-question-mark-encoded": to(&format!("{path}%3F")),
            "proof-htu-nul-encoded": to(&format!("{path}%00")),
        }
    }
}

/// A path must begin with a slash.
const fn slash_before(parent: &str) -> &'static str {
    if parent.is_empty() { "/" } else { "" }
}

/// The parts of an absolute URL.
#[derive(Clone, Copy)]
pub(super) struct Parts<'u> {
    pub(super) scheme: &'u str,
    pub(super) host: &'u str,
    pub(super) port: Option<&'u str>,
    pub(super) path: &'u str,
}

impl<'u> Parts<'u> {
    pub(super) fn of(url: &'u str) -> Self {
        let (scheme, rest) = url.split_once("://").expect("an absolute URL");
        let (authority, path) = rest.split_at(rest.find('/').expect("a URL with a path"));
        // The colons in an IPv6 address are inside brackets.
        let port = authority.rsplit_once(':').filter(|(_, port)| !port.contains(']'));
        let host = port.map_or(authority, |(host, _)| host);
        Self { scheme, host, port: port.map(|(_, port)| port), path }
    }

    pub(super) fn authority(&self) -> String {
        whole_authority(self.host, self.port)
    }

    /// The path with its first letter percent-encoded, if it begins with one.
    pub(super) fn encoded(&self) -> Option<String> {
        let first = self.path.chars().nth(1).filter(char::is_ascii_alphanumeric)?;
        Some(format!("/%{:02X}{}", u32::from(first), &self.path[2..]))
    }
}

fn whole_authority(host: &str, port: Option<&str>) -> String {
    port.map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}
