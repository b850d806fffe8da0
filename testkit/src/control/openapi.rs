//! The OpenAPI document of the control API.

use serde_json::Value;

use crate::{Endpoint, control::faults::FAULTS};

/// The document, with the names that the code knows.
pub(super) fn document() -> Value {
    const TEXT: &str = include_str!("openapi.json");

    let mut document: Value = serde_json::from_str(TEXT).unwrap_or_default();
    document["info"]["version"] = env!("CARGO_PKG_VERSION").into();
    let schemas = &mut document["components"]["schemas"];
    schemas["Endpoint"]["enum"] = Endpoint::ALL.iter().map(|endpoint| endpoint.name()).collect();
    schemas["FaultName"]["enum"] = FAULTS.iter().map(|(name, _)| *name).collect();
    document
}
