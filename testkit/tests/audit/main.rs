//! The audit convicts an API of exactly what it gets wrong, and clears a right one.

// Clippy's exceptions for tests do not include their helpers.
#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

mod api;
mod bound;
mod defect;
mod inconclusive;
mod keys;
mod mcp;
mod planted;
mod proof;
mod readers;
mod tls;
mod token;

/// The document of the API.
const OPENAPI: &str = include_str!("openapi.yaml");

/// An MCP server.
const MCP: &str = include_str!("mcp.yaml");

/// The same API's operations for which a token is optional, or must be bound to a key.
const BOUND: &str = include_str!("bound.yaml");
