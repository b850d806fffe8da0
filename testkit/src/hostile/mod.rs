//! The catalogue of hostile tokens, which must be rejected.

use crate::{
    MockTenant,
    hostile::table::{Chosen, Row},
};

mod alg;
mod claims;
mod control;
mod dpop;
mod encoding;
mod header;
mod key_choice;
mod names;
mod signature;
mod step_up;
mod table;

pub use control::Control;
pub use dpop::{DpopRequest, HostileProof, ProofClass, ProofControl};
pub use step_up::{Insufficient, InsufficientClass, StepUp};

/// An access token that every resource server must reject with 401 and `error="invalid_token"`
/// (RFC 6750 §3.1).
///
/// Each is a token as [`MockTenant::token`] mints it with exactly one thing changed, which is
/// therefore the only possible reason for rejecting it. [`Control`](crate::Control)s are the
/// counterpart: a server that passes a test with both does not simply reject everything.
///
/// ```
/// use monocloud_testkit::{Class, Hostile, MockTenant};
/// # async fn get(_: &str) -> (u16, Option<String>) {
/// #     (401, Some(r#"Bearer realm="api", error="invalid_token""#.into()))
/// # }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let tenant = MockTenant::builder().scope("posts:read").start().await;
/// for hostile in Hostile::of(&tenant, Class::AlgNone) {
///     let (status, challenge) = get(&hostile.token).await; // with the token as Bearer
///     hostile.assert_refused(status, challenge.as_deref());
/// }
/// # }
/// ```
///
/// Times are chosen for a tolerance of 60 seconds, and sizes for a limit of 16 KiB. Tokens that do
/// not look like a JWT may be taken for opaque ones: introspection reports every hostile token as
/// inactive.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Hostile {
    /// What was changed, in kebab-case. Names are unique.
    pub name: &'static str,
    /// The attack that it belongs to.
    pub class: Class,
    /// The token, in the characters that RFC 6750 §2.1 allows.
    pub token: String,
    /// The rule that it breaks: a section of an RFC, or the name of the attack.
    pub reference: &'static str,
}

/// A kind of attack.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum Class {
    /// No signature, with a header that declares none.
    AlgNone,
    /// An HMAC keyed by the public key.
    KeyConfusion,
    /// A valid signature with another algorithm than the key's, or an unknown algorithm.
    AlgSwap,
    /// A signature that is not this token's.
    BadSignature,
    /// Elliptic-curve signatures at the edges of arithmetic and encoding.
    EcdsaEdge,
    /// A header that contains a key, or a URL to fetch one from.
    EmbeddedKey,
    /// A `kid` that is not the name of a key.
    KidInjection,
    /// A key of the tenant at the wrong time.
    RetiredKey,
    /// Another issuer.
    Issuer,
    /// Another audience.
    Audience,
    /// Expired, not yet valid, or without valid times.
    Time,
    /// A `sub` that names no subject.
    Subject,
    /// A JWT that is not an access token.
    TokenType,
    /// An extension that must be understood.
    Crit,
    /// Not three segments of base64url.
    Structure,
    /// Not one JSON object with every member once.
    Json,
    /// Longer than a server should read.
    Size,
    /// Bound to a key whose possession the client did not prove (RFC 7800).
    Binding,
}

impl Hostile {
    /// All hostile tokens.
    #[must_use]
    pub fn all(tenant: &MockTenant) -> Vec<Self> {
        let classes = Class::ALL.into_iter();
        classes.flat_map(|class| Self::of(tenant, class)).collect()
    }

    /// The hostile tokens of one class.
    #[must_use]
    pub fn of(tenant: &MockTenant, class: Class) -> Vec<Self> {
        Self::chosen(tenant, class, &|_| true)
    }

    /// Those tokens of a class whose names are chosen.
    pub(crate) fn chosen(tenant: &MockTenant, class: Class, chosen: Chosen<'_>) -> Vec<Self> {
        let hostile = |(name, reference, token): Row| {
            // Introspection does not report them as active either.
            tenant.revoke(&token);
            Self { name, class, token, reference }
        };
        class.rows(tenant, chosen).into_iter().map(hostile).collect()
    }

    /// The hostile token of this name, or `None` if there is none.
    #[must_use]
    pub fn named(tenant: &MockTenant, name: &str) -> Option<Self> {
        let is_it = |other: &'static str| other == name;
        let mut all = Class::ALL.into_iter().flat_map(|class| Self::chosen(tenant, class, &is_it));
        all.next()
    }

    /// Checks a response to a request with this token: the status, and the value of the
    /// `WWW-Authenticate` header.
    ///
    /// # Panics
    ///
    /// If the token was not rejected as it should be.
    #[track_caller]
    pub fn assert_refused(&self, status: u16, www_authenticate: Option<&str>) {
        let challenge = www_authenticate.unwrap_or_default();
        let is_rejected = status == 401 && challenge.contains(r#"error="invalid_token""#);
        assert!(
            is_rejected,
            "{} ({:?}, {}) must be rejected with 401 and invalid_token, \
             not with {status} and {challenge:?}",
            self.name, self.class, self.reference,
        );
    }
}

impl Class {
    /// All classes.
    pub const ALL: [Self; 18] = [
        Self::AlgNone,
        Self::KeyConfusion,
        Self::AlgSwap,
        Self::BadSignature,
        Self::EcdsaEdge,
        Self::EmbeddedKey,
        Self::KidInjection,
        Self::RetiredKey,
        Self::Issuer,
        Self::Audience,
        Self::Time,
        Self::Subject,
        Self::TokenType,
        Self::Crit,
        Self::Structure,
        Self::Json,
        Self::Size,
        Self::Binding,
    ];

    fn rows(self, tenant: &MockTenant, chosen: Chosen<'_>) -> Vec<Row> {
        match self {
            Self::AlgNone => alg::none(tenant, chosen),
            Self::KeyConfusion => alg::key_confusion(tenant, chosen),
            Self::AlgSwap => alg::swap(tenant, chosen),
            Self::BadSignature => signature::bad(tenant, chosen),
            Self::EcdsaEdge => signature::ecdsa_edge(tenant, chosen),
            Self::EmbeddedKey => key_choice::embedded(tenant, chosen),
            Self::KidInjection => key_choice::kid_injection(tenant, chosen),
            Self::RetiredKey => key_choice::retired(tenant, chosen),
            Self::Issuer => claims::issuer(tenant, chosen),
            Self::Audience => claims::audience(tenant, chosen),
            Self::Time => claims::time(tenant, chosen),
            Self::Subject => claims::subject(tenant, chosen),
            Self::TokenType => header::token_type(tenant, chosen),
            Self::Crit => header::crit(tenant, chosen),
            Self::Structure => encoding::structure(tenant, chosen),
            Self::Json => encoding::json(tenant, chosen),
            Self::Size => encoding::size(tenant, chosen),
            Self::Binding => claims::binding(tenant, chosen),
        }
    }
}
