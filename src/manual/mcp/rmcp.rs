use std::sync::Arc;

use axum::{Router, http::request::Parts, routing::get};
use monocloud_backend::{Caller, Claims, ConfigError, Policy, ProtectApi, mcp::mcp};
use rmcp::{
    ServerHandler,
    handler::server::tool::Extension,
    tool, tool_handler, tool_router,
    transport::streamable_http_server::{
        StreamableHttpServerConfig, StreamableHttpService, session::never::NeverSessionManager,
    },
};

const READ: Policy = Policy::ANY_TOKEN.scopes(&["posts:read"]);
const WRITE: Policy = Policy::ANY_TOKEN.scopes(&["posts:write"]);

struct Posts;

#[tool_router]
impl Posts {
    #[tool(description = "Lists all posts")]
    async fn list_posts(&self) -> String {
        "Hello".to_owned()
    }

    #[tool(description = "Creates a post")]
    async fn create_post(&self, Extension(parts): Extension<Parts>) -> String {
        let claims = parts.extensions.get::<Caller>().and_then(Caller::claims);
        format!("created by {}", claims.and_then(Claims::subject).unwrap_or("an application"))
    }
}

#[tool_handler]
impl ServerHandler for Posts {}

pub fn app(protect: &ProtectApi) -> Result<Router, ConfigError> {
    let metadata = protect.serve_resource_metadata()?;
    let guard = mcp(protect).tool("list_posts", READ).tool("create_post", WRITE);
    let sessions = Arc::new(NeverSessionManager::default());
    let config = StreamableHttpServerConfig::default().with_legacy_session_mode(false);
    let server = StreamableHttpService::new(|| Ok(Posts), sessions, config);
    let app = Router::new().route_service("/mcp", server).route_layer(guard);
    Ok(metadata.paths().fold(app, |app, path| app.route(path, get(metadata.clone()))))
}
