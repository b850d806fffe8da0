//! The tenant as an authorization server, as its clients see it.

// Clippy's exceptions for tests do not include their helpers.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

mod client;
mod code_flow;
