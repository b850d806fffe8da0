//! The endpoint of an MCP server (Model Context Protocol, authorization of 2026-07-28): policies per
//! tool, resource and prompt.
//!
//! ```
//! use monocloud_backend::{Policy, ProtectApi, mcp::{McpGuard, mcp}};
//!
//! const READ: Policy = Policy::ANY_TOKEN.scopes(&["posts:read"]);
//! const WRITE: Policy = Policy::ANY_TOKEN.scopes(&["posts:write"]);
//!
//! fn guard(protect: &ProtectApi) -> McpGuard {
//!     mcp(protect).tool("list_posts", READ).tool("create_post", WRITE)
//! }
//! ```
//!
//! The [manual](crate::manual::mcp) has a whole server.
//!
//! # How a request is checked
//!
//! 1. An `Origin` that is not allowed: 403, without a challenge.
//! 2. The token, as by [`Guard`](crate::Guard). A 401 names the scopes that the headers `Mcp-Method` and
//!    `Mcp-Name` call for. A session id and a token in the query count for nothing.
//! 3. The body, of limited size, read as strictly as a token. What is malformed is 400, with a JSON-RPC
//!    error. So is a body that asks for something else than the headers say (`HeaderMismatch`, -32020).
//! 4. What the body asks for, each message of a batch. A 403 names the scopes of all of it.

pub(crate) mod body;
mod guard;
mod headers;
mod message;
mod operation;
mod policies;
mod rejection;

use http::{HeaderMap, HeaderValue, header::CONTENT_TYPE};

pub use self::{
    body::BodyError,
    guard::{Admitted, McpGuard},
    rejection::McpRejection,
};
use crate::protect::ProtectApi;

/// A guard for the endpoint of an MCP server. Without further calls, any valid token may list what the
/// server has, and call nothing of it.
pub fn mcp(protect: &ProtectApi) -> McpGuard {
    McpGuard::new(protect)
}

/// Whether a response lasts for as long as the server has events.
#[allow(dead_code, reason = "hosts use it")]
pub(crate) fn is_event_stream(headers: &HeaderMap) -> bool {
    let media_type = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    let media_type = media_type.get(..EVENT_STREAM.len()).unwrap_or_default();
    media_type.eq_ignore_ascii_case(EVENT_STREAM)
}

const EVENT_STREAM: &[u8] = b"text/event-stream";
