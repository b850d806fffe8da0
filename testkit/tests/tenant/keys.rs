use std::collections::HashSet;

use monocloud_testkit::{Algorithm, Endpoint, MockTenant, Signer};
use serde_json::json;

use crate::reader::{segment, verify};

#[tokio::test]
async fn gentle_rotation_keeps_the_old_key_published() {
    let tenant = MockTenant::start().await;
    let before = tenant.token().mint();
    let announced = tenant.token().signed_by(Signer::Unpublished).mint();
    assert!(verify(&tenant, &announced).await.is_err());

    tenant.rotate_keys();
    let after = tenant.token().mint();
    assert_ne!(kid(&before), kid(&after));
    for token in [&before, &announced, &after] {
        verify(&tenant, token).await.unwrap();
    }
}

#[tokio::test]
async fn abrupt_rotation_withdraws_the_old_keys() {
    let tenant = MockTenant::start().await;
    let oldest = tenant.token().mint();
    tenant.rotate_keys();
    let old = tenant.token().mint();
    tenant.replace_keys();

    assert!(verify(&tenant, &oldest).await.is_err());
    assert!(verify(&tenant, &old).await.is_err());
    verify(&tenant, &tenant.token().mint()).await.unwrap();

    let retired = tenant.token().signed_by(Signer::Retired).mint();
    assert_eq!(kid(&retired), kid(&old));
}

#[tokio::test]
async fn rotation_covers_every_algorithm_in_use() {
    let tenant = MockTenant::start().await;
    let old = tenant.token().algorithm(Algorithm::Es256).mint();
    tenant.replace_keys();
    assert!(verify(&tenant, &old).await.is_err());
    let new = tenant.token().algorithm(Algorithm::Es256).mint();
    verify(&tenant, &new).await.unwrap();
}

#[tokio::test]
async fn only_tokens_by_the_active_key_verify() {
    let tenant = MockTenant::start().await;
    for algorithm in Algorithm::ALL {
        let token = || tenant.token().algorithm(algorithm);
        let active = token().mint();
        verify(&tenant, &active).await.unwrap();

        for signer in [Signer::Retired, Signer::Unpublished, Signer::Foreign] {
            let forged = token().signed_by(signer).mint();
            let result = verify(&tenant, &forged).await;
            assert!(result.is_err(), "{algorithm} {signer:?}");
            assert_eq!(kid(&forged) == kid(&active), signer == Signer::Foreign);
        }
    }
}

#[tokio::test]
async fn a_tenant_never_gives_one_key_two_roles() {
    let tenant = MockTenant::start().await;
    for algorithm in Algorithm::ALL {
        let _ = tenant.token().algorithm(algorithm).mint();
    }
    tenant.rotate_keys();

    let jwks = tenant.jwks();
    let keys = jwks["keys"].as_array().unwrap();
    assert_eq!(keys.len(), 20);
    let material = |jwk: &serde_json::Value| format!("{}{}{}", jwk["n"], jwk["x"], jwk["y"]);
    let distinct: HashSet<_> = keys.iter().map(material).collect();
    assert_eq!(distinct.len(), keys.len());
}

#[tokio::test]
async fn a_key_set_can_be_replaced() {
    let tenant = MockTenant::start().await;
    let token = tenant.token().mint();
    let unknown = Err("unknown kid".to_owned());

    tenant.publish(json!({ "keys": [] }));
    assert_eq!(verify(&tenant, &token).await, unknown);
    tenant.publish_keys();
    verify(&tenant, &token).await.unwrap();

    tenant.publish(json!({ "keys": [] }));
    tenant.rotate_keys();
    verify(&tenant, &token).await.unwrap();
    assert_eq!(tenant.requests(Endpoint::Jwks), 3);
}

fn kid(token: &str) -> String {
    segment(token, 0).unwrap()["kid"].to_string()
}
