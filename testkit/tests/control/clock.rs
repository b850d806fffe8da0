use std::time::{Duration, UNIX_EPOCH};

use monocloud_testkit::{Clock, MockTenant};
use serde_json::json;

use crate::caller::{accepted, post, rejected};

#[tokio::test]
async fn the_clock_is_moved_and_tells_the_time() {
    let clock = Clock::frozen_at(UNIX_EPOCH + Duration::from_secs(1_000_000));
    let tenant = MockTenant::builder().clock(clock.clone()).control().start().await;
    let now = |now: u64| json!({ "now": now, "frozen": true });
    assert_eq!(accepted(post(&tenant, "clock", json!({})).await), now(1_000_000));
    let monotonic = clock.monotonic();
    assert_eq!(accepted(post(&tenant, "clock", json!({ "advance": 90.5 })).await), now(1_000_090));
    assert_eq!(clock.monotonic(), monotonic + Duration::from_millis(90_500));
    assert_eq!(accepted(post(&tenant, "clock", json!({ "shift": -100 })).await), now(999_990));
    assert_eq!(clock.monotonic(), monotonic + Duration::from_millis(90_500));
}

#[tokio::test]
async fn a_running_clock_is_frozen() {
    let tenant = MockTenant::builder().control().start().await;
    assert_eq!(accepted(post(&tenant, "clock", json!({})).await)["frozen"], false);
    let frozen = accepted(post(&tenant, "clock", json!({ "freeze": true })).await);
    assert_eq!(frozen["frozen"], true);
    assert_eq!(accepted(post(&tenant, "clock", json!({})).await), frozen);
}

#[tokio::test]
async fn time_stays_within_what_software_can_express() {
    let tenant = MockTenant::builder().clock(Clock::frozen()).control().start().await;
    let before = tenant.clock().now();
    for change in [
        json!({ "advance": -1 }),
        json!({ "advance": "1" }),
        json!({ "advance": 1e12 }),
        json!({ "advance": 1e18 }),
        json!({ "advance": 1e300 }),
        json!({ "shift": i64::MIN }),
        json!({ "shift": i64::MAX }),
        json!({ "shift": -300_000_000_000_i64, "advance": 300_000_000_000_i64 }),
        json!({ "shift": 1.5 }),
        json!({ "advance": 1, "back": 1 }),
    ] {
        rejected(post(&tenant, "clock", change).await);
    }
    assert_eq!(tenant.clock().now(), before);
}
