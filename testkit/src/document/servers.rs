//! Where the paths of a document begin.

use serde_json::Value;

/// The path of the first server: `/v1`, or nothing.
pub(super) fn base_path(servers: &Value) -> Option<String> {
    let server = servers.as_array()?.first()?;
    let mut url = server.get("url")?.as_str()?.to_owned();
    let variables = server.get("variables").and_then(Value::as_object);
    for (name, variable) in variables.into_iter().flatten() {
        if let Some(default) = variable.get("default").and_then(Value::as_str) {
            url = url.replace(&format!("{{{name}}}"), default);
        }
    }
    let url = url.split(['?', '#']).next().unwrap_or_default();
    let path = match url.split_once("://") {
        Some((_, rest)) => rest.split_once('/').map_or("", |(_, path)| path),
        None => match url.strip_prefix("//") {
            Some(rest) => rest.split_once('/').map_or("", |(_, path)| path),
            None => url,
        },
    };
    let segments = path.split('/').filter(|segment| !segment.is_empty() && *segment != ".");
    Some(segments.map(|segment| format!("/{segment}")).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_base_path_is_that_of_the_first_server() {
        for (url, path) in [
            ("https://api.example.com", ""),
            ("https://api.example.com/", ""),
            ("https://api.example.com/v1/", "/v1"),
            ("https://{region}.example.com:{port}/{version}/x?a=b#c", "/v2/x"),
            ("//api.example.com/v1", "/v1"),
            ("/v1", "/v1"),
            ("v1/", "/v1"),
            ("./v1", "/v1"),
            ("/", ""),
            ("", ""),
        ] {
            let variables =
                json!({ "version": { "default": "v2" }, "region": { "default": "eu" } });
            let servers = json!([{ "url": url, "variables": variables }, { "url": "/other" }]);
            assert_eq!(base_path(&servers).as_deref(), Some(path), "{url}");
        }
        assert_eq!(base_path(&json!([])), None);
        assert_eq!(base_path(&json!([{}])), None);
    }
}
