//! A client that repeats a request with the nonce that the server demands.

use http::{
    HeaderMap, HeaderName, HeaderValue, Response,
    header::{AUTHORIZATION, WWW_AUTHENTICATE},
};

use crate::{
    Clock, DpopKey, MockTenant, ProofBuilder,
    dpop::{DPOP, DPOP_NONCE, challenges},
};

/// A client with a key and an access token: it makes the two headers of each request (RFC 9449
/// §7.1) and learns the server's nonces (§8 and §9).
///
/// ```
/// use http::{HeaderName, HeaderValue, Response};
/// use monocloud_testkit::{DpopKey, MockTenant};
/// # fn has_nonce(headers: &[(HeaderName, HeaderValue)]) -> bool {
/// #     let proof = headers[1].1.to_str().unwrap();
/// #     use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
/// #     let payload = URL_SAFE_NO_PAD.decode(proof.split('.').nth(1).unwrap()).unwrap();
/// #     String::from_utf8(payload).unwrap().contains(r#""nonce":"n-1""#)
/// # }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let tenant = MockTenant::start().await;
/// let key = DpopKey::generate();
/// let token = tenant.token().bound_to_key(&key).mint();
/// let mut client = tenant.dpop_client(&key, token);
///
/// // An API that demands a nonce. A test calls the API under test here.
/// let api = async |headers: Vec<(HeaderName, HeaderValue)>| {
///     let response = Response::builder();
///     if has_nonce(&headers) {
///         return response.status(200).body(()).unwrap();
///     }
///     let challenge = r#"DPoP algs="ES256", error="use_dpop_nonce""#;
///     let response = response.header("WWW-Authenticate", challenge);
///     response.header("DPoP-Nonce", "n-1").status(401).body(()).unwrap()
/// };
/// let response = client.send("GET", "https://api.example.com/posts", api).await;
/// assert_eq!(response.status(), 200);
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct DpopClient {
    key: DpopKey,
    token: String,
    clock: Clock,
    nonce: Option<String>,
}

/// DPoP.
impl MockTenant {
    /// A client with this key and access token, by the tenant's time.
    #[must_use]
    pub fn dpop_client(&self, key: &DpopKey, token: impl Into<String>) -> DpopClient {
        DpopClient::new(key, token).clock(self.clock())
    }
}

impl DpopClient {
    /// A client with this key and access token, by the system's time.
    #[must_use]
    pub fn new(key: &DpopKey, token: impl Into<String>) -> Self {
        Self { key: key.clone(), token: token.into(), clock: Clock::system(), nonce: None }
    }

    /// The clock by which its proofs are issued.
    #[must_use]
    pub fn clock(mut self, clock: &Clock) -> Self {
        self.clock = clock.clone();
        self
    }

    /// The nonce of the next proof: the last one that the server has supplied.
    #[must_use]
    pub fn nonce(&self) -> Option<&str> {
        self.nonce.as_deref()
    }

    /// Starts building the proof for a request with this method and URL.
    pub fn proof(&self, method: impl AsRef<str>, url: impl AsRef<str>) -> ProofBuilder {
        let proof = self.key.proof(method, url).clock(&self.clock).for_token(&self.token);
        match &self.nonce {
            Some(nonce) => proof.nonce(nonce),
            None => proof,
        }
    }

    /// The headers of a request with this method and URL: `Authorization` and `DPoP`, with a new
    /// proof.
    ///
    /// # Panics
    ///
    /// If the token cannot be in a header.
    #[must_use]
    #[track_caller]
    pub fn headers(
        &self,
        method: impl AsRef<str>,
        url: impl AsRef<str>,
    ) -> Vec<(HeaderName, HeaderValue)> {
        let proof = self.proof(method, url).mint();
        vec![header(AUTHORIZATION, &format!("DPoP {}", self.token)), header(DPOP, &proof)]
    }

    /// Takes note of the nonce in a response, if any, and returns whether to repeat the request:
    /// its status is 401, it supplies a nonce, and its DPoP challenge has the error
    /// `use_dpop_nonce`.
    pub fn observe(&mut self, status: u16, headers: &HeaderMap) -> bool {
        let supplied = headers.get(DPOP_NONCE).and_then(|nonce| nonce.to_str().ok());
        let Some(nonce) = supplied else {
            return false;
        };
        self.nonce = Some(nonce.to_owned());
        let challenges = challenges(headers.get_all(WWW_AUTHENTICATE));
        let mut dpop = challenges.iter().filter(|challenge| challenge.scheme == "dpop");
        status == 401 && dpop.any(|dpop| dpop.parameter("error") == Some("use_dpop_nonce"))
    }

    /// Sends a request with this method and URL: calls `send` with its [headers](Self::headers),
    /// and once more if the response [demands](Self::observe) it.
    ///
    /// # Panics
    ///
    /// If the token cannot be in a header.
    pub async fn send<B>(
        &mut self,
        method: impl AsRef<str>,
        url: impl AsRef<str>,
        mut send: impl AsyncFnMut(Vec<(HeaderName, HeaderValue)>) -> Response<B>,
    ) -> Response<B> {
        let response = send(self.headers(&method, &url)).await;
        if !self.observe(response.status().as_u16(), response.headers()) {
            return response;
        }
        let response = send(self.headers(&method, &url)).await;
        self.observe(response.status().as_u16(), response.headers());
        response
    }
}

#[track_caller]
pub(crate) fn header(name: HeaderName, value: &str) -> (HeaderName, HeaderValue) {
    (name, HeaderValue::from_str(value).expect("the value is allowed in a header"))
}
