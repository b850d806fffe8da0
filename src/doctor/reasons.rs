//! Why a token is rejected: what was expected, what was found, and what to do.

use std::time::UNIX_EPOCH;

use serde_json::{Map, Value};

use super::examination::{Doctor, advice_on_issuer, spoken};
use crate::{
    config::Key,
    doctor::diagnosis::{Finding, FindingKind, listed, quoted},
    error::InvalidToken,
    token::{algorithm::SigningAlgorithm, claims::Claims, typed::Unfit},
};

/// What a token says, verified or not.
pub(super) struct Seen {
    /// What nothing that is shown may hold.
    pub(super) secret: String,
    pub(super) header: Map<String, Value>,
    pub(super) claims: Claims,
    /// Why the key that the token names is ignored, if it is.
    pub(super) ignored_key: Option<&'static str>,
    /// Where the claims do not fit the type they are read into.
    pub(super) unfit: Option<Unfit>,
}

impl Doctor<'_> {
    pub(super) fn reason(&self, reason: InvalidToken, seen: &Seen) -> Finding {
        let expected = &self.validator.expectations;
        let (kind, message, advice) = match reason {
            InvalidToken::Algorithm => (
                FindingKind::TokenAlgorithm,
                format!("the token's alg is {}, which is not accepted", seen.header("alg")),
                format!("have the tenant sign with one of {}", algorithms()),
            ),
            InvalidToken::AmbiguousKey => (
                FindingKind::TokenKey,
                format!(
                    "several of the tenant's keys fit the token: its kid is {} and its alg {}",
                    seen.header("kid"),
                    seen.header("alg")
                ),
                "have the tenant give each key a kid of its own, and each token the kid of its key"
                    .to_owned(),
            ),
            InvalidToken::Audience => (
                FindingKind::TokenAudience,
                format!(
                    "the token is for {}; {} is configured, compared byte for byte",
                    seen.claim("aud"),
                    quoted(&expected.audience)
                ),
                self.advice_on_audience(seen),
            ),
            // Of requests rather than tokens.
            InvalidToken::BearerScheme | InvalidToken::KeyUnbound => (
                FindingKind::TokenBinding,
                format!(
                    "the token is not bound to a key, and {} is `required`",
                    Key::Dpop.variable()
                ),
                format!(
                    "have the client ask for a token by DPoP (RFC 9449 §5), or set {} to `allowed`",
                    Key::Dpop.variable()
                ),
            ),
            InvalidToken::Binding => (
                FindingKind::TokenBinding,
                format!(
                    "the token is bound by {}, of which nothing can be verified",
                    seen.claim("cnf")
                ),
                "have the client ask for a token that is bound to a certificate (RFC 8705), to a key \
                 (RFC 9449), or to nothing"
                    .to_owned(),
            ),
            InvalidToken::Certificate => (
                FindingKind::TokenBinding,
                "the certificate sent with the token cannot be read".to_owned(),
                format!("check {}", Key::ClientCertificateHeader.variable()),
            ),
            InvalidToken::Claim(name) => (
                FindingKind::TokenClaim,
                format!("the token's {name} is {}, which it must not be", seen.claim(name)),
                "have the tenant write it as RFC 7519 §4.1, RFC 9068 §2.2 and RFC 9449 §6 say".to_owned(),
            ),
            InvalidToken::Critical => (
                FindingKind::TokenExtension,
                "the token's header has crit or b64, an extension that is not supported".to_owned(),
                "have the tenant sign without it".to_owned(),
            ),
            InvalidToken::Encrypted => (
                FindingKind::TokenEncrypted,
                "the token is a JWE: encrypted tokens are not supported".to_owned(),
                "have the tenant issue JWTs that are signed alone, or opaque tokens".to_owned(),
            ),
            InvalidToken::Expired => (
                FindingKind::TokenExpired,
                format!(
                    "the token expired {} ago; {} are tolerated",
                    spoken(-self.until(seen, "exp")),
                    spoken(expected.clock_tolerance.as_secs_f64())
                ),
                "request a new one; if it was just issued, check this machine's clock".to_owned(),
            ),
            InvalidToken::Inactive => (
                FindingKind::TokenInactive,
                "the tenant says that the token is not active".to_owned(),
                "it has expired, was revoked, is another tenant's, or is none this client may ask \
                 about"
                    .to_owned(),
            ),
            InvalidToken::Issuer => (
                FindingKind::TokenIssuer,
                format!(
                    "the token was issued by {}; {} is configured, compared byte for byte",
                    seen.claim("iss"),
                    quoted(&expected.issuer)
                ),
                advice_on_issuer(&expected.issuer, seen.issuer()),
            ),
            InvalidToken::KeyBinding if self.settings.dpop.is_some() => (
                FindingKind::TokenBinding,
                format!(
                    "the tenant says that the token's token_type is {}, and that it is bound by {}",
                    seen.claim("token_type"),
                    seen.claim("cnf")
                ),
                "have the tenant call it DPoP (RFC 9449 §6.2)".to_owned(),
            ),
            InvalidToken::KeyBinding => (
                FindingKind::TokenBinding,
                format!(
                    "the token is bound by {}, which needs DPoP, and {} is `disabled`",
                    seen.claim("cnf"),
                    Key::Dpop.variable()
                ),
                format!(
                    "set {} to `allowed`, or have the client ask for a token that is not bound to a key",
                    Key::Dpop.variable()
                ),
            ),
            InvalidToken::Malformed => (
                FindingKind::TokenMalformed,
                "the token has three parts like a JWT, but is not one".to_owned(),
                "copy it completely; if it is complete, its issuer does not follow RFC 7515"
                    .to_owned(),
            ),
            InvalidToken::NotSenderConstrained => (
                FindingKind::TokenBinding,
                "the token is not bound to its sender, which the operation needs".to_owned(),
                "have the client ask for a token that is bound to a certificate (RFC 8705) or to a key \
                 (RFC 9449)"
                    .to_owned(),
            ),
            InvalidToken::NotYetValid => (
                FindingKind::TokenNotYetValid,
                format!(
                    "the token is valid only in {}; {} are tolerated",
                    spoken(self.until(seen, "nbf")),
                    spoken(expected.clock_tolerance.as_secs_f64())
                ),
                "if it was just issued, check this machine's clock".to_owned(),
            ),
            InvalidToken::Oversized => (
                FindingKind::TokenOversized,
                "the token is longer than this API reads".to_owned(),
                "have the tenant put less into it, or raise `max_token_length`".to_owned(),
            ),
            InvalidToken::Signature => (
                FindingKind::TokenSignature,
                format!(
                    "the signature does not verify with the tenant's key {}",
                    seen.header("kid")
                ),
                "the token was changed, or is of another tenant whose keys have the same names"
                    .to_owned(),
            ),
            InvalidToken::Type if seen.claims.get("token_type").is_some() => (
                FindingKind::TokenType,
                format!(
                    "the tenant says that the token's token_type is {}, which is not an access \
                     token's",
                    seen.claim("token_type")
                ),
                "present the access token, not a refresh token or any other".to_owned(),
            ),
            InvalidToken::Type => (
                FindingKind::TokenType,
                format!(
                    "the token's typ is {}, which is not the type of an access token",
                    seen.header("typ")
                ),
                match expected.rfc9068 {
                    true => "present an access token with typ at+jwt, as `require_rfc9068` asks",
                    false => "present the access token, not an ID token or any other",
                }
                .to_owned(),
            ),
            InvalidToken::TypedClaims => (
                FindingKind::TokenClaim,
                match &seen.unfit {
                    Some(Unfit { path, expected }) => {
                        format!("the token's claims do not fit {expected} at {}", seen.text(path))
                    }
                    None => "the token's claims do not fit the application's type".to_owned(),
                },
                "have the tenant put it into the token as the type needs it, or make it optional \
                 there"
                    .to_owned(),
            ),
            InvalidToken::Unbound => (
                FindingKind::TokenBinding,
                "the token is bound to no certificate, and every one must be".to_owned(),
                format!(
                    "have the client ask for a bound one, or check {}",
                    Key::ValidateCertificateBinding.variable()
                ),
            ),
            InvalidToken::UnknownKey if let Some(why) = seen.ignored_key => (
                FindingKind::TokenKey,
                format!("the tenant's key {} is ignored: {why}", seen.header("kid")),
                "have the tenant publish it as RFC 7517 and RFC 7518 §6 specify".to_owned(),
            ),
            InvalidToken::UnknownKey => (
                FindingKind::TokenKey,
                format!(
                    "none of the tenant's keys fits the token: its kid is {} and its alg {}",
                    seen.header("kid"),
                    seen.header("alg")
                ),
                "it is another tenant's, or the tenant has withdrawn the key: ask for a fresh one"
                    .to_owned(),
            ),
            InvalidToken::Unsupported => (
                FindingKind::TokenOpaque,
                "opaque tokens are not accepted here".to_owned(),
                format!("set {}", Key::ClientId.variable()),
            ),
        };
        Finding::error(kind, message).advise(advice)
    }

    /// What an accepted token says.
    pub(super) fn summary(&self, seen: &Seen) -> String {
        let mut summary = Vec::new();
        for name in ["sub", "client_id", "scope"] {
            if seen.claims.get(name).is_some() {
                summary.push(format!("{name} {}", seen.claim(name)));
            }
        }
        if seen.claims.get("exp").is_some() {
            let left = self.until(seen, "exp");
            summary.push(match left < 0.0 {
                true => format!("expired {} ago, which is tolerated", spoken(-left)),
                false => format!("good for {}", spoken(left)),
            });
        }
        summary.join(", ")
    }

    fn advice_on_audience(&self, seen: &Seen) -> String {
        let variable = Key::Audience.variable();
        let own = self.validator.expectations.audience.as_str();
        let is_alike = |found: &str| found.trim_end_matches('/') == own.trim_end_matches('/');
        match seen.claims.audience().find(|found| is_alike(found)) {
            Some(found) => format!(
                "they differ in a slash at the end: set {variable} to {}, or ask for {}",
                seen.text(found),
                quoted(own)
            ),
            None => format!(
                "have the client ask for a token for this API, or set {variable} to what is yours"
            ),
        }
    }

    /// How long until a time that a claim names, in seconds; negative if it has passed.
    fn until(&self, seen: &Seen, claim: &str) -> f64 {
        let now = self.now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let then = seen.claims.get(claim).and_then(Value::as_f64).unwrap_or_default();
        then - now.as_secs_f64()
    }
}

