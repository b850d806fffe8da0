//! Confidential clients: how they authenticate, and their own tokens.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use monocloud_testkit::{Endpoint, MockTenant, OAuthClient};
use serde_json::json;

use crate::client::{basic, claims, issued, post, post_with};

const OWN: (&str, &str) = ("grant_type", "client_credentials");

#[tokio::test]
async fn a_confidential_client_gets_its_own_tokens() {
    let tenant = MockTenant::start().await;
    let form = [OWN, ("scope", "openid posts:read offline_access posts:write")];
    let authorization = basic("service", "secret");
    let headers = [("Authorization", &*authorization)];
    let response = post_with(&tenant, Endpoint::Token, &form, &headers).await;
    let response = issued(&response);
    assert_eq!(response["scope"], "posts:read posts:write", "there is no user");
    assert_eq!((response.get("refresh_token"), response.get("id_token")), (None, None));
    let claims = claims(&response["access_token"]);
    assert_eq!((&claims["sub"], &claims["client_id"]), (&json!("service"), &json!("service")));
    assert_eq!(claims["aud"], tenant.audience());
}

#[tokio::test]
async fn a_client_that_does_not_authenticate_is_refused() {
    let tenant = MockTenant::start().await;
    let post_form = |id, secret| vec![OWN, ("client_id", id), ("client_secret", secret)];
    issued(&post(&tenant, Endpoint::Token, &post_form("service", "secret")).await);
    for form in [
        post_form("service", "other"),
        post_form("service", ""),
        post_form("unknown", "secret"),
        vec![OWN, ("client_id", "service")],
        vec![OWN],
    ] {
        let seen = post(&tenant, Endpoint::Token, &form).await;
        seen.refused("invalid_client");
        assert!(seen.header("www-authenticate").starts_with("Basic "), "RFC 6749 §5.2");
    }
    for value in [basic("service", "other"), basic("other", "secret"), "Bearer x".into()] {
        let headers = [("Authorization", &*value)];
        let seen = post_with(&tenant, Endpoint::Token, &[OWN], &headers).await;
        seen.refused("invalid_client");
    }
    let both = [("Authorization", &*basic("service", "secret"))];
    let form = post_form("service", "secret");
    post_with(&tenant, Endpoint::Token, &form, &both).await.refused("invalid_client");
}

#[tokio::test]
async fn a_public_client_has_no_tokens_of_its_own() {
    let tenant = MockTenant::start().await;
    let form = [OWN, ("client_id", "web"), ("client_secret", "")];
    post(&tenant, Endpoint::Token, &form).await.refused("unauthorized_client");
    let headers = [("Authorization", &*basic("web", ""))];
    let seen = post_with(&tenant, Endpoint::Token, &[OWN], &headers).await;
    seen.refused("unauthorized_client");
}

#[tokio::test]
async fn a_client_authenticates_with_a_keyed_hash_of_its_secret() {
    use aws_lc_rs::hmac;

    let clock = monocloud_testkit::Clock::frozen();
    let tenant = MockTenant::builder().clock(clock.clone()).start().await;
    let now = clock.now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let claims = json!({
        "iss": "service", "sub": "service", "aud": tenant.issuer(), "exp": now + 60, "jti": "j",
    });
    let send = async |secret: &str| {
        let part = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let input = format!("{}.{}", part(&json!({ "alg": "HS256" })), part(&claims));
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        let signature = hmac::sign(&key, input.as_bytes());
        let assertion = format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature));
        let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
        let form = [OWN, ("client_assertion_type", kind), ("client_assertion", &*assertion)];
        post(&tenant, Endpoint::Token, &form).await
    };
    send("other").await.refused("invalid_client");
    issued(&send("secret").await);
}

#[tokio::test]
async fn a_client_authenticates_with_a_registered_key() {
    use monocloud_testkit::{Algorithm, DpopKey};

    let clock = monocloud_testkit::Clock::frozen();
    for algorithm in [Algorithm::Es256, Algorithm::Ps256, Algorithm::EdDsa] {
        let key = DpopKey::of(algorithm);
        let client = OAuthClient::public("backend").key(key.jwk());
        let builder = MockTenant::builder().oauth_client(client).clock(clock.clone());
        let tenant = builder.start().await;
        let now = clock.now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        let claims = |aud: serde_json::Value, exp| json!({ "iss": "backend", "sub": "backend", "aud": aud, "exp": exp, "jti": "j" });
        // A proof is signed with the same key, and here it has another payload.
        let signed = |claims: &serde_json::Value| {
            key.proof("POST", "").raw_payload(claims.to_string()).mint()
        };
        let send = async |assertion: &str| {
            let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
            let form = [OWN, ("client_assertion_type", kind), ("client_assertion", assertion)];
            post(&tenant, Endpoint::Token, &form).await
        };
        for aud in [json!("https://other.example.com"), json!([]), json!(null)] {
            send(&signed(&claims(aud, now + 60))).await.refused("invalid_client");
        }
        let issuer = json!(tenant.issuer());
        send(&signed(&claims(issuer.clone(), now))).await.refused("invalid_client");
        let foreign = DpopKey::of(algorithm).proof("POST", "");
        let foreign = foreign.raw_payload(claims(issuer.clone(), now + 60).to_string()).mint();
        send(&foreign).await.refused("invalid_client");

        let right = signed(&claims(json!([tenant.url(Endpoint::Token)]), now + 60));
        issued(&send(&right).await);
        send(&right).await.refused("invalid_client");
    }
}
