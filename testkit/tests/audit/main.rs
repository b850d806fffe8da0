//! The audit convicts an API of exactly what it gets wrong, and clears a right one.

// Clippy's exceptions for tests do not include their helpers.
#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

mod api;
mod defect;
mod inconclusive;
mod keys;
mod planted;
mod token;

/// The document of the API.
const OPENAPI: &str = include_str!("openapi.yaml");
