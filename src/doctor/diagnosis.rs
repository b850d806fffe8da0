//! What is wrong with a deployment, in words: for the developer at the terminal.
//!
//! Some of the text comes from the tenant and the token. It is kept to one line, without control
//! characters.

use std::{cmp::Reverse, fmt};

use serde::{Serialize, Serializer};

/// A longer value is cut, in characters.
const MAX_VALUE: usize = 200;

/// A longer text is cut, in characters.
const MAX_TEXT: usize = 2_000;

/// Of a longer list the rest is counted.
const MAX_LISTED: usize = 8;

/// What [`ProtectApi::diagnose`](crate::ProtectApi::diagnose) found.
///
/// `Display` is made for a terminal: a line a finding, what to do about it on the next. Serialised
/// it is `{"findings": […]}`, each a [`Finding`]. No secret is in it, nor the token; of a token's
/// claims some are.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Diagnosis {
    findings: Vec<Finding>,
}

impl Diagnosis {
    pub(crate) fn new(mut findings: Vec<Finding>) -> Self {
        findings.sort_by_key(|finding| Reverse(finding.severity));
        Self { findings }
    }

    /// The findings at several tenants, each with the tenant's name.
    pub(crate) fn of_several(diagnoses: impl IntoIterator<Item = (String, Self)>) -> Self {
        let named = |(tenant, diagnosis): (String, Self)| {
            let findings = diagnosis.findings.into_iter();
            findings.map(move |it| Finding { tenant: Some(tenant.clone()), ..it })
        };
        Self::new(diagnoses.into_iter().flat_map(named).collect())
    }

    /// Adds findings about the API itself, whatever its tenants are.
    pub(crate) fn with(mut self, of_api: Vec<Finding>) -> Self {
        self.findings.extend(of_api);
        Self::new(self.findings)
    }

    /// The findings, most severe first; those of equal severity in the order of discovery.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Whether nothing that was found is an error.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        self.findings.iter().all(|finding| finding.severity != Severity::Error)
    }

    /// The findings that are at least as severe as `severity`: for a log, where notes are noise.
    #[must_use]
    pub fn at_least(mut self, severity: Severity) -> Self {
        self.findings.retain(|finding| finding.severity >= severity);
        self
    }
}

impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds = self.findings.iter().map(|finding| finding.kind.name().len());
        let width = kinds.max().unwrap_or_default();
        for (number, finding) in self.findings.iter().enumerate() {
            if number > 0 {
                f.write_str("\n")?;
            }
            let Finding { severity, kind, tenant, message, advice } = finding;
            write!(f, "{:7}  {:width$}  ", severity.name(), kind.name())?;
            if let Some(tenant) = tenant {
                write!(f, "{tenant}: ")?;
            }
            f.write_str(message)?;
            if let Some(advice) = advice {
                write!(f, "\n{:7}  {:width$}  → {advice}", "", "")?;
            }
        }
        Ok(())
    }
}

/// One thing that was found.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// How severe it is.
    pub severity: Severity,
    /// What it is about.
    pub kind: FindingKind,
    /// At which tenant, where there are several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// What was expected, and what was found.
    pub message: String,
    /// What to do about it, and which variables to set.
    pub advice: Option<String>,
}

impl Finding {
    pub(crate) fn error(kind: FindingKind, message: impl AsRef<str>) -> Self {
        Self::new(Severity::Error, kind, message.as_ref())
    }

    pub(crate) fn warning(kind: FindingKind, message: impl AsRef<str>) -> Self {
        Self::new(Severity::Warning, kind, message.as_ref())
    }

    pub(crate) fn note(kind: FindingKind, message: impl AsRef<str>) -> Self {
        Self::new(Severity::Note, kind, message.as_ref())
    }

    #[must_use]
    pub(crate) fn advise(mut self, advice: impl AsRef<str>) -> Self {
        self.advice = Some(printable(advice.as_ref()));
        self
    }

    fn new(severity: Severity, kind: FindingKind, message: &str) -> Self {
        Self { severity, kind, tenant: None, message: printable(message), advice: None }
    }
}

/// How severe a finding is, in ascending order.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Severity {
    /// Nothing is wrong: this is how the deployment is.
    Note,
    /// Some requests may be rejected, or something is not as one would expect.
    Warning,
    /// Requests are rejected that should pass, or all of them.
    Error,
}

