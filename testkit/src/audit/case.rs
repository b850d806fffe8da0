//! What is sent to an operation, as a plan lists it.

use std::fmt;

use http::Method;

use crate::{
    Class, ProofClass,
    audit::{
        extent::Extent,
        grant::{Grant, Lack},
        subject::Invalid,
    },
};

/// A case of an operation, or of the API as a whole.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Case {
    /// A token with exactly what this alternative asks for.
    Documented(usize),
    /// The same under the scheme in lower case.
    LowerCaseScheme,
    /// No token, where none is documented.
    Public,
    NoToken,
    /// A text that is no token.
    Garbage,
    /// A token by an attacker's key, under the `kid` of the tenant's.
    Forged,
    /// Tokens of a class.
    Hostile(Class, Extent),
    Lacks(Lack),
    /// A token that is not bound, where one must be.
    Unbound,
    /// The same with a proof of a key.
    UnboundWithProof,
    /// A token that is bound to a key, without a proof of it.
    BoundAsBearer,
    /// An invalid request without a token.
    Order(Invalid),
    /// Another media type without a token.
    OrderMediaType,
    TokenInQuery,
    TokenInBody,
    TokenInCookie,
    Head,
    /// A method that the document does not have on the path.
    Method(Method),
    /// The same at a path that names nothing, so that nothing is changed.
    MethodOnNothing(Method, String),
    /// The methods that the API says the path has.
    Allow,
    /// Another spelling of the path, and what it is.
    Spelling(&'static str, String),
    /// Headers that override the method with this one.
    MethodOverride(Method),
    /// The operation by a request of another method that is overridden, with what that needs.
    OverrideFrom(Method, Option<Grant>),
    /// A header that overrides the URL, in a request to a public path.
    UrlOverride(&'static str, String),
    /// Those of an MCP endpoint.
    Mcp,
    /// DPoP requests of a class.
    Proofs(ProofClass, Extent),
    /// A token of another tenant, which publishes its keys.
    OtherTenant,
    Rotation,
    Opaque,
    Outage,
    Flood,
    Withdrawal,
}

impl Case {
    /// The names of `--only` that select it.
    pub(super) fn classes(&self) -> Vec<String> {
        let names: &[&str] = match self {
            Self::Documented(_) | Self::LowerCaseScheme => &["controls"],
            Self::Public => &["public"],
            Self::NoToken => &["no-token", "challenge"],
            Self::Garbage => &["hostile", "challenge"],
            Self::Forged => &["hostile", "bad-signature"],
            Self::Hostile(class, _) => return vec!["hostile".to_owned(), class.to_string()],
            Self::Lacks(lack) => match lack.rule {
                "scope-not-enforced" => &["scope"],
                "group-not-enforced" => &["group"],
                "acr-not-enforced" => &["acr"],
                "max-age-not-enforced" => &["age"],
                _ => &["claim"],
            },
            Self::Unbound | Self::UnboundWithProof | Self::BoundAsBearer => &["binding"],
            Self::Order(_) | Self::OrderMediaType => &["order"],
            Self::TokenInQuery | Self::TokenInBody | Self::TokenInCookie => &["token-place"],
            Self::Head => &["head", "methods"],
            Self::Method(_) | Self::MethodOnNothing(..) | Self::Allow => &["methods"],
            Self::Spelling(..) => &["spelling"],
            Self::MethodOverride(_) | Self::OverrideFrom(..) | Self::UrlOverride(..) => {
                &["override"]
            }
            Self::Mcp => &["mcp"],
            Self::Proofs(..) => &["dpop"],
            Self::OtherTenant => &["hostile", "issuer"],
            Self::Rotation => &["rotation", "keys"],
            Self::Opaque => &["opaque"],
            Self::Outage => &["outage", "keys"],
            Self::Flood => &["flood", "keys"],
            Self::Withdrawal => &["withdrawal", "keys"],
        };
        names.iter().map(|name| (*name).to_owned()).collect()
    }
}

/// All names that `--only` takes.
pub(super) fn all_classes() -> Vec<String> {
    let names = [
        "no-token",
        "challenge",
        "hostile",
        "scope",
        "group",
        "acr",
        "age",
        "claim",
        "public",
        "order",
        "token-place",
        "head",
        "methods",
        "spelling",
        "override",
        "keys",
        "rotation",
        "withdrawal",
        "outage",
        "flood",
        "opaque",
        "dpop",
        "mcp",
    ];
    let classes = Class::ALL.iter().map(Class::to_string);
    names.iter().map(|name| (*name).to_owned()).chain(classes).collect()
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Documented(place) => {
                write!(f, "a token with what alternative {} documents", place + 1)
            }
            Self::LowerCaseScheme => f.write_str("the right token under the scheme `bearer`"),
            Self::Public => f.write_str("no token, as documented"),
            Self::NoToken => f.write_str("no token"),
            Self::Garbage => f.write_str("a text that is no token"),
            Self::Forged => f.write_str("a token by an attacker's key"),
            Self::Hostile(class, Extent::All) => write!(f, "all hostile tokens: {class}"),
            Self::Hostile(class, Extent::Sample(_)) => write!(f, "hostile tokens: {class}"),
            Self::Lacks(lack) => f.write_str(&lack.what),
            Self::Unbound => f.write_str("a token that is bound to no key"),
            Self::UnboundWithProof => {
                f.write_str("a token that is bound to no key, with a proof of one")
            }
            Self::BoundAsBearer => f.write_str("a token that is bound to a key, as a bearer token"),
            Self::Order(Invalid::Body(_)) => f.write_str("an invalid body without a token"),
            Self::Order(_) => f.write_str("an invalid parameter without a token"),
            Self::OrderMediaType => f.write_str("another media type without a token"),
            Self::TokenInQuery => f.write_str("the right token in the query"),
            Self::TokenInBody => f.write_str("the right token in the body"),
            Self::TokenInCookie => f.write_str("the right token in a cookie"),
            Self::Head => f.write_str("HEAD without a token"),
            Self::Method(method) => write!(f, "{method}, which is not documented, without a token"),
            Self::Spelling(what, path) => write!(f, "{path} ({what}) without a token"),
            Self::MethodOnNothing(method, path) => {
                write!(f, "{method} {path}, which is not documented, without a token")
            }
            Self::Allow => f.write_str("the methods that OPTIONS names"),
            Self::MethodOverride(method) => {
                write!(f, "headers that override the method with {method}, without a token")
            }
            Self::OverrideFrom(method, None) => {
                write!(f, "{method} with an override of its method, without a token")
            }
            Self::OverrideFrom(method, Some(_)) => {
                write!(f, "{method} with an override of its method, and a token for {method} alone")
            }
            Self::UrlOverride(name, path) => write!(f, "{path} with {name} without a token"),
            Self::Mcp => f.write_str("MCP: metadata, Origin, session, tools, headers and batches"),
            Self::Proofs(class, _) => write!(f, "hostile DPoP requests: {class}"),
            Self::OtherTenant => f.write_str("a token of another tenant that publishes its keys"),
            Self::Rotation => f.write_str("a token by the tenant's new key"),
            Self::Opaque => {
                f.write_str("opaque tokens: inactive, wrong audience, expired, endpoint down")
            }
            Self::Outage => f.write_str("right and forged tokens while the keys cannot be fetched"),
            Self::Flood => f.write_str("30 tokens with invented kids"),
            Self::Withdrawal => f.write_str("a token by a withdrawn key"),
        }
    }
}
