use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use monocloud_testkit::{Endpoint, MockTenant, Times};

use crate::reader::fetch;

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

#[tokio::test]
async fn an_expectation_is_a_number_or_a_range() {
    let tenant = MockTenant::start().await;
    fetch(&tenant.url(Endpoint::Jwks)).await;
    fetch(&tenant.url(Endpoint::Jwks)).await;
    let met: [Times; 7] = [
        2.into(),
        (2..3).into(),
        (1..=2).into(),
        (2..).into(),
        (..3).into(),
        (..=2).into(),
        (..).into(),
    ];
    met.into_iter().for_each(|times| tenant.expect(Endpoint::Jwks, times));
    tenant.expect(Endpoint::Canary, 0);
    tenant.verify();
}

#[tokio::test]
async fn an_unmet_expectation_is_reported_with_its_location() {
    for (times, words) in [
        (Times::from(2), "Jwks: 2 requests expected at "),
        (Times::from(0..1), "Jwks: 0 requests expected at "),
        (Times::from(2..), "Jwks: 2 requests or more expected at "),
        (Times::from(2..=4), "Jwks: 2 to 4 requests expected at "),
    ] {
        let tenant = MockTenant::start().await;
        fetch(&tenant.url(Endpoint::Jwks)).await;
        tenant.expect(Endpoint::Jwks, times);
        let panic = catch_unwind(AssertUnwindSafe(|| drop(tenant))).unwrap_err();
        let message = panic.downcast_ref::<String>().unwrap();
        assert!(message.starts_with(words), "{message}");
        assert!(message.contains("expectations.rs:"), "{message}");
        assert!(message.ends_with("but found 1"), "{message}");
    }
}

#[tokio::test]
#[should_panic(expected = "what the test found")]
async fn an_expectation_does_not_hide_why_a_test_failed() {
    let tenant = MockTenant::start().await;
    tenant.expect(Endpoint::Jwks, 1);
    panic!("what the test found");
}

#[tokio::test]
#[should_panic(expected = "no number of requests is in an empty range")]
async fn an_empty_range_is_rejected() {
    MockTenant::start().await.expect(Endpoint::Jwks, 2..2);
}
