//! Values for parameters and bodies: from examples, enumerations, formats and schemas.

use serde_json::{Map, Value, json};

use crate::document::Document;

/// How deep a body is built. Schemas may contain themselves.
const DEEPEST: usize = 8;

/// A value for what has a `schema`, `content`, `example` or `examples`: a parameter or a media type.
pub(super) fn value_of(document: &Document, members: &Map<String, Value>) -> Value {
    if let Some(example) = members.get("example") {
        return example.clone();
    }
    let examples = members.get("examples").and_then(Value::as_object);
    for example in examples.into_iter().flat_map(Map::values) {
        let example = document.follow(example).unwrap_or(example);
        if let Some(value) = example.get("value").or_else(|| example.get("dataValue")) {
            return value.clone();
        }
    }
    if let Some(schema) = schema_of(document, members) {
        return of_schema(document, schema, DEEPEST);
    }
    json!("example")
}

/// The schema of a parameter or a media type, without its reference.
pub(super) fn schema_of<'v>(
    document: &'v Document,
    members: &'v Map<String, Value>,
) -> Option<&'v Value> {
    let content = || members.get("content")?.as_object()?.values().next()?.get("schema");
    let schema = members.get("schema").or_else(content)?;
    document.follow(schema).ok()
}

/// The type that a schema names; the first that is not `null` of several.
pub(super) fn type_of(schema: &Value) -> Option<&str> {
    match schema.get("type")? {
        Value::String(name) => Some(name),
        Value::Array(names) => names.iter().filter_map(Value::as_str).find(|name| *name != "null"),
        _ => None,
    }
}

fn of_schema(document: &Document, schema: &Value, depth: usize) -> Value {
    let schema = document.follow(schema).unwrap_or(schema);
    let first = |name: &str| schema.get(name).and_then(Value::as_array).and_then(|all| all.first());
    let given = schema.get("const").or_else(|| schema.get("example")).or_else(|| first("examples"));
    let given = given.or_else(|| schema.get("default")).filter(|value| !value.is_null());
    let given = given.or_else(|| first("enum"));
    if let Some(value) = given {
        return value.clone();
    }
    if depth == 0 {
        return Value::Null;
    }
    if let Some(one) = first("oneOf").or_else(|| first("anyOf")) {
        return of_schema(document, one, depth - 1);
    }
    let parts = schema.get("allOf").and_then(Value::as_array);
    if let Some(parts) = parts {
        let values = parts.iter().map(|part| of_schema(document, part, depth - 1));
        let own = object(document, schema, depth);
        let members = values.chain([own]).filter_map(|value| value.as_object().cloned());
        return members.flatten().collect::<Map<_, _>>().into();
    }
    match type_of(schema) {
        Some("integer") => integer(schema),
        Some("number") => schema.get("minimum").cloned().unwrap_or_else(|| json!(1)),
        Some("boolean") => json!(true),
        Some("array") => {
            let item = schema.get("items").map(|items| of_schema(document, items, depth - 1));
            json!([item.unwrap_or_else(|| json!("example"))])
        }
        Some("object") => object(document, schema, depth),
        None if schema.get("properties").is_some() => object(document, schema, depth),
        Some("null") => Value::Null,
        _ => text(schema),
    }
}

/// An object with the required members, or with all if none is required.
fn object(document: &Document, schema: &Value, depth: usize) -> Value {
    let required: Vec<_> =
        schema.get("required").and_then(Value::as_array).into_iter().flatten().collect();
    let properties = schema.get("properties").and_then(Value::as_object);
    let chosen = properties.into_iter().flatten();
    let chosen = chosen.filter(|(name, property)| {
        let is_required = required.iter().any(|required| *required == *name);
        let is_read_only = property.get("readOnly") == Some(&Value::Bool(true));
        is_required || (required.is_empty() && !is_read_only)
    });
    let members =
        chosen.map(|(name, property)| (name.clone(), of_schema(document, property, depth - 1)));
    members.collect::<Map<_, _>>().into()
}

fn integer(schema: &Value) -> Value {
    let bound = |name: &str| schema.get(name).and_then(Value::as_i64);
    let exclusive = bound("exclusiveMinimum").map(|bound| bound.saturating_add(1));
    let least = bound("minimum").or(exclusive).unwrap_or(1).max(1);
    let step = bound("multipleOf").filter(|step| *step > 1);
    let least = step.map_or(least, |step| least.saturating_add(step - 1) / step * step);
    json!(bound("maximum").map_or(least, |most| least.min(most)))
}

