//! The endpoint of an MCP server: what a host can get wrong (`placement`), and on one host what the
//! guard decides (`order`, `policies`, `agreement`).

mod agreement;
mod order;
mod placement;
mod policies;

use harness::support::{Answer, Call, call, frozen_tenant, protect};
use monocloud_backend::{
    Policy, ProtectApi,
    mcp::{McpGuard, mcp},
};
use monocloud_testkit::MockTenant;
use serde_json::{Value, json};

const ANY: Policy = Policy::ANY_TOKEN;
const READ: Policy = ANY.scopes(&["posts:read"]);
const WRITE: Policy = ANY.scopes(&["posts:read", "posts:write"]);

const METADATA: &str =
    r#"resource_metadata="https://api.example.com/.well-known/oauth-protected-resource""#;

/// A tenant, and an API that serves its metadata.
async fn world() -> (MockTenant, ProtectApi) {
    let tenant = frozen_tenant().await;
    let protect = protect(&tenant).build().unwrap();
    let _ = protect.serve_resource_metadata().unwrap();
    (tenant, protect)
}

fn guard(protect: &ProtectApi) -> McpGuard {
    mcp(protect)
        .tool("list_posts", READ)
        .tool("create_post", WRITE)
        .resource("posts://1", READ)
        .prompt("summarize", READ)
}

fn message(method: &str, params: Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": 7, "method": method, "params": params })
}

fn tool(name: &str) -> Value {
    message("tools/call", json!({ "name": name, "arguments": {} }))
}

/// A request of a revision before 2026-07-28, whose headers say nothing.
fn older(message: &Value) -> Call {
    harness::support::post("/mcp", &message.to_string())
}

/// A request of revision 2026-07-28.
fn modern(message: &Value) -> Call {
    let method = message["method"].as_str().unwrap();
    let call = older(message).header("mcp-protocol-version", "2026-07-28");
    let call = call.header("mcp-method", method);
    let name = message["params"]["name"].as_str().or(message["params"]["uri"].as_str());
    match name {
        Some(name) => call.header("mcp-name", name),
        None => call,
    }
}

fn stream_of_older_revisions(method: &str) -> Call {
    call(method, "/mcp").header("mcp-session-id", "7")
}

#[track_caller]
fn assert_challenge(answer: &Answer, status: u16, parameters: &str) {
    assert_eq!(answer.status, status, "{answer:?}");
    let expected = format!(r#"Bearer realm="https://api.example.com"{parameters}, {METADATA}"#);
    assert_eq!(answer.header("www-authenticate"), Some(&*expected), "{answer:?}");
}

#[track_caller]
fn assert_passes(answer: &Answer, message: &Value) {
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.body, format!("POST {message}"));
}

/// A JSON-RPC error without a challenge.
#[track_caller]
fn assert_error(answer: &Answer, status: u16, code: i32, id: Option<i32>) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(answer.header("www-authenticate"), None);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let body: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(body["jsonrpc"], "2.0");
    assert_eq!(body["error"]["code"], code, "{body}");
    assert_eq!(body.get("id"), id.map(Value::from).as_ref(), "{body}");
}
