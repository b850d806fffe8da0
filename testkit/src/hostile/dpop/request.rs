//! The good request that hostile ones are made from.

use http::{HeaderName, HeaderValue, header::AUTHORIZATION};

use crate::{
    DpopKey, MockTenant, ProofBuilder, TokenBuilder,
    dpop::{DPOP, header},
};

pub(super) type Headers = Vec<(HeaderName, HeaderValue)>;

/// A request that an API with DPoP accepts, from which [`HostileProof`](crate::HostileProof)s and
/// [`ProofControl`](crate::ProofControl)s are made: an access token, a method and a URL.
///
/// ```
/// use monocloud_testkit::{DpopRequest, MockTenant};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let tenant = MockTenant::start().await;
/// // What the operation needs besides the binding, and the URL by which clients know it.
/// let token = tenant.token().scope("posts:write");
/// let request = DpopRequest::new(token, "POST", "https://api.example.com/posts").lifetime(30);
/// for (name, value) in request.headers() {
///     println!("{name}: {value:?}");
/// }
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct DpopRequest<'t> {
    token: TokenBuilder<'t>,
    key: DpopKey,
    method: String,
    url: String,
    lifetime: i64,
    nonce: Option<String>,
    stale_nonce: Option<String>,
}

/// A token and a proof that are valid for the request.
pub(super) struct Good {
    pub(super) token: String,
    proof: ProofBuilder,
}

/// The headers of a request, and of one to send before it.
pub(super) struct Attempt {
    pub(super) first: Option<Headers>,
    pub(super) headers: Headers,
}

impl<'t> DpopRequest<'t> {
    /// A request with this method to this URL, the public one of the operation, without query and
    /// fragment. `token` has what the operation needs, apart from the binding to a key; it may be
    /// [opaque](MockTenant::opaque_token).
    ///
    /// A path such as `/posts/~alice%2Fold` has more spellings than `/posts`, and leads to more
    /// requests.
    ///
    /// # Panics
    ///
    /// If `url` is not an absolute URL with a path, or `method` not several letters in upper case.
    #[track_caller]
    pub fn new(token: TokenBuilder<'t>, method: impl AsRef<str>, url: impl AsRef<str>) -> Self {
        let url = url.as_ref();
        let path = url.split_once("://").and_then(|(_, rest)| rest.split_once('/'));
        assert!(path.is_some() && !url.contains(['?', '#']), "{url:?} must be a URL with a path");
        let method = method.as_ref();
        let is_method = method.len() > 1 && method.bytes().all(|byte| byte.is_ascii_uppercase());
        assert!(is_method, "{method:?} must be a method in upper case");
        Self {
            token,
            key: DpopKey::generate(),
            method: method.to_owned(),
            url: url.to_owned(),
            lifetime: 60,
            nonce: None,
            stale_nonce: None,
        }
    }

    /// The client's key, a new one for ES256 by default.
    pub fn key(mut self, key: &DpopKey) -> Self {
        self.key = key.clone();
        self
    }

    /// How many seconds the `iat` of a proof may be away from the API's time, 60 by default.
    pub fn lifetime(mut self, seconds: u32) -> Self {
        self.lifetime = seconds.into();
        self
    }

    /// The `nonce` of the proofs, which the API has supplied (RFC 9449 §9). An API that demands one
    /// rejects every proof without it for this reason alone.
    ///
    /// # Panics
    ///
    /// If `nonce` is empty, or not ASCII.
    #[track_caller]
    pub fn nonce(mut self, nonce: impl Into<String>) -> Self {
        let nonce = nonce.into();
        assert!(!nonce.is_empty() && nonce.is_ascii(), "{nonce:?} must be a nonce");
        self.nonce = Some(nonce);
        self
    }

    /// A nonce that the API has supplied and no longer accepts, to be tried too.
    pub fn stale_nonce(mut self, nonce: impl Into<String>) -> Self {
        self.stale_nonce = Some(nonce.into());
        self
    }

    /// The headers of the good request: `Authorization` and `DPoP`. Each call mints another token
    /// and proof.
    #[must_use]
    pub fn headers(&self) -> Vec<(HeaderName, HeaderValue)> {
        let good = self.good();
        good.send(good.proof()).headers
    }

    pub(super) fn good(&self) -> Good {
        self.good_by(&self.key)
    }

    /// A good request by another client.
    pub(super) fn good_by(&self, key: &DpopKey) -> Good {
        self.good_of(&key.thumbprint(), key)
    }

    /// With a token that is bound to this thumbprint.
    pub(super) fn good_of(&self, thumbprint: &str, key: &DpopKey) -> Good {
        self.good_with(self.unbound().bound_to_thumbprint(thumbprint), key)
    }

    /// With this token, whose hash the proof has.
    pub(super) fn good_with(&self, token: TokenBuilder<'_>, key: &DpopKey) -> Good {
        let token = token.mint();
        let proof = self.tenant().proof(key, &self.method, &self.url).for_token(&token);
        let proof = match &self.nonce {
            Some(nonce) => proof.nonce(nonce),
            None => proof,
        };
        Good { token, proof }
    }

    /// The token before it is bound.
    pub(super) fn unbound(&self) -> TokenBuilder<'t> {
        self.token.clone()
    }

    pub(super) const fn tenant(&self) -> &'t MockTenant {
        self.token.tenant()
    }

    pub(super) const fn own_key(&self) -> &DpopKey {
        &self.key
    }

    pub(super) fn method(&self) -> &str {
        &self.method
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    pub(super) const fn seconds(&self) -> i64 {
        self.lifetime
    }

    pub(super) fn nonces(&self) -> Option<(&str, Option<&str>)> {
        Some((self.nonce.as_deref()?, self.stale_nonce.as_deref()))
    }

    /// The tenant's time.
    pub(super) fn now(&self) -> i64 {
        self.token.now()
    }
}

impl Good {
    /// The proof. Every copy of it is minted with another `jti`.
    pub(super) fn proof(&self) -> ProofBuilder {
        self.proof.clone()
    }

    /// The request with this proof.
    pub(super) fn send(&self, proof: ProofBuilder) -> Attempt {
        self.send_text(&proof.mint())
    }

    /// The request with this value of the `DPoP` header.
    pub(super) fn send_text(&self, proof: &str) -> Attempt {
        Attempt::new([self.authorization("DPoP"), header(DPOP, proof)])
    }

    pub(super) fn authorization(&self, scheme: &str) -> (HeaderName, HeaderValue) {
        header(AUTHORIZATION, &format!("{scheme} {}", self.token))
    }
}

impl Attempt {
    pub(super) fn new(headers: impl Into<Headers>) -> Self {
        Self { first: None, headers: headers.into() }
    }

    /// The request after another one.
    pub(super) fn after(self, first: Self) -> Self {
        Self { first: Some(first.headers), ..self }
    }
}
