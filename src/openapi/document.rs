//! A document as JSON, and the operations in it.

use std::fmt;

use http::Method;
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::{Map, Value};

/// The members of a path item that are operations (OpenAPI 3.0 §4.7.9).
const METHODS: [(&str, Method); 8] = [
    ("delete", Method::DELETE),
    ("get", Method::GET),
    ("head", Method::HEAD),
    ("options", Method::OPTIONS),
    ("patch", Method::PATCH),
    ("post", Method::POST),
    ("put", Method::PUT),
    ("trace", Method::TRACE),
];

/// Whether a document can show operations of a method.
pub(crate) fn is_method(method: &Method) -> bool {
    METHODS.iter().any(|(_, known)| known == method)
}

/// An OpenAPI document.
#[derive(Clone, Debug, Default)]
pub(crate) struct Document(Map<String, Value>);

/// An operation's place in a document.
pub(crate) struct OperationRef<'d> {
    pub(crate) path: &'d str,
    pub(crate) method: Method,
    pub(crate) operation: &'d Map<String, Value>,
}

impl Document {
    /// Reads a document that somebody wrote, as JSON or YAML.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let is_json = text.trim_start().starts_with('{');
        let mut document = if is_json {
            Self::parse(text).map_err(|error| format!("the document is no JSON: {error}"))?
        } else {
            let members = serde_saphyr::from_str(text)
                .map_err(|error| format!("the document is no YAML: {error}"))?;
            Self(members)
        };
        document.name_wildcards();
        let version = document.0.get("openapi").and_then(Value::as_str).unwrap_or_default();
        match version.strip_prefix("3.") {
            Some(_) => Ok(document),
            None => Err("the document has no `openapi: 3.…`".to_owned()),
        }
    }

    /// Reads a document as JSON. A path that stands in it twice, as poem-openapi writes it where two APIs
    /// share one, is one path with the operations of both.
    pub(crate) fn parse(json: &str) -> Result<Self, serde_json::Error> {
        let Parsed { paths: Paths(paths), rest: mut members } = serde_json::from_str(json)?;
        members.insert("paths".to_owned(), Value::Object(paths));
        Ok(Self(members))
    }

    pub(crate) fn members(&self) -> &Map<String, Value> {
        &self.0
    }

    pub(crate) fn members_mut(&mut self) -> &mut Map<String, Value> {
        &mut self.0
    }

    /// The scopes that the flows of an oauth2 scheme describe (OpenAPI 3.0 §4.7.29).
    pub(crate) fn scopes(&self, scheme: &str) -> impl Iterator<Item = (&str, &str)> {
        let flows = self
            .0
            .get("components")
            .and_then(|components| components.get("securitySchemes")?.get(scheme)?.get("flows"));
        let flows = flows.and_then(Value::as_object).into_iter().flatten();
        let scopes = flows.filter_map(|(_, flow)| flow.get("scopes")?.as_object()).flatten();
        scopes.filter_map(|(scope, description)| Some((scope.as_str(), description.as_str()?)))
    }

    /// Every operation, in the order of the document.
    pub(crate) fn operations(&self) -> impl Iterator<Item = OperationRef<'_>> {
        let paths = self.0.get("paths").and_then(Value::as_object).into_iter().flatten();
        paths.flat_map(|(path, item)| {
            METHODS.into_iter().filter_map(move |(name, method)| {
                let operation = item.get(name)?.as_object()?;
                Some(OperationRef { path, method, operation })
            })
        })
    }

    /// Frameworks write `{*rest}` or `{**rest}` for a parameter that takes the rest of a path, whose
    /// name is `rest`. A path that is there already stays alone.
    fn name_wildcards(&mut self) {
        let Some(Value::Object(paths)) = self.0.get_mut("paths") else { return };
        let wild: Vec<_> = paths.keys().filter(|path| path.contains("{*")).cloned().collect();
        for path in wild {
            let names = path.split("{*").map(|name| name.trim_start_matches(['*', '+', '?']));
            let named = names.collect::<Vec<_>>().join("{");
            if !paths.contains_key(&named)
                && let Some(item) = paths.remove(&path)
            {
                paths.insert(named, item);
            }
        }
    }

    /// Rewrites every operation.
    pub(crate) fn rewrite(
        &mut self,
        mut rewrite: impl FnMut(&str, &Method, &mut Map<String, Value>),
    ) {
        let paths = self.0.get_mut("paths").and_then(Value::as_object_mut);
        for (path, item) in paths.into_iter().flatten() {
            for (name, method) in &METHODS {
                if let Some(operation) = item.get_mut(name).and_then(Value::as_object_mut) {
                    rewrite(path, method, operation);
                }
            }
        }
    }
}

#[derive(Deserialize)]
struct Parsed {
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
