//! YAML, read with the types of JSON, and written.

use std::thread;

use serde::{Serialize, de::DeserializeSeed};
use serde_json::Value;
use serde_saphyr::{
    Budget, Options, alias_limits, budget, options, with_deserializer_from_str_with_options,
};

use super::order::Order;
use crate::token::json::StrictValue;

/// The stack for the parser, which takes up to 30 KB a level: more than the thread of a caller may
/// have.
const STACK: usize = 16 * 1024 * 1024;

/// How many nodes the aliases of a document may expand to.
const MAX_ALIASED_NODES: usize = 500_000;

/// Reads a document whose objects and arrays nest at most `max_depth` levels.
pub(super) fn read(text: &str, max_depth: usize) -> Result<(Value, Order), String> {
    let read = || {
        let options = || options(max_depth);
        let value = with_deserializer_from_str_with_options(text, options(), |deserializer| {
            StrictValue::of_a_document(max_depth).deserialize(deserializer)
        })?;
        let order = serde_saphyr::from_str_with_options(text, options())?;
        Ok((value, order))
    };
    let read = || read().map_err(|error: serde_saphyr::Error| error.to_string());
    thread::scope(|scope| {
        let thread = thread::Builder::new().stack_size(STACK).spawn_scoped(scope, read);
        let read = thread.map_err(|error| error.to_string())?.join();
        read.unwrap_or_else(|_| Err("its parser panicked".to_owned()))
    })
}

pub(super) fn write(document: &impl Serialize) -> String {
    serde_saphyr::to_string(document).unwrap_or_default()
}

/// OpenAPI documents are YAML 1.2 with the types of JSON (OpenAPI 3.0 §4.2): `no`, `1_000` and `007`
/// are text.
///
/// The text is the developer's own and in memory already, so that its length bounds what it says
/// once. What its aliases repeat has a bound of its own.
fn options(max_depth: usize) -> Options {
    let budget: Option<Budget> = budget! {
        enforce_alias_anchor_ratio: false,
        flow_nesting_limit: max_depth,
        max_aliases: usize::MAX,
        max_anchors: usize::MAX,
        max_depth: max_depth,
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

    use super::{super::read::read, *};

    fn members(text: &str) -> Value {
        Value::Object(read(text).unwrap().members)
    }

    fn problem(text: &str) -> String {
        read(text).unwrap_err()
    }

    fn yaml(rest: &str) -> String {
        format!("openapi: 3.1.0\n{rest}")
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
    fn a_version_that_is_a_number_is_to_be_quoted() {
        assert!(problem("openapi: 3.1").contains(r#"quote the version: `openapi: "3.1"`"#));
    }

    #[test]
    fn a_member_that_is_written_twice_is_named() {
        for (text, name) in [
            (yaml("paths: { /a: { get: {}, 'get': {} } }"), "get"),
            (yaml("paths: { /a: { get: { responses: { 200: {}, '200': {} } } } }"), "200"),
            (yaml("paths: {}\npaths: {}"), "paths"),
        ] {
            let problem = problem(&text);
            assert!(problem.contains(name), "{text}: {problem}");
        }
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_text() {
        assert_eq!(members(&format!("\u{feff}{}", yaml("a: 1")))["a"], 1);
        assert_eq!(problem("\u{feff}"), "it is empty");
    }

    #[test]
    fn a_hundred_and_twenty_seven_levels_are_read_and_one_more_is_not() {
        let nested = |levels: usize| {
            yaml(&format!("a: {}{}", "[".repeat(levels - 1), "]".repeat(levels - 1)))
        };
        for levels in [70, 127] {
            assert!(read(&nested(levels)).is_ok(), "{levels}");
        }
        for levels in [128, 100_000] {
            assert!(read(&nested(levels)).is_err(), "{levels}");
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
    fn a_text_has_one_document() {
        assert!(read("openapi: 3.1.0\n---\nopenapi: 3.1.0\n").is_err());
        assert_eq!(problem("# Posts"), "it is empty");
        assert!(problem("- openapi: 3.1.0").contains("not an object"));
    }
}
