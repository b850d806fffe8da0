//! Drives the MCP server of `examples/mcp.rs` with rmcp's own client: discovery, registration, login, a
//! tool, and the step-up to a broader scope.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a helper of a test may panic")]

#[path = "../mcp.rs"]
#[allow(dead_code, reason = "the server's own `main` is not called")]
mod server;

/// The code of the manual's page.
#[path = "../../src/manual/mcp/rmcp.rs"]
#[allow(unreachable_pub, reason = "readers copy it as it is")]
mod manual;

use axum::Router;
use monocloud_backend::{ConfigError, ProtectApi};
use monocloud_testkit::{Api, Endpoint, MockTenant, User};
use reqwest::{Client, redirect::Policy};
use rmcp::{
    RoleClient, ServiceError,
    model::{CallToolRequestParams, CallToolResult, ProtocolVersion},
    service::{ClientLifecycleMode, ClientServiceExt, RunningService},
    transport::{
        AuthClient, StreamableHttpClientTransport,
        auth::{AuthorizationCallback, AuthorizationRequest, OAuthState},
        streamable_http_client::StreamableHttpClientTransportConfig,
    },
};
use serde_json::{Value, json};
use tokio::net::TcpListener;

const CALLBACK: &str = "http://127.0.0.1:9/callback";

type Server = RunningService<RoleClient, ()>;

/// A tenant that logs in alice, and the URL of the server that it protects.
async fn world() -> (MockTenant, String) {
    serve(server::app).await
}

async fn serve(
    app: impl FnOnce(ProtectApi) -> Result<Router, ConfigError>,
) -> (MockTenant, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    let tenant = MockTenant::builder()
        .user(User::new("alice"))
        .api(Api::new(&url).scope("posts:read posts:write"))
        .auto_login("alice")
        .start()
        .await;
    let protect = ProtectApi::builder().vars(tenant.vars()).resource(&url).build().unwrap();
    let app = app(protect).unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    (tenant, url)
}

/// Opens the login page as a browser does, and returns where that sends the user.
async fn log_in(authorization_url: &str) -> String {
    let browser = Client::builder().redirect(Policy::none()).no_proxy().build().unwrap();
    let answer = browser.get(authorization_url).send().await.unwrap();
    let location = answer.headers().get("location").expect("the tenant logs alice in");
    location.to_str().unwrap().to_owned()
}

/// A client that has found the tenant by the server's URL alone, registered and logged in.
async fn authorized(url: &str, scopes: &[&str]) -> AuthClient<Client> {
    let mut state = OAuthState::new(url, None).await.unwrap();
    let request = AuthorizationRequest::new(CALLBACK).with_initial_scope_selection();
    let request = request.with_scopes(scopes.iter().copied());
    state.start_authorization(request.with_client_name("test")).await.unwrap();
    let location = log_in(&state.get_authorization_url().await.unwrap()).await;
    state.handle_callback_url(&location).await.unwrap();
    let http = Client::builder().no_proxy().build().unwrap();
    AuthClient::new(http, state.into_authorization_manager().unwrap())
}

async fn connect(client: AuthClient<Client>, url: &str, lifecycle: ClientLifecycleMode) -> Server {
    let config = StreamableHttpClientTransportConfig::with_uri(url);
    let transport = StreamableHttpClientTransport::with_client(client, config);
    ().serve_with_lifecycle(transport, lifecycle).await.unwrap()
}

async fn tools(server: &Server) -> Vec<String> {
    let tools = server.list_all_tools().await.unwrap();
    tools.into_iter().map(|tool| tool.name.into_owned()).collect()
}

async fn call(
    server: &Server,
    tool: &'static str,
    arguments: Value,
) -> Result<String, ServiceError> {
    let arguments = arguments.as_object().unwrap().clone();
    let call = CallToolRequestParams::new(tool).with_arguments(arguments);
    server.call_tool(call).await.map(|result| text(&result))
}

fn text(result: &CallToolResult) -> String {
    let texts = result.content.iter().filter_map(|content| content.as_text());
    texts.map(|it| it.text.as_str()).collect()
}

