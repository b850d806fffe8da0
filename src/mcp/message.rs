//! The body of a request: JSON-RPC messages, read as strictly as a token.
//!
//! Whatever two parsers may read differently is rejected: a member twice, in another case or by its
//! position in an array, an unknown charset, what follows the value. Otherwise a request could be
//! authorized for one tool and call another.

use std::slice;

use serde_json::{Map, Value};

use super::operation::{Kind, Operation, Subject};
use crate::token::json;

/// How deep arguments may nest: as deep as `serde_json` reads.
const MAX_DEPTH: usize = 127;

/// How many messages a batch may have; revision 2025-03-26 alone has batches.
const MAX_BATCH: usize = 100;

/// How many tools, resources and prompts the messages of a body may be about.
const MAX_SUBJECTS: usize = 1000;

/// The messages of a body.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Body {
    One(Message),
    Batch(Vec<Message>),
}

/// A request, a notification, or a response of the client.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Message {
    pub(super) id: Option<Value>,
    pub(super) operation: Operation,
}

/// Why a body cannot be read.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Malformed {
    /// Of the message, if that can be read.
    pub(super) id: Option<Value>,
    pub(super) code: i32,
    pub(super) problem: &'static str,
}

/// JSON-RPC 2.0 §5.1.
pub(super) const PARSE_ERROR: i32 = -32700;
pub(super) const INVALID_REQUEST: i32 = -32600;
const INVALID_PARAMS: i32 = -32602;

impl Body {
    pub(super) fn parse(body: &[u8]) -> Result<Self, Malformed> {
        let body = Self::read(body)?;
        let subjects = body.messages().iter().map(|message| message.operation.subjects.len());
        if subjects.sum::<usize>() > MAX_SUBJECTS {
            return Err(invalid(None, "the body is about too many resources"));
        }
        Ok(body)
    }

    fn messages(&self) -> &[Message] {
        match self {
            Self::One(message) => slice::from_ref(message),
            Self::Batch(messages) => messages,
        }
    }

    fn read(body: &[u8]) -> Result<Self, Malformed> {
        let malformed = |code, problem| Malformed { id: None, code, problem };
        match json::parse_value(body, MAX_DEPTH) {
            Err(_) => Err(malformed(PARSE_ERROR, "the body is not one strict JSON value")),
            Ok(Value::Object(members)) => Message::read(members).map(Self::One),
            Ok(Value::Array(batch)) if (1..=MAX_BATCH).contains(&batch.len()) => {
                let messages = batch.into_iter().map(|message| match message {
                    Value::Object(members) => Message::read(members),
                    _ => Err(malformed(INVALID_REQUEST, "a message of the batch is not an object")),
                });
                messages.collect::<Result<_, _>>().map(Self::Batch)
            }
            Ok(Value::Array(_)) => {
                Err(malformed(INVALID_REQUEST, "the batch has no message, or too many"))
            }
            Ok(_) => Err(malformed(INVALID_REQUEST, "the body is not a JSON-RPC message")),
        }
    }
}

impl Message {
    fn read(members: Map<String, Value>) -> Result<Self, Malformed> {
        let id = match members.get("id") {
            None => None,
            Some(id @ (Value::String(_) | Value::Number(_))) => Some(id.clone()),
            Some(_) => return Err(invalid(None, "the id is neither a string nor a number")),
        };
        let operation = read_operation(&members).map_err(|(code, problem)| Malformed {
            id: id.clone(),
            code,
            problem,
        })?;
        Ok(Self { id, operation })
    }
}

fn invalid(id: Option<Value>, problem: &'static str) -> Malformed {
    Malformed { id, code: INVALID_REQUEST, problem }
}

type Problem = (i32, &'static str);

fn read_operation(message: &Map<String, Value>) -> Result<Operation, Problem> {
    let of_message = |problem| (INVALID_REQUEST, problem);
    if has_other_case(message, &["jsonrpc", "id", "method", "params", "result", "error"]) {
        return Err(of_message("a member of the message is written in another case"));
    }
    if message.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
        return Err(of_message("the message is not JSON-RPC 2.0"));
    }
    let is_response = message.contains_key("result") || message.contains_key("error");
    let method = match (message.get("method"), is_response) {
        (Some(Value::String(method)), false) => method,
        (None, true) => return Ok(Operation { method: None, subjects: Vec::new() }),
        (None, false) => return Err(of_message("the message has no method")),
        (Some(_), false) => return Err(of_message("the method is not a string")),
        (Some(_), true) => return Err(of_message("the message is a request and a response")),
    };
    let nothing = Map::new();
    let params = match message.get("params") {
        None => &nothing,
        Some(Value::Object(params)) => params,
        // By position, a server may read them all the same.
        Some(_) => return Err(of_message("the params are not an object")),
    };
    let subjects = subjects(method, params).map_err(|problem| (INVALID_PARAMS, problem))?;
    Ok(Operation { method: Some(method.clone()), subjects })
}

