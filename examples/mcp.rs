//! An MCP server: rmcp on axum, with scopes per tool.
//!
//! `cargo run --example mcp --features mcp` serves it against a mock tenant, and says how to connect an
//! assistant.

use std::{
    error::Error,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{Router, http::request::Parts, routing::get};
use monocloud_backend::{
    Authenticated, Caller, ConfigError, Policy, ProtectApi,
    mcp::{McpGuard, mcp},
};
use rmcp::{
    ErrorData, RoleServer, ServerHandler,
    handler::server::{tool::Extension, wrapper::Parameters},
    model::{CacheScope, ListToolsResult, PaginatedRequestParams},
    schemars::{self, JsonSchema},
    service::RequestContext,
    tool, tool_handler, tool_router,
    transport::streamable_http_server::{
        StreamableHttpServerConfig, StreamableHttpService, session::never::NeverSessionManager,
    },
};
use serde::Deserialize;
use tokio::net::TcpListener;

const READ: Policy = Policy::ANY_TOKEN.scopes(&["posts:read"]);
const WRITE: Policy = Policy::ANY_TOKEN.scopes(&["posts:write"]);

#[derive(Clone)]
struct PostsServer {
    guard: McpGuard,
    posts: Arc<Mutex<Vec<String>>>,
}

#[derive(Deserialize, JsonSchema)]
struct NewPost {
    title: String,
}

#[tool_router]
impl PostsServer {
    #[tool(description = "Lists all posts")]
    async fn list_posts(&self) -> String {
        self.posts.lock().unwrap_or_else(PoisonError::into_inner).join("\n")
    }

    #[tool(description = "Creates a post")]
    async fn create_post(
        &self,
        Parameters(new): Parameters<NewPost>,
        Extension(parts): Extension<Parts>,
    ) -> Result<String, ErrorData> {
        let author = caller(&parts)?.claims().subject().unwrap_or("unknown");
        let post = format!("{} (by {author})", new.title);
        self.posts.lock().unwrap_or_else(PoisonError::into_inner).push(post.clone());
        Ok(format!("created: {post}"))
    }
}

#[tool_handler]
impl ServerHandler for PostsServer {
    /// The tools that the caller's token permits.
    async fn list_tools(
        &self,
        _request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let parts = context.extensions.get().ok_or_else(unguarded)?;
        let caller = caller(parts)?;
        let mut tools = Self::tool_router().list_all();
        tools.retain(|tool| self.guard.permits_tool(caller, &tool.name));
        // Clients may share a public list between tokens.
        let list = ListToolsResult::with_all_items(tools);
        Ok(list.with_ttl_ms(0).with_cache_scope(CacheScope::Private))
    }
}

/// The caller that the guard accepted. rmcp hands every request without its body to the tools.
fn caller(parts: &Parts) -> Result<&Authenticated, ErrorData> {
    parts.extensions.get().and_then(Caller::authenticated).ok_or_else(unguarded)
}

fn unguarded() -> ErrorData {
    ErrorData::internal_error("nothing guards the server", None)
}

/// The application. Its URL, `MONOCLOUD_BACKEND_RESOURCE`, is that of `/mcp`.
pub(crate) fn app(protect: ProtectApi) -> Result<Router, ConfigError> {
    // Clients ask for the scopes that the metadata names at first, and for others when a tool needs them.
    // Some then ask for those alone, so that a token for writing has to read as well.
    let protect =
        protect.describe_scope("posts:read", "Read posts").implies("posts:write", &["posts:read"]);
    let metadata = protect.serve_resource_metadata()?;
    let guard = mcp(&protect).tool("list_posts", READ).tool("create_post", WRITE);
    let server = PostsServer { guard: guard.clone(), posts: Arc::default() };
    // Sessions are for older revisions: a client that knows the id of one could join it.
    let config = StreamableHttpServerConfig::default().with_legacy_session_mode(false);
    let sessions = Arc::new(NeverSessionManager::default());
    let service = StreamableHttpService::new(move || Ok(server.clone()), sessions, config);
    let app = Router::new().route_service("/mcp", service).route_layer(guard);
    Ok(metadata.paths().fold(app, |app, path| app.route(path, get(metadata.clone()))))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let app = app(ProtectApi::from_env()?)?;
    let listener = TcpListener::bind("127.0.0.1:3000").await?;
    axum::serve(listener, app).await?;
    Ok(())
}
