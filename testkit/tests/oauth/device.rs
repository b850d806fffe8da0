//! Devices without a browser.

use std::time::Duration;

use monocloud_testkit::{Clock, Endpoint, MockTenant, MockTenantBuilder};
use serde_json::Value;

use crate::client::{claims, get, issued, post, started};

async fn started_device(builder: MockTenantBuilder) -> (MockTenant, Value) {
    let tenant = builder.clock(Clock::frozen()).start().await;
    let form = [("client_id", "web"), ("scope", "openid posts:read")];
    let device = issued(&post(&tenant, Endpoint::DeviceAuthorization, &form).await);
    (tenant, device)
}

async fn ask(tenant: &MockTenant, device: &Value) -> crate::client::Seen {
    let form = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
        ("device_code", device["device_code"].as_str().unwrap()),
        ("client_id", "web"),
    ];
    post(tenant, Endpoint::Token, &form).await
}

#[tokio::test]
async fn a_device_gets_tokens_once_its_user_has_allowed_it() {
    let (tenant, device) = started_device(MockTenant::builder().auto_login("alice")).await;
    assert_eq!(device["verification_uri"], tenant.url(Endpoint::Device));
    ask(&tenant, &device).await.refused("authorization_pending");
    let page = get(device["verification_uri_complete"].as_str().unwrap()).await;
    assert_eq!(page.status, 200, "{page:?}");

    let tokens = issued(&ask(&tenant, &device).await);
    let claims = claims(&tokens["access_token"]);
    assert_eq!((&claims["sub"], &claims["scope"]), (&"alice".into(), &"openid posts:read".into()));
    assert!(tokens["id_token"].is_string());
    ask(&tenant, &device).await.refused("invalid_grant");
}

#[tokio::test]
async fn a_device_must_not_ask_too_often() {
    let (tenant, device) = started_device(MockTenant::builder()).await;
    ask(&tenant, &device).await.refused("authorization_pending");
    tenant.clock().advance(Duration::from_secs(4));
    ask(&tenant, &device).await.refused("slow_down");
    // The interval is longer now.
    tenant.clock().advance(Duration::from_secs(9));
    ask(&tenant, &device).await.refused("slow_down");
    tenant.clock().advance(Duration::from_secs(15));
    ask(&tenant, &device).await.refused("authorization_pending");
}

#[tokio::test]
async fn a_device_code_expires() {
    let (tenant, device) = started_device(MockTenant::builder().auto_login("alice")).await;
    tenant.clock().advance(Duration::from_secs(600));
    ask(&tenant, &device).await.refused("expired_token");
    let page = get(device["verification_uri_complete"].as_str().unwrap()).await;
    assert_eq!(page.status, 400, "{page:?}");
}

#[tokio::test]
async fn a_device_request_is_checked() {
    let tenant = started(MockTenant::builder()).await;
    for (form, error) in [
        (vec![], "invalid_client"),
        (vec![("client_id", "unknown")], "invalid_client"),
        (vec![("client_id", "web"), ("scope", "a\"b")], "invalid_scope"),
        (vec![("client_id", "web"), ("resource", "x")], "invalid_target"),
    ] {
        post(&tenant, Endpoint::DeviceAuthorization, &form).await.refused(error);
    }
    let unknown = Value::from_iter([("device_code", "x")]);
    ask(&tenant, &unknown).await.refused("invalid_grant");
}

#[cfg(feature = "pages")]
#[tokio::test]
async fn a_user_enters_the_code_and_decides() {
    for (field, value) in [("user", "admin"), ("cancel", "true")] {
        let (tenant, device) = started_device(MockTenant::builder()).await;
        let code = device["user_code"].as_str().unwrap();
        let entry = get(&tenant.url(Endpoint::Device)).await;
        assert!(entry.status == 200 && entry.text.contains(r#"name="user_code""#));
        let wrong = post(&tenant, Endpoint::Device, &[("user_code", "AAAA-AAAA")]).await;
        assert!(wrong.status == 400 && wrong.text.contains("no such code"), "{wrong:?}");

        let typed = code.to_lowercase().replace('-', "");
        let page = post(&tenant, Endpoint::Device, &[("user_code", &typed)]).await;
        assert!(page.text.contains("posts:read") && page.text.contains("web"), "{page:?}");
        let decided = post(&tenant, Endpoint::Device, &[("user_code", code), (field, value)]).await;
        assert_eq!(decided.status, 200, "{decided:?}");
        let answer = ask(&tenant, &device).await;
        if field == "user" {
            assert_eq!(claims(&issued(&answer)["access_token"])["sub"], "admin");
        } else {
            answer.refused("access_denied");
        }
        // The decision is final.
        let again = post(&tenant, Endpoint::Device, &[("user_code", code), (field, value)]).await;
        assert_eq!(again.status, 400, "{again:?}");
    }
}

#[tokio::test]
async fn a_test_decides_for_the_user() {
    let (tenant, device) = started_device(MockTenant::builder()).await;
    tenant.allow_device(device["user_code"].as_str().unwrap(), "admin");
    let tokens = issued(&ask(&tenant, &device).await);
    assert_eq!(claims(&tokens["access_token"])["sub"], "admin");

    let (tenant, device) = started_device(MockTenant::builder()).await;
    tenant.deny_device(device["user_code"].as_str().unwrap());
    ask(&tenant, &device).await.refused("access_denied");
}

#[tokio::test]
#[should_panic(expected = "no device waits with the code \"AAAA-AAAA\"")]
async fn an_unknown_code_is_a_mistake() {
    MockTenant::start().await.allow_device("AAAA-AAAA", "alice");
}
