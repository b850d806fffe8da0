//! Moving the clock.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Deserialize;
use serde_json::{Value, json};

use crate::{MockTenant, clock::unix_seconds, control::mistake::Mistake};

/// The year 9999, the last one that most software can express.
const LATEST: i64 = 253_402_300_799;

/// All members are optional, and take effect in this order.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Change {
    /// Stops the clock.
    #[serde(default)]
    freeze: bool,
    /// Seconds by which all time advances.
    #[serde(default)]
    advance: f64,
    /// Seconds by which the wall clock alone is set forward or back.
    #[serde(default)]
    shift: i64,
}

pub(super) fn change(tenant: &MockTenant, change: Change) -> Result<Value, Mistake> {
    let clock = tenant.clock();
    let advance = Duration::try_from_secs_f64(change.advance)
        .map_err(|_| Mistake::new("`advance` is not a number of seconds from 0 on"))?;
    let reached = i64::try_from(advance.as_secs()).ok().and_then(|advance| {
        unix_seconds(clock.now()).checked_add(advance)?.checked_add(change.shift)
    });
    // Neither may any time in between be out of range.
    let is_possible = reached.is_some_and(|reached| (0..LATEST).contains(&reached))
        && advance.as_secs() < LATEST.unsigned_abs();
    if !is_possible {
        return Err(Mistake::new("the clock cannot leave the years 1970 to 9999"));
    }
    if change.freeze {
        clock.freeze();
    }
    if !advance.is_zero() {
        clock.advance(advance);
    }
    if change.shift != 0 {
        clock.shift_wall(change.shift);
    }
    Ok(json!({ "now": seconds(clock.now()), "frozen": clock.is_frozen() }))
}

fn seconds(wall: SystemTime) -> u64 {
    wall.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
