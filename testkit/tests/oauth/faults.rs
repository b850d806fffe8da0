//! Faults, counts and mocks at the endpoints of the authorization server.

use monocloud_testkit::{
    Endpoint, Fault, MockTenant,
    wiremock::{Mock, ResponseTemplate, matchers::path},
};

use crate::client::{code, issued, post, redemption, started, tokens};

const ALL: [Endpoint; 8] = [
    Endpoint::Authorize,
    Endpoint::Token,
    Endpoint::DeviceAuthorization,
    Endpoint::Device,
    Endpoint::Revocation,
    Endpoint::Userinfo,
    Endpoint::EndSession,
    Endpoint::Registration,
];

#[tokio::test]
async fn every_endpoint_can_fail_and_counts_its_requests() {
    let tenant = started(MockTenant::builder()).await;
    for endpoint in ALL {
        tenant.fault(endpoint, Fault::Status(503)).times(1);
        assert_eq!(post(&tenant, endpoint, &[]).await.status, 503, "{endpoint:?}");
        assert_ne!(post(&tenant, endpoint, &[]).await.status, 503, "{endpoint:?}");
        assert_eq!(tenant.requests(endpoint), 2, "{endpoint:?}");
    }
}

#[tokio::test]
async fn a_client_that_lost_the_answer_has_used_its_code() {
    let tenant = started(MockTenant::builder()).await;
    let code = code(&tenant).await;
    tenant.fault(Endpoint::Token, Fault::Empty).times(1);
    assert_eq!(post(&tenant, Endpoint::Token, &redemption(&code)).await.text, "");
    post(&tenant, Endpoint::Token, &redemption(&code)).await.refused("invalid_grant");
}

#[tokio::test]
async fn a_member_of_the_token_response_can_be_missing() {
    let tenant = started(MockTenant::builder()).await;
    tenant.fault(Endpoint::Token, Fault::MissingField("token_type")).times(1);
    let tokens = tokens(&tenant).await;
    assert!(tokens.get("token_type").is_none() && tokens["access_token"].is_string());
}

#[tokio::test]
async fn a_mock_takes_precedence() {
    let tenant = started(MockTenant::builder()).await;
    let mock = Mock::given(path("/connect/token"))
        .respond_with(ResponseTemplate::new(418))
        .up_to_n_times(1);
    tenant.mount(mock).await;
    assert_eq!(post(&tenant, Endpoint::Token, &[]).await.status, 418);
    let code = code(&tenant).await;
    issued(&post(&tenant, Endpoint::Token, &redemption(&code)).await);
}
