use crate::reader::fetch;
use monocloud_testkit::{Endpoint, MockTenant};
use std::sync::Arc;

#[tokio::test]
async fn requests_can_be_waited_for() {
    let tenant = Arc::new(MockTenant::start().await);
    tenant.requested(Endpoint::Jwks, 0).await;

    let twin = Arc::clone(&tenant);
    let waiting = tokio::spawn(async move { twin.requested(Endpoint::Jwks, 2).await });
    fetch(&tenant.url(Endpoint::Jwks)).await;
    fetch(&tenant.url(Endpoint::Discovery)).await;
    assert!(!waiting.is_finished());
    fetch(&tenant.url(Endpoint::Jwks)).await;
    waiting.await.unwrap();

    // There were more than that.
    tenant.requested(Endpoint::Jwks, 1).await;
}
