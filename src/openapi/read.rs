//! The text of a given document, parsed as strictly as a token: no member twice, bounded depth.

use std::thread;

use serde::de::DeserializeSeed;
use serde_json::{Map, Value};
use serde_saphyr::{
    Budget, Options, alias_limits, budget, options, with_deserializer_from_str_with_options,
};

use super::order::Order;
use crate::token::json::StrictValue;

/// How deep objects and arrays may nest. `serde_json` has the same limit.
const MAX_DEPTH: usize = 127;

/// The stack for the parser of YAML, which takes up to 30 KB a level: more than the thread of a caller
/// may have.
const YAML_STACK: usize = 16 * 1024 * 1024;

/// How many nodes the aliases of a YAML document may expand to.
const MAX_ALIASED_NODES: usize = 500_000;

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
        from_yaml(text).map_err(|error| format!("it is not valid YAML: {error}"))?
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

fn from_yaml(text: &str) -> Result<(Value, Order), String> {
    let read = || {
        let value =
            with_deserializer_from_str_with_options(text, yaml_options(), |deserializer| {
                StrictValue::of_a_document(MAX_DEPTH).deserialize(deserializer)
            })?;
        let order = serde_saphyr::from_str_with_options(text, yaml_options())?;
        Ok((value, order))
    };
    let read = || read().map_err(|error: serde_saphyr::Error| error.to_string());
    thread::scope(|scope| {
        let thread = thread::Builder::new().stack_size(YAML_STACK).spawn_scoped(scope, read);
        let read = thread.map_err(|error| error.to_string())?.join();
        read.unwrap_or_else(|_| Err("its parser panicked".to_owned()))
    })
}

