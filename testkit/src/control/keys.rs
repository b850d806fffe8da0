//! Rotating and withdrawing keys.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::{MockTenant, control::mistake::Mistake};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Withdrawal {
    /// All former keys, if it is not named.
    #[serde(default)]
    kid: Option<String>,
}

pub(super) fn rotate(tenant: &MockTenant) -> Value {
    tenant.rotate_keys();
    published(tenant)
}

pub(super) fn withdraw(tenant: &MockTenant, withdrawal: Withdrawal) -> Result<Value, Mistake> {
    match withdrawal.kid {
        None => tenant.withdraw_former_keys(),
        Some(kid) => {
            let valid: Vec<String> = {
                let documents = tenant.site.documents();
                documents.keys.withdrawable().map(str::to_owned).collect()
            };
            if !valid.contains(&kid) {
                return Err(Mistake::unknown("former or announced key", &kid, valid));
            }
            tenant.withdraw_key(&kid);
        }
    }
    Ok(published(tenant))
}

/// The `kid`s of the keys that are published now; the active ones are the first.
fn published(tenant: &MockTenant) -> Value {
    let documents = tenant.site.documents();
    json!({ "kids": documents.keys.published().map(|key| key.kid.as_str()).collect::<Vec<_>>() })
}
