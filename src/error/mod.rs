//! Why a request is rejected: the outer error says whose fault it is, the inner one why.
//!
//! - `reasons`: why a request, a token or a proof is rejected
//! - `tenant`: what went wrong between this API and the tenant
//! - `forget`: a cache that did not confirm that it forgot a token
//! - `cause`: failures from elsewhere, as they came

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
            pub(super) const WORDS: &[&str] = &[$($word),+];

            pub(super) const fn word(&self) -> &'static str {
                match self {
                    $(Self::$variant { .. } => $word,)+
                }
            }
        }
    };
}

mod cause;
mod forget;
mod reasons;
mod tenant;

use std::{sync::Arc, time::Duration};

pub(crate) use self::cause::Chain;
pub use self::{
    cause::Cause,
    forget::ForgetError,
    reasons::{
        Denial, InvalidProof, InvalidRequest, InvalidToken, NonceProblem, ReplayStoreError,
        StepUpReason,
    },
    tenant::TenantError,
};

/// Why a request was rejected.
///
/// The variants are the error codes of RFC 6750 §3.1, RFC 9449 §7.1 and RFC 9470 §3, and the ways in
/// which it is not the caller's fault; [`source`](std::error::Error::source) gives the reason. No text of an error holds a
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The words in the first column of the table under a heading of the manual.
    fn listed(heading: &str) -> BTreeSet<&'static str> {
        let page = include_str!("../manual/watching.md");
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