/// OpenAPI documents are YAML 1.2 with the types of JSON (OpenAPI 3.0 §4.2): `no`, `1_000` and `007`
/// are text.
///
/// The text is the developer's own and in memory already, so that its length bounds what it says
/// once. What its aliases repeat has a bound of its own.
fn yaml_options() -> Options {
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
        alias_limits: alias_limits! { max_total_replayed_events: MAX_ALIASED_NODES },
        budget: budget,
        leading_zero_numbers_as_strings: true,
        reject_unsupported_tags: true,
        strict_booleans: true,
        underscored_numbers_as_strings: true,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn members(text: &str) -> Value {
        Value::Object(read(text).unwrap().members)
    }

    fn problem(text: &str) -> String {
        read(text).unwrap_err()
    }

    fn yaml(rest: &str) -> String {
        format!("openapi: 3.1.0\n{rest}")
    }

    fn json(rest: &str) -> String {
        format!(r#"{{"openapi":"3.1.0",{rest}}}"#)
    }

    #[test]
    fn three_minor_versions_are_read_and_no_other() {
        for (text, version) in [
            ("3.0.0", Version::V3_0),
            ("3.0.4", Version::V3_0),
            ("3.1", Version::V3_1),
            ("3.1.2", Version::V3_1),
            ("3.2.0", Version::V3_2),
            ("3.2.0-rc1", Version::V3_2),
        ] {
            assert_eq!(read(&format!("openapi: '{text}'")).unwrap().version, version, "{text}");
        }
        for text in
            ["3.3.0", "3.99.0", "3.", "3", "3.1.", "3.1.x", "3.1.0.0", "4.0.0", "2.0", "", "3.01.0"]
        {
            let problem = problem(&format!("openapi: '{text}'"));
            assert!(problem.contains("3.0, 3.1 and 3.2 are supported"), "{text}: {problem}");
        }
        assert!(problem("swagger: '2.0'").contains("Swagger 2.0"));
        assert!(problem("info: {}").contains("no `openapi` member"));
    }

    #[test]
    fn a_version_that_is_a_number_is_to_be_quoted() {
        for text in ["openapi: 3.1", r#"{"openapi": 3.1}"#] {
            assert!(problem(text).contains(r#"quote the version: `openapi: "3.1"`"#), "{text}");
        }
        assert!(problem("openapi: 3").contains("quote the version"));
        assert!(problem("openapi: null").contains("not a version"));
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
            (yaml("paths: { /a: { get: {}, 'get': {} } }"), "get"),
            (yaml("paths: { /a: { get: { responses: { 200: {}, '200': {} } } } }"), "200"),
            (yaml("paths: {}\npaths: {}"), "paths"),
        ] {
            let problem = problem(&text);
            assert!(problem.contains(place), "{text}: {problem}");
        }
    }

    #[test]
    fn yaml_has_the_types_of_json() {
        let text = yaml(
            "enum: [DK, NO, SE, n, N, y, Y, on, off, yes, 1_000, 0x_F, 007, 12:30:45, 2020-01-01]",
        );
        let texts = [
            "DK",
            "NO",
            "SE",
            "n",
            "N",
            "y",
            "Y",
            "on",
            "off",
            "yes",
            "1_000",
            "0x_F",
            "007",
            "12:30:45",
            "2020-01-01",
        ];
        assert_eq!(members(&text)["enum"], json!(texts));
        let text = yaml("a: [true, false, null, ~, 1, -1, 1.5, 1e3, 0, 'true', \"1\", !!str 1]");
        let values = json!([true, false, null, null, 1, -1, 1.5, 1000.0, 0, "true", "1", "1"]);
        assert_eq!(members(&text)["a"], values);
        assert_eq!(members(&yaml("on: { y: 1, 200: 2 }"))["on"], json!({ "y": 1, "200": 2 }));
        for text in
            ["a: .inf", "a: .nan", "get: !include a.yaml", "get: !own {}", "{[a]: 1}", "{null: 1}"]
        {
            assert!(read(&yaml(text)).is_err(), "{text}");
        }
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_text() {
        for text in [yaml("a: 1"), json(r#""a":1"#)] {
            assert_eq!(members(&format!("\u{feff}{text}"))["a"], 1);
        }
        assert!(read("\u{feff}").is_err());
    }

    #[test]
    fn a_hundred_and_twenty_seven_levels_are_read_and_one_more_is_not() {
        let nested = |levels: usize| {
            let (open, close) = ("[".repeat(levels - 1), "]".repeat(levels - 1));
            [json(&format!(r#""a":{open}{close}"#)), yaml(&format!("a: {open}{close}"))]
        };
        for levels in [70, 127] {
            for text in nested(levels) {
                assert!(read(&text).is_ok(), "{levels}: {text:.40}");
            }
        }
        for levels in [128, 100_000] {
            for text in nested(levels) {
                assert!(read(&text).is_err(), "{levels}: {text:.40}");
            }
        }
        let block: String = (0..128).map(|level| format!("{}a:\n", " ".repeat(level))).collect();
        assert!(read(&yaml(&block)).is_err());
    }

    #[test]
    fn large_files_and_many_aliases_are_read() {
        let many: String = (0..130).map(|n| format!("a{n}: *shared\n")).collect();
        let text = yaml(&format!("shared: &shared {{ type: object }}\n{many}"));
        assert_eq!(members(&text)["a129"], json!({ "type": "object" }));

        let many = "- a\n".repeat(250_001);
        assert_eq!(members(&yaml(&format!("a:\n{many}")))["a"].as_array().unwrap().len(), 250_001);
    }

    #[test]
    fn what_aliases_expand_to_is_bounded() {
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..30 {
            let alias = format!("*a{}", level - 1);
            text.push_str(&format!("a{level}: &a{level} [{}]\n", [&*alias; 10].join(", ")));
        }
        let problem = problem(&yaml(&text));
        assert!(problem.contains("limit") || problem.contains("budget"), "{problem}");
    }

    #[test]
    fn several_documents_in_one_text_are_refused() {
        assert!(read("openapi: 3.1.0\n---\nopenapi: 3.1.0\n").is_err());
        assert!(read(r#"{"openapi":"3.1.0"} {}"#).is_err());
        assert_eq!(problem(""), "it is empty");
        assert!(problem("- openapi: 3.1.0").contains("not an object"));
    }
}