/// What a method is about, as its parameters say.
fn subjects(method: &str, params: &Map<String, Value>) -> Result<Vec<Subject>, &'static str> {
    if let Some(kind) = Kind::of_method(method) {
        return named(kind, params).map(|subject| vec![subject]);
    }
    match method {
        "completion/complete" => match child(params, "ref")? {
            None => Err("the params name no prompt or resource"),
            Some(reference) if has_other_case(reference, &["type"]) => Err(OTHER_CASE),
            Some(reference) => match reference.get("type").and_then(Value::as_str) {
                Some("ref/prompt") => named(Kind::Prompt, reference).map(|it| vec![it]),
                Some("ref/resource") => named(Kind::Resource, reference).map(|it| vec![it]),
                _ => Err("the params name no prompt or resource"),
            },
        },
        "subscriptions/listen" => {
            let Some(filter) = child(params, "notifications")? else { return Ok(Vec::new()) };
            if has_other_case(filter, &["resourceSubscriptions"]) {
                return Err(OTHER_CASE);
            }
            match filter.get("resourceSubscriptions") {
                None => Ok(Vec::new()),
                Some(Value::Array(uris)) => uris
                    .iter()
                    .map(|uri| uri.as_str().map(|uri| Kind::Resource.named(uri)))
                    .collect::<Option<_>>()
                    .ok_or("a URI of a resource is not a string"),
                Some(_) => Err("the URIs of resources are not an array"),
            }
        }
        _ => Ok(Vec::new()),
    }
}

const OTHER_CASE: &str = "a member of the params is written in another case";

fn named(kind: Kind, params: &Map<String, Value>) -> Result<Subject, &'static str> {
    if has_other_case(params, &[kind.member()]) {
        return Err(OTHER_CASE);
    }
    match params.get(kind.member()) {
        Some(Value::String(name)) => Ok(kind.named(name)),
        _ => Err("the params do not name what the method is about"),
    }
}

/// An object within the parameters, if it is there.
fn child<'p>(
    params: &'p Map<String, Value>,
    name: &str,
) -> Result<Option<&'p Map<String, Value>>, &'static str> {
    if has_other_case(params, &[name]) {
        return Err(OTHER_CASE);
    }
    match params.get(name) {
        None => Ok(None),
        Some(Value::Object(child)) => Ok(Some(child)),
        Some(_) => Err("a member of the params is not an object"),
    }
}

/// Whether a member is one of these names in another case, which some parsers take for it.
fn has_other_case(members: &Map<String, Value>, names: &[&str]) -> bool {
    members
        .keys()
        .any(|member| names.iter().any(|name| member != name && upper(member).eq(upper(name))))
}

