//! What is measured: a token of about 870 bytes (with RS256) and ten claims, and what validates it.

use std::{
    hint::black_box,
    pin::pin,
    sync::LazyLock,
    task::{Context, Poll, Waker},
};

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA256, RsaPublicKeyComponents,
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use http::{HeaderMap, HeaderValue, Method, Uri, header::AUTHORIZATION};
use monocloud_backend::{Guard, Policy, ProtectApi, RequestHead};
use monocloud_testkit::{Algorithm, MockTenant, TokenBuilder};
use serde_json::Value;

pub(crate) const ALGORITHMS: [Algorithm; 4] =
    [Algorithm::Rs256, Algorithm::Ps256, Algorithm::Es256, Algorithm::EdDsa];

/// A token of one algorithm, and two ways to validate it.
pub(crate) struct Scene {
    pub(crate) token: String,
    /// The public key in the form that aws-lc-rs verifies fastest with.
    key: ParsedPublicKey,
    signature: Vec<u8>,
    pub(crate) request: Request,
}

/// A guard of a warm API, and the headers of a request that it accepts.
pub(crate) struct Request {
    guard: Guard,
    headers: HeaderMap,
}

impl Scene {
    /// A token that `protect`, which is warm, accepts by this key.
    pub(crate) fn new(
        protect: &ProtectApi,
        algorithm: Algorithm,
        token: String,
        jwk: &Value,
    ) -> Self {
        Self {
            key: prepared(jwk, algorithm),
            signature: decoded(token.rsplit('.').next().unwrap()),
            request: Request::new(protect, &token),
            token,
        }
    }

    /// aws-lc-rs verifies the decoded signature, and that is all.
    pub(crate) fn verify_raw(&self) {
        let (input, _) = self.token.rsplit_once('.').unwrap();
        self.key.verify_sig(black_box(input.as_bytes()), black_box(&self.signature)).unwrap();
    }
}

impl Request {
    pub(crate) fn new(protect: &ProtectApi, token: &str) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, HeaderValue::try_from(format!("Bearer {token}")).unwrap());
        Self { guard: protect.require(Policy::ANY_TOKEN.scopes(&["posts:read"])), headers }
    }

    /// [`Guard::check`], from the headers to the caller.
    pub(crate) fn check(&self) {
        check(&self.guard, &self.headers);
    }
}

pub(crate) fn check(guard: &Guard, headers: &HeaderMap) {
    static TARGET: LazyLock<Uri> = LazyLock::new(|| Uri::from_static("/posts"));
    let head = RequestHead::new(&Method::GET, &TARGET, black_box(headers));
    let check = pin!(guard.check(head));
    match check.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(caller) => drop(black_box(caller.unwrap())),
        Poll::Pending => panic!("a warm check waits for nothing"),
    }
}

pub(crate) fn token(tenant: &MockTenant, algorithm: Algorithm) -> TokenBuilder<'_> {
    tenant
        .token()
        .algorithm(algorithm)
        .subject("usr_5kNvXbmzXHpvSyTVgQd4Sx")
        .claim("client_id", "7d3f0b8a-4c25-4d0e-9a5b-1f6c2e8d9b70")
        .scope("posts:read posts:write profile")
        .groups(["admin", "editors"])
}

/// The key of the tenant that a token names.
pub(crate) fn jwk_of(tenant: &MockTenant, token: &str) -> Value {
    let header: Value = serde_json::from_slice(&decoded(token.split('.').next().unwrap())).unwrap();
    let keys = tenant.jwks()["keys"].as_array().unwrap().clone();
    keys.into_iter().find(|jwk| jwk["kid"] == header["kid"]).unwrap()
}

pub(crate) fn prepared(jwk: &Value, algorithm: Algorithm) -> ParsedPublicKey {
    let member = |name: &str| decoded(jwk[name].as_str().unwrap());
    let rsa = |parameters| {
        let components = RsaPublicKeyComponents { n: member("n"), e: member("e") };
        components.to_parsed_public_key(parameters).unwrap()
    };
    match algorithm {
        Algorithm::Rs256 => rsa(&RSA_PKCS1_2048_8192_SHA256),
        Algorithm::Ps256 => rsa(&RSA_PSS_2048_8192_SHA256),
        Algorithm::Es256 => {
            let point = [vec![4], member("x"), member("y")].concat();
            ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).unwrap()
        }
        Algorithm::EdDsa => ParsedPublicKey::new(&ED25519, member("x")).unwrap(),
        other => panic!("{other} is not measured"),
    }
}

pub(crate) fn decoded(segment: &str) -> Vec<u8> {
    BASE64_URL_SAFE_NO_PAD.decode(segment).unwrap()
}
