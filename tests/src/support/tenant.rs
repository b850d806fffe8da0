//! Shorthands for a tenant and the API it protects.

use std::{future::Future, time::Duration};

use monocloud_backend::{ProtectApi, ProtectApiBuilder};
use monocloud_testkit::{ClientAuth, Clock, MockTenant};

use super::{Api, serve};

/// A tenant whose time moves only when the test moves it.
pub async fn frozen_tenant() -> MockTenant {
    MockTenant::builder().clock(Clock::frozen()).start().await
}

/// The configuration of an API that a tenant protects, on the tenant's time.
pub fn protect(tenant: &MockTenant) -> ProtectApiBuilder {
    let clock = tenant.clock();
    ProtectApi::builder().vars(tenant.vars()).clock(clock.reading()).timer(clock.timer())
}

/// What the instances of an API share that share a store.
pub const FLEET_KEY: &str = "a secret that no store of the tests knows";

/// The configuration of an API that also asks its tenant about tokens.
pub fn introspecting(tenant: &MockTenant) -> ProtectApiBuilder {
    protect(tenant).vars(tenant.vars_for(ClientAuth::SecretPost)).fleet_key(FLEET_KEY)
}

/// The API with nothing configured but its tenant.
pub fn served(tenant: &MockTenant) -> Api {
    serve(&protect(tenant).build().unwrap())
}

/// Something that needs no time of the test's clock. What waits for that would wait for ever, so it
/// gets much more of the machine's than it needs.
pub async fn at_once<T>(work: impl Future<Output = T>) -> T {
    let patience = Duration::from_secs(60);
    tokio::time::timeout(patience, work).await.expect("it waits for nothing")
}

/// Waits for something that comes about without the test's clock.
pub async fn until(mut condition: impl FnMut() -> bool) {
    at_once(async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

/// Waits until no document is being fetched.
pub async fn landed(protect: &ProtectApi) {
    until(|| {
        let health = protect.health().tenants.remove(0);
        [health.metadata, health.keys].iter().all(|document| document.next_refresh.is_some())
    })
    .await;
}

/// A valid token of exactly this many bytes.
pub fn token_of_length(tenant: &MockTenant, length: usize) -> String {
    let token = |in_header: usize, in_payload: usize| {
        let header = tenant.token().header("x", "x".repeat(in_header));
        header.claim("x", "x".repeat(in_payload)).claim("jti", "1").mint()
    };
    let room = length - token(0, 0).len();
    // Base64 leaves out every fourth length, so it may take some bytes in the header too.
    let near = room * 3 / 4;
    let candidates = (0..4).flat_map(|header| (near - 8..=near).map(move |body| (header, body)));
    let mut tokens = candidates.map(|(in_header, in_payload)| token(in_header, in_payload));
    tokens.find(|token| token.len() == length).expect("some padding fits")
}
