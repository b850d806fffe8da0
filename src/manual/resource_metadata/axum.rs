use axum::{Router, routing::get};
use monocloud_backend::{ApiDocument, ConfigError};

fn with_metadata(app: Router, document: &ApiDocument) -> Result<Router, ConfigError> {
    let metadata = document.serve_resource_metadata()?;
    Ok(metadata.paths().fold(app, |app, path| app.route(path, get(metadata.clone()))))
}
