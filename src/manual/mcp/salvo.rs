use monocloud_backend::{ConfigError, Policy, ProtectApi, mcp::mcp};
use salvo::{Handler, Router};

const READ: Policy = Policy::ANY_TOKEN.scopes(&["posts:read"]);

fn app(protect: &ProtectApi, server: impl Handler) -> Result<Router, ConfigError> {
    let metadata = protect.serve_resource_metadata()?;
    let guard = mcp(protect).tool("list_posts", READ);
    let app = Router::new().push(Router::with_path("mcp").hoop(guard).goal(server));
    let route = |path| Router::with_path(path).get(metadata.clone());
    Ok(metadata.paths().fold(app, |app, path| app.push(route(path))))
}