impl Severity {
    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

macro_rules! kinds {
    ($($(#[$doc:meta])+ $kind:ident = $name:literal,)+) => {
        /// What a finding is about. The names are stable.
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
        #[non_exhaustive]
        pub enum FindingKind {
            $($(#[$doc])+ $kind,)+
        }

        impl FindingKind {
            /// The name, as it is printed and serialised.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)+
                }
            }
        }
    };
}

kinds! {
    /// An `acr` value that an operation demands, and the tenant does not list.
    AcrUnsupported = "acr-unsupported",
    /// The certificate that this API shows the tenant.
    ClientCertificate = "client-certificate",
    /// The client that this API is at the tenant, and its credentials.
    ClientCredentials = "client-credentials",
    /// This machine's clock.
    Clock = "clock",
    /// Whether the tenant and this API agree on tokens that are bound to a key (DPoP, RFC 9449).
    Dpop = "dpop",
    /// The nonces that DPoP proofs must contain (RFC 9449 §9).
    DpopNonce = "dpop-nonce",
    /// The record of the DPoP proofs that were used (RFC 9449 §11.1).
    DpopReplay = "dpop-replay",
    /// An endpoint on another host than the tenant's.
    EndpointElsewhere = "endpoint-elsewhere",
    /// An endpoint that is missing, or that may not be used.
    EndpointUnusable = "endpoint-unusable",
    /// Introspection (RFC 7662).
    Introspection = "introspection",
    /// The issuer in the tenant's metadata (OpenID Connect Discovery §4.3).
    Issuer = "issuer",
    /// The tenant's key set (RFC 7517).
    Keys = "keys",
    /// The tenant's metadata (RFC 8414).
    Metadata = "metadata",
    /// The tenant answers with a status other than success.
    TenantStatus = "tenant-status",
    /// The tenant does not answer in time.
    TenantTimeout = "tenant-timeout",
    /// The tenant cannot be reached.
    TenantUnreachable = "tenant-unreachable",
    /// The tenant's own certificate is not trusted.
    TenantUntrusted = "tenant-untrusted",
    /// The token is one that this API accepts.
    TokenAccepted = "token-accepted",
    /// The token's `alg`.
    TokenAlgorithm = "token-algorithm",
    /// The token's `aud`.
    TokenAudience = "token-audience",
    /// What the token is bound to (RFC 8705, RFC 9449).
    TokenBinding = "token-binding",
    /// A claim that is missing or malformed.
    TokenClaim = "token-claim",
    /// The token is encrypted (RFC 7516).
    TokenEncrypted = "token-encrypted",
    /// The token's `exp`.
    TokenExpired = "token-expired",
    /// An extension that the token's header asks for.
    TokenExtension = "token-extension",
    /// The tenant says that the token is not active.
    TokenInactive = "token-inactive",
    /// The token's `iss`.
    TokenIssuer = "token-issuer",
    /// The key that signed the token.
    TokenKey = "token-key",
    /// The token cannot be read.
    TokenMalformed = "token-malformed",
    /// The token's `nbf`.
    TokenNotYetValid = "token-not-yet-valid",
    /// The token is opaque, and no client is configured to introspect it.
    TokenOpaque = "token-opaque",
    /// The token is longer than this API reads.
    TokenOversized = "token-oversized",
    /// The token's signature.
    TokenSignature = "token-signature",
    /// The token's `typ`.
    TokenType = "token-type",
    /// Whether the token is valid cannot be told.
    TokenUnverified = "token-unverified",
}

impl Serialize for FindingKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// A stranger's value in quotes, cut where it is long.
pub(crate) fn quoted(value: &str) -> String {
    let mut shown: String = value.chars().take(MAX_VALUE).collect();
    if shown.len() < value.len() {
        shown.push('…');
    }
    format!("{shown:?}")
}

/// Some words in one line, and how many more there are.
pub(crate) fn listed(words: &[String]) -> String {
    let (shown, rest) = words.split_at(words.len().min(MAX_LISTED));
    match rest.len() {
        0 => shown.join(", "),
        rest => format!("{}, and {rest} more", shown.join(", ")),
    }
}

/// A text without anything that a terminal would obey, be it a line end or an escape sequence.
fn printable(text: &str) -> String {
    let mut printable = String::new();
    for c in text.chars().take(MAX_TEXT) {
        match c {
            '"' | '\'' | '\\' => printable.push(c),
            _ => printable.extend(c.escape_debug()),
        }
    }
    printable
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_has_no_control_characters_and_a_bounded_length() {
        let hostile =
            "\u{1b}[31m\r\n\0\u{9b}\u{202e}\u{2028}é\"'\\".to_owned() + &"x".repeat(9_999);
        for text in [hostile.clone(), quoted(&hostile)] {
            let finding = Finding::note(FindingKind::Keys, &text).advise(&text);
            assert_eq!(finding.advice.as_ref(), Some(&finding.message));
            let escaped = r"\u{1b}[31m\r\n\0\u{9b}\u{202e}\u{2028}é";
            assert!(finding.message.contains(escaped), "{}", finding.message);
            assert!(finding.message.chars().count() < MAX_TEXT + 50, "{}", finding.message);
        }
        assert!(quoted(&hostile).chars().count() < MAX_VALUE + 50);
        assert_eq!(quoted("a\"b"), r#""a\"b""#);
    }

    #[test]
    fn a_long_list_is_counted_from_its_ninth_word_on() {
        let words = |count: usize| (1..=count).map(|it| it.to_string()).collect::<Vec<_>>();
        assert_eq!(listed(&words(8)), "1, 2, 3, 4, 5, 6, 7, 8");
        assert_eq!(listed(&words(10)), "1, 2, 3, 4, 5, 6, 7, 8, and 2 more");
        assert_eq!(listed(&[]), "");
    }
}
