use monocloud_testkit::MockTenant;
use serde_json::{Value, json};

use crate::caller::{accepted, controlled_tenant, minted, part, post, rejected};

async fn kid(tenant: &MockTenant) -> Value {
    part(&minted(tenant, json!({})).await, 0)["kid"].clone()
}

fn published(tenant: &MockTenant) -> Vec<Value> {
    tenant.jwks()["keys"].as_array().unwrap().iter().map(|key| key["kid"].clone()).collect()
}

#[tokio::test]
async fn keys_are_rotated_and_withdrawn() {
    let tenant = controlled_tenant().await;
    let first = kid(&tenant).await;
    let answer = accepted(post(&tenant, "keys/rotate", json!({})).await);
    let second = kid(&tenant).await;
    assert_ne!(first, second);
    assert_eq!(answer["kids"], json!(published(&tenant)));
    assert_eq!(answer["kids"][0], second);
    assert!(published(&tenant).contains(&first));

    let answer = accepted(post(&tenant, "keys/withdraw", json!({})).await);
    assert_eq!(answer["kids"], json!(published(&tenant)));
    assert!(!published(&tenant).contains(&first) && published(&tenant).contains(&second));
}

#[tokio::test]
async fn one_key_is_withdrawn_by_its_name() {
    let tenant = controlled_tenant().await;
    let first = kid(&tenant).await;
    post(&tenant, "keys/rotate", json!({})).await;
    let second = kid(&tenant).await;
    post(&tenant, "keys/rotate", json!({})).await;
    accepted(post(&tenant, "keys/withdraw", json!({ "kid": first })).await);
    assert!(!published(&tenant).contains(&first) && published(&tenant).contains(&second));

    // The active key cannot be withdrawn, and neither can one that is gone.
    for kid in [kid(&tenant).await, first] {
        let error = rejected(post(&tenant, "keys/withdraw", json!({ "kid": kid })).await);
        assert!(error.contains(&format!("valid: {}", second.as_str().unwrap())), "{error}");
    }
}
