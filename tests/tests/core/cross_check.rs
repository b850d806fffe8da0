//! The library and `jsonwebtoken`, with another implementation of cryptography (RustCrypto), agree
//! on every algorithm that both support, which is all but ES512.

use harness::support::request_head;
use http::{HeaderMap, HeaderValue, header::AUTHORIZATION};
use jsonwebtoken::{
    Algorithm as JwtAlgorithm, DecodingKey, EncodingKey, Header, Validation,
    crypto::rust_crypto,
    jwk::{Jwk, JwkSet},
};
use monocloud_backend::{Error, Policy, ProtectApi, error::InvalidToken};
use monocloud_testkit::{Algorithm, MockTenant, Signer};
use serde_json::{Value, json};

const SHARED: [(Algorithm, JwtAlgorithm); 9] = [
    (Algorithm::Rs256, JwtAlgorithm::RS256),
    (Algorithm::Rs384, JwtAlgorithm::RS384),
    (Algorithm::Rs512, JwtAlgorithm::RS512),
    (Algorithm::Ps256, JwtAlgorithm::PS256),
    (Algorithm::Ps384, JwtAlgorithm::PS384),
    (Algorithm::Ps512, JwtAlgorithm::PS512),
    (Algorithm::Es256, JwtAlgorithm::ES256),
    (Algorithm::Es384, JwtAlgorithm::ES384),
    (Algorithm::EdDsa, JwtAlgorithm::EdDSA),
];

/// Selects a provider of `jsonwebtoken`, which is necessary if both are compiled in.
fn use_rust_crypto() {
    // Another test of this binary may have been first.
    let _ = rust_crypto::DEFAULT_PROVIDER.install_default();
}

/// The bytes before the 32 bytes of a private Ed25519 key in PKCS#8 (RFC 8410 §7).
const ED25519_PKCS8: &[u8] = b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20";

/// Validates a token with the library.
async fn check(tenant: &MockTenant, token: &str) -> Result<Value, Error> {
    let protect = ProtectApi::from_vars(tenant.vars()).unwrap();
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, HeaderValue::try_from(format!("Bearer {token}")).unwrap());
    match protect.require(Policy::ANY_TOKEN).check(request_head(&headers)).await {
        Ok(caller) => Ok(serde_json::to_value(caller.claims().unwrap()).unwrap()),
        Err(rejection) => Err(rejection.error().clone()),
    }
}

/// Validates a token with jsonwebtoken and the keys that the tenant publishes.
fn decode(tenant: &MockTenant, token: &str) -> Result<Value, jsonwebtoken::errors::Error> {
    let keys: JwkSet = serde_json::from_value(tenant.jwks()).unwrap();
    let header = jsonwebtoken::decode_header(token)?;
    let key = keys.find(header.kid.as_deref().unwrap()).unwrap();
    let mut validation = Validation::new(header.alg);
    validation.set_issuer(&[tenant.issuer()]);
    validation.set_audience(&[tenant.audience()]);
    jsonwebtoken::decode(token, &DecodingKey::from_jwk(key)?, &validation).map(|token| token.claims)
}

#[tokio::test]
async fn both_read_the_same_claims_from_a_token() {
    use_rust_crypto();
    let tenant = MockTenant::start().await;
    for (algorithm, _) in SHARED {
        let token = tenant.token().algorithm(algorithm).subject("alice").scope("a b").mint();
        let claims = check(&tenant, &token).await.unwrap();
        assert_eq!(claims["sub"], "alice", "{algorithm}");
        assert_eq!(decode(&tenant, &token).unwrap(), claims, "{algorithm}");
    }
}

#[tokio::test]
async fn both_reject_a_token_signed_by_another_key() {
    use_rust_crypto();
    let tenant = MockTenant::start().await;
    for (algorithm, _) in SHARED {
        let token = tenant.token().algorithm(algorithm).signed_by(Signer::Foreign).mint();
        let result = check(&tenant, &token).await;
        assert!(
            matches!(result, Err(Error::InvalidToken(InvalidToken::Signature))),
            "{algorithm}: {result:?}"
        );
        assert!(decode(&tenant, &token).is_err(), "{algorithm}");
    }
}

