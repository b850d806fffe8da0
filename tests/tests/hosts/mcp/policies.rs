//! What a message needs.

use harness::{
    hosts::AXUM,
    support::{introspecting, request_head},
};
use http::{HeaderMap, header::AUTHORIZATION};
use monocloud_backend::mcp::{McpGuard, mcp};
use serde_json::{Value, json};

use super::{
    ANY, READ, WRITE, assert_challenge, assert_passes, guard, message, modern, older, tool, world,
};

/// The status of a message that a token with these scopes sends, and the scopes of its challenge.
async fn answered(guard: McpGuard, token: &str, body: &Value) -> (u16, Option<String>) {
    let answer = AXUM.serve_mcp(guard).send(older(body).bearer(token)).await;
    let challenge = answer.header("www-authenticate").unwrap_or_default();
    let scope = challenge.split_once(r#"scope=""#).and_then(|(_, rest)| rest.split_once('"'));
    (answer.status, scope.map(|(scope, _)| scope.to_owned()))
}

#[tokio::test]
async fn what_is_not_listed_is_forbidden_unless_there_is_a_default() {
    let (tenant, protect) = world().await;
    let token = tenant.token().scope("posts:read posts:write").mint();
    let resource = |uri: &str| message("resources/read", json!({ "uri": uri }));
    let unlisted = [
        tool("drop_posts"),
        tool("Create_post"),
        tool("create_post "),
        tool("posts://1"),
        tool("summarize"),
        resource("posts://2"),
        resource("posts://1/"),
        resource("posts://1/../1"),
        resource("posts://%31"),
        resource("POSTS://1"),
        resource("posts://1?"),
        message("resources/subscribe", json!({ "uri": "posts://2" })),
        message("prompts/get", json!({ "name": "list_posts" })),
        message("completion/complete", json!({ "ref": { "type": "ref/prompt", "name": "x" } })),
        message(
            "subscriptions/listen",
            json!({ "notifications": { "resourceSubscriptions": ["posts://2"] } }),
        ),
    ];
    for body in unlisted {
        assert_eq!(answered(guard(&protect), &token, &body).await, (403, None), "{body}");
        let open = guard(&protect).by_default(READ);
        assert_eq!(answered(open, &token, &body).await.0, 200, "{body}");
        let strict = guard(&protect).by_default(ANY.scopes(&["all"]));
        let all = Some("all".to_owned());
        assert_eq!(answered(strict, &token, &body).await, (403, all), "{body}");
    }
}

#[tokio::test]
async fn a_subscription_needs_what_each_of_its_resources_needs() {
    let (tenant, protect) = world().await;
    let guard = || guard(&protect).resource("posts://2", WRITE);
    let token = tenant.token().scope("posts:read").mint();
    let listen = |uris: Value| {
        message(
            "subscriptions/listen",
            json!({ "notifications": { "resourceSubscriptions": uris } }),
        )
    };
    let needed = Some("posts:read posts:write".to_owned());
    for (uris, expected) in [
        (json!([]), (200, None)),
        (json!(["posts://1"]), (200, None)),
        (json!(["posts://1", "posts://2"]), (403, needed)),
        (json!(["posts://1", "posts://3"]), (403, None)),
    ] {
        assert_eq!(answered(guard(), &token, &listen(uris)).await, expected);
    }
}

#[tokio::test]
async fn what_is_about_nothing_needs_a_token_or_the_default() {
    let (tenant, protect) = world().await;
    let token = tenant.token().scope("posts:read").mint();
    for body in [
        message("initialize", json!({})),
        message("server/discover", json!({})),
        message("tools/list", json!({})),
        message("subscriptions/listen", json!({ "notifications": { "toolsListChanged": true } })),
        message("x/unknown", json!({ "name": "create_post" })),
        json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }),
        json!({ "jsonrpc": "2.0", "id": 1, "result": {} }),
    ] {
        assert_eq!(answered(guard(&protect), &token, &body).await.0, 200, "{body}");
        let strict = guard(&protect).by_default(WRITE);
        let needed = Some("posts:read posts:write".to_owned());
        assert_eq!(answered(strict, &token, &body).await, (403, needed), "{body}");
    }
}

#[tokio::test]
async fn a_method_may_need_something_of_its_own() {
    let (tenant, protect) = world().await;
    let guard = || {
        mcp(&protect)
            .by_default(ANY.scopes(&["all"]))
            .method("tools/list", ANY)
            .method("resources/read", WRITE)
            .resource("posts://1", READ)
    };
    let token = tenant.token().scope("posts:read").mint();
    let resource = |uri: &str| message("resources/read", json!({ "uri": uri }));
    for (body, expected) in [
        (message("tools/list", json!({})), Ok(())),
        (resource("posts://1"), Ok(())),
        (resource("posts://2"), Err("posts:read posts:write")),
        (message("resources/subscribe", json!({ "uri": "posts://1" })), Ok(())),
        (message("resources/subscribe", json!({ "uri": "posts://2" })), Err("all")),
        (message("prompts/list", json!({})), Err("all")),
    ] {
        let expected = match expected {
            Ok(()) => (200, None),
            Err(scopes) => (403, Some(scopes.to_owned())),
        };
        assert_eq!(answered(guard(), &token, &body).await, expected, "{body}");
    }
}

