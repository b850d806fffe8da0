//! Which documented operation is which route.
//!
//! poem-openapi documents `/posts/:id` as `/posts/{id}` and routes it as `/posts/:param0`. A
//! segment of a route that is literally `{id}` is documented just the same, so a path alone does
//! not always tell; where it does not, nothing is guessed.

use poem_openapi::OpenApi;

use crate::openapi::document::Document;

/// Whether a path of the document may be the path of a route.
pub(super) fn matches(documented: &str, routed: &str) -> bool {
    let mut parameters = 0;
    let mut routed = routed.split('/');
    let fits = documented.split('/').all(|segment| {
        let Some(route) = routed.next() else {
            return false;
        };
        let is_parameter = segment.starts_with('{')
            && segment.ends_with('}')
            && route.strip_prefix(":param").is_some_and(|number| number == parameters.to_string());
        parameters += usize::from(is_parameter);
        is_parameter || segment == route
    });
    fits && routed.next().is_none()
}

/// A path as the document writes it, be it written so or as a route is declared.
pub(super) fn documented(path: &str) -> String {
    let segments = path.split('/').map(|segment| match segment.strip_prefix(':') {
        Some(name) => format!("{{{name}}}"),
        None => segment.to_owned(),
    });
    segments.collect::<Vec<_>>().join("/")
}

/// What a service puts before every path of its document.
pub(super) fn prefix<T: OpenApi>(raw: &str) -> String {
    let served = Document::parse(raw).unwrap_or_default();
    let served = served.operations().map(|operation| operation.path.to_owned()).min();
    let declared = T::meta().into_iter().flat_map(|api| api.paths).map(|path| path.path).min();
    let prefix = served
        .zip(declared)
        .and_then(|(served, declared)| served.strip_suffix(&declared).map(str::to_owned));
    prefix.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn parameters_match_by_position_and_everything_else_literally() {
        assert!(matches("/", "/"));
        assert!(matches("/posts/{id}/tags/{tag}", "/posts/:param0/tags/:param1"));
        assert!(matches("/files/*rest", "/files/*rest"));
        assert!(matches("/{literal}/{id}", "/{literal}/:param0"));
        assert!(matches("/:tenant/posts/{id}", "/:tenant/posts/:param0"));
        for (documented, routed) in [
            ("/posts", "/posts/:param0"),
            ("/posts/{id}", "/posts"),
            ("/posts/{id}", "/posts/:param1"),
            ("/posts/{id}", "/posts/id"),
            ("/posts/id", "/posts/:param0"),
            ("/posts/", "/posts"),
        ] {
            assert!(!matches(documented, routed), "{documented} {routed}");
        }
    }
}
