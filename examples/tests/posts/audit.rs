//! The examples are cleared by the audit, by the documents that they serve.

use monocloud_backend::ProtectApi;
use monocloud_testkit::{Audit, ClientAuth, Clock, MockTenant};

use crate::served::{self, Serve};

#[tokio::test]
async fn the_axum_example_is_cleared() {
    assert_cleared(served::axum).await;
}

#[tokio::test]
async fn the_poem_example_is_cleared() {
    assert_cleared(served::poem).await;
}

#[tokio::test]
async fn the_poem_openapi_example_is_cleared() {
    assert_cleared(served::poem_openapi).await;
}

#[tokio::test]
async fn the_salvo_example_is_cleared() {
    assert_cleared(served::salvo).await;
}

async fn assert_cleared(serve: Serve) {
    // The audit moves the clock instead of waiting.
    let tenant = MockTenant::builder().clock(Clock::frozen()).start().await;
    let clock = tenant.clock();
    let builder = ProtectApi::builder().vars(tenant.vars_for(ClientAuth::SecretBasic));
    let builder = builder.clock(clock.reading()).timer(clock.timer());
    let url = serve(builder.build().unwrap());
    let audit = Audit::of_url(format!("{url}/openapi.json")).against(url);
    let report = audit.allow_unsafe().rate(1000).run(&tenant).await;
    report.assert_passed();
    assert_eq!(report.operations.len(), 8, "{report}");
}