fn text(schema: &Value) -> Value {
    let text = match schema.get("format").and_then(Value::as_str).unwrap_or_default() {
        "uuid" => "3fa85f64-5717-4562-b3fc-2c963f66afa6",
        "date" => "2026-01-31",
        "date-time" => "2026-01-31T12:00:00Z",
        "time" => "12:00:00Z",
        "duration" => "PT1H",
        "email" | "idn-email" => "audit@example.com",
        "uri" | "url" | "iri" | "uri-reference" => "https://example.com/",
        "hostname" => "example.com",
        "ipv4" => "192.0.2.1",
        "ipv6" => "2001:db8::1",
        "byte" => "ZXhhbXBsZQ==",
        _ => "example",
    };
    let length = |name: &str| {
        schema.get(name).and_then(Value::as_u64).and_then(|it| usize::try_from(it).ok())
    };
    let mut text = text.to_owned();
    if let Some(least) = length("minLength") {
        while text.chars().count() < least.min(10_000) {
            text.push('x');
        }
    }
    if let Some(most) = length("maxLength") {
        text = text.chars().take(most).collect();
    }
    json!(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(schema: Value) -> Value {
        let openapi = json!({
            "openapi": "3.1.0",
            "paths": {},
            "components": {
                "schemas": {
                    "Post": { "type": "object", "properties": { "id": { "const": 7 } } },
                    "Tree": {
                        "type": "object",
                        "properties": { "child": { "$ref": "#/components/schemas/Tree" } },
                    },
                },
                "examples": { "short": { "value": "from a reference" } },
            },
        });
        let document = Document::read(openapi.to_string().as_bytes()).unwrap();
        value_of(&document, schema.as_object().unwrap())
    }

    fn of(schema: Value) -> Value {
        sample(json!({ "schema": schema }))
    }

    #[test]
    fn an_example_is_taken_before_a_schema() {
        let schema = json!({ "type": "integer" });
        assert_eq!(sample(json!({ "example": "e", "schema": schema })), "e");
        let examples = json!({ "a": { "value": "v" } });
        assert_eq!(sample(json!({ "examples": examples, "schema": schema })), "v");
        let examples = json!({ "a": { "$ref": "#/components/examples/short" } });
        assert_eq!(sample(json!({ "examples": examples })), "from a reference");
        assert_eq!(sample(json!({ "content": { "text/plain": { "schema": schema } } })), 1);
        assert_eq!(sample(json!({})), "example");
    }

    #[test]
    fn a_schema_has_a_value_of_its_own_or_one_of_its_type() {
        for (schema, expected) in [
            (json!({ "const": "c", "default": "d" }), json!("c")),
            (json!({ "default": "d", "enum": ["e"] }), json!("d")),
            (json!({ "enum": ["e", "f"] }), json!("e")),
            (json!({ "type": ["null", "boolean"] }), json!(true)),
            (json!({ "type": "number", "minimum": 2.5 }), json!(2.5)),
            (json!({ "type": "array", "items": { "type": "integer" } }), json!([1])),
            (
                json!({ "type": "string", "format": "uuid" }),
                json!("3fa85f64-5717-4562-b3fc-2c963f66afa6"),
            ),
            (json!({ "type": "string", "minLength": 9 }), json!("examplexx")),
            (json!({ "type": "string", "maxLength": 2 }), json!("ex")),
            (json!({ "oneOf": [{ "type": "integer" }, {}] }), json!(1)),
            (json!({ "$ref": "#/components/schemas/Post" }), json!({ "id": 7 })),
        ] {
            assert_eq!(of(schema.clone()), expected, "{schema}");
        }
    }

    #[test]
    fn an_integer_is_within_its_bounds() {
        for (schema, expected) in [
            (json!({ "type": "integer", "minimum": 5 }), 5),
            (json!({ "type": "integer", "exclusiveMinimum": 5 }), 6),
            (json!({ "type": "integer", "minimum": 5, "multipleOf": 4 }), 8),
            (json!({ "type": "integer", "maximum": 0 }), 0),
            (json!({ "type": "integer", "minimum": -5 }), 1),
        ] {
            assert_eq!(of(schema.clone()), expected, "{schema}");
        }
    }

    #[test]
    fn an_object_has_what_is_required_and_ends() {
        let text = json!({ "type": "string" });
        let properties = json!({ "a": text, "b": text });
        assert_eq!(
            of(json!({ "properties": properties, "required": ["b"] })),
            json!({ "b": "example" })
        );
        let read_only = json!({ "a": text, "id": { "type": "string", "readOnly": true } });
        assert_eq!(of(json!({ "properties": read_only })), json!({ "a": "example" }));
        let parts = json!([{ "properties": { "a": text } }, { "properties": { "b": text } }]);
        assert_eq!(of(json!({ "allOf": parts })), json!({ "a": "example", "b": "example" }));
        let depth =
            of(json!({ "$ref": "#/components/schemas/Tree" })).to_string().matches('{').count();
        assert_eq!(depth, DEEPEST);
    }
}