#[tokio::test]
async fn a_batch_needs_what_each_of_its_messages_needs() {
    let (tenant, protect) = world().await;
    let guard = || guard(&protect).tool("purge", ANY.scopes(&["purge"]));
    let [bare, reader, all] = ["", "posts:read", "posts:read posts:write purge"]
        .map(|scope| tenant.token().scope(scope).mint());
    let (list, create, purge) = (tool("list_posts"), tool("create_post"), tool("purge"));
    let ping = message("ping", json!({}));
    for (token, body, expected) in [
        (&bare, json!([ping]), (200, None)),
        (&bare, json!([ping, list]), (403, Some("posts:read"))),
        (&reader, json!([list, ping]), (200, None)),
        (&reader, json!([list, create]), (403, Some("posts:read posts:write"))),
        // All that it takes, in one challenge.
        (&reader, json!([purge, create]), (403, Some("purge posts:read posts:write"))),
        (&reader, json!([list, purge]), (403, Some("posts:read purge"))),
        (&all, json!([list, create, purge, list]), (200, None)),
        (&all, json!([list, tool("unlisted")]), (403, None)),
    ] {
        let (status, scope) = expected;
        let expected = (status, scope.map(str::to_owned));
        assert_eq!(answered(guard(), token, &body).await, expected, "{body}");
    }
}

#[tokio::test]
async fn a_broader_scope_permits_what_it_implies() {
    let (tenant, protect) = world().await;
    let protect = protect
        .describe_scope("posts:read", "Read")
        .describe_scope("posts:write", "Write")
        .describe_scope("posts:admin", "Administer")
        .implies("posts:admin", &["posts:write"])
        .implies("posts:write", &["posts:read"]);
    let guard = || mcp(&protect).tool("list_posts", READ).tool("create_post", WRITE);
    let [writer, admin] =
        ["posts:write", "posts:admin"].map(|scope| tenant.token().scope(scope).mint());
    for token in [writer, admin] {
        for name in ["list_posts", "create_post"] {
            assert_eq!(answered(guard(), &token, &tool(name)).await.0, 200, "{name}");
        }
    }
}

#[tokio::test]
async fn a_user_may_have_to_authenticate_again_for_a_tool() {
    let (tenant, protect) = world().await;
    let strong = READ.acr_values(&["mfa"]);
    let api = AXUM.serve_mcp(mcp(&protect).tool("pay", strong).tool("list_posts", READ));
    let weak = tenant.token().mint();
    let answer = api.send(modern(&tool("pay")).bearer(&weak)).await;
    let error = r#", error="insufficient_user_authentication", error_description="the operation needs another kind of authentication", acr_values="mfa", scope="posts:read""#;
    assert_challenge(&answer, 401, error);
    let both = json!([tool("pay"), tool("list_posts")]);
    assert_challenge(&api.send(older(&both).bearer(&weak)).await, 401, error);
    let strong = tenant.token().scope("posts:read").acr("mfa").mint();
    assert_passes(&api.send(modern(&tool("pay")).bearer(&strong)).await, &tool("pay"));
}

#[tokio::test]
async fn opaque_tokens_are_treated_alike() {
    let (tenant, _) = world().await;
    let api = AXUM.serve_mcp(guard(&introspecting(&tenant).build().unwrap()));
    let token = tenant.opaque_token().scope("posts:read").mint();
    let (list, create) = (tool("list_posts"), tool("create_post"));
    assert_passes(&api.send(modern(&list).bearer(&token)).await, &list);
    assert_eq!(api.send(modern(&create).bearer(&token)).await.status, 403);
}

#[tokio::test]
async fn a_list_may_show_what_the_token_permits() {
    let (tenant, protect) = world().await;
    let guard = guard(&protect);
    let token = tenant.token().scope("posts:read").mint();
    let headers =
        HeaderMap::from_iter([(AUTHORIZATION, format!("Bearer {token}").parse().unwrap())]);
    let caller = protect.require(ANY).check(request_head(&headers)).await.unwrap();
    let caller = caller.require().unwrap();
    assert!(guard.permits_tool(caller, "list_posts"));
    assert!(guard.permits_resource(caller, "posts://1"));
    assert!(guard.permits_prompt(caller, "summarize"));
    for name in ["create_post", "unlisted", "summarize", ""] {
        assert!(!guard.permits_tool(caller, name), "{name}");
    }
    assert!(!guard.permits_resource(caller, "posts://2"));
    assert!(!guard.permits_prompt(caller, "list_posts"));
    let guard = guard.by_default(READ).method("resources/read", WRITE);
    assert!(guard.permits_tool(caller, "unlisted") && guard.permits_prompt(caller, "unlisted"));
    assert!(!guard.permits_resource(caller, "posts://2"));
}
