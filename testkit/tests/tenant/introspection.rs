use monocloud_testkit::{ClientAuth, Endpoint, MockTenant};
use serde_json::{Value, json};

#[tokio::test]
async fn an_opaque_token_is_active() {
    let tenant = MockTenant::start().await;
    let token = tenant.opaque_token().subject("alice").mint();
    let body = form_urlencoded::Serializer::new(String::new())
        .append_pair("token", &token)
        .append_pair("token_type_hint", "access_token")
        .append_pair("client_id", tenant.client().id())
        .append_pair("client_secret", tenant.client().secret())
        .finish();
    let response = reqwest::Client::new()
        .post(tenant.url(Endpoint::Introspection))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(body)
        .send()
        .await
        .unwrap();
    let answer: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
    assert_eq!(answer["active"], json!(true), "{answer}");
    assert_eq!(tenant.introspections()[0].client_auth, Some(ClientAuth::SecretPost));
}
