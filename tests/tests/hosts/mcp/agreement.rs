//! Headers and body must say the same, and the body must be what every parser reads alike.

use harness::{
    hosts::AXUM,
    support::{Call, call, post},
};
use serde_json::json;

use super::{assert_error, assert_passes, guard, message, modern, older, tool, world};

fn create() -> Call {
    older(&tool("create_post"))
}

#[tokio::test]
async fn headers_that_differ_from_the_body_are_a_mismatch() {
    let (tenant, protect) = world().await;
    let api = AXUM.serve_mcp(guard(&protect));
    let token = tenant.token().scope("posts:read posts:write").mint();
    let named = |name: &str| create().header("mcp-method", "tools/call").header("mcp-name", name);
    for (case, call) in [
        ("another tool", named("list_posts")),
        ("another case", named("CREATE_POST")),
        ("encoded, another tool", named("=?base64?bGlzdF9wb3N0cw==?=")),
        ("markers in another case", named("=?BASE64?Y3JlYXRlX3Bvc3Q=?=")),
        ("no Base64", named("=?base64?create_post?=")),
        ("no name", create().header("mcp-method", "tools/call")),
        ("another method", create().header("mcp-method", "tools/list")),
        ("method in another case", create().header("mcp-method", "Tools/Call")),
        ("a name alone, another tool", create().header("mcp-name", "list_posts")),
        ("two names, the second fits", named("list_posts").header("mcp-name", "create_post")),
        ("two names, the first fits", named("create_post").header("mcp-name", "list_posts")),
        ("two equal names", named("create_post").header("mcp-name", "create_post")),
        ("two methods", named("create_post").header("mcp-method", "tools/list")),
        ("not ASCII", named("créate_post")),
    ] {
        let answer = api.send(call.bearer(&token)).await;
        assert_eq!(answer.status, 400, "{case}");
        assert_error(&answer, 400, -32020, Some(7));
    }
    let batch = older(&json!([tool("list_posts")]));
    let answer = api.send(batch.header("mcp-method", "tools/call").bearer(&token)).await;
    assert_error(&answer, 400, -32020, None);
}

#[tokio::test]
async fn headers_that_agree_pass() {
    let (tenant, protect) = world().await;
    let api = AXUM.serve_mcp(guard(&protect).tool("größe", super::ANY));
    let token = tenant.token().scope("posts:read posts:write").mint();
    let encoded = |name: &str, message| {
        let call = older(message).header("mcp-method", "tools/call");
        call.header("Mcp-Name", name)
    };
    let (size, post) = (tool("größe"), tool("create_post"));
    for (call, message) in [
        (encoded("=?base64?Z3LDtsOfZQ==?=", &size), &size),
        (encoded("=?base64?Y3JlYXRlX3Bvc3Q=?=", &post), &post),
        (create().header("mcp-name", "create_post"), &post),
        (create().header("content-encoding", "identity"), &post),
    ] {
        assert_passes(&api.send(call.bearer(&token)).await, message);
    }
    for message in [
        message("resources/read", json!({ "uri": "posts://1" })),
        message("prompts/get", json!({ "name": "summarize" })),
        message("tools/list", json!({})),
    ] {
        assert_passes(&api.send(modern(&message).bearer(&token)).await, &message);
    }
}

#[tokio::test]
async fn a_body_that_parsers_may_read_differently_is_rejected() {
    let (tenant, protect) = world().await;
    let api = AXUM.serve_mcp(guard(&protect));
    let token = tenant.token().scope("posts:read").mint();
    let with = |members: &str| format!(r#"{{"jsonrpc":"2.0","id":7,{members}}}"#);
    for (body, code) in [
        (with(r#""method":"ping","method":"tools/call","params":{"name":"create_post"}"#), -32700),
        (
            with(r#""method":"tools/call","params":{"name":"list_posts","name":"create_post"}"#),
            -32700,
        ),
        (with(r#""method":"ping","params":{},"params":{}"#), -32700),
        (with(r#""method":"ping""#) + "{}", -32700),
        ("\u{feff}".to_owned() + &with(r#""method":"ping""#), -32700),
        (with(r#""method":"ping","Method":"tools/call""#), -32600),
        (with(r#""method":"tools/call","params":["create_post"]"#), -32600),
        (
            with(r#""method":"tools/call","params":{"name":"list_posts","Name":"create_post"}"#),
            -32602,
        ),
        (with(r#""method":"tools/call","params":{}"#), -32602),
        (with(r#""method":"tools/call""#), -32602),
        ("[]".to_owned(), -32600),
        ("null".to_owned(), -32600),
        (String::new(), -32700),
    ] {
        let answer = api.send(post("/mcp", &body).bearer(&token)).await;
        assert_eq!(answer.status, 400, "{body}");
        let id = (body.starts_with('{') && code != -32700).then_some(7);
        assert_error(&answer, 400, code, id);
    }
}

#[tokio::test]
async fn a_body_that_is_not_plain_json_is_rejected() {
    let (tenant, protect) = world().await;
    let api = AXUM.serve_mcp(guard(&protect));
    let token = tenant.token().scope("posts:read").mint();
    let list = tool("list_posts").to_string();
    let typed = |media_type: &str| {
        let call = call("POST", "/mcp").header("content-type", media_type);
        call.body(&list).bearer(&token)
    };
    for media_type in [
        "application/json",
        "Application/JSON",
        "application/json; charset=utf-8",
        "application/json;charset=\"UTF-8\"",
        "application/json; profile=a",
    ] {
        assert_eq!(api.send(typed(media_type)).await.status, 200, "{media_type}");
    }
    for call in [
        typed("text/plain"),
        typed("application/x-www-form-urlencoded"),
        typed("application/json; charset=utf-16"),
        typed("application/json; charset=utf-8; CHARSET = utf-7"),
        typed("application/jsonx"),
        typed(""),
        typed("application/json").header("content-type", "text/plain"),
        call("POST", "/mcp").body(&list).bearer(&token),
        typed("application/json").header("content-encoding", "gzip"),
        typed("application/json").header("content-encoding", "identity, gzip"),
        typed("application/json")
            .header("content-encoding", "identity")
            .header("content-encoding", "br"),
    ] {
        assert_error(&api.send(call).await, 415, -32600, None);
    }
}
