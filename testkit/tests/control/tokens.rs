use monocloud_testkit::{Api, Class, Hostile, MockTenant, OAuthClient, User};
use serde_json::json;

use crate::caller::{controlled_tenant, minted, part, post, rejected};

async fn shop() -> MockTenant {
    let orders = Api::new("https://orders.example.com").lifetime(600);
    let payments = Api::new("https://payments.example.com").opaque();
    let bob = User::new("bob").with_subject("user-1").group("sales").claim("plan", "pro");
    let builder = MockTenant::builder().api(orders).api(payments).user(bob);
    builder.oauth_client(OAuthClient::public("shop")).control().start().await
}

#[tokio::test]
async fn a_token_has_the_claims_of_its_user_client_and_api() {
    let tenant = shop().await;
    let claims = part(&minted(&tenant, json!({ "user": "bob" })).await, 1);
    assert_eq!((&claims["sub"], &claims["plan"]), (&json!("user-1"), &json!("pro")));
    assert_eq!(claims["groups"], json!(["sales"]));
    assert_eq!(claims["client_id"], "web");
    assert_eq!(claims["aud"], "https://orders.example.com");
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 600);

    let claims = part(&minted(&tenant, json!({ "client": "shop" })).await, 1);
    assert_eq!((&claims["sub"], &claims["client_id"]), (&json!("shop"), &json!("shop")));

    let payments = json!({ "audience": "https://payments.example.com" });
    assert!(!minted(&tenant, payments).await.contains('.'));
    let jwt = json!({ "audience": "https://payments.example.com", "opaque": false });
    assert_eq!(part(&minted(&tenant, jwt).await, 1)["aud"], "https://payments.example.com");
}

#[tokio::test]
async fn claims_win_over_everything_else() {
    let tenant = controlled_tenant().await;
    let claim = json!({ "sub": "carol", "aud": ["a", "b"], "level": 3 });
    let order = json!({ "user": "admin", "scope": "x y", "claim": claim, "expires_in": -5 });
    let claims = part(&minted(&tenant, order).await, 1);
    assert_eq!((&claims["sub"], &claims["aud"]), (&json!("carol"), &json!(["a", "b"])));
    assert_eq!((&claims["level"], &claims["scope"]), (&json!(3), &json!("x y")));
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), -5);
}

#[tokio::test]
async fn hostile_tokens_of_every_class_can_be_minted_for_any_user() {
    let tenant = controlled_tenant().await;
    for class in Class::ALL {
        let hostile = Hostile::of(&tenant, class).remove(0);
        let order = json!({ "hostile": hostile.name, "user": "admin", "scope": "posts:read" });
        assert!(!minted(&tenant, order).await.is_empty(), "{class:?}");
    }
    let order = json!({ "hostile": "aud-other-api", "user": "admin", "scope": "posts:read" });
    let claims = part(&minted(&tenant, order).await, 1);
    assert_eq!((&claims["sub"], &claims["scope"]), (&json!("admin"), &json!("posts:read")));
    assert_ne!(claims["aud"], tenant.audience());
    // Also one with unusual claims of its own.
    let order = json!({ "hostile": "payload-latin1", "claim": { "sub": 1, "exp": "soon" } });
    minted(&tenant, order).await;
}

#[tokio::test]
async fn unknown_names_and_contradictions_are_rejected() {
    let tenant = controlled_tenant().await;
    for (order, expected) in [
        (json!({ "user": "eve" }), "no user \"eve\"; valid: alice, admin"),
        (json!({ "client": "eve" }), "no client \"eve\"; valid: web, service"),
        (json!({ "user": "alice", "client": "web" }), "not for both"),
        (json!({ "hostile": "friendly" }), "no hostile token \"friendly\""),
        (json!({ "hostile": "none-unsigned", "opaque": true }), "leave out"),
        (json!({ "hostile": "none-unsigned", "expires_in": 1 }), "leave out"),
        (json!({ "expires_in": i64::MAX }), "a hundred years"),
        (json!({ "expires_in": i64::MIN }), "a hundred years"),
    ] {
        let error = rejected(post(&tenant, "tokens", order.clone()).await);
        assert!(error.contains(expected), "{order}: {error}");
    }
    let (_, answer) = post(&tenant, "tokens", json!({ "hostile": "friendly" })).await;
    let names = Hostile::all(&tenant).into_iter().map(|hostile| json!(hostile.name));
    assert_eq!(answer["valid"], names.collect::<serde_json::Value>());
}
