//! What is checked, and in which order.

use harness::hosts::AXUM;
use monocloud_backend::{
    decision::Decision,
    error::{Denial, Error},
};
use serde_json::json;

use super::{ANY, assert_challenge, assert_error, guard, message, modern, older, tool, world};

#[tokio::test]
async fn a_request_that_breaks_every_rule_is_answered_by_the_first() {
    let (tenant, protect) = world().await;
    let api = AXUM.serve_mcp(guard(&protect));
    let [bare, reader] = ["", "posts:read"].map(|scope| tenant.token().scope(scope).mint());
    let forged = format!("{reader}x");
    let create = older(&tool("create_post")).header("mcp-method", "tools/call");
    let mismatch = create.clone().header("mcp-name", "list_posts");

    let answer = api.send(mismatch.clone().header("origin", "https://evil.example")).await;
    assert_error(&answer, 403, -32600, None);
    assert_challenge(&api.send(mismatch.clone()).await, 401, r#", scope="posts:read""#);
    assert_eq!(api.send(mismatch.clone().bearer(&forged)).await.status, 401);
    assert_error(&api.send(mismatch.bearer(&bare)).await, 400, -32020, Some(7));
    let answer = api.send(create.header("mcp-name", "create_post").bearer(&bare)).await;
    assert_eq!(answer.status, 403);
}

#[tokio::test]
async fn a_challenge_names_the_scopes_that_the_headers_call_for() {
    let (_tenant, protect) = world().await;
    let api = AXUM.serve_mcp(guard(&protect));
    for (call, scope) in [
        (modern(&tool("list_posts")), Some("posts:read")),
        (modern(&tool("create_post")), Some("posts:read posts:write")),
        (modern(&message("resources/read", json!({ "uri": "posts://1" }))), Some("posts:read")),
        (modern(&message("prompts/get", json!({ "name": "summarize" }))), Some("posts:read")),
        (modern(&message("tools/list", json!({}))), None),
        (modern(&tool("unlisted")), None),
        // The body is not read yet.
        (older(&tool("create_post")), None),
        (older(&tool("create_post")).header("mcp-method", "tools/call"), None),
        (modern(&tool("create_post")).header("mcp-name", "create_post"), None),
    ] {
        let scope = scope.map_or(String::new(), |scope| format!(r#", scope="{scope}""#));
        assert_challenge(&api.send(call).await, 401, &scope);
    }
}

#[tokio::test]
async fn a_token_stands_in_the_authorization_header_only() {
    let (tenant, protect) = world().await;
    let api = AXUM.serve_mcp(guard(&protect));
    let token = tenant.token().scope("posts:read").mint();
    let list = tool("list_posts").to_string();
    let in_query = harness::support::post(&format!("/mcp?access_token={token}"), &list);
    assert_challenge(&api.send(in_query).await, 401, "");
    let with_session = older(&tool("list_posts")).header("mcp-session-id", &token);
    assert_challenge(&api.send(with_session).await, 401, "");
    let malformed = older(&tool("list_posts")).authorization("Bearer a b");
    assert_challenge(&api.send(malformed).await, 400, r#", error="invalid_request""#);
}

#[tokio::test]
async fn a_token_for_another_resource_is_rejected() {
    let (tenant, protect) = world().await;
    let api = AXUM.serve_mcp(guard(&protect));
    for token in [
        tenant.token().claim("aud", "https://other.example.com").mint(),
        tenant.token().without("aud").mint(),
        tenant.token().expires_in(-100).mint(),
    ] {
        let answer = api.send(modern(&tool("list_posts")).bearer(&token)).await;
        assert_eq!(answer.status, 401);
        assert!(answer.header("www-authenticate").unwrap().contains(r#"error="invalid_token""#));
    }
}

#[tokio::test]
async fn a_host_may_be_written_in_upper_case() {
    let (tenant, protect) = world().await;
    let api = AXUM.serve_mcp(guard(&protect));
    let token = tenant.token().scope("posts:read").mint();
    let list = tool("list_posts");
    let call = modern(&list).bearer(&token).header("host", "API.EXAMPLE.COM");
    super::assert_passes(&api.send(call).await, &list);
}

#[tokio::test]
async fn the_application_decides_about_each_tool() {
    let tenant = harness::support::frozen_tenant().await;
    let protect = harness::support::protect(&tenant);
    let protect = protect.decide(|request| async move {
        let Some(operation) = request.operation else { return Ok(Decision::Allow) };
        let is_denied = &*operation.path == "tools/call" && operation.id.as_deref() == Some("drop");
        Ok(if is_denied { Decision::Deny } else { Decision::Allow })
    });
    let api = AXUM.serve_mcp(guard(&protect.build().unwrap()).by_default(ANY));
    let token = tenant.token().scope("posts:read").mint();
    let (list, drop) = (tool("list_posts"), tool("drop"));
    for (body, status) in [
        (list.clone(), 200),
        (drop.clone(), 403),
        (json!([list, list]), 200),
        (json!([list, drop]), 403),
    ] {
        assert_eq!(api.send(older(&body).bearer(&token)).await.status, status, "{body}");
    }
}

#[tokio::test]
async fn the_application_sees_why_a_request_is_rejected() {
    let (tenant, protect) = world().await;
    let guard = guard(&protect);
    let headers = harness::support::post("/", "").bearer(&tenant.token().mint()).into_headers();
    let uri = "/mcp".parse().unwrap();
    let head = monocloud_backend::RequestHead::new(&http::Method::POST, &uri, &headers);
    let body = async { Ok(tool("unlisted").to_string().into()) };
    let rejection = guard.check(head, body).await.unwrap_err();
    let error = rejection.refusal().unwrap().error();
    assert!(matches!(error, Error::InsufficientScope(Denial::Unlisted)), "{error:?}");
}
