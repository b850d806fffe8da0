//! Why a request is rejected: the outer error says whose fault it is, the inner one why.

use std::{error::Error as StdError, fmt, sync::Arc, time::Duration};

/// Defines an enum of reasons, one row each: the phrase, the variant, and the word that logs and
/// metrics use for it.
macro_rules! reasons {
    (
        $(#[$attribute:meta])*
        pub enum $name:ident {$(
            $(#[$of_variant:meta])*
            $variant:ident $(($($tuple:tt)*))? $({$($members:tt)*})? => $word:literal,
        )+}
    ) => {
        $(#[$attribute])*
        pub enum $name {$(
            $(#[$of_variant])*
            $variant $(($($tuple)*))? $({$($members)*})?,
        )+}

        impl $name {
            /// Every word of [`word`](Self::word).
            #[cfg(test)]
            const WORDS: &[&str] = &[$($word),+];

            const fn word(&self) -> &'static str {
                match self {
                    $(Self::$variant { .. } => $word,)+
                }
            }
        }
    };
}

/// Why a request was rejected.
///
/// The variants are the error codes of RFC 6750 §3.1, RFC 9449 §7.1 and RFC 9470 §3, and the ways in
/// which it is not the caller's fault; [`source`](StdError::source) gives the reason. No text of an error holds a
/// token or a secret, nor a value taken from a token.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The token is valid and lacks a scope, a group or the value of a claim (403).
    #[error("the access token does not permit this operation")]
    InsufficientScope(#[source] Denial),
    /// The user must authenticate again, in another way or more recently (401, RFC 9470).
    #[error("the access token does not tell of a sufficient authentication")]
    InsufficientUserAuthentication(#[source] Box<StepUp>),
    /// This API, or its agreement with the tenant, is at fault (500).
    #[error("this API cannot check the request")]
    Internal(#[source] Internal),
    /// The DPoP proof is missing or is not valid for the request (401, RFC 9449 §4.3).
    #[error("the DPoP proof is invalid")]
    InvalidProof(#[source] InvalidProof),
    /// The request does not follow RFC 6750 or RFC 9449 (400).
    #[error("the request is malformed")]
    InvalidRequest(#[source] InvalidRequest),
    /// The token is not one this API accepts (401).
    #[error("the access token is invalid")]
    InvalidToken(#[source] InvalidToken),
    /// The request carries no access token (401).
    #[error("the request carries no access token")]
    MissingToken,
    /// This API cannot tell whether a DPoP proof was used before (503).
    #[error("this API cannot record the DPoP proof")]
    #[non_exhaustive]
    Overloaded {
        /// When it is worth asking again.
        retry_after: Duration,
        /// What went wrong.
        #[source]
        source: ReplayStoreError,
    },
    /// The tenant cannot be reached, or does not make sense (503).
    #[error("the tenant is unavailable")]
    #[non_exhaustive]
    Unavailable {
        /// When it is worth asking again.
        retry_after: Duration,
        /// What went wrong.
        #[source]
        source: TenantError,
    },
    /// The DPoP proof must contain a nonce of this API, which the response provides (401, RFC 9449 §9).
    #[error("the DPoP proof needs a nonce of this API")]
    UseNonce(#[source] NonceProblem),
}

impl Error {
    /// Whose fault it is, as a word that never changes its meaning: for logs and metrics.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::InsufficientScope(_) => "insufficient_scope",
            Self::InsufficientUserAuthentication(_) => "insufficient_user_authentication",
            Self::Internal(_) => "internal",
            Self::InvalidProof(_) => "invalid_dpop_proof",
            Self::InvalidRequest(_) => "invalid_request",
            Self::InvalidToken(_) => "invalid_token",
            Self::MissingToken => "missing_token",
            Self::Overloaded { .. } => "overloaded",
            Self::Unavailable { .. } => "unavailable",
            Self::UseNonce(_) => "use_dpop_nonce",
        }
    }

    /// Why, as a word that never changes its meaning: for logs and metrics. It has no value of a
    /// token in it, and there are as many words as reasons.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::InsufficientScope(denial) => denial.word(),
            Self::InsufficientUserAuthentication(step_up) => step_up.reason.word(),
            Self::Internal(Internal::Tenant(error)) => error.word(),
            Self::Internal(Internal::Decision(_)) => "decision",
            Self::Internal(Internal::TokenResolver(_)) => "token_resolver",
            Self::Internal(Internal::Unprotected) => "unprotected",
            Self::InvalidProof(reason) => reason.word(),
            Self::InvalidRequest(reason) => reason.word(),
            Self::InvalidToken(reason) => reason.word(),
            Self::MissingToken => "missing_token",
            Self::Overloaded { source, .. } => source.word(),
            Self::Unavailable { source, .. } => source.word(),
            Self::UseNonce(problem) => problem.word(),
        }
    }
}

reasons! {
    /// Why a request is malformed.
    #[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
    #[non_exhaustive]
    pub enum InvalidRequest {
        /// What follows the scheme is not one `b64token` (RFC 6750 §2.1).
        #[error("the credentials are not one access token")]
        MalformedToken => "malformed_token",
        /// There are several `Authorization` headers.
        #[error("the authorization header is repeated")]
        RepeatedHeader => "repeated_header",
        /// There are several `DPoP` headers (RFC 9449 §4.3).
        #[error("the DPoP header is repeated")]
        RepeatedProof => "repeated_proof",
    }
}

reasons! {
    /// Why a DPoP proof is not accepted (RFC 9449 §4.3), one reason for each rule. Each text is fit to
    /// be an `error_description`.
    #[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
    #[non_exhaustive]
    pub enum InvalidProof {
        /// `alg` is not an algorithm of this library: RS, PS and ES 256 to 512, EdDSA.
        #[error("the algorithm of the proof is not accepted")]
        Algorithm => "proof_algorithm",
        /// A claim is missing, or has a type or a range it must not have.
        #[error("a claim of the proof is missing or malformed")]
        Claim(&'static str) => "proof_claim",
        /// The header asks for an extension (`crit`, RFC 7515 §4.1.11, or `b64`, RFC 7797).
        #[error("the proof requires an extension that is not supported")]
        Critical => "proof_critical",
        /// `jwk` is not a public key that fits the algorithm.
        #[error("the jwk of the proof is not a usable public key for its algorithm")]
        Key => "proof_key",
        /// The header does not hold one JWS in compact serialisation with JSON in it.
        #[error("the DPoP header is not one JWT")]
        Malformed => "proof_malformed",
        /// `htm` is not the method of the request.
        #[error("the proof is for another method")]
        Method => "proof_method",
        /// The request has no `DPoP` header.
        #[error("the request carries no proof")]
        Missing => "proof_missing",
        /// The proof is longer than 8 KiB.
        #[error("the proof is too long")]
        Oversized => "proof_oversized",
        /// A proof with this `jti` by the same key was accepted before.
        #[error("the proof was used before")]
        Replayed => "proof_replayed",
        /// The signature does not verify with the `jwk`.
        #[error("the signature of the proof does not verify")]
        Signature => "proof_signature",
        /// `htu` is not the URI of the request.
        #[error("the proof is for another URI")]
        Target => "proof_target",
        /// `iat` is too long ago, or in the future.
        #[error("the proof was not made just now")]
        Time => "proof_time",
        /// `ath` is not the hash of the access token.
        #[error("the proof is for another access token")]
        TokenHash => "proof_token_hash",
        /// `typ` is not `dpop+jwt`.
        #[error("the typ of the proof is not dpop+jwt")]
        Type => "proof_type",
    }
}

reasons! {
    /// What is wrong with the nonce of a DPoP proof (RFC 9449 §9). Each text is fit to be an
    /// `error_description`.
    #[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
    #[non_exhaustive]
    pub enum NonceProblem {
        /// The proof has none.
        #[error("the proof must contain the nonce of this response")]
        Missing => "nonce_missing",
        /// This API did not issue it, or too long ago.
        #[error("the nonce of the proof has expired or was not issued here")]
        Unusable => "nonce_unusable",
    }
}

reasons! {
    /// Why a DPoP proof could not be recorded as used.
    #[derive(Clone, Debug, thiserror::Error)]
    #[non_exhaustive]
    pub enum ReplayStoreError {
        /// The store failed, or did not answer in time.
        #[error("the replay store failed")]
        Failed(#[source] Cause) => "replay_store_failed",
        /// The memory for proofs that are still valid is used up.
        #[error("the replay store is full")]
        Full => "replay_store_full",
    }
}

reasons! {
    /// Why a token is not accepted. Each text is fit to be an `error_description` (RFC 6750 §3).
    #[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
    #[non_exhaustive]
    pub enum InvalidToken {
        /// `alg` is not an algorithm of this library: RS, PS and ES 256 to 512, EdDSA.
        #[error("the token's algorithm is not accepted")]
        Algorithm => "algorithm",
        /// Several of the tenant's keys fit the token.
        #[error("several of the tenant's keys fit the token")]
        AmbiguousKey => "ambiguous_key",
        /// `aud` does not hold this API's audience.
        #[error("the token is meant for another audience")]
        Audience => "audience",
        /// This API accepts tokens with the DPoP scheme only (RFC 9449 §7.1).
        #[error("the token must be presented with the DPoP scheme")]
        BearerScheme => "bearer_scheme",
        /// The token is bound to a certificate that was not presented (RFC 8705 §3).
        #[error("the token is bound to a certificate that was not presented")]
        Binding => "binding",
        /// The certificate that was presented with a bound token cannot be read, or there are several.
        #[error("the client certificate that was presented is unusable")]
        Certificate => "certificate",
        /// A claim is missing, or has a type or a range it must not have.
        #[error("a claim of the token is missing or malformed")]
        Claim(&'static str) => "claim",
        /// The header asks for an extension (`crit`, RFC 7515 §4.1.11, or `b64`, RFC 7797).
        #[error("the token requires an extension that is not supported")]
        Critical => "critical",
        /// The token is encrypted (RFC 7516).
        #[error("encrypted tokens are not supported")]
        Encrypted => "encrypted",
        /// `exp` has passed.
        #[error("the token has expired")]
        Expired => "expired",
        /// The tenant says that the token is not active (RFC 7662 §2.2).
        #[error("the token is not active")]
        Inactive => "inactive",
        /// `iss` is not the tenant, or none of several; or the request names none of them as the issuer
        /// of its opaque token.
        #[error("the token was issued by another issuer")]
        Issuer => "issuer",
        /// The token is bound to a key: it needs the DPoP scheme, and a proof by that key (RFC 9449 §7).
        #[error("the token is bound to a key that the request does not prove")]
        KeyBinding => "key_binding",
        /// The token is not bound to a key, and was presented with the DPoP scheme (RFC 9449 §7.1).
        #[error("the token is not bound to a key")]
        KeyUnbound => "key_unbound",
        /// The token is not a JWS in compact serialisation with JSON in it.
        #[error("the token is malformed")]
        Malformed => "malformed",
        /// The token is bound neither to a certificate nor to a key, and the operation needs that
        /// (RFC 8705 §3, RFC 9449 §7).
        #[error("the token is not bound to its sender")]
        NotSenderConstrained => "not_sender_constrained",
        /// `nbf` has not come.
        #[error("the token is not valid yet")]
        NotYetValid => "not_yet_valid",
        /// The token is longer than this API reads.
        #[error("the token is too long")]
        Oversized => "oversized",
        /// The signature does not verify.
        #[error("the signature of the token does not verify")]
        Signature => "signature",
        /// `typ` says that this is not an access token.
        #[error("the token is not an access token")]
        Type => "type",
        /// The claims do not fit the type that the handler reads them into.
        #[error("a claim of the token is missing or malformed")]
        TypedClaims => "typed_claims",
        /// The token is not bound to a certificate where every token must be (RFC 8705 §3).
        #[error("the token is not bound to a certificate")]
        Unbound => "unbound",
        /// None of the tenant's keys fits the token.
        #[error("the key that signed the token is unknown")]
        UnknownKey => "unknown_key",
        /// The token is opaque and this API does not introspect, or cannot tell where.
        #[error("opaque tokens are not accepted here")]
        Unsupported => "unsupported",
    }
}

reasons! {
    /// What a valid token lacks.
    #[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
    #[non_exhaustive]
    pub enum Denial {
        /// The application's own [decision](crate::ProtectApiBuilder::decide).
        #[error("the application denies the operation")]
        Application => "application",
        /// A claim of the token is not, and does not contain, the value that the operation needs.
        #[error("a required claim is missing")]
        Claims => "claims",
        /// The token's groups are not those the operation needs.
        #[error("a required group is missing")]
        Groups => "groups",
        /// The token's scopes are not all of those the operation needs.
        #[error("a required scope is missing")]
        #[non_exhaustive]
        Scopes {
            /// Every scope the operation needs, blank-separated.
            required: Arc<str>,
        } => "scopes",
    }
}

reasons! {
    /// What the user's authentication lacks. Each text is fit to be an `error_description`.
    #[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
    #[non_exhaustive]
    pub enum StepUpReason {
        /// `acr` is none of those that the operation accepts, or absent.
        #[error("the operation needs another kind of authentication")]
        Acr => "acr",
        /// `auth_time` is too long ago, absent, or in the future.
        #[error("the operation needs a more recent authentication")]
        MaxAge => "max_age",
    }
}

/// How the user must authenticate for an operation (RFC 9470 §3).
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{reason}")]
#[non_exhaustive]
pub struct StepUp {
    /// What the token's authentication lacks.
    pub reason: StepUpReason,
    /// Every `acr` that the operation accepts, blank-separated, the preferred one first.
    pub acr_values: Option<Arc<str>>,
    /// How long ago the authentication may be, in whole seconds.
    pub max_age: Option<Duration>,
    /// Every scope that the operation needs, blank-separated, if the token lacks one of them too.
    pub scope: Option<Arc<str>>,
}

/// Why this API cannot validate a request.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Internal {
    /// The application's [decision hook](crate::ProtectApiBuilder::decide) failed, or took too long.
    #[error("the decision hook failed")]
    Decision(#[source] Cause),
    /// The tenant rejects this API or is not the tenant we were configured for.
    #[error("the tenant does not fit the configuration")]
    Tenant(#[source] TenantError),
    /// The application's own token resolver failed.
    #[error("the token resolver failed")]
    TokenResolver(#[source] Cause),
    /// A handler asks for an authenticated caller and nothing in front of it authenticates.
    #[error("the handler is not protected: nothing authenticates requests before it")]
    Unprotected,
}

reasons! {
    /// What went wrong between this API and the tenant.
    #[derive(Clone, Debug, thiserror::Error)]
    #[non_exhaustive]
    pub enum TenantError {
        /// The tenant ends the TLS handshake over this API's certificate, or the lack of one.
        #[error("the tenant rejects this API's certificate at {url}")]
        #[non_exhaustive]
        Certificate {
            /// What was asked for.
            url: Arc<str>,
            /// What went wrong.
            #[source]
            source: Cause,
        } => "tenant_certificate",
        /// This API's own credentials are unavailable.
        #[error("client credentials are unavailable")]
        #[non_exhaustive]
        Credentials {
            /// What went wrong.
            #[source]
            source: Cause,
        } => "tenant_credentials",
        /// A document is not what it should be.
        #[error("the tenant's {document} is unusable: {reason}")]
        #[non_exhaustive]
        Document {
            /// Which document.
            document: &'static str,
            /// What is wrong with it.
            reason: Arc<str>,
        } => "tenant_document",
        /// The metadata names no endpoint that may be used.
        #[error("the tenant's metadata has no usable {endpoint}: {reason}")]
        #[non_exhaustive]
        Endpoint {
            /// The endpoint's member in the metadata.
            endpoint: Arc<str>,
            /// Why none is usable.
            reason: Arc<str>,
        } => "tenant_endpoint",
        /// The fetch ended with the runtime it ran on.
        #[error("the fetch from the tenant was interrupted")]
        Interrupted => "tenant_interrupted",
        /// The metadata is that of another issuer (OpenID Connect Discovery §4.3).
        #[error("the tenant's metadata names the issuer {found:?} where {expected:?} is configured")]
        #[non_exhaustive]
        Issuer {
            /// The configured tenant.
            expected: Arc<str>,
            /// The issuer in the metadata.
            found: Arc<str>,
        } => "tenant_issuer",
        /// The tenant asked us to back off, or as many tokens wait for a call to it as may wait.
        #[error("the tenant asked us to back off, or too many calls to it are waiting")]
        Overloaded => "tenant_overloaded",
        /// The tenant answered with a status other than success.
        #[error("the tenant answered {url} with status {status}{}", parenthesised(.code.as_deref()))]
        #[non_exhaustive]
        Status {
            /// What was asked for.
            url: Arc<str>,
            /// The status.
            status: u16,
            /// The OAuth error code of the answer, such as `invalid_client` (RFC 6749 §5.2), if it has
            /// one.
            code: Option<Arc<str>>,
            /// The tenant's own Retry-After, if it sent one.
            retry_after: Option<Duration>,
        } => "tenant_status",
        /// The tenant did not answer within the response time-out.
        #[error("the tenant did not answer {url} in time")]
        #[non_exhaustive]
        Timeout {
            /// What was asked for.
            url: Arc<str>,
        } => "tenant_timeout",
        /// The tenant cannot be reached.
        #[error("the tenant cannot be reached at {url}")]
        #[non_exhaustive]
        Unreachable {
            /// What was asked for.
            url: Arc<str>,
            /// What went wrong.
            #[source]
            source: Cause,
        } => "tenant_unreachable",
    }
}

impl TenantError {
    /// Whether the tenant works as it means to: asking again will not help.
    ///
    /// It rejects our request, or is another tenant than the configured one; everything else may
    /// pass.
    pub(crate) fn is_permanent(&self) -> bool {
        match self {
            Self::Certificate { .. }
            | Self::Credentials { .. }
            | Self::Endpoint { .. }
            | Self::Issuer { .. } => true,
            // 408 and 429 ask for another attempt.
            Self::Status { status, .. } => {
                (300..500).contains(status) && !matches!(status, 408 | 429)
            }
            Self::Document { .. }
            | Self::Interrupted
            | Self::Overloaded
            | Self::Timeout { .. }
            | Self::Unreachable { .. } => false,
        }
    }

    /// How long the tenant itself asks us to wait.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

/// A shared cache did not confirm that it forgot a token.
///
/// This process no longer uses what the cache holds for the token. Other processes may accept the
/// token until the removal succeeds or the cached result expires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForgetError {
    issuers: Vec<String>,
    is_retried: bool,
}

impl ForgetError {
    /// The failures by issuer, each with whether it is retried; nothing if there are none.
    pub(crate) fn of(failures: impl IntoIterator<Item = (String, bool)>) -> Result<(), Self> {
        let (issuers, retried): (Vec<_>, Vec<_>) = failures.into_iter().unzip();
        let is_retried = retried.iter().all(|is_retried| *is_retried);
        if issuers.is_empty() { Ok(()) } else { Err(Self { issuers, is_retried }) }
    }

    /// The issuers of the tenants whose cache failed. The event `introspection_cache.failed` says
    /// why.
    pub fn issuers(&self) -> impl Iterator<Item = &str> {
        self.issuers.iter().map(String::as_str)
    }

    /// Whether this process repeats the removal, every few seconds, until the cache confirms it or
    /// the result has expired. It does not where too many removals wait already.
    #[must_use]
    pub const fn is_retried(&self) -> bool {
        self.is_retried
    }
}

impl fmt::Display for ForgetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let issuers = self.issuers.join(", ");
        write!(f, "the shared cache did not confirm that it forgot the token of {issuers}; ")?;
        f.write_str(match self.is_retried {
            true => "the removal will be retried",
            false => "too many removals wait already, so call `forget` again later",
        })
    }
}

impl StdError for ForgetError {}

fn parenthesised(code: Option<&str>) -> String {
    code.map(|code| format!(" ({code})")).unwrap_or_default()
}

/// A failure that comes from outside this crate, kept as it came.
#[derive(Clone)]
pub struct Cause(Arc<dyn StdError + Send + Sync>);

impl Cause {
    pub(crate) fn new(error: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self(error.into().into())
    }

    /// The failure itself, in its own type.
    pub(crate) fn get(&self) -> &(dyn StdError + 'static) {
        &*self.0
    }
}

impl fmt::Debug for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl StdError for Cause {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source()
    }
}

/// An error with all its reasons in one line, for logs.
pub(crate) struct Chain<'e>(pub(crate) &'e dyn StdError);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut source = self.0.source();
        while let Some(error) = source {
            write!(f, ": {error}")?;
            source = error.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The words in the first column of the table under a heading of the manual.
    fn listed(heading: &str) -> BTreeSet<&'static str> {
        let page = include_str!("manual/watching.md");
        let (_, section) = page.split_once(heading).unwrap();
        let section = section.split("\n## ").next().unwrap();
        let rows = section.lines().filter(|line| line.starts_with("| `"));
        rows.flat_map(|row| row.split('`').skip(3).step_by(2)).collect()
    }

    #[test]
    fn the_manual_lists_every_reason_and_no_other() {
        let of_our_own = [
            "jwt",
            "opaque",
            "anonymous",
            "decision",
            "missing_token",
            "token_resolver",
            "unprotected",
        ];
        let words = [
            InvalidProof::WORDS,
            InvalidRequest::WORDS,
            InvalidToken::WORDS,
            NonceProblem::WORDS,
            ReplayStoreError::WORDS,
            Denial::WORDS,
            StepUpReason::WORDS,
            TenantError::WORDS,
        ];
        let reasons = words.into_iter().flatten().copied().chain(of_our_own);
        assert_eq!(listed("## Outcomes and reasons"), reasons.collect());
    }
}