async fn from_discovery_to_step_up(lifecycle: ClientLifecycleMode) {
    let (tenant, url) = world().await;
    let client = authorized(&url, &[]).await;
    assert_eq!(tenant.requests(Endpoint::Registration), 1);
    let server = connect(client.clone(), &url, lifecycle).await;
    assert_eq!(tools(&server).await, ["list_posts"]);
    assert_eq!(call(&server, "list_posts", json!({})).await.unwrap(), "");

    let hello = json!({ "title": "Hello" });
    let error = call(&server, "create_post", hello.clone()).await.unwrap_err();
    let challenge = error.auth_challenge().expect("the server wants more").to_owned();
    assert!(
        challenge.contains(r#"error="insufficient_scope", scope="posts:write""#),
        "{challenge}"
    );

    let step_up = {
        let manager = client.auth_manager.lock().await;
        manager.request_scope_upgrade("posts:write").await.unwrap()
    };
    let location = log_in(&step_up).await;
    let callback = AuthorizationCallback::from_redirect_url(&location).unwrap();
    assert_eq!(callback.issuer.as_deref(), Some(tenant.issuer()));
    let AuthorizationCallback { code, csrf_token, issuer, .. } = callback;
    let manager = client.auth_manager.lock().await;
    let issuer = issuer.as_deref();
    manager.exchange_code_for_token_with_issuer(&code, &csrf_token, issuer).await.unwrap();
    drop(manager);

    let created = call(&server, "create_post", hello).await.unwrap();
    assert!(created.starts_with("created: Hello (by "), "{created}");
    assert!(call(&server, "list_posts", json!({})).await.unwrap().starts_with("Hello (by "));
    let mut tools = tools(&server).await;
    tools.sort();
    assert_eq!(tools, ["create_post", "list_posts"]);
}

#[tokio::test]
async fn a_client_of_2026_07_28_gets_from_discovery_to_step_up() {
    let preferred_versions = vec![ProtocolVersion::V_2026_07_28];
    from_discovery_to_step_up(ClientLifecycleMode::Discover { preferred_versions }).await;
}

#[tokio::test]
async fn a_client_of_an_older_revision_gets_from_discovery_to_step_up() {
    from_discovery_to_step_up(ClientLifecycleMode::Initialize).await;
}

#[tokio::test]
async fn the_server_of_the_manual_serves_what_the_token_permits() {
    let (_tenant, url) = serve(|protect| manual::app(&protect)).await;
    let client = authorized(&url, &["posts:write"]).await;
    let server = connect(client, &url, ClientLifecycleMode::Initialize).await;
    let created = call(&server, "create_post", json!({})).await.unwrap();
    assert!(created.starts_with("created by "), "{created}");
    let error = call(&server, "list_posts", json!({})).await.unwrap_err();
    assert!(error.auth_challenge().unwrap().contains(r#"scope="posts:read""#));
}

#[tokio::test]
async fn a_token_for_writing_reads_as_well() {
    let (_tenant, url) = world().await;
    let client = authorized(&url, &["posts:write"]).await;
    let server = connect(client, &url, ClientLifecycleMode::Initialize).await;
    assert_eq!(call(&server, "list_posts", json!({})).await.unwrap(), "");
}

#[tokio::test]
async fn a_harmless_name_in_the_header_calls_no_other_tool() {
    let (tenant, url) = world().await;
    let token = tenant.token().scope("posts:read").mint();
    let http = Client::builder().no_proxy().build().unwrap();
    let body = json!({
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": { "name": "create_post", "arguments": { "title": "Hello" } },
    });
    let request = http.post(&url).bearer_auth(&token).header("content-type", "application/json");
    let request = request.header("accept", "application/json, text/event-stream");
    let request = request.header("mcp-method", "tools/call").header("mcp-name", "list_posts");
    let answer = request.body(body.to_string()).send().await.unwrap();
    assert_eq!(answer.status(), 400);
    let error: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    assert_eq!((&error["error"]["code"], &error["id"]), (&json!(-32020), &json!(1)));
}
