//! The catalogue of hostile proofs of possession (RFC 9449), which must be rejected.

mod alg;
mod binding;
mod claims;
mod control;
mod encoding;
mod header;
mod jwk;
mod request;
mod signature;
mod url;
mod weak_rsa;

pub use control::ProofControl;
pub use request::DpopRequest;

use http::{HeaderName, HeaderValue, header::AUTHORIZATION};

use crate::{dpop::challenges, hostile::dpop::request::Attempt};

/// A request that every API which accepts DPoP-bound tokens must reject (RFC 9449 §4.3 and §7).
///
/// Each is a good [`DpopRequest`] with exactly one thing changed, which is therefore the only
/// possible reason for rejecting it. [`ProofControl`]s are the counterpart.
///
/// ```
/// use http::{HeaderName, HeaderValue};
/// use monocloud_testkit::{Clock, DpopRequest, HostileProof, MockTenant, ProofClass};
/// # async fn get(_: &[(HeaderName, HeaderValue)]) -> (u16, Vec<String>) {
/// #     (401, vec![r#"Bearer, DPoP algs="ES256", error="invalid_dpop_proof""#.into()])
/// # }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let tenant = MockTenant::builder().clock(Clock::frozen()).start().await;
/// let token = tenant.token().scope("posts:read");
/// let request = DpopRequest::new(token, "GET", "https://api.example.com/posts/~alice%2Fold");
/// for hostile in HostileProof::of(&request, ProofClass::Url) {
///     if let Some(first) = &hostile.first {
///         assert_eq!(get(first).await.0, 200);
///     }
///     let (status, challenges) = get(&hostile.headers).await; // with these headers and no others
///     hostile.assert_refused(status, &challenges);
/// }
/// # }
/// ```
///
/// Times are those of the tenant's clock when the catalogue is made, to the second: freeze it.
/// Sizes are chosen for a limit of 8 KiB.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct HostileProof {
    /// What was changed, in kebab-case. Names are unique.
    pub name: &'static str,
    /// The part of the request that it is about.
    pub class: ProofClass,
    /// The rule that it breaks: a section of an RFC, or the name of the attack.
    pub reference: &'static str,
    /// The headers of a request to send first, which must be accepted. Only a replay has one.
    pub first: Option<Vec<(HeaderName, HeaderValue)>>,
    /// The `Authorization` and `DPoP` headers of the request, some of which occur twice.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// The status of the response that rejects it.
    pub status: u16,
    /// The error in the challenge of that response.
    pub error: &'static str,
}

/// The part of a request that is wrong.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum ProofClass {
    /// There is no proof (RFC 9449 §4.3 rule 1).
    Missing,
    /// Several proofs, tokens or schemes: 400 and `invalid_request` (RFC 9449 §4.3 rule 1, §7.2).
    Repeated,
    /// The token is not bound to the proof's key, or a bound token is presented as a bearer token:
    /// `invalid_token` (RFC 9449 §4.3 rule 12, §7.1 and §7.2).
    Binding,
    /// Another `typ` (RFC 9449 §4.3 rule 4).
    Type,
    /// No algorithm, an unknown or symmetric one, or one that does not fit the key (RFC 9449 §4.3
    /// rule 5).
    Alg,
    /// A `jwk` that is not a strong public key (RFC 9449 §4.3 rules 6 and 7).
    Jwk,
    /// A signature that is not this proof's (RFC 9449 §4.3 rule 6).
    Signature,
    /// An extension that must be understood (RFC 7515 §4.1.11).
    Crit,
    /// Not one JWT in three segments of base64url (RFC 9449 §4.3 rule 2).
    Structure,
    /// Not one JSON object with every member once (RFC 7515 §4 and §5.2, RFC 7519 §4).
    Json,
    /// Longer than a server should read.
    Size,
    /// Another `htm` than the request's method (RFC 9449 §4.3 rule 8).
    Method,
    /// Another `htu` than the request's URL (RFC 9449 §4.3 rule 9).
    Url,
    /// Another `ath` than the token's hash (RFC 9449 §4.3 rule 12).
    TokenHash,
    /// An `iat` outside the lifetime of a proof (RFC 9449 §4.3 rule 11).
    Time,
    /// A `jti` that does not identify the proof (RFC 9449 §4.2 and §11.1).
    Id,
    /// A `jti` that was accepted before (RFC 9449 §11.1).
    Replay,
    /// Another `nonce` than one that the API supplied: `use_dpop_nonce` (RFC 9449 §4.3 rule 10,
    /// §9). There are only some if the request has a [nonce](DpopRequest::nonce).
    Nonce,
}

impl HostileProof {
    /// All hostile requests that are made from this good one.
    #[must_use]
    pub fn all(request: &DpopRequest<'_>) -> Vec<Self> {
        let classes = ProofClass::ALL.into_iter();
        classes.flat_map(|class| Self::of(request, class)).collect()
    }

