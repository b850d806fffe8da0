//! Serializing the values of claims and header parameters.

use serde::Serialize;
use serde_json::Value;

#[track_caller]
pub(crate) fn to_json(value: impl Serialize) -> Value {
    serde_json::to_value(value).expect("the value has a JSON form")
}
