//! Tokens that are bound to a key.

use monocloud_testkit::{Api, Clock, DpopKey, Endpoint, MockTenant};
use serde_json::{Value, json};

use crate::client::{
    Pairs, Seen, VERIFIER, authorization, authorize, basic, challenge, claims, code, issued,
    post_with, redemption, started, with,
};

async fn send(tenant: &MockTenant, pairs: &[(&str, &str)], proof: &str) -> Seen {
    post_with(tenant, Endpoint::Token, pairs, &[("DPoP", proof)]).await
}

fn proof(tenant: &MockTenant, key: &DpopKey) -> String {
    tenant.proof(key, "POST", tenant.url(Endpoint::Token)).mint()
}

fn refresh(token: &Value) -> Pairs<'_> {
    let token = token.as_str().expect("a refresh token");
    vec![("grant_type", "refresh_token"), ("refresh_token", token), ("client_id", "web")]
}

#[tokio::test]
async fn a_proof_binds_the_tokens_of_a_public_client() {
    let tenant = started(MockTenant::builder()).await;
    let (key, other) = (DpopKey::generate(), DpopKey::generate());
    let code = code(&tenant).await;
    let first = issued(&send(&tenant, &redemption(&code), &proof(&tenant, &key)).await);
    assert_eq!(first["token_type"], "DPoP");
    assert_eq!(claims(&first["access_token"])["cnf"], json!({ "jkt": key.thumbprint() }));

    let form = refresh(&first["refresh_token"]);
    send(&tenant, &form, &proof(&tenant, &other)).await.refused("invalid_grant");
    crate::client::post(&tenant, Endpoint::Token, &form).await.refused("invalid_grant");
    let second = issued(&send(&tenant, &form, &proof(&tenant, &key)).await);
    assert_eq!(claims(&second["access_token"])["cnf"], json!({ "jkt": key.thumbprint() }));
}

#[tokio::test]
async fn a_confidential_client_may_change_its_key() {
    let app = monocloud_testkit::OAuthClient::confidential("app", "secret");
    let app = app.any_loopback_redirect();
    let tenant = started(MockTenant::builder().oauth_client(app)).await;
    let challenge = challenge(VERIFIER);
    let pairs = with(authorization(&challenge), "client_id", "app");
    let code = authorize(&tenant, &pairs).await.redirected().remove("code").unwrap();
    let form = with(with(redemption(&code), "client_id", "app"), "client_secret", "secret");
    let first = issued(&send(&tenant, &form, &proof(&tenant, &DpopKey::generate())).await);
    let key = DpopKey::generate();
    let form = with(refresh(&first["refresh_token"]), "client_id", "app");
    let form = with(form, "client_secret", "secret");
    let second = issued(&send(&tenant, &form, &proof(&tenant, &key)).await);
    assert_eq!(claims(&second["access_token"])["cnf"]["jkt"], key.thumbprint());
}

#[tokio::test]
async fn a_code_may_be_bound_to_a_key_before() {
    let tenant = started(MockTenant::builder()).await;
    let (key, other) = (DpopKey::generate(), DpopKey::generate());
    let (challenge, jkt) = (challenge(VERIFIER), key.thumbprint());
    let pairs = with(authorization(&challenge), "dpop_jkt", &jkt);
    let code = authorize(&tenant, &pairs).await.redirected().remove("code").unwrap();
    let form = redemption(&code);
    send(&tenant, &form, &proof(&tenant, &other)).await.refused("invalid_grant");
    crate::client::post(&tenant, Endpoint::Token, &form).await.refused("invalid_grant");
    issued(&send(&tenant, &form, &proof(&tenant, &key)).await);
}

#[tokio::test]
async fn every_wrong_proof_is_refused() {
    let tenant = MockTenant::builder().clock(Clock::frozen()).path("acme").start().await;
    let key = DpopKey::generate();
    let url = tenant.url(Endpoint::Token);
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", "service"),
        ("client_secret", "secret"),
    ];
    let right = || tenant.proof(&key, "POST", &url);
    let private = json!({ "kty": "OKP", "crv": "Ed25519", "x": "AA", "d": "AA" });
    let used = right().mint();
    issued(&send(&tenant, &form, &used).await);
    for (name, proof) in [
        ("used", used.clone()),
        ("text", "x".to_owned()),
        ("two parts", "e30.e30".to_owned()),
        ("typ", right().header("typ", "JWT").mint()),
        ("no typ", right().without_header("typ").mint()),
        ("alg", right().header("alg", "HS256").mint()),
        ("none", right().header("alg", "none").mint()),
        ("crit", right().header("crit", ["b64"]).mint()),
        ("jwk", right().without_header("jwk").mint()),
        ("private jwk", right().header("jwk", private).mint()),
        ("signature", right().signed_by(&DpopKey::generate()).mint()),
        ("htm", tenant.proof(&key, "GET", &url).mint()),
        ("no htm", right().without("htm").mint()),
        ("htu", tenant.proof(&key, "POST", tenant.url(Endpoint::Userinfo)).mint()),
        ("no htu", right().without("htu").mint()),
        ("old", right().issued_ago(301).mint()),
        ("future", right().issued_ago(-301).mint()),
        ("no iat", right().without("iat").mint()),
        ("no jti", right().without("jti").mint()),
        ("empty jti", right().claim("jti", "").mint()),
        ("payload", right().raw_payload("[]").mint()),
        ("list", format!("{}, {}", right().mint(), right().mint())),
    ] {
        let seen = send(&tenant, &form, &proof).await;
        assert_eq!(seen.json()["error"], "invalid_dpop_proof", "{name}: {seen:?}");
        assert_eq!(seen.status, 400);
    }
    let two = [("DPoP", &*right().mint()), ("DPoP", &*right().mint())];
    post_with(&tenant, Endpoint::Token, &form, &two).await.refused("invalid_dpop_proof");
    for proof in [
        right().issued_ago(300),
        right().issued_ago(-300),
        right().claim("htu", url.clone() + "?a#b"),
    ] {
        issued(&send(&tenant, &form, &proof.mint()).await);
    }
}

#[tokio::test]
async fn introspection_of_a_bound_opaque_token_says_so() {
    let api = Api::new("https://api.example.com").opaque();
    let tenant = MockTenant::builder().api(api).start().await;
    let key = DpopKey::generate();
    let tokens = tenant.sign_in("alice").bound_to_key(&key).await;
    let authorization = basic("service", "secret");
    let headers = [("Authorization", &*authorization)];
    let form = [("token", &*tokens.access_token)];
    let answer = post_with(&tenant, Endpoint::Introspection, &form, &headers).await.json();
    assert_eq!((&answer["active"], &answer["token_type"]), (&json!(true), &json!("DPoP")));
    assert_eq!(answer["cnf"]["jkt"], key.thumbprint());
    assert_eq!((&answer["sub"], &answer["client_id"]), (&json!("alice"), &json!("web")));
}
