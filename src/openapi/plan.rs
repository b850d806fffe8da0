//! What the application says of its operations beside the document: defaults, public operations,
//! hidden ones, and schemes that it enforces itself.

use serde_json::{Map, Value};

use super::{
    document::Document,
    security::{self, OperationKey, OtherSchemes, Unclear},
};
use crate::policy::PolicyBuf;

/// What the application says beside the document.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plan {
    pub(crate) default: Option<PolicyBuf>,
    /// What single operations need besides what they declare.
    pub(crate) required: Vec<(Listed, PolicyBuf)>,
    /// Defaults for the operations below a path.
    pub(crate) defaults_under: Vec<(String, PolicyBuf)>,
    pub(crate) public: Vec<Listed>,
    /// Routes that the document does not have, and what they need.
    pub(crate) hidden: Vec<(Listed, PolicyBuf)>,
    pub(crate) other_schemes: OtherSchemes,
}

/// An operation that the application lists, as it was written.
#[derive(Clone, Debug)]
pub(crate) struct Listed {
    /// In capitals.
    pub(crate) method: String,
    pub(crate) path: String,
}

impl Plan {
    pub(crate) fn by_default_under(&mut self, path: &str, policy: PolicyBuf) {
        self.defaults_under.push((path.to_owned(), policy));
    }

    pub(crate) fn public(&mut self, method: &str, path: &str) {
        self.public.push(Listed::new(method, path));
    }

    pub(crate) fn hidden(&mut self, method: &str, path: &str, policy: PolicyBuf) {
        self.hidden.push((Listed::new(method, path), policy));
    }

    pub(crate) fn require(&mut self, method: &str, path: &str, policy: PolicyBuf) {
        self.required.push((Listed::new(method, path), policy));
    }

    pub(crate) fn is_public(&self, key: &OperationKey) -> bool {
        self.public.iter().any(|listed| listed.names(key))
    }

    /// Writes the defaults into a document whose paths begin with `prefix`, and says to which
    /// operations they cannot be added.
    pub(crate) fn apply(
        &self,
        document: &mut Document,
        prefix: &str,
        scheme: &str,
    ) -> Vec<(OperationKey, Unclear)> {
        let root = document.members().get("security").cloned();
        let mut unclear = Vec::new();
        document.rewrite(|path, method, operation| {
            let path = path.strip_prefix(prefix).unwrap_or(path).to_owned();
            let key = OperationKey { path, method: method.clone() };
            if let Err(problem) = self.complete(&key, operation, root.as_ref(), scheme) {
                unclear.push((key, Unclear::Because(problem)));
            }
        });
        unclear
    }

    fn complete(
        &self,
        key: &OperationKey,
        operation: &mut Map<String, Value>,
        root: Option<&Value>,
        scheme: &str,
    ) -> Result<(), String> {
        for (_, policy) in self.required.iter().filter(|(listed, _)| listed.names(key)) {
            security::require(operation, root, policy, scheme)?;
        }
        if self.is_public(key) || !security::takes_default(operation, root, scheme) {
            return Ok(());
        }
        match self.default_for(&key.path) {
            Some(policy) => security::require(operation, root, policy, scheme),
            None => Ok(()),
        }
    }

    /// The default of the longest path that an operation is below.
    fn default_for(&self, path: &str) -> Option<&PolicyBuf> {
        let under = self.defaults_under.iter().filter(|(above, _)| is_under(path, above));
        let longest = under.max_by_key(|(above, _)| segments(above).count());
        longest.map(|(_, policy)| policy).or(self.default.as_ref())
    }
}

impl Listed {
    fn new(method: &str, path: &str) -> Self {
        Self { method: method.to_ascii_uppercase(), path: path.to_owned() }
    }

    pub(crate) fn names(&self, key: &OperationKey) -> bool {
        key.method == *self.method && agree(&self.path, &key.path, is_same)
    }
}

/// Whether a documented path is a written one, or lies below it by whole segments.
pub(crate) fn is_under(documented: &str, written: &str) -> bool {
    let mut below = segments(documented);
    written.starts_with('/')
        && segments(written)
            .all(|written| below.next().is_some_and(|documented| is_same(written, documented)))
}

/// Whether two written paths are the same, but for a slash at the end and how parameters are written.
pub(crate) fn is_same_path(one: &str, other: &str) -> bool {
    let is_same = |one: &str, other: &str| is_same(one, other) || is_same(other, one);
    agree(one.trim_end_matches('/'), other.trim_end_matches('/'), is_same)
}

/// The segments of a path, without the empty one that a slash at the end makes.
fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.trim_end_matches('/').split('/')
}

/// Whether a segment that a developer wrote, as the document does or as a route is declared, is a
/// segment of the document.
fn is_same(written: &str, documented: &str) -> bool {
    let declared = written.strip_prefix([':', '*']).or_else(|| parameter(written));
    written == documented || parameter(documented).is_some_and(|name| Some(name) == declared)
}

/// The name of a parameter in braces; a wildcard's is without its marks.
fn parameter(segment: &str) -> Option<&str> {
    let name = segment.strip_prefix('{')?.strip_suffix('}')?;
    Some(name.trim_start_matches(['*', '+', '?']))
}

/// Whether two paths have as many segments, each of them the same as its twin.
pub(crate) fn agree(one: &str, other: &str, is_same: impl Fn(&str, &str) -> bool) -> bool {
    one.split('/').count() == other.split('/').count()
        && one.split('/').zip(other.split('/')).all(|(one, other)| is_same(one, other))
}

#[cfg(test)]
mod tests {
    use super::{agree, is_same, is_under};

    #[test]
    fn a_path_is_written_as_it_is_declared_or_as_the_document_has_it() {
        let lists = |written, documented| agree(written, documented, is_same);
        for written in ["/posts/:id/tags/{tag}", "/posts/{id}/tags/:tag"] {
            assert!(lists(written, "/posts/{id}/tags/{tag}"), "{written}");
        }
        assert!(lists("/:tenant/posts/:id", "/:tenant/posts/{id}"));
        for written in ["/files/{rest}", "/files/{*rest}", "/files/{**rest}", "/files/*rest"] {
            assert!(lists(written, "/files/{rest}"), "{written}");
        }
        assert!(lists("/files/*rest", "/files/*rest"));
        assert!(!lists("/posts/:id", "/posts/{other}"));
        assert!(!lists("/posts", "/posts/{id}"));
    }

    #[test]
    fn below_a_path_is_by_whole_segments() {
        for (path, above) in [
            ("/admin", "/admin"),
            ("/admin/", "/admin"),
            ("/admin/users", "/admin"),
            ("/admin/users", "/admin/"),
            ("/admin/users/{id}", "/admin/users"),
            ("/{tenant}/admin/x", "/:tenant/admin"),
            ("/{tenant}/admin/x", "/{tenant}/admin"),
            ("/", "/"),
            ("/anything", "/"),
        ] {
            assert!(is_under(path, above), "{path} {above}");
        }
        for (path, above) in [
            ("/administrators", "/admin"),
            ("/admin", "/admin/users"),
            ("/Admin/users", "/admin"),
            ("/{section}/users", "/admin"),
            ("/admin/users", "admin"),
            ("/admin", ""),
        ] {
            assert!(!is_under(path, above), "{path} {above}");
        }
    }
}
