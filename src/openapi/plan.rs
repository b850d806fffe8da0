//! What holds for operations that declare no requirement of their own.

use serde_json::{Map, Value};

use super::security::{self, OperationKey};
use crate::policy::Policy;

/// The policy of operations that declare none, and those it does not hold for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plan {
    pub(crate) default: Option<Policy>,
    pub(crate) public: Vec<Public>,
}

/// An operation that is listed as public, in the words of whoever listed it.
#[derive(Clone, Debug)]
pub(crate) struct Public {
    /// In capitals.
    pub(crate) method: String,
    pub(crate) path: String,
}

impl Plan {
    /// Lists an operation as public.
    pub(crate) fn public(&mut self, method: &str, path: &str) {
        self.public.push(Public { method: method.to_ascii_uppercase(), path: path.to_owned() });
    }

    /// Gives an operation that declares no requirement the default one.
    pub(crate) fn complete(
        &self,
        key: &OperationKey,
        operation: &mut Map<String, Value>,
        scheme: &str,
    ) {
        if let Some(policy) = self.default.filter(|_| !self.is_public(key)) {
            security::write(operation, &policy.into(), scheme);
        }
    }

    pub(crate) fn is_public(&self, key: &OperationKey) -> bool {
        self.public.iter().any(|public| public.names(key))
    }
}

impl Public {
    pub(crate) fn names(&self, key: &OperationKey) -> bool {
        key.method == *self.method && lists(&self.path, &key.path)
    }
}

/// Whether a path that a person wrote, as the document does or as a route is declared, is a path
/// of the document.
fn lists(written: &str, documented: &str) -> bool {
    let is_same = |written: &str, documented: &str| {
        let declared = documented.strip_prefix('{').and_then(|name| name.strip_suffix('}'));
        written == documented
            || declared.is_some_and(|name| written.strip_prefix(':') == Some(name))
    };
    agree(written, documented, is_same)
}

/// Whether two paths have as many segments, each of them the same as its twin.
pub(crate) fn agree(one: &str, other: &str, is_same: impl Fn(&str, &str) -> bool) -> bool {
    one.split('/').count() == other.split('/').count()
        && one.split('/').zip(other.split('/')).all(|(one, other)| is_same(one, other))
}

#[cfg(test)]
mod tests {
    use super::lists;

    #[test]
    fn people_write_a_path_as_they_declare_it_or_as_the_document_does() {
        for written in ["/posts/:id/tags/{tag}", "/posts/{id}/tags/:tag"] {
            assert!(lists(written, "/posts/{id}/tags/{tag}"), "{written}");
        }
        assert!(lists("/:tenant/posts/:id", "/:tenant/posts/{id}"));
        assert!(!lists("/posts/:id", "/posts/{other}"));
        assert!(!lists("/posts", "/posts/{id}"));
    }
}