fn upper(name: &str) -> impl Iterator<Item = char> {
    name.chars().flat_map(char::to_uppercase)
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*, sample::select};
    use serde_json::json;

    use super::*;

    fn parse(message: Value) -> Result<Message, Malformed> {
        match Body::parse(message.to_string().as_bytes())? {
            Body::One(message) => Ok(message),
            Body::Batch(_) => panic!("one message"),
        }
    }

    fn call(method: &str, params: Value) -> Value {
        json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params })
    }

    #[test]
    fn methods_are_about_tools_resources_and_prompts() {
        let (tool, resource, prompt) = (Kind::Tool, Kind::Resource, Kind::Prompt);
        for (method, params, subjects) in [
            (
                "tools/call",
                json!({ "name": "create", "arguments": { "Name": 1 } }),
                vec![tool.named("create")],
            ),
            ("prompts/get", json!({ "name": "hello" }), vec![prompt.named("hello")]),
            ("resources/read", json!({ "uri": "file:///a" }), vec![resource.named("file:///a")]),
            ("resources/subscribe", json!({ "uri": "a:b" }), vec![resource.named("a:b")]),
            ("resources/unsubscribe", json!({ "uri": "a:b" }), vec![resource.named("a:b")]),
            (
                "completion/complete",
                json!({ "ref": { "type": "ref/prompt", "name": "hello" } }),
                vec![prompt.named("hello")],
            ),
            (
                "completion/complete",
                json!({ "ref": { "type": "ref/resource", "uri": "file:///{path}" } }),
                vec![resource.named("file:///{path}")],
            ),
            (
                "subscriptions/listen",
                json!({ "notifications": { "resourceSubscriptions": ["a:1", "a:2"] } }),
                vec![resource.named("a:1"), resource.named("a:2")],
            ),
            ("subscriptions/listen", json!({ "notifications": {} }), vec![]),
            ("tools/list", json!({ "name": 1, "Name": 2 }), vec![]),
            ("server/discover", json!({}), vec![]),
        ] {
            let message = parse(call(method, params)).unwrap();
            let method = Some(method.to_owned());
            assert_eq!(message.operation, Operation { method, subjects });
            assert_eq!(message.id, Some(json!(1)));
        }
    }

    #[test]
    fn a_response_of_the_client_has_no_method() {
        for response in [
            json!({ "jsonrpc": "2.0", "id": "a", "result": {} }),
            json!({ "jsonrpc": "2.0", "id": "a", "error": { "code": 1, "message": "" } }),
        ] {
            assert_eq!(parse(response).unwrap().operation.method, None);
        }
    }

    #[test]
    fn what_two_parsers_may_read_differently_is_rejected() {
        for body in [
            r#"{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call"}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"ping","m\u0065thod":"tools/call"}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","name":"b"}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","n\u0061me":"b"}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a"},"params":{"name":"b"}}"#,
            "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"} {}",
            "\u{feff}{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"",
            "",
        ] {
            assert_eq!(Body::parse(body.as_bytes()).unwrap_err().code, PARSE_ERROR, "{body}");
        }
        let utf16: Vec<u8> = "{}".encode_utf16().flat_map(u16::to_le_bytes).collect();
        for body in [b"{\"jsonrpc\":\"2.0\",\"method\":\"\xff\"}".as_slice(), &utf16] {
            assert_eq!(Body::parse(body).unwrap_err().code, PARSE_ERROR);
        }
        for message in [
            json!({ "jsonrpc": "2.0", "id": 1, "method": "ping", "Method": "tools/call" }),
            json!({ "jsonrpc": "2.0", "id": 1, "method": "ping", "paramſ": {} }),
            json!({ "jsonrpc": "2.0", "id": 1, "METHOD": "ping" }),
            json!({ "jsonrpc": "2.0", "id": 1, "method": "ping", "result": {} }),
            json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": ["create"] }),
            json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": null }),
            call("tools/call", json!({ "name": "a", "NAME": "b" })),
            call("resources/read", json!({ "uri": "a:b", "Uri": "a:c" })),
            call(
                "completion/complete",
                json!({ "ref": { "type": "ref/prompt", "name": "a", "Name": "b" } }),
            ),
            call("completion/complete", json!({ "ref": { "type": "ref/tool", "name": "a" } })),
            call(
                "subscriptions/listen",
                json!({ "notifications": { "ResourceSubscriptions": [] } }),
            ),
            call("subscriptions/listen", json!({ "notifications": [] })),
        ] {
            let malformed = parse(message.clone()).unwrap_err();
            assert_eq!(malformed.id, Some(json!(1)), "{message}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        /// Whether a parser keeps the first member or the last, and whether it ignores case.
        #[test]
        fn what_is_read_means_one_thing_to_every_parser(
            members in vec(select(&MEMBERS[..]), 0..4),
            of_params in vec(select(&MEMBERS_OF_PARAMS[..]), 0..3),
        ) {
            let params = object(&of_params);
            let value = |value| if value == PARAMS { &*params } else { value };
            let members = members.into_iter().map(|(name, it)| (name, value(it)));
            let members: Vec<_> = [("jsonrpc", "\"2.0\"")].into_iter().chain(members).collect();
            let read = Body::parse(object(&members).as_bytes());
            let Ok(Body::One(Message { operation, .. })) = read else { return Ok(()) };
            let method = operation.method.map(|method| format!("{method:?}"));
            prop_assert_eq!(meanings(&members, "method"), Vec::from_iter(method.as_deref()));
            for Subject { name, .. } in operation.subjects {
                prop_assert_eq!(meanings(&members, "params"), [&*params]);
                prop_assert_eq!(meanings(&of_params, "name"), [format!("{name:?}")]);
            }
        }
    }

    /// Stands for the parameters.
    const PARAMS: &str = "params";
    const MEMBERS: [(&str, &str); 7] = [
        ("method", "\"tools/call\""),
        ("method", "\"ping\""),
        ("Method", "\"tools/call\""),
        ("params", PARAMS),
        ("PARAMS", PARAMS),
        ("result", "{}"),
        ("x", "1"),
    ];
    const MEMBERS_OF_PARAMS: [(&str, &str); 5] =
        [("name", "\"a\""), ("name", "\"b\""), ("Name", "\"b\""), ("name", "1"), ("x", "1")];

    fn object(members: &[(&str, &str)]) -> String {
        let members = members.iter().map(|(name, value)| format!("{name:?}:{value}"));
        format!("{{{}}}", members.collect::<Vec<_>>().join(","))
    }

    /// Every value that a parser may take for a member's.
    fn meanings<'m>(members: &[(&str, &'m str)], name: &str) -> Vec<&'m str> {
        let named = members.iter().filter(|(it, _)| it.eq_ignore_ascii_case(name));
        named.map(|(_, value)| *value).collect()
    }

    #[test]
    fn what_is_not_json_rpc_is_malformed() {
        for message in [
            json!(1),
            json!("ping"),
            json!({}),
            json!({ "jsonrpc": "1.0", "id": 1, "method": "ping" }),
            json!({ "id": 1, "method": "ping" }),
            json!({ "jsonrpc": "2.0", "id": 1 }),
            json!({ "jsonrpc": "2.0", "id": 1, "method": 5 }),
            json!({ "jsonrpc": "2.0", "id": null, "method": "ping" }),
            json!({ "jsonrpc": "2.0", "id": [1], "method": "ping" }),
            call("tools/call", json!({})),
            call("tools/call", json!({ "name": 1 })),
            call(
                "subscriptions/listen",
                json!({ "notifications": { "resourceSubscriptions": [1] } }),
            ),
            call(
                "subscriptions/listen",
                json!({ "notifications": { "resourceSubscriptions": "a" } }),
            ),
            json!([]),
            json!([["2.0", 1, "tools/call", { "name": "create" }]]),
            json!([call("ping", json!({})), {}]),
            Value::Array(vec![call("ping", json!({})); MAX_BATCH + 1]),
        ] {
            assert!(Body::parse(message.to_string().as_bytes()).is_err(), "{message}");
        }
    }

    #[test]
    fn every_message_of_a_batch_is_read() {
        let batch = json!([
            call("tools/call", json!({ "name": "create" })),
            { "jsonrpc": "2.0", "method": "notifications/initialized" },
        ]);
        let Body::Batch(messages) = Body::parse(batch.to_string().as_bytes()).unwrap() else {
            panic!("a batch");
        };
        let methods: Vec<_> = messages.iter().map(|it| it.operation.method.as_deref()).collect();
        assert_eq!(methods, [Some("tools/call"), Some("notifications/initialized")]);
    }

    #[test]
    fn the_subjects_of_all_messages_are_limited() {
        let listen = |count| {
            let uris = vec!["a:b"; count];
            call(
                "subscriptions/listen",
                json!({ "notifications": { "resourceSubscriptions": uris } }),
            )
        };
        for (body, is_read) in [
            (listen(MAX_SUBJECTS), true),
            (listen(MAX_SUBJECTS + 1), false),
            (json!([listen(MAX_SUBJECTS - 1), listen(1)]), true),
            (json!([listen(MAX_SUBJECTS - 1), listen(2)]), false),
        ] {
            assert_eq!(Body::parse(body.to_string().as_bytes()).is_ok(), is_read);
        }
    }

    #[test]
    fn arguments_may_nest_as_deep_as_serde_json_reads() {
        let nested = |levels| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        let body = |levels| {
            format!(
                r#"{{"jsonrpc":"2.0","id":1,"method":"ping","params":{{"a":{}}}}}"#,
                nested(levels)
            )
        };
        for (levels, is_read) in [(100, true), (125, true), (126, false), (10_000, false)] {
            let body = body(levels);
            assert_eq!(Body::parse(body.as_bytes()).is_ok(), is_read, "{levels}");
            assert_eq!(serde_json::from_str::<Value>(&body).is_ok(), is_read, "{levels}");
        }
    }
}
