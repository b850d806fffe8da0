use monocloud_backend::{ApiDocument, ConfigError};
use salvo::Router;

fn with_metadata(app: Router, document: &ApiDocument) -> Result<Router, ConfigError> {
    let metadata = document.serve_resource_metadata()?;
    let route = |path| Router::with_path(path).get(metadata.clone());
    Ok(metadata.paths().fold(app, |app, path| app.push(route(path))))
}
