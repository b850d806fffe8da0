//! What a host can get wrong.

use std::time::Duration;

use harness::{
    hosts::Host,
    support::{at_once, call, frozen_tenant, post, protect},
};
use monocloud_backend::dpop::DpopMode;
use monocloud_testkit::DpopKey;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{
    READ, assert_challenge, assert_error, assert_passes, guard, message, modern, older,
    stream_of_older_revisions, tool, world,
};

/// Plain poem stands for poem-openapi, whose applications mount the endpoint in the same way.
macro_rules! on_each_host {
    ($($case:ident),+ $(,)?) => {$(
        mod $case {
            on_every_host! { $case: axum AXUM, poem POEM, salvo SALVO, }
        }
    )+};
}

on_each_host! {
    a_tool_needs_its_scopes_and_the_server_gets_the_body,
    a_harmless_name_in_the_header_calls_no_other_tool,
    a_body_is_not_read_before_the_token,
    a_body_is_read_up_to_its_limit,
    origins_come_first,
    streams_of_older_revisions_need_the_default,
    preflights_need_no_token,
    events_end_with_the_token,
    the_next_nonce_rides_on_answers,
}

async fn a_tool_needs_its_scopes_and_the_server_gets_the_body(host: Host) {
    let (tenant, protect) = world().await;
    let api = host.serve_mcp(guard(&protect));
    let reader = tenant.token().subject("alice").scope("posts:read").mint();
    let (list, create) = (tool("list_posts"), tool("create_post"));
    for request in [modern, older] {
        let answer = api.send(request(&list).bearer(&reader)).await;
        assert_passes(&answer, &list);
        assert_eq!(answer.header("subject"), Some("alice"));
        let answer = api.send(request(&create).bearer(&reader)).await;
        let scope = r#", error="insufficient_scope", scope="posts:read posts:write""#;
        assert_challenge(&answer, 403, scope);
    }
    let answer = api.send(modern(&create)).await;
    assert_challenge(&answer, 401, r#", scope="posts:read posts:write""#);
}

async fn a_harmless_name_in_the_header_calls_no_other_tool(host: Host) {
    let (tenant, protect) = world().await;
    let api = host.serve_mcp(guard(&protect));
    let create = older(&tool("create_post")).header("mcp-method", "tools/call");
    for scope in ["posts:read", "posts:read posts:write"] {
        let token = tenant.token().scope(scope).mint();
        let answer = api.send(create.clone().header("mcp-name", "list_posts").bearer(&token)).await;
        assert_error(&answer, 400, -32020, Some(7));
    }
}

async fn a_body_is_not_read_before_the_token(host: Host) {
    let (tenant, protect) = world().await;
    let api = host.serve_mcp(guard(&protect));
    assert_challenge(&api.send(post("/mcp", "{")).await, 401, "");
    let answer = api.send(post("/mcp", "{").bearer(&tenant.token().mint())).await;
    assert_error(&answer, 400, -32700, None);

    // The headers alone, of a body that does not come.
    let mut stream = TcpStream::connect(api.address()).await.unwrap();
    let head = b"POST /mcp HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\n";
    stream.write_all(head).await.unwrap();
    let mut status = [0; 12];
    stream.read_exact(&mut status).await.unwrap();
    assert_eq!(&status, b"HTTP/1.1 401");
}

async fn a_body_is_read_up_to_its_limit(host: Host) {
    let (tenant, protect) = world().await;
    let (token, list) = (tenant.token().scope("posts:read").mint(), tool("list_posts"));
    let length = list.to_string().len();
    for (limit, passes) in [(length, true), (length - 1, false)] {
        let api = host.serve_mcp(guard(&protect).max_body(limit));
        let answer = api.send(modern(&list).bearer(&token)).await;
        match passes {
            true => assert_passes(&answer, &list),
            false => assert_error(&answer, 413, -32600, None),
        }
    }
}

async fn origins_come_first(host: Host) {
    let (tenant, protect) = world().await;
    let api = host.serve_mcp(guard(&protect).allow_origin("https://app.example.com"));
    let (token, list) = (tenant.token().scope("posts:read").mint(), tool("list_posts"));
    for origin in ["https://app.example.com", "https://api.example.com"] {
        let answer = api.send(modern(&list).bearer(&token).header("origin", origin)).await;
        assert_passes(&answer, &list);
    }
    for origin in [
        "https://evil.example",
        "null",
        "",
        "http://app.example.com",
        "https://app.example.com:8443",
        "https://app.example.com.evil.example",
        "https://APP.example.com",
    ] {
        for call in [modern(&list).bearer(&token), modern(&list), call("GET", "/mcp")] {
            let answer = api.send(call.header("origin", origin)).await;
            assert_error(&answer, 403, -32600, None);
        }
    }
    let two = modern(&list).bearer(&token).header("origin", "https://app.example.com");
    assert_eq!(api.send(two.header("origin", "https://evil.example")).await.status, 403);
}

async fn streams_of_older_revisions_need_the_default(host: Host) {
    let (tenant, protect) = world().await;
    let any = host.serve_mcp(guard(&protect));
    let reading = host.serve_mcp(guard(&protect).by_default(READ));
    let [bare, reader] = ["", "posts:read"].map(|scope| tenant.token().scope(scope).mint());
    for method in ["GET", "DELETE"] {
        let stream = stream_of_older_revisions(method);
        assert_challenge(&any.send(stream.clone()).await, 401, "");
        assert_eq!(any.send(stream.clone().bearer(&bare)).await.status, 200);
        let answer = reading.send(stream.clone()).await;
        assert_challenge(&answer, 401, r#", scope="posts:read""#);
        let answer = reading.send(stream.clone().bearer(&bare)).await;
        assert_challenge(&answer, 403, r#", error="insufficient_scope", scope="posts:read""#);
        let answer = reading.send(stream.bearer(&reader)).await;
        assert_eq!((answer.status, answer.body), (200, format!("{method} ")));
    }
}

async fn preflights_need_no_token(host: Host) {
    let (_tenant, protect) = world().await;
    let api = host.serve_mcp(guard(&protect));
    let preflight = call("OPTIONS", "/mcp")
        .header("origin", "https://app.example.com")
        .header("access-control-request-method", "POST");
    assert_eq!(api.send(preflight).await.status, 200);
    let answer = api.send(call("OPTIONS", "/mcp")).await;
    assert!([404, 405].contains(&answer.status) && answer.header("subject").is_none());
}

async fn events_end_with_the_token(host: Host) {
    let (tenant, protect) = world().await;
    let api = host.serve_mcp(guard(&protect));
    let token = tenant.token().expires_in(100).mint();
    let body = message("test/events", json!({})).to_string();
    let head = format!(
        "POST /mcp HTTP/1.1\r\nhost: a\r\nconnection: close\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(api.address()).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"a\n\r\n") {
        assert_ne!(stream.read_buf(&mut answer).await.unwrap(), 0);
    }
    tenant.clock().advance(Duration::from_secs(100 + 60));
    at_once(stream.read_to_end(&mut answer)).await.unwrap();
    assert!(answer.ends_with(b"a\n\r\n0\r\n\r\n"), "{}", answer.escape_ascii());
}

async fn the_next_nonce_rides_on_answers(host: Host) {
    let tenant = frozen_tenant().await;
    let api = protect(&tenant).dpop(DpopMode::Allowed).dpop_nonce(true);
    let api = host.serve_mcp(guard(&api.build().unwrap()));
    let key = DpopKey::generate();
    let token = tenant.token().bound_to_key(&key).scope("posts:read").mint();
    let send = async |body: &str, nonce: Option<&str>| {
        let proof = key.proof("POST", "https://api.example.com/mcp").for_token(&token);
        let proof = proof.clock(tenant.clock());
        let proof = nonce.into_iter().fold(proof, |proof, nonce| proof.nonce(nonce)).mint();
        let call = post("/mcp", body).authorization(format!("DPoP {token}"));
        api.send(call.header("dpop", proof)).await
    };
    let list = tool("list_posts");
    let answer = send(&list.to_string(), None).await;
    assert_eq!(answer.status, 401);
    let nonce = answer.header("dpop-nonce").unwrap().to_owned();
    assert_passes(&send(&list.to_string(), Some(&nonce)).await, &list);
    tenant.clock().advance(Duration::from_secs(40));
    for (body, status) in [(&*list.to_string(), 200), ("{", 400)] {
        let answer = send(body, Some(&nonce)).await;
        assert_eq!(answer.status, status);
        assert!(answer.header("dpop-nonce").is_some());
    }
}
