//! The text of a document: JSON or YAML, without members that are written twice.

use std::{fmt, thread};

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value, map::Entry};
use serde_saphyr::{Budget, Options, alias_limits, budget, options};

use crate::document::{
    Document, DocumentError,
    pointer::{Place, escaped},
};

/// How deep objects and arrays may nest.
const MAX_DEPTH: usize = 120;

/// The parser of YAML takes tens of kilobytes a level.
const STACK: usize = 16 * 1024 * 1024;

/// How many values the aliases of a YAML text may repeat.
const MAX_REPEATED: usize = 1_000_000;

/// The members of the document.
pub(super) fn parse(text: &[u8]) -> Result<Map<String, Value>, DocumentError> {
    if text.len() > Document::MAX_LENGTH {
        let mebibytes = Document::MAX_LENGTH / (1024 * 1024);
        return Err(DocumentError::of_all(format!("it is larger than {mebibytes} MiB")));
    }
    let text = str::from_utf8(text).map_err(|_| DocumentError::of_all("it is not UTF-8"))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let value = match text.trim_start().starts_with('{') {
        true => from_json(text)?,
        false => from_yaml(text)?,
    };
    match value {
        Value::Object(members) => Ok(members),
        Value::Null => Err(DocumentError::of_all("it is empty")),
        _ => Err(DocumentError::of_all("it is not an OpenAPI document, which is an object")),
    }
}

/// Checks that this is a version that can be read.
pub(super) fn version(members: &Map<String, Value>) -> Result<String, DocumentError> {
    let place = Place::default().at("openapi");
    let version = match members.get("openapi") {
        Some(Value::String(version)) => version,
        Some(Value::Number(number)) => {
            let problem = format!("a version is text: write \"{number}.0\" in quotation marks");
            return Err(DocumentError::new(&place, problem));
        }
        Some(_) => return Err(DocumentError::new(&place, "not a version, such as 3.1.0")),
        None if members.contains_key("swagger") => {
            return Err(DocumentError::of_all(
                "it is of Swagger 2.0: convert it to OpenAPI 3.0, 3.1 or 3.2",
            ));
        }
        None => {
            return Err(DocumentError::of_all(
                "it is not an OpenAPI document: it has no member `openapi`, such as `openapi: 3.1.0`",
            ));
        }
    };
    let is_known = ["3.0", "3.1", "3.2"].iter().any(|known| {
        version.strip_prefix(known).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    });
    match is_known {
        true => Ok(version.clone()),
        false => {
            let problem = format!("{version:?} is not one of the versions 3.0, 3.1 and 3.2");
            Err(DocumentError::new(&place, problem))
        }
    }
}

fn from_json(text: &str) -> Result<Value, DocumentError> {
    let mut pointer = String::new();
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let value = Node { pointer: &mut pointer, depth: 0 }.deserialize(&mut deserializer);
    value.and_then(|value| deserializer.end().map(|()| value)).map_err(|error| {
        DocumentError::new(&Place::from_pointer(pointer), format!("not valid JSON: {error}"))
    })
}

fn from_yaml(text: &str) -> Result<Value, DocumentError> {
    let read = || {
        let mut pointer = String::new();
        let read = |deserializer: serde_saphyr::Deserializer<'_, '_>| {
            Node { pointer: &mut pointer, depth: 0 }.deserialize(deserializer)
        };
        let value = serde_saphyr::with_deserializer_from_str_with_options(text, yaml(), read);
        value.map_err(|error| {
            let problem = format!("not valid YAML: {}", first_line(&error.to_string()));
            DocumentError::new(&Place::from_pointer(pointer), problem)
        })
    };
    let failed = |problem: &str| DocumentError::of_all(problem);
    thread::scope(|scope| {
        let thread = thread::Builder::new().stack_size(STACK).spawn_scoped(scope, read);
        let thread = thread.map_err(|error| failed(&error.to_string()))?;
        thread.join().unwrap_or_else(|_| Err(failed("the parser of YAML failed")))
    })
}

/// The parser also shows the lines around a mistake, and advises its callers in code.
fn first_line(message: &str) -> &str {
    let line = message.lines().next().unwrap_or(message);
    let line = line.split(", set DuplicateKeyPolicy").next().unwrap_or(line);
    line.strip_prefix("error: ").unwrap_or(line)
}

/// OpenAPI documents are YAML with the types of JSON. The length of the text bounds what it says once,
/// and the limit for aliases what it repeats.
fn yaml() -> Options {
    let budget: Option<Budget> = budget! {
        enforce_alias_anchor_ratio: false,
        flow_nesting_limit: MAX_DEPTH,
        max_aliases: usize::MAX,
        max_anchors: usize::MAX,
        max_depth: MAX_DEPTH,
        max_documents: 1,
        max_events: usize::MAX,
        max_merge_keys: usize::MAX,
        max_nodes: usize::MAX,
        max_total_scalar_bytes: usize::MAX,
    };
    options! {
        alias_limits: alias_limits! { max_total_replayed_events: MAX_REPEATED },
        budget: budget,
        leading_zero_numbers_as_strings: true,
        strict_booleans: true,
        underscored_numbers_as_strings: true,
    }
}

/// Reads a value at a place. After an error, `pointer` is where it occurred.
struct Node<'p> {
    pointer: &'p mut String,
    depth: usize,
}

impl Node<'_> {
    /// What is inside of this value, under this name.
    fn inner(&mut self, name: &str) -> Node<'_> {
        self.pointer.push('/');
        self.pointer.push_str(&escaped(name));
        Node { pointer: self.pointer, depth: self.depth + 1 }
    }

    fn check_depth<E: Error>(&self) -> Result<(), E> {
        match self.depth {
            0..MAX_DEPTH => Ok(()),
            _ => Err(E::custom(format!("nested more than {MAX_DEPTH} levels deep"))),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value of JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    /// Numbers beyond 64 bits, and those that JSON does not have, are limits of schemas.
    fn visit_i128<E: Error>(self, value: i128) -> Result<Value, E> {
        Ok(value.to_string().into())
    }

    fn visit_u128<E: Error>(self, value: u128) -> Result<Value, E> {
        Ok(value.to_string().into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut elements: A) -> Result<Value, A::Error> {
        self.check_depth()?;
        let mut array = Vec::new();
        let length = self.pointer.len();
        while let Some(value) = elements.next_element_seed(self.inner(&array.len().to_string()))? {
            array.push(value);
            self.pointer.truncate(length);
        }
        self.pointer.truncate(length);
        Ok(array.into())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut members: A) -> Result<Value, A::Error> {
        self.check_depth()?;
        let mut object = Map::new();
        let length = self.pointer.len();
        while let Some(name) = members.next_key::<String>()? {
            let node = self.inner(&name);
            match object.entry(name) {
                Entry::Vacant(entry) => entry.insert(members.next_value_seed(node)?),
                Entry::Occupied(_) => return Err(A::Error::custom("the member is written twice")),
            };
            self.pointer.truncate(length);
        }
        Ok(object.into())
    }
}
