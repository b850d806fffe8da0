//! Swagger UI: our page over the assets it ships, the same on every host.

use std::{borrow::Cow, sync::Arc};

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header::CONTENT_TYPE};
use serde_json::json;

const PAGE: &str = include_str!("swagger_ui.html");

/// Where in the page its settings go, and where its assets are found.
const SETTINGS: &str = "{{settings}}";
const BASE: &str = "{{base}}";

/// Answers requests with Swagger UI and its assets.
#[derive(Clone, Debug)]
pub struct SwaggerUi {
    page: Arc<str>,
}

impl SwaggerUi {
    pub(crate) fn new(document_url: &str, client_id: Option<&str>, scheme: &str) -> Self {
        let settings =
            json!({ "documentUrl": document_url, "clientId": client_id, "scheme": scheme });
        let settings = settings.to_string();
        // Nothing in a script element may look like its end.
        let settings = settings.replace('<', "\\u003c");
        Self { page: PAGE.replace(SETTINGS, &settings).into() }
    }

    /// The answer to a request for `path`, counted from where the page is mounted; `full_path` is
    /// the path as the client wrote it.
    #[must_use]
    pub fn respond(&self, path: &str, full_path: &str) -> Response<Bytes> {
        let name = path.trim_matches('/');
        if name.is_empty() {
            let page = self.page.replace(BASE, &base(full_path));
            return found("text/html; charset=utf-8", page.into());
        }
        let assets = Arc::new(utoipa_swagger_ui::Config::default());
        match utoipa_swagger_ui::serve(name, assets) {
            // What is compiled in is not copied.
            Ok(Some(file)) => found(
                &file.content_type,
                match file.bytes {
                    Cow::Borrowed(octets) => Bytes::from_static(octets),
                    Cow::Owned(octets) => octets.into(),
                },
            ),
            Ok(None) | Err(_) => {
                let mut response = Response::new(Bytes::new());
                *response.status_mut() = StatusCode::NOT_FOUND;
                response
            }
        }
    }
}

/// The page is opened with or without a slash at its end, and its assets stand below it. The base is
/// relative, so that a proxy may put anything in front of the path.
fn base(full_path: &str) -> String {
    let last_segment = full_path.rsplit('/').next().unwrap_or_default();
    let is_plain = |char: char| char.is_ascii_alphanumeric() || "-._~%".contains(char);
    match last_segment {
        segment if !segment.is_empty() && segment.chars().all(is_plain) => format!("{segment}/"),
        _ => "./".to_owned(),
    }
}

fn found(content_type: &str, body: Bytes) -> Response<Bytes> {
    let mut response = Response::new(body);
    if let Ok(content_type) = HeaderValue::try_from(content_type) {
        response.headers_mut().insert(CONTENT_TYPE, content_type);
    }
    response
}
