//! Claims about the user.

use monocloud_testkit::{DpopKey, Endpoint, MockTenant, User};
use serde_json::json;

use crate::client::{Seen, claims, http, post};

async fn tenant() -> MockTenant {
    let bob = User::new("bob")
        .with_subject("u-1")
        .group("sales")
        .claim("name", "Bob")
        .claim("email", "bob@example.com")
        .claim("email_verified", true);
    MockTenant::builder().user(bob).start().await
}

async fn ask(tenant: &MockTenant, headers: &[(&str, &str)]) -> Seen {
    let mut request = http().get(tenant.url(Endpoint::Userinfo));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Seen::of(request.send().await.unwrap()).await
}

#[tokio::test]
async fn the_scopes_select_the_claims() {
    let tenant = tenant().await;
    for (scope, expected) in [
        ("", json!({ "sub": "u-1" })),
        ("profile", json!({ "sub": "u-1", "name": "Bob", "groups": ["sales"] })),
        ("email", json!({ "sub": "u-1", "email": "bob@example.com", "email_verified": true })),
    ] {
        let tokens = tenant.sign_in("bob").scope(scope).await;
        let bearer = format!("Bearer {}", tokens.access_token);
        let seen = ask(&tenant, &[("Authorization", &bearer)]).await;
        assert_eq!((seen.status, seen.json()), (200, expected.clone()), "{scope}");
        let form = [("access_token", &*tokens.access_token)];
        assert_eq!(post(&tenant, Endpoint::Userinfo, &form).await.json(), expected);
        let id = claims(&tokens.id_token.unwrap().into());
        for (name, value) in expected.as_object().unwrap() {
            assert_eq!(id[name], *value, "the ID token's {name}");
        }
        let access = claims(&tokens.access_token.into());
        assert_eq!((&access["name"], &access["groups"]), (&json!("Bob"), &json!(["sales"])));
    }
}

#[tokio::test]
async fn a_request_without_a_valid_token_is_refused() {
    let tenant = tenant().await;
    let valid = tenant.sign_in("bob").await.access_token;
    let (no_scope, revoked) = (tenant.token().mint(), tenant.sign_in("bob").await.access_token);
    tenant.revoke(&revoked);
    for (headers, status, error) in [
        (vec![], 401, "realm="),
        (vec!["Basic eDp5".to_owned()], 400, r#"error="invalid_request""#),
        (vec![format!("Bearer {valid}"), format!("Bearer {valid}")], 400, "invalid_request"),
        (vec!["Bearer".to_owned()], 400, "invalid_request"),
        (vec!["Bearer x".to_owned()], 401, r#"error="invalid_token""#),
        (vec![format!("Bearer {revoked}")], 401, r#"error="invalid_token""#),
        (vec![format!("DPoP {valid}")], 401, r#"error="invalid_token""#),
        (vec![format!("Bearer {no_scope}")], 403, r#"error="insufficient_scope""#),
    ] {
        let values: Vec<_> = headers.iter().map(|value| ("Authorization", &**value)).collect();
        let seen = ask(&tenant, &values).await;
        assert_eq!(seen.status, status, "{headers:?}: {seen:?}");
        assert!(seen.header("www-authenticate").contains(error), "{headers:?}: {seen:?}");
    }
}

#[tokio::test]
async fn a_bound_token_needs_a_proof() {
    let tenant = tenant().await;
    let key = DpopKey::generate();
    let token = tenant.sign_in("bob").bound_to_key(&key).await.access_token;
    let url = tenant.url(Endpoint::Userinfo);
    let (dpop, bearer) = (format!("DPoP {token}"), format!("Bearer {token}"));
    let right = || tenant.proof(&key, "GET", &url).for_token(&token);
    for (authorization, proof) in [
        (&bearer, String::new()),
        (&dpop, String::new()),
        (&bearer, right().mint()),
        (&dpop, right().without("ath").mint()),
        (&dpop, tenant.proof(&key, "GET", &url).for_token("other").mint()),
        (&dpop, tenant.proof(&DpopKey::generate(), "GET", &url).for_token(&token).mint()),
    ] {
        let mut headers = vec![("Authorization", authorization.as_str())];
        headers.extend((!proof.is_empty()).then_some(("DPoP", proof.as_str())));
        assert_eq!(ask(&tenant, &headers).await.status, 401, "{headers:?}");
    }
    let proof = right().mint();
    assert_eq!(ask(&tenant, &[("Authorization", &dpop), ("DPoP", &proof)]).await.status, 200);
}
