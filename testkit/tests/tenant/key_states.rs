use std::collections::HashSet;

use monocloud_testkit::{Algorithm, Endpoint, KeySetState, MockTenant, Signer};
use serde_json::Value;

use crate::reader::{fetch, get, segment, verify};

/// The keys that a tenant with a key for every algorithm publishes in this state, and those that it
/// has.
async fn published(state: KeySetState) -> (MockTenant, Vec<Value>, Vec<Value>) {
    let tenant = MockTenant::start().await;
    for algorithm in Algorithm::ALL {
        let _ = tenant.token().algorithm(algorithm).mint();
    }
    tenant.publish_keys_as(state);
    let keys = |jwks: Value| jwks["keys"].as_array().unwrap().clone();
    let (found, own) = (keys(fetch(&tenant.url(Endpoint::Jwks)).await), keys(tenant.jwks()));
    (tenant, found, own)
}

#[tokio::test]
async fn a_key_set_can_be_empty_or_any_text() {
    let (tenant, keys, _) = published(KeySetState::Empty).await;
    assert!(keys.is_empty());
    tenant.publish_keys_as(KeySetState::Raw("{\"keys\":".into()));
    let response = get(&tenant.url(Endpoint::Jwks)).await;
    assert_eq!(response.headers()["content-type"], "application/json");
    assert_eq!(response.text().await.unwrap(), "{\"keys\":");
    tenant.publish_keys();
    verify(&tenant, &tenant.token().mint()).await.unwrap();
}

#[tokio::test]
async fn members_of_keys_can_be_missing_or_wrong() {
    let (_tenant, keys, own) = published(KeySetState::WithoutKid).await;
    assert_eq!(keys.len(), own.len());
    assert!(
        keys.iter().zip(&own).all(|(key, own)| key.get("kid").is_none() && key["n"] == own["n"])
    );

    let (_tenant, keys, _) = published(KeySetState::WrongUse).await;
    assert!(keys.iter().all(|key| key["use"] == "enc"));

    let (tenant, keys, own) = published(KeySetState::WrongAlg).await;
    assert!(keys.iter().zip(&own).all(|(key, own)| key["alg"] != own["alg"]));
    assert!(keys.iter().zip(&own).all(|(key, own)| key["kid"] == own["kid"]));
    verify(&tenant, &tenant.token().mint()).await.unwrap_err();
}

#[tokio::test]
async fn another_key_can_have_the_kid_of_the_active_one() {
    let (tenant, keys, own) = published(KeySetState::SameKidNewKey).await;
    let kids = |keys: &[Value]| keys.iter().map(|key| key["kid"].clone()).collect::<Vec<_>>();
    assert_eq!(kids(&keys), kids(&own));
    for algorithm in Algorithm::ALL {
        let token = || tenant.token().algorithm(algorithm);
        verify(&tenant, &token().mint()).await.unwrap_err();
        verify(&tenant, &token().signed_by(Signer::Foreign).mint()).await.unwrap();
    }

    let (_tenant, keys, own) = published(KeySetState::DuplicateKid).await;
    let (first, rest) = keys.split_at(own.len());
    assert_eq!(rest, own);
    assert_eq!(kids(first), kids(&own));
    assert!(first.iter().zip(&own).all(|(first, own)| first != own));
}

#[tokio::test]
async fn private_keys_can_be_leaked() {
    let (tenant, keys, own) = published(KeySetState::PrivateLeaked).await;
    assert_eq!(keys.len(), own.len());
    assert!(keys.iter().all(|key| key["d"].is_string()));
    verify(&tenant, &tenant.token().mint()).await.unwrap();
}

#[tokio::test]
async fn a_key_set_can_have_any_number_of_keys() {
    let (_tenant, keys, own) = published(KeySetState::Huge(1000)).await;
    assert_eq!(keys.len(), 1000);
    assert_eq!(keys[1000 - own.len()..], own);
    let kids: HashSet<_> = keys.iter().map(|key| key["kid"].as_str().unwrap()).collect();
    assert_eq!(kids.len(), 1000);
}

#[tokio::test]
async fn an_announced_key_is_published_before_it_signs() {
    let tenant = MockTenant::start().await;
    let before = tenant.token().mint();
    let next = tenant.token().signed_by(Signer::Unpublished).mint();
    verify(&tenant, &next).await.unwrap_err();

    let published = || tenant.jwks()["keys"].as_array().unwrap().len();
    let at_first = published();
    tenant.announce_key();
    tenant.announce_key();
    assert_eq!(published(), at_first + 1);
    verify(&tenant, &next).await.unwrap();
    assert_eq!(kid(&tenant.token().mint()), kid(&before));
    let unpublished = tenant.token().signed_by(Signer::Unpublished).mint();
    verify(&tenant, &unpublished).await.unwrap_err();

    tenant.rotate_keys();
    assert_eq!(kid(&tenant.token().mint()), kid(&next));
    verify(&tenant, &before).await.unwrap();
    tenant.withdraw_former_keys();
    verify(&tenant, &before).await.unwrap_err();
    verify(&tenant, &tenant.token().mint()).await.unwrap();
    assert_eq!(kid(&tenant.token().signed_by(Signer::Retired).mint()), kid(&before));
}

#[tokio::test]
async fn one_key_can_be_withdrawn() {
    let tenant = MockTenant::start().await;
    let oldest = tenant.token().mint();
    tenant.rotate_keys();
    let old = tenant.token().mint();
    tenant.rotate_keys();
    tenant.withdraw_key(&kid(&oldest));
    verify(&tenant, &oldest).await.unwrap_err();
    verify(&tenant, &old).await.unwrap();

    let next = tenant.token().signed_by(Signer::Unpublished).mint();
    tenant.announce_key();
    tenant.withdraw_key(&kid(&next));
    verify(&tenant, &next).await.unwrap_err();
    tenant.rotate_keys();
    assert_ne!(kid(&tenant.token().mint()), kid(&next));
}

#[tokio::test]
#[should_panic(expected = "no former or announced key has the kid")]
async fn the_active_key_is_replaced_and_not_withdrawn() {
    let tenant = MockTenant::start().await;
    tenant.withdraw_key(&kid(&tenant.token().mint()));
}

fn kid(token: &str) -> String {
    segment(token, 0).unwrap()["kid"].as_str().unwrap().to_owned()
}
