//! An independent reader of the tenant: reqwest to fetch, jsonwebtoken to verify.

use aws_lc_rs::signature::{ECDSA_P521_SHA512_FIXED, UnparsedPublicKey};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, crypto::aws_lc, jwk::Jwk};
use monocloud_testkit::{Endpoint, MockTenant};
use reqwest::{Certificate, Client, ClientBuilder, Response};
use serde_json::Value;

/// A client that trusts the authorities in this PEM and no others. It keeps no
/// connection, so that each request meets the tenant as it is.
pub(crate) fn client_trusting(pem: &str) -> ClientBuilder {
    let authorities = Certificate::from_pem_bundle(pem.as_bytes()).expect("PEM");
    Client::builder().tls_certs_only(authorities).no_proxy().pool_max_idle_per_host(0)
}

/// A client without TLS, that keeps its connections.
pub(crate) fn plain_client() -> Client {
    let client = Client::builder().tls_certs_only([]).no_proxy();
    client.build().expect("a client")
}

/// What a plain-HTTP tenant answers with.
pub(crate) async fn get(url: &str) -> Response {
    plain_client().get(url).send().await.expect("the tenant answers")
}

/// The JSON document at `url`.
pub(crate) async fn fetch(url: &str) -> Value {
    let response = get(url).await;
    assert_eq!(response.status(), 200, "{url}");
    let body = response.text().await.expect("the body arrives");
    serde_json::from_str(&body).expect("the body is JSON")
}

/// The claims of `token`, if the keys that the tenant publishes and its issuer,
/// audience and time say that it is valid.
pub(crate) async fn verify(tenant: &MockTenant, token: &str) -> Result<Value, String> {
    let jwks = fetch(&tenant.url(Endpoint::Jwks)).await;
    let header = segment(token, 0)?;
    let jwk = key_for(&header, &jwks)?;
    // jsonwebtoken has no ES512.
    if header["alg"] == "ES512" {
        verify_es512(token, jwk)?;
        return segment(token, 1);
    }

    // Built together with the library's tests, it has two providers and needs a choice.
    let _ = aws_lc::DEFAULT_PROVIDER.install_default();
    let algorithm: Algorithm = from_json(&header["alg"])?;
    let mut validation = Validation::new(algorithm);
    validation.set_issuer(&[tenant.issuer()]);
    validation.set_audience(&[tenant.audience()]);
    validation.set_required_spec_claims(&["iss", "aud", "exp"]);
    validation.validate_nbf = true;
    let key = DecodingKey::from_jwk(&from_json::<Jwk>(jwk)?).map_err(text)?;
    let token = jsonwebtoken::decode::<Value>(token, &key, &validation).map_err(text)?;
    Ok(token.claims)
}

/// The JSON of a token's header (0) or payload (1).
pub(crate) fn segment(token: &str, index: usize) -> Result<Value, String> {
    let segment = token.split('.').nth(index).ok_or("too few segments")?;
    serde_json::from_slice(&decode(segment)?).map_err(text)
}

/// Whether one of the keys in `jwks` signed `token`, whatever its claims.
pub(crate) fn is_signed(jwks: &Value, token: &str) -> bool {
    let keys = jwks["keys"].as_array().expect("a JWK Set has keys");
    keys.iter().any(|jwk| {
        let algorithm = jwk["alg"].as_str().expect("an algorithm");
        is_signed_by(jwk, algorithm, token).expect("a JWK")
    })
}

/// Whether the key signed `token` with this algorithm. It fails if it cannot read the key.
pub(crate) fn is_signed_by(jwk: &Value, algorithm: &str, token: &str) -> Result<bool, String> {
    let Some((input, signature)) = token.rsplit_once('.') else {
        return Ok(false);
    };
    if algorithm == "ES512" {
        return Ok(verify_es512(token, jwk).is_ok());
    }
    let algorithm = from_json(&algorithm.into())?;
    let key = DecodingKey::from_jwk(&from_json(jwk)?).map_err(text)?;
    let verified = jsonwebtoken::crypto::verify(signature, input.as_bytes(), &key, algorithm);
    Ok(verified.unwrap_or(false))
}

fn key_for<'a>(header: &Value, jwks: &'a Value) -> Result<&'a Value, String> {
    let keys = jwks["keys"].as_array().expect("a JWK Set has keys");
    let named = |jwk: &&Value| jwk["kid"] == header["kid"];
    let jwk = keys.iter().find(named).ok_or("unknown kid")?;
    if jwk["alg"] != header["alg"] {
        return Err("the key is for another algorithm".into());
    }
    Ok(jwk)
}

fn verify_es512(token: &str, jwk: &Value) -> Result<(), String> {
    let (input, signature) = token.rsplit_once('.').ok_or("too few segments")?;
    let mut point = vec![4];
    for coordinate in ["x", "y"] {
        point.extend(decode(jwk[coordinate].as_str().ok_or("no coordinate")?)?);
    }
    UnparsedPublicKey::new(&ECDSA_P521_SHA512_FIXED, point)
        .verify(input.as_bytes(), &decode(signature)?)
        .map_err(text)
}

fn from_json<T: serde::de::DeserializeOwned>(value: &Value) -> Result<T, String> {
    serde_json::from_value(value.clone()).map_err(text)
}

fn decode(segment: &str) -> Result<Vec<u8>, String> {
    URL_SAFE_NO_PAD.decode(segment).map_err(text)
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