#[tokio::test]
async fn a_token_and_a_key_written_by_jsonwebtoken_are_accepted() {
    use_rust_crypto();
    let tenant = MockTenant::start().await;
    for (_, algorithm) in SHARED {
        let key = private_key(algorithm);
        tenant.publish(json!({ "keys": [published(&key, algorithm)] }));
        let token = encode(&tenant, &key, algorithm);
        let claims = check(&tenant, &token).await.unwrap();
        assert_eq!(claims["sub"], "bob", "{algorithm:?}");
    }
}

#[tokio::test]
async fn a_token_signed_with_another_algorithm_than_that_of_its_key_is_rejected() {
    use_rust_crypto();
    let tenant = MockTenant::start().await;
    let key = private_key(JwtAlgorithm::RS256);
    tenant.publish(json!({ "keys": [published(&key, JwtAlgorithm::RS256)] }));
    for algorithm in [JwtAlgorithm::RS384, JwtAlgorithm::PS256] {
        let result = check(&tenant, &encode(&tenant, &key, algorithm)).await;
        assert!(
            matches!(result, Err(Error::InvalidToken(InvalidToken::UnknownKey))),
            "{algorithm:?}: {result:?}"
        );
    }
}

#[tokio::test]
async fn a_token_signed_with_the_public_key_as_a_secret_is_rejected() {
    use_rust_crypto();
    let tenant = MockTenant::start().await;
    let key = private_key(JwtAlgorithm::RS256);
    let published = published(&key, JwtAlgorithm::RS256);
    tenant.publish(json!({ "keys": [published] }));
    let secret = EncodingKey::from_secret(published["n"].as_str().unwrap().as_bytes());
    let result = check(&tenant, &encode(&tenant, &secret, JwtAlgorithm::HS256)).await;
    assert!(matches!(result, Err(Error::InvalidToken(InvalidToken::Algorithm))), "{result:?}");
}

/// A private key in the format that jsonwebtoken takes.
fn private_key(algorithm: JwtAlgorithm) -> EncodingKey {
    let generated = |algorithm| rcgen::KeyPair::generate_for(algorithm).unwrap().serialize_der();
    match algorithm {
        JwtAlgorithm::ES256 => EncodingKey::from_ec_der(&generated(&rcgen::PKCS_ECDSA_P256_SHA256)),
        JwtAlgorithm::ES384 => EncodingKey::from_ec_der(&generated(&rcgen::PKCS_ECDSA_P384_SHA384)),
        JwtAlgorithm::EdDSA => EncodingKey::from_ed_der(&[ED25519_PKCS8, &[7; 32]].concat()),
        _ => {
            let pkcs8 = include_bytes!("../../../testkit/keys/attacker.pkcs8.der");
            // The PKCS#1 key follows a PKCS#8 header of 26 bytes.
            EncodingKey::from_rsa_der(&pkcs8[26..])
        }
    }
}

/// The public key, as jsonwebtoken writes it.
fn published(key: &EncodingKey, algorithm: JwtAlgorithm) -> Value {
    let mut jwk = Jwk::from_encoding_key(key, algorithm).unwrap();
    jwk.common.key_id = Some("jsonwebtoken".to_owned());
    serde_json::to_value(jwk).unwrap()
}

fn encode(tenant: &MockTenant, key: &EncodingKey, algorithm: JwtAlgorithm) -> String {
    let mut header = Header::new(algorithm);
    header.kid = Some("jsonwebtoken".to_owned());
    let claims = json!({
        "iss": tenant.issuer(),
        "aud": [tenant.audience()],
        "sub": "bob",
        "exp": jsonwebtoken::get_current_timestamp() + 60,
    });
    jsonwebtoken::encode(&header, &claims, key).unwrap()
}
