//! poem-openapi's own document, parsed.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::{Map, Value};

use crate::openapi::document::Document;

/// Parses a document as poem-openapi writes it: a path that is there twice, because two APIs share
/// it, is one path with the operations of both.
///
/// # Errors
///
/// What is wrong, if it is not such a document.
pub(super) fn parse(json: &str) -> Result<Document, String> {
    let problem =
        |error| format!("the document of poem-openapi cannot be read: {error}; please report this");
    let Raw { paths: Paths(paths), rest: mut members } =
        serde_json::from_str(json).map_err(problem)?;
    members.insert("paths".to_owned(), Value::Object(paths));
    let order = serde_json::from_str(json).map_err(problem)?;
    Ok(Document::new(members, order))
}

#[derive(Deserialize)]
struct Raw {
    paths: Paths,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

/// Path items by path; those of one path are merged.
struct Paths(Map<String, Value>);

impl<'de> Deserialize<'de> for Paths {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MergePaths;

        impl<'de> Visitor<'de> for MergePaths {
            type Value = Paths;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("path items by path")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut items: A) -> Result<Paths, A::Error> {
                let mut paths = Map::new();
                while let Some((path, item)) = items.next_entry::<String, Map<String, Value>>()? {
                    match paths.entry(path).or_insert_with(|| Value::Object(Map::new())) {
                        Value::Object(merged) => merged.extend(item),
                        other => *other = Value::Object(item),
                    }
                }
                Ok(Paths(paths))
            }
        }

        deserializer.deserialize_map(MergePaths)
    }
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn two_apis_may_share_a_path() {
        let json = r#"{"paths":{"/a":{"get":{}},"/b":{},"/a":{"put":{}}}}"#;
        let document = parse(json).unwrap();
        let operations = document.operations().map(|it| format!("{} {}", it.method, it.path));
        assert_eq!(operations.collect::<Vec<_>>(), ["GET /a", "PUT /a"]);
    }

    #[test]
    fn what_is_not_a_document_is_a_problem_and_not_an_api_without_operations() {
        for json in ["", "{", "[]", "{}", r#"{"paths":[]}"#, r#"{"paths":{"/a":null}}"#] {
            let problem = parse(json).unwrap_err();
            assert!(problem.contains("poem-openapi cannot be read"), "{json}: {problem}");
        }
    }
}
