use monocloud_backend::{ApiDocument, ConfigError};
use salvo::Router;

fn with_metadata(app: Router, document: &ApiDocument) -> Result<Router, ConfigError> {
    let metadata = document.serve_resource_metadata()?;
    Ok(app.push(Router::with_path(metadata.path()).get(metadata.clone())))
}
