use monocloud_backend::{ConfigError, Policy, ProtectApi, mcp::mcp};
use poem::{Endpoint, EndpointExt, Route};

const READ: Policy = Policy::ANY_TOKEN.scopes(&["posts:read"]);

fn app<E: Endpoint + 'static>(protect: &ProtectApi, server: E) -> Result<Route, ConfigError> {
    let metadata = protect.serve_resource_metadata()?;
    let guard = mcp(protect).tool("list_posts", READ);
    let app = Route::new().at("/mcp", server.with(guard));
    Ok(metadata.paths().fold(app, |app, path| app.at(path, metadata.clone())))
}
