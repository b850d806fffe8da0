//! Shorthands for a tenant and the API it protects.

use std::{future::Future, time::Duration};

use monocloud_backend::{ProtectApi, ProtectApiBuilder};
use monocloud_testkit::{ClientAuth, Clock, MockTenant};

use super::{Api, serve};

/// A tenant whose time moves only when the test moves it.
pub async fn frozen_tenant() -> MockTenant {
    MockTenant::builder().clock(Clock::frozen()).start().await
}

/// The configuration of an API that this tenant protects, with the tenant's clock.
pub fn protect(tenant: &MockTenant) -> ProtectApiBuilder {
    let clock = tenant.clock();
    ProtectApi::builder().vars(tenant.vars()).clock(clock.reading()).timer(clock.timer())
}

/// The secret of the instances of an API that share a store.
pub const FLEET_KEY: &str = "a secret that no store of the tests knows";

/// The configuration of an API that also asks its tenant about tokens.
pub fn introspecting(tenant: &MockTenant) -> ProtectApiBuilder {
    protect(tenant).vars(tenant.vars_for(ClientAuth::SecretPost)).fleet_key(FLEET_KEY)
}

/// The API, with only its tenant configured.
pub fn served(tenant: &MockTenant) -> Api {
    serve(&protect(tenant).build().unwrap())
}

/// Awaits what must complete without the test's clock moving. The limit, in real time, is far more
/// than it needs; without it, a mistake would hang the test.
pub async fn at_once<T>(work: impl Future<Output = T>) -> T {
    let limit = Duration::from_secs(60);
    tokio::time::timeout(limit, work).await.expect("it does not wait for the clock")
}

/// Waits for a condition that becomes true without the test's clock moving.
pub async fn until(mut condition: impl FnMut() -> bool) {
    at_once(async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

/// Waits until no document is being fetched.
pub async fn fetches_done(protect: &ProtectApi) {
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
    // No Base64 text has a length of 4n + 1, so some padding may have to go into the header.
    let near = room * 3 / 4;
    let candidates = (0..4).flat_map(|header| (near - 8..=near).map(move |body| (header, body)));
    let mut tokens = candidates.map(|(in_header, in_payload)| token(in_header, in_payload));
    tokens.find(|token| token.len() == length).expect("some padding fits")
}
