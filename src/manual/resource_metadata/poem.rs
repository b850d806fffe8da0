use monocloud_backend::{ApiDocument, ConfigError};
use poem::Route;

fn with_metadata(app: Route, document: &ApiDocument) -> Result<Route, ConfigError> {
    let metadata = document.serve_resource_metadata()?;
    Ok(metadata.paths().fold(app, |app, path| app.at(path, metadata.clone())))
}
