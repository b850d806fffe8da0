//! Building proofs of possession.

use aws_lc_rs::digest::{SHA256, digest};
use serde::Serialize;

use crate::{
    Clock, DpopKey, MockTenant,
    clock::unix_seconds,
    token::{Edits, Members, Unsigned, base64url, members, random_id, to_json},
};

/// Builds a DPoP proof: a valid one by default (RFC 9449 §4.2). Each has its own `jti`.
///
/// ```
/// use monocloud_testkit::{DpopKey, MockTenant};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let tenant = MockTenant::start().await;
/// let key = DpopKey::generate();
/// let token = tenant.token().bound_to_key(&key).mint();
///
/// let url = "https://api.example.com/posts";
/// let good = tenant.proof(&key, "GET", url).for_token(&token).mint();
/// let stale = tenant.proof(&key, "GET", url).for_token(&token).issued_ago(3600).mint();
/// let untyped = tenant.proof(&key, "GET", url).for_token(&token).without_header("typ").mint();
/// # let _ = (good, stale, untyped);
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "the proof is created by `mint`"]
pub struct ProofBuilder {
    key: DpopKey,
    method: String,
    /// Without query and fragment.
    url: String,
    clock: Clock,
    issued_ago: i64,
    signer: Option<DpopKey>,
    edits: Edits,
}

/// DPoP.
impl MockTenant {
    /// Starts building a proof by the tenant's time: `key` signs it for a request with this method
    /// and URL, whose query and fragment are left out (RFC 9449 §4.2).
    pub fn proof(
        &self,
        key: &DpopKey,
        method: impl AsRef<str>,
        url: impl AsRef<str>,
    ) -> ProofBuilder {
        key.proof(method, url).clock(self.clock())
    }
}

impl ProofBuilder {
    pub(crate) fn new(key: DpopKey, method: &str, url: &str) -> Self {
        let url = url.split(['?', '#']).next().unwrap_or_default();
        Self {
            key,
            method: method.to_owned(),
            url: url.to_owned(),
            clock: Clock::system(),
            issued_ago: 0,
            signer: None,
            edits: Edits::default(),
        }
    }

    /// The clock by which the proof is issued, the system's by default.
    pub fn clock(mut self, clock: &Clock) -> Self {
        self.clock = clock.clone();
        self
    }

    /// Sets `ath`, the hash of the access token that the request has.
    pub fn for_token(self, token: &str) -> Self {
        self.claim("ath", base64url(digest(&SHA256, token.as_bytes())))
    }

    /// Sets `nonce`, which the server has supplied (RFC 9449 §9).
    pub fn nonce(self, nonce: &str) -> Self {
        self.claim("nonce", nonce)
    }

    /// Sets `iat` to this many seconds before the clock's time. With a negative number, the proof
    /// is issued in the future.
    pub const fn issued_ago(mut self, seconds: i64) -> Self {
        self.issued_ago = seconds;
        self
    }

    /// Sets a claim, also in place of a default one.
    ///
    /// # Panics
    ///
    /// If `value` cannot be serialized as JSON.
    #[track_caller]
    pub fn claim(mut self, name: &str, value: impl Serialize) -> Self {
        self.edits.set_claim(name, to_json(value));
        self
    }

    /// Removes a claim, also a default one.
    pub fn without(mut self, name: &str) -> Self {
        self.edits.remove_claim(name);
        self
    }

    /// Sets a JOSE header parameter, also `alg`, `jwk` and `typ`. The key and the algorithm that
    /// sign the proof stay the same.
    ///
    /// # Panics
    ///
    /// If `value` cannot be serialized as JSON.
    #[track_caller]
    pub fn header(mut self, name: &str, value: impl Serialize) -> Self {
        self.edits.set_header(name, to_json(value));
        self
    }

    /// Removes a JOSE header parameter.
    pub fn without_header(mut self, name: &str) -> Self {
        self.edits.remove_header(name);
        self
    }

    /// Signs with another key than the one in the header.
    pub fn signed_by(mut self, key: &DpopKey) -> Self {
        self.signer = Some(key.clone());
        self
    }

    /// Makes the header exactly this text, and signs that.
    pub fn raw_header(mut self, header: impl Into<String>) -> Self {
        self.edits.replace_header(header.into());
        self
    }

    /// Makes the payload exactly these bytes, and signs those.
    pub fn raw_payload(mut self, payload: impl Into<Vec<u8>>) -> Self {
        self.edits.replace_payload(payload.into());
        self
    }

    /// The proof, in JWS compact form (RFC 7515 §7.1).
    #[must_use]
    pub fn mint(self) -> String {
        self.unsigned().sign()
    }

    /// The proof before it is signed.
    pub(crate) fn unsigned(self) -> Unsigned {
        let (header, claims) = (self.default_header(), self.default_claims());
        let signer = self.signer.unwrap_or(self.key).signing_key().clone();
        self.edits.apply(header, claims, signer)
    }

    /// The clock's time.
    fn now(&self) -> i64 {
        unix_seconds(self.clock.now())
    }

    /// RFC 9449 §4.2.
    fn default_header(&self) -> Members {
        members([
            ("typ", "dpop+jwt".into()),
            ("alg", self.key.algorithm().as_str().into()),
            ("jwk", self.key.jwk()),
        ])
    }

    /// RFC 9449 §4.2.
    fn default_claims(&self) -> Members {
        members([
            ("jti", random_id().into()),
            ("htm", self.method.as_str().into()),
            ("htu", self.url.as_str().into()),
            ("iat", (self.now() - self.issued_ago).into()),
        ])
    }
}