impl Seen {
    fn header(&self, name: &str) -> String {
        self.value(self.header.get(name))
    }

    fn claim(&self, name: &str) -> String {
        self.value(self.claims.get(name))
    }

    fn issuer(&self) -> &str {
        let issuer = self.claims.issuer().unwrap_or_default();
        if issuer.contains(&self.secret) { "" } else { issuer }
    }

    fn value(&self, value: Option<&Value>) -> String {
        match value {
            None => "missing".to_owned(),
            Some(Value::String(text)) => self.text(text),
            Some(Value::Array(list)) if list.iter().all(Value::is_string) => {
                let texts: Vec<_> =
                    list.iter().filter_map(Value::as_str).map(|text| self.text(text)).collect();
                match texts.is_empty() {
                    true => "an empty list".to_owned(),
                    false => listed(&texts),
                }
            }
            // A number, or what it should not be.
            Some(value) => self.text(&value.to_string()).trim_matches('"').replace("\\\"", "\""),
        }
    }

    /// A text in quotes, unless a tenant has written the token into it.
    fn text(&self, text: &str) -> String {
        match text.contains(&self.secret) {
            true => "[not shown]".to_owned(),
            false => quoted(text),
        }
    }
}

/// Every algorithm of tokens and proofs.
pub(super) fn algorithms() -> String {
    SigningAlgorithm::ALL.map(SigningAlgorithm::name).join(" ")
}
