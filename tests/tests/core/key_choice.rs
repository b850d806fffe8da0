//! Which key of a set verifies a token.

use harness::support::{frozen_tenant, get, invalid_token, ok, served};
use monocloud_backend::error::InvalidToken::{self, AmbiguousKey, Signature, UnknownKey};
use monocloud_testkit::{Algorithm, KeySetState, MockTenant, Signer, TokenBuilder};
use serde_json::{Value, json};

/// Publishes a set derived from the tenant's key, and checks that a token signed with that key is
/// accepted, or rejected for this reason.
async fn assert_set(
    case: &str,
    set: impl Fn(Value) -> Value,
    token: impl Fn(TokenBuilder<'_>) -> TokenBuilder<'_>,
    rejection: Option<InvalidToken>,
) {
    let tenant = MockTenant::start().await;
    tenant.publish(json!({"keys": set(tenant.jwks()["keys"][0].clone())}));
    let token = token(tenant.token()).mint();
    let expected = rejection.map_or_else(ok, invalid_token);
    served(&tenant).check(case, get("/any").bearer(&token), &expected).await;
}

/// A key with some members set, or removed where the value is null.
fn with(mut key: Value, members: &Value) -> Value {
    for (name, value) in members.as_object().unwrap() {
        match value {
            Value::Null => key.as_object_mut().unwrap().remove(name),
            value => key.as_object_mut().unwrap().insert(name.clone(), value.clone()),
        };
    }
    key
}

fn bare(token: TokenBuilder<'_>) -> TokenBuilder<'_> {
    token.without_header("kid")
}

fn hmac(token: TokenBuilder<'_>) -> TokenBuilder<'_> {
    token.header("alg", "HS256")
}

#[tokio::test]
async fn a_keys_use_and_key_ops_are_enforced() {
    for (case, members, rejection) in [
        ("neither use nor alg", json!({"use": null, "alg": null}), None),
        ("for verification", json!({"key_ops": ["verify"]}), None),
        ("for signing and verification", json!({"key_ops": ["sign", "verify"]}), None),
        ("for encryption", json!({"use": "enc"}), Some(UnknownKey)),
        ("an odd use", json!({"use": ["sig"]}), Some(UnknownKey)),
        ("for signing only", json!({"key_ops": ["sign"]}), Some(UnknownKey)),
        ("an empty list", json!({"key_ops": [], "oth": [], "x5c": []}), None),
        ("an object of operations", json!({"key_ops": {}}), Some(UnknownKey)),
        ("operations of an odd type", json!({"key_ops": "verify"}), Some(UnknownKey)),
        ("another hash", json!({"alg": "RS384"}), Some(UnknownKey)),
        ("another padding", json!({"alg": "PS256"}), Some(UnknownKey)),
        ("another key type's algorithm", json!({"alg": "ES256"}), Some(UnknownKey)),
        ("an HMAC algorithm", json!({"alg": "HS256"}), Some(UnknownKey)),
        ("for key transport", json!({"alg": "RSA-OAEP"}), Some(UnknownKey)),
        ("alg of an odd type", json!({"alg": 256}), Some(UnknownKey)),
        ("another kty", json!({"kty": "EC"}), Some(UnknownKey)),
        ("kty in lower case", json!({"kty": "rsa"}), Some(UnknownKey)),
        ("no kty", json!({"kty": null}), Some(UnknownKey)),
        ("another kid", json!({"kid": "other"}), Some(UnknownKey)),
        ("no kid", json!({"kid": null}), Some(UnknownKey)),
        ("unknown members", json!({"x5c": ["AAAA"], "exp": 1, "foo": {}}), None),
    ] {
        assert_set(case, |key| json!([with(key, &members)]), |token| token, rejection).await;
    }
}

#[tokio::test]
async fn members_that_are_null_are_absent() {
    let null = |members: &[&str]| {
        let members = members.iter().map(|name| ((*name).to_owned(), Value::Null));
        members.collect::<serde_json::Map<_, _>>()
    };
    for members in
        [&["alg", "use", "key_ops", "x5c"][..], &["d", "p", "q", "dp", "dq", "qi", "oth", "k"]]
    {
        let set = |mut key: Value| {
            key.as_object_mut().unwrap().extend(null(members));
            json!([key])
        };
        assert_set(&format!("{members:?}"), set, |token| token, None).await;
        assert_set(&format!("{members:?} without kid"), set, bare, None).await;
    }
    let null_kid = |mut key: Value| {
        key["kid"] = Value::Null;
        json!([key])
    };
    assert_set("kid null", null_kid, bare, None).await;
    assert_set("kid null, and a token with one", null_kid, |token| token, Some(UnknownKey)).await;
}

#[tokio::test]
async fn private_and_symmetric_keys_are_never_used() {
    for member in ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"] {
        let private = |key| json!([with(key, &json!({member: "AQAB"}))]);
        assert_set(member, private, |token| token, Some(UnknownKey)).await;
    }
    let symmetric = |key: Value| json!([{"kty": "oct", "k": "AQAB", "kid": key["kid"]}]);
    assert_set("oct", symmetric, |token| token, Some(UnknownKey)).await;
    assert_set("oct and an HMAC algorithm", symmetric, hmac, Some(InvalidToken::Algorithm)).await;
}

#[tokio::test]
async fn rsa_keys_must_have_2048_to_8192_bits_and_a_valid_exponent() {
    // Another modulus than the tenant's: if the key is used, the signature does not verify.
    let modulus = |bits: usize| {
        let mut octets = vec![0xff; bits.div_ceil(8)];
        octets[0] >>= (8 - bits % 8) % 8;
        base64url(&octets)
    };
    for (bits, rejection) in [
        (1024, UnknownKey),
        (2047, UnknownKey),
        (2048, Signature),
        (4096, Signature),
        (8192, Signature),
        (8193, UnknownKey),
        (16384, UnknownKey),
    ] {
        let sized = |key| json!([with(key, &json!({"n": modulus(bits)}))]);
        assert_set(&format!("{bits} bits"), sized, |token| token, Some(rejection)).await;
    }
    for (case, exponent) in
        [("one", "AQ"), ("even", "AQAC"), ("zero", "AA"), ("empty", ""), ("40 bits", "AQAAAAE")]
    {
        let exponent = |key| json!([with(key, &json!({"e": exponent}))]);
        assert_set(case, exponent, |token| token, Some(UnknownKey)).await;
    }
    let zero_first = |key: Value| {
        let mut octets = vec![0];
        octets.extend(base64url_decoded(key["n"].as_str().unwrap()));
        json!([with(key, &json!({"n": base64url(&octets)}))])
    };
    assert_set("a zero before the modulus", zero_first, |token| token, None).await;
}

#[tokio::test]
async fn an_unusable_key_does_not_affect_the_others() {
    let x = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
    for (case, odd) in [
        ("null", json!(null)),
        ("a number", json!(7)),
        ("a string", json!("key")),
        ("an array", json!([])),
        ("an empty object", json!({})),
        ("a numeric kid", json!({"kty": "RSA", "kid": 7, "n": "AQAB", "e": "AQAB"})),
        ("post-quantum", json!({"kty": "AKP", "alg": "ML-DSA-44", "kid": "pq", "pub": "AQAB"})),
        ("an unknown kty", json!({"kty": "XYZ", "kid": "x"})),
        ("an unknown curve", json!({"kty": "EC", "crv": "secp256k1", "x": x, "y": x, "kid": "x"})),
        ("a point off the curve", json!({"kty": "EC", "crv": "P-256", "x": x, "y": x, "kid": "x"})),
        (
            "a short coordinate",
            json!({"kty": "EC", "crv": "P-256", "x": "AQAB", "y": x, "kid": "x"}),
        ),
        ("a short Edwards point", json!({"kty": "OKP", "crv": "Ed25519", "x": "AQAB", "kid": "x"})),
        ("a Montgomery curve", json!({"kty": "OKP", "crv": "X25519", "x": x, "kid": "x"})),
        ("a symmetric key", json!({"kty": "oct", "k": "AQAB", "kid": "x"})),
        ("an RSA key without modulus", json!({"kty": "RSA", "e": "AQAB", "kid": "x"})),
        ("a modulus with padding", json!({"kty": "RSA", "n": "AQAB==", "e": "AQAB", "kid": "x"})),
    ] {
        assert_set(case, |key| json!([odd, key, odd]), |token| token, None).await;
    }
    // The same member twice, which a `Value` cannot represent.
    let tenant = frozen_tenant().await;
    let key = &tenant.jwks()["keys"][0];
    let set = format!(r#"{{"keys":[{{"kty":"RSA","kty":"EC","kid":"x"}},{key}]}}"#);
    tenant.publish_keys_as(KeySetState::Raw(set));
    let call = get("/any").bearer(&tenant.token().mint());
    served(&tenant).check("a member twice", call, &ok()).await;
}

#[tokio::test]
async fn without_a_kid_exactly_one_key_must_match() {
    let other = json!({"kid": "other"});
    for (case, second, rejection) in [
        ("a single key", json!(null), None),
        ("a second that matches", json!({"kid": "other"}), Some(AmbiguousKey)),
        ("a second for another algorithm", json!({"kid": "other", "alg": "PS256"}), None),
        ("a second for encryption", json!({"kid": "other", "use": "enc"}), None),
        ("a second that is private", json!({"kid": "other", "d": "AQAB"}), None),
        (
            "a second without use and alg",
            json!({"kid": "other", "alg": null, "use": null}),
            Some(AmbiguousKey),
        ),
    ] {
        let set = |key: Value| match &second {
            Value::Null => json!([key]),
            members => json!([key.clone(), with(key, members)]),
        };
        assert_set(case, set, bare, rejection).await;
    }
    assert_set("one without kid", |key| json!([with(key, &json!({"kid": null}))]), bare, None)
        .await;
    assert_set(
        "none",
        |key| json!([with(key, &json!({"use": "enc"})), {"kty": "EC"}]),
        bare,
        Some(UnknownKey),
    )
    .await;
    let second = |key: Value| json!([key.clone(), with(key, &other)]);
    assert_set("two, and a kid in the token", second, |token| token, None).await;
}

#[tokio::test]
async fn two_matching_keys_with_the_same_kid_are_rejected() {
    for (case, second, rejection) in [
        ("the same key twice", json!({}), None),
        ("the same key with more members", json!({"x5c": ["AAAA"], "key_ops": ["verify"]}), None),
        ("another key", json!({"e": "Aw"}), Some(AmbiguousKey)),
        ("one for another algorithm", json!({"alg": "RS512"}), None),
        ("one for encryption", json!({"use": "enc"}), None),
        ("one of another type", json!({"kty": "EC"}), None),
    ] {
        let set = |key: Value| json!([with(key.clone(), &second), key]);
        assert_set(case, set, |token| token, rejection).await;
    }
}

#[tokio::test]
async fn the_key_determines_which_algorithm_a_token_may_use() {
    for (signs, alg, rejection) in [
        (Algorithm::Rs256, "RS384", UnknownKey),
        (Algorithm::Rs256, "PS256", UnknownKey),
        (Algorithm::Ps256, "RS256", UnknownKey),
        (Algorithm::Rs256, "ES256", UnknownKey),
        (Algorithm::Es256, "ES384", UnknownKey),
        (Algorithm::Es384, "ES256", UnknownKey),
        (Algorithm::Es256, "EdDSA", UnknownKey),
        (Algorithm::EdDsa, "ES256", UnknownKey),
        (Algorithm::EdDsa, "RS256", UnknownKey),
    ] {
        let tenant = MockTenant::builder().algorithm(signs).start().await;
        let token = tenant.token().header("alg", alg).mint();
        let case = format!("a key for {signs} with alg {alg}");
        served(&tenant).check(&case, get("/any").bearer(&token), &invalid_token(rejection)).await;
    }
}

#[tokio::test]
async fn a_signature_with_another_key_or_of_another_text_does_not_verify() {
    for algorithm in Algorithm::ALL {
        let tenant = MockTenant::builder().algorithm(algorithm).start().await;
        let api = served(&tenant);
        let foreign = tenant.token().signed_by(Signer::Foreign).mint();
        let (one, two) = (tenant.token().mint(), tenant.token().subject("eve").mint());
        let spliced =
            format!("{}.{}", two.rsplit_once('.').unwrap().0, one.rsplit_once('.').unwrap().1);
        for (case, token) in [("foreign", foreign), ("spliced", spliced)] {
            let case = format!("{case}, {algorithm}");
            api.check(&case, get("/any").bearer(&token), &invalid_token(Signature)).await;
        }
    }
}

fn base64url(octets: &[u8]) -> String {
    use base64::Engine as _;
    base64::prelude::BASE64_URL_SAFE_NO_PAD.encode(octets)
}

fn base64url_decoded(text: &str) -> Vec<u8> {
    use base64::Engine as _;
    base64::prelude::BASE64_URL_SAFE_NO_PAD.decode(text).unwrap()
}
