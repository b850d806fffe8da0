//! What a tenant that runs for weeks remembers.

use monocloud_testkit::{Algorithm, Endpoint, MockTenant};

use crate::client::{is_active, post, started, tokens};

/// Codes, refresh tokens and sessions are forgotten, the oldest first.
#[tokio::test]
async fn the_oldest_refresh_token_is_forgotten() {
    // It signs fastest.
    let tenant = started(MockTenant::builder().algorithm(Algorithm::EdDsa)).await;
    let first = tokens(&tenant).await;
    let mut last = String::new();
    for _ in 0..10_000 {
        last = tenant.sign_in("alice").scope("offline_access").await.refresh_token.unwrap();
    }
    let refresh = async |token: &str| {
        let form =
            [("grant_type", "refresh_token"), ("refresh_token", token), ("client_id", "web")];
        post(&tenant, Endpoint::Token, &form).await
    };
    refresh(first["refresh_token"].as_str().unwrap()).await.refused("invalid_grant");
    assert_eq!(refresh(&last).await.status, 200);
    // Access tokens are forgotten later.
    assert!(is_active(&tenant, &first["access_token"]).await);
}
