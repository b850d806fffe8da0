//! The text of a given document, parsed as strictly as a token: no member twice, bounded depth.

use serde::de::DeserializeSeed;
use serde_json::{Map, Value};

use super::order::Order;
use crate::token::json::StrictValue;

/// How deep objects and arrays may nest. `serde_json` has the same limit.
const MAX_DEPTH: usize = 127;

/// The members of a text, and how it is written.
#[derive(Debug)]
pub(super) struct Text {
    pub(super) members: Map<String, Value>,
    pub(super) order: Order,
    pub(super) version: Version,
}

/// Parses JSON or YAML, and checks that it is OpenAPI 3.0, 3.1 or 3.2.
pub(super) fn read(text: &str) -> Result<Text, String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (value, order) = if text.trim_start().starts_with('{') {
        from_json(text).map_err(|error| format!("it is not valid JSON: {error}"))?
    } else {
        from_yaml(text)?
    };
    match value {
        Value::Object(members) => {
            Version::of(&members).map(|version| Text { members, order, version })
        }
        Value::Null => Err("it is empty".to_owned()),
        _ => Err("it is not an object; begin it with `openapi: 3.1.0`".to_owned()),
    }
}

/// A version of the OpenAPI Specification.
#[derive(Clone, Copy, Debug, Eq, PartialEq, PartialOrd)]
pub(super) enum Version {
    V3_0,
    V3_1,
    V3_2,
}

impl Version {
    pub(super) fn of(members: &Map<String, Value>) -> Result<Self, String> {
        let version = match members.get("openapi") {
            Some(Value::String(version)) => version,
            Some(Value::Number(version)) => {
                return Err(format!(
                    "its `openapi` is a number; quote the version: `openapi: \"{version}\"`"
                ));
            }
            Some(_) => return Err("its `openapi` is not a version such as 3.1.0".to_owned()),
            None if members.contains_key("swagger") => {
                return Err("it is Swagger 2.0; convert it to OpenAPI 3.0, 3.1 or 3.2".to_owned());
            }
            None => return Err("it has no `openapi` member, such as `openapi: 3.1.0`".to_owned()),
        };
        let mut numbers = version.splitn(3, '.');
        let minor = (numbers.next() == Some("3")).then(|| numbers.next()).flatten();
        let is_patch = |patch: &str| {
            let digits = patch.split_once('-').map_or(patch, |(digits, _)| digits);
            !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit())
        };
        match minor.filter(|_| numbers.next().is_none_or(is_patch)) {
            Some("0") => Ok(Self::V3_0),
            Some("1") => Ok(Self::V3_1),
            Some("2") => Ok(Self::V3_2),
            _ => Err(format!("its version is {version:?}; OpenAPI 3.0, 3.1 and 3.2 are supported")),
        }
    }
}

fn from_json(text: &str) -> Result<(Value, Order), serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let value = StrictValue::of_a_document(MAX_DEPTH).deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok((value, serde_json::from_str(text)?))
}

#[cfg(feature = "yaml")]
fn from_yaml(text: &str) -> Result<(Value, Order), String> {
    super::yaml::read(text, MAX_DEPTH).map_err(|error| format!("it is not valid YAML: {error}"))
}

#[cfg(not(feature = "yaml"))]
fn from_yaml(text: &str) -> Result<(Value, Order), String> {
    if text.trim().is_empty() {
        return Ok((Value::Null, Order::Unknown));
    }
    Err("it is not a JSON object; if it is YAML, enable the feature `yaml`: \
         `cargo add monocloud-backend --features yaml`"
        .to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn problem(text: &str) -> String {
        read(text).unwrap_err()
    }

    fn json(rest: &str) -> String {
        format!(r#"{{"openapi":"3.1.0",{rest}}}"#)
    }

    #[test]
    fn three_minor_versions_are_read_and_no_other() {
        let of_version = |version: &str| json!({ "openapi": version }).to_string();
        for (text, version) in [
            ("3.0.0", Version::V3_0),
            ("3.0.4", Version::V3_0),
            ("3.1", Version::V3_1),
            ("3.1.2", Version::V3_1),
            ("3.2.0", Version::V3_2),
            ("3.2.0-rc1", Version::V3_2),
        ] {
            assert_eq!(read(&of_version(text)).unwrap().version, version, "{text}");
        }
        for text in
            ["3.3.0", "3.99.0", "3.", "3", "3.1.", "3.1.x", "3.1.0.0", "4.0.0", "2.0", "", "3.01.0"]
        {
            let problem = problem(&of_version(text));
            assert!(problem.contains("3.0, 3.1 and 3.2 are supported"), "{text}: {problem}");
        }
        assert!(problem(r#"{"swagger": "2.0"}"#).contains("Swagger 2.0"));
        assert!(problem(r#"{"info": {}}"#).contains("no `openapi` member"));
    }

    #[test]
    fn a_version_that_is_a_number_is_to_be_quoted() {
        let quoted = r#"quote the version: `openapi: "3.1"`"#;
        assert!(problem(r#"{"openapi": 3.1}"#).contains(quoted));
        assert!(problem(r#"{"openapi": 3}"#).contains("quote the version"));
        assert!(problem(r#"{"openapi": null}"#).contains("not a version"));
    }

    #[test]
    fn a_member_that_is_written_twice_is_named_with_its_place() {
        for (text, place) in [
            (
                json(r#""paths":{"/a":{"get":{"security":[],"security":[]}}}"#),
                "paths./a.get.security",
            ),
            (json(r#""paths":{"/a":{},"/a":{}}"#), "paths./a"),
            (json(r#""tags":[{},{"name":"a","name":"b"}]"#), "tags.1.name"),
            (json(r#""a":1,"\u0061":2"#), "a"),
        ] {
            let problem = problem(&text);
            assert!(problem.contains(place), "{text}: {problem}");
        }
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_text() {
        let text = json(r#""a":1"#);
        assert_eq!(read(&format!("\u{feff}{text}")).unwrap().members["a"], 1);
        assert_eq!(problem("\u{feff}"), "it is empty");
    }

    #[test]
    fn a_hundred_and_twenty_seven_levels_are_read_and_one_more_is_not() {
        let nested = |levels: usize| {
            let (open, close) = ("[".repeat(levels - 1), "]".repeat(levels - 1));
            json(&format!(r#""a":{open}{close}"#))
        };
        for levels in [70, 127] {
            assert!(read(&nested(levels)).is_ok(), "{levels}");
        }
        for levels in [128, 100_000] {
            assert!(read(&nested(levels)).is_err(), "{levels}");
        }
    }

    #[test]
    fn a_text_has_one_document() {
        assert!(problem(r#"{"openapi":"3.1.0"} {}"#).contains("not valid JSON"));
        assert_eq!(problem(""), "it is empty");
        assert_eq!(problem("\n"), "it is empty");
    }

    #[cfg(not(feature = "yaml"))]
    #[test]
    fn yaml_is_refused_with_the_feature_that_reads_it() {
        let said = "it is not a JSON object; if it is YAML, enable the feature `yaml`: \
                    `cargo add monocloud-backend --features yaml`";
        for text in ["openapi: 3.1.0\npaths: {}", "# Posts\nopenapi: 3.1.0", "[]", "posts"] {
            assert_eq!(problem(text), said, "{text}");
        }
    }
}
