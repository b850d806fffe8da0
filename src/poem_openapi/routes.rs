//! Which documented operation is which route.
//!
//! poem-openapi documents `/posts/:id` as `/posts/{id}` and routes it as `/posts/:param0`. A
//! segment of a route that is literally `{id}` is documented just the same, so a path alone does
//! not always tell; where it does not, nothing is guessed.

use std::collections::HashMap;

use ::poem::{endpoint::BoxEndpoint, http::Method};
use poem_openapi::OpenApi;

use crate::openapi::{document::Document, operations::Dialect};

/// poem-openapi's endpoints by path and method.
pub(super) type RouteTable = HashMap<String, HashMap<Method, BoxEndpoint<'static>>>;

pub(super) const DIALECT: Dialect = Dialect {
    is_route: matches,
    lists_route,
    declare: |_| "take a `Bearer` argument (or `MaybeBearer`)".to_owned(),
    scopes_by_type: Some(".describe_scopes::<Scope>()"),
    hidden: "it is hidden from the document, so the scopes on its arguments cannot be read",
};

/// Whether a path of the document may be the path of a route.
fn matches(documented: &str, routed: &str) -> bool {
    is_route(documented, routed, is_in_braces)
}

/// Whether a path that a developer wrote, as the document does or as a route is declared, may be the
/// path of a route.
fn lists_route(written: &str, routed: &str) -> bool {
    is_route(written, routed, |segment| is_in_braces(segment) || segment.starts_with(':'))
}

fn is_in_braces(segment: &str) -> bool {
    segment.starts_with('{') && segment.ends_with('}')
}

/// Parameters are counted by poem-openapi; everything else stands in a route as it was written.
fn is_route(path: &str, routed: &str, may_be_parameter: impl Fn(&str) -> bool) -> bool {
    let mut parameters = 0;
    let mut routed = routed.split('/');
    let fits = path.split('/').all(|segment| {
        let Some(route) = routed.next() else {
            return false;
        };
        let is_parameter = may_be_parameter(segment)
            && route.strip_prefix(":param").is_some_and(|number| number == parameters.to_string());
        parameters += usize::from(is_parameter);
        is_parameter || segment == route
    });
    fits && routed.next().is_none()
}

/// What a service puts before every path of its document.
pub(super) fn prefix<T: OpenApi>(served: &Document) -> String {
    let served = served.operations().map(|operation| operation.path.to_owned()).min();
    let declared = T::meta().into_iter().flat_map(|api| api.paths).map(|path| path.path).min();
    let prefix = served
        .zip(declared)
        .and_then(|(served, declared)| served.strip_suffix(&declared).map(str::to_owned));
    prefix.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{lists_route, matches};

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
            ("/posts/{id", "/posts/:param0"),
            ("/posts/id}", "/posts/:param0"),
            ("/posts/", "/posts"),
        ] {
            assert!(!matches(documented, routed), "{documented} {routed}");
        }
    }

    #[test]
    fn people_write_a_path_either_way() {
        for written in ["/posts/:id/tags/{tag}", "/posts/{id}/tags/:tag"] {
            assert!(lists_route(written, "/posts/:param0/tags/:param1"), "{written}");
        }
        assert!(lists_route("/:tenant/posts/:id", "/:tenant/posts/:param0"));
        assert!(!lists_route("/posts/id", "/posts/:param0"));
    }
}