    /// The hostile requests of one class. One that could not differ from the good request, such as
    /// an upper-case path in place of `/`, is left out.
    #[must_use]
    pub fn of(request: &DpopRequest<'_>, class: ProofClass) -> Vec<Self> {
        let (status, error) = class.refusal();
        let hostile = |(name, reference, attempt): Row| {
            let Attempt { first, headers } = attempt;
            Self { name, class, reference, first, headers, status, error }
        };
        class.rows(request).into_iter().map(hostile).collect()
    }

    /// Checks a response to a request with these headers: the status, and the values of the
    /// `WWW-Authenticate` headers. The error must be in the challenge of the scheme that the
    /// request used and in no other (RFC 9449 §7.1 and §7.2). Where a bearer token was presented to
    /// an API that has no challenge for those, it is in the DPoP challenge. A
    /// [repeated](ProofClass::Repeated) header does not tell the scheme: any challenge may have it.
    ///
    /// ```
    /// # use monocloud_testkit::{DpopRequest, HostileProof, MockTenant, ProofClass};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// # let tenant = MockTenant::start().await;
    /// # let request = DpopRequest::new(tenant.token(), "GET", "https://api.example.com/posts");
    /// let hostile = HostileProof::of(&request, ProofClass::Type).remove(0);
    /// hostile.assert_refused(401, ["Bearer", r#"DPoP error="invalid_dpop_proof""#]);
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// If the request was not rejected as it should be.
    #[track_caller]
    pub fn assert_refused(
        &self,
        status: u16,
        www_authenticate: impl IntoIterator<Item = impl AsRef<[u8]>>,
    ) {
        let challenges = challenges(www_authenticate);
        let used = self.schemes();
        let is_used = |scheme: &str| used.iter().any(|used| used == scheme);
        let is_answered = challenges.iter().any(|challenge| is_used(&challenge.scheme));
        let is_clear = self.class != ProofClass::Repeated;
        let may_have_it =
            |scheme: &str| !is_clear || is_used(scheme) || (!is_answered && scheme == "dpop");

        let errors = challenges.iter().filter_map(|it| Some((&*it.scheme, it.parameter("error")?)));
        let errors: Vec<_> = errors.collect();
        let are_right = errors.iter().all(|(at, error)| may_have_it(at) && *error == self.error);
        assert!(
            status == self.status && !errors.is_empty() && are_right,
            "{} ({:?}, {}) must be rejected with {} and {} in the challenge for {}, \
             not with {status} and {challenges:?}",
            self.name,
            self.class,
            self.reference,
            self.status,
            self.error,
            used.join(" or "),
        );
    }

    /// The schemes that its `Authorization` headers name, in lower case.
    fn schemes(&self) -> Vec<String> {
        let values = self.headers.iter().filter(|(name, _)| name == AUTHORIZATION);
        let text = values.map(|(_, value)| String::from_utf8_lossy(value.as_bytes()));
        let text = text.collect::<Vec<_>>().join(",").to_ascii_lowercase();
        let named = text.split(',').filter_map(|credentials| credentials.trim().split_once(' '));
        named.map(|(scheme, _)| scheme.to_owned()).collect()
    }
}

impl ProofClass {
    /// All classes.
    pub const ALL: [Self; 18] = [
        Self::Missing,
        Self::Repeated,
        Self::Binding,
        Self::Type,
        Self::Alg,
        Self::Jwk,
        Self::Signature,
        Self::Crit,
        Self::Structure,
        Self::Json,
        Self::Size,
        Self::Method,
        Self::Url,
        Self::TokenHash,
        Self::Time,
        Self::Id,
        Self::Replay,
        Self::Nonce,
    ];

    const fn refusal(self) -> (u16, &'static str) {
        match self {
            Self::Repeated => (400, "invalid_request"),
            Self::Binding => (401, "invalid_token"),
            Self::Nonce => (401, "use_dpop_nonce"),
            _ => (401, "invalid_dpop_proof"),
        }
    }

    fn rows(self, request: &DpopRequest<'_>) -> Vec<Row> {
        match self {
            Self::Missing => header::missing(request),
            Self::Repeated => header::repeated(request),
            Self::Binding => binding::rows(request),
            Self::Type => header::proof_type(request),
            Self::Alg => alg::rows(request),
            Self::Jwk => jwk::rows(request),
            Self::Signature => signature::rows(request),
            Self::Crit => header::crit(request),
            Self::Structure => encoding::structure(request),
            Self::Json => encoding::json(request),
            Self::Size => encoding::size(request),
            Self::Method => claims::method(request),
            Self::Url => url::rows(request),
            Self::TokenHash => claims::token_hash(request),
            Self::Time => claims::time(request),
            Self::Id => claims::id(request),
            Self::Replay => claims::replay(request),
            Self::Nonce => claims::nonce(request),
        }
    }
}

/// Name, reference, request.
type Row = (&'static str, &'static str, Attempt);
