use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn read(value: &Value) -> Result<Document, DocumentError> {
    Document::read(value.to_string().as_bytes())
}

/// A document with these members.
fn with(mut members: Value) -> Value {
    members["openapi"] = "3.1.0".into();
    members
}

/// The only operation of a document.
fn only(value: &Value) -> Operation {
    let document = read(value).unwrap();
    assert_eq!(document.operations.len(), 1, "{document:?}");
    document.operations.into_iter().next().unwrap()
}

fn error(value: &Value) -> String {
    read(value).unwrap_err().to_string()
}

/// A document with one operation, which has these members, and three schemes.
fn operation(members: Value) -> Value {
    with(json!({
        "components": { "securitySchemes": schemes() },
        "paths": { "/posts": { "get": members } },
    }))
}

fn schemes() -> Value {
    json!({
        "login": { "type": "openIdConnect", "openIdConnectUrl": "https://login.example.com" },
        "key": { "type": "apiKey", "in": "header", "name": "X-Key" },
        "basic": { "type": "http", "scheme": "Basic" },
    })
}

#[test]
fn an_operation_is_read_with_its_path() {
    let document = with(json!({
        "info": { "title": "Posts" },
        "servers": [{ "url": "https://api.example.com/v1" }],
        "paths": { "x-note": 1, "/posts/{id}": {
            "parameters": [
                { "name": "id", "in": "path", "required": true, "schema": { "type": "integer" } },
                { "name": "lang", "in": "query", "example": "en" },
            ],
            "put": {
                "operationId": "put_post",
                "summary": "Writes a post",
                "deprecated": true,
                "parameters": [{ "name": "lang", "in": "query", "example": "da" }],
                "requestBody": { "required": true, "content": { "application/json": { "example": 1 } } },
                "responses": { "200": { "description": "OK" }, "4XX": { "$ref": "#/nowhere" } },
            },
            "get": { "servers": [{ "url": "/v2" }] },
        } },
    }));
    let document = read(&document).unwrap();
    assert_eq!(document.title.as_deref(), Some("Posts"));
    let [get, put] = document.operations.as_slice() else { panic!("{document:?}") };
    assert_eq!((get.method.as_str(), get.base_path.as_str()), ("GET", "/v2"));
    assert_eq!(get.parameters[1].members["example"], "en");
    assert_eq!((put.method.as_str(), put.base_path.as_str()), ("PUT", "/v1"));
    assert_eq!(put.path, "/posts/{id}");
    assert_eq!(put.id.as_deref(), Some("put_post"));
    assert_eq!(put.summary.as_deref(), Some("Writes a post"));
    assert!(put.deprecated && !get.deprecated);
    let named: Vec<_> = put.parameters.iter().map(|it| (&*it.name, it.required)).collect();
    assert_eq!(named, [("lang", false), ("id", true)]);
    assert_eq!(put.parameters[0].members["example"], "da");
    let body = put.request_body.as_ref().unwrap();
    assert!(body.required);
    assert_eq!(body.content["application/json"]["example"], 1);
    assert_eq!(put.responses["200"]["description"], "OK");
    // A response does not change who may call.
    assert_eq!(put.responses["4XX"]["$ref"], "#/nowhere");
}

#[test]
fn yaml_is_read_as_json_is() {
    let yaml = br#"
openapi: "3.0.3"
security: [{ login: [a] }]
components:
  securitySchemes:
    login: &login { type: http, scheme: bearer }
    other: *login
paths:
  /posts:
    get:
      responses:
        200: { description: no }
"#;
    let document = Document::read(yaml).unwrap();
    assert_eq!(document.schemes["other"].kind, SchemeKind::Http("bearer".to_owned()));
    let get = &document.operations[0];
    assert_eq!(get.responses["200"]["description"], "no");
    assert_eq!(get.security.alternatives()[0].schemes["login"], ["a"]);
    for (text, pointer) in [
        ("openapi: 3.1.0\npaths:\n  /a:\n    get: {}\n    get: {}", "/paths/~1a"),
        ("openapi: 3.1.0\nopenapi: 3.1.0", ""),
        ("openapi: 3.1.0\npaths: { /a: { get: [1, :] } }", "/paths/~1a/get/1"),
        ("openapi: 3.1", "/openapi"),
    ] {
        let error = Document::read(text.as_bytes()).unwrap_err();
        assert_eq!(error.pointer(), pointer, "{error}");
        assert!(!error.to_string().contains("DuplicateKeyPolicy"), "{error}");
    }
}

#[test]
fn the_security_of_the_document_is_that_of_operations_without_their_own() {
    let document = |root: Value, own: Value| {
        let mut document = with(json!({ "paths": { "/posts": { "get": {} } } }));
        for (value, members) in
            [(root, &["security"][..]), (own, &["paths", "/posts", "get", "security"])]
        {
            if !value.is_null() {
                let mut place = &mut document;
                for name in members {
                    place = &mut place[*name];
                }
                *place = value;
            }
        }
        only(&document).security
    };
    let names = |security: &Security| {
        let names = |one: &Requirement| one.schemes.keys().cloned().collect::<Vec<_>>().join("+");
        security.alternatives().iter().map(names).collect::<Vec<_>>().join("|")
    };
    assert_eq!(document(Value::Null, Value::Null), Security::Public);
    assert_eq!(document(json!([{ "a": [] }]), json!([])), Security::Public);
    assert_eq!(names(&document(json!([{ "a": [] }]), Value::Null)), "a");
    let both = document(json!([{ "a": [] }]), json!([{ "b": [], "c": ["x"] }, {}]));
    assert_eq!(names(&both), "b+c|");
    assert!(both.permits_anonymous());
}

#[test]
fn references_are_followed() {
    let document = with(json!({
        "components": {
            "pathItems": { "posts": { "$ref": "#/components/pathItems/real~1posts" }, "real/posts": {
                "parameters": [{ "$ref": "#/components/parameters/a%20b" }],
                "post": { "security": [{ "login": [] }], "requestBody": { "$ref": "#/components/requestBodies/post" } },
            } },
            "parameters": { "a b": { "name": "n", "in": "header" } },
            "requestBodies": { "post": { "content": { "text/plain": {} } } },
            "securitySchemes": {
                "login": { "$ref": "#/components/securitySchemes/real" },
                "real": { "type": "oauth2", "flows": {} },
            },
        },
        "paths": { "/posts": { "$ref": "#/components/pathItems/posts", "summary": "Posts" } },
    }));
    let post = only(&document);
    assert_eq!(post.parameters[0].name, "n");
    assert!(post.request_body.unwrap().content.contains_key("text/plain"));
    let document = read(&document).unwrap();
    assert_eq!(document.schemes["login"].kind, SchemeKind::OAuth2);
    let reference = json!({ "$ref": "#/components/parameters/a b" });
    assert_eq!(document.follow(&reference).unwrap()["in"], "header");
    assert_eq!(document.follow(&json!(1)).unwrap(), 1);
}

#[test]
fn operations_beside_a_reference_are_operations_too() {
    let mut document = with(json!({
        "components": { "pathItems": { "posts": { "get": {} } } },
        "paths": { "/posts": { "$ref": "#/components/pathItems/posts", "delete": {} } },
    }));
    assert_eq!(read(&document).unwrap().operations.len(), 2);
    document["paths"]["/posts"]["get"] = json!({});
    assert!(error(&document).contains("twice"), "{}", error(&document));
}

#[test]
fn references_that_lead_nowhere_are_errors_with_their_place() {
    let get = |members: Value| with(json!({ "paths": { "/a": { "get": members } } }));
    let scheme =
        |scheme: Value| with(json!({ "components": { "securitySchemes": { "login": scheme } } }));
    for (document, expected) in [
        (
            with(json!({ "paths": { "/a": { "$ref": "#/x" } } })),
            "#/paths/~1a: it refers to \"#/x\"",
        ),
        (
            with(json!({ "paths": { "/a": { "$ref": "#/paths/~1a" } } })),
            "#/paths/~1a: its reference",
        ),
        (
            with(
                json!({ "paths": { "/a": { "$ref": "#/paths/~1b" }, "/b": { "$ref": "#/paths/~1a" } } }),
            ),
            "in a circle",
        ),
        (with(json!({ "paths": { "/a": { "$ref": "other.yaml" } } })), "bundle the files"),
        (with(json!({ "paths": { "/a": { "$ref": 1 } } })), "bundle the files"),
        (with(json!({ "paths": { "/a": { "$ref": "#" } } })), "does not contain"),
        (get(json!({ "parameters": [{ "$ref": "#/p" }] })), "#/paths/~1a/get/parameters/0: "),
        (get(json!({ "requestBody": { "$ref": "#/p/%zz" } })), "#/paths/~1a/get/requestBody: "),
        (scheme(json!({ "$ref": "#/s" })), "#/components/securitySchemes/login: "),
    ] {
        let error = error(&document);
        assert!(error.contains(expected), "{expected}: {error}");
    }
}

#[test]
fn extensions_are_part_of_the_alternatives_that_are_tokens() {
    let get = only(&operation(json!({
        "security": [{ "login": ["a"] }, { "key": [] }, { "login": [] }, {}],
        "x-monocloud-max-age": 300,
        "x-monocloud-sender-constrained": true,
        "x-monocloud-claims": { "plan": "pro" },
        "x-monocloud-alternatives": [
            { "x-monocloud-groups": ["x"], "x-monocloud-max-age": 600 },
            {},
            { "x-monocloud-groups": { "all": ["x", "y"] }, "x-monocloud-acr-values": ["mfa"] },
            {},
        ],
    })));
    let [first, key, third, none] = get.security.alternatives() else { panic!("{get:?}") };
    assert_eq!(first.groups, Some(Groups::new(vec!["x".to_owned()], None)));
    assert_eq!((first.max_age, first.sender_constrained), (Some(300), true));
    assert_eq!(first.claims["plan"], "pro");
    assert!(first.acr_values.is_empty());
    assert_eq!(third.groups.as_ref().unwrap().all, Some(true));
    assert_eq!(third.acr_values, ["mfa"]);
    for other in [key, none] {
        assert_eq!((other.max_age, other.sender_constrained), (None, false));
    }
}

#[test]
fn extensions_that_cannot_be_meant_are_errors_with_their_place() {
    for (members, expected) in [
        (json!({ "x-monocloud-groups": [] }), "/x-monocloud-groups: "),
        (json!({ "x-monocloud-groups": { "any": ["x"], "all": ["y"] } }), "/x-monocloud-groups: "),
        (json!({ "x-monocloud-groups": { "some": ["x"] } }), "/x-monocloud-groups: "),
        (json!({ "x-monocloud-acr-values": "mfa" }), "/x-monocloud-acr-values: "),
        (json!({ "x-monocloud-max-age": -1 }), "/x-monocloud-max-age: "),
        (json!({ "x-monocloud-max-age": "300" }), "/x-monocloud-max-age: "),
        (json!({ "x-monocloud-sender-constrained": "dpop" }), "/x-monocloud-sender-constrained: "),
        (json!({ "x-monocloud-claims": { "plan": null } }), "/x-monocloud-claims: "),
        (json!({ "x-monocloud-group": ["x"] }), "/x-monocloud-group: not an extension"),
        (json!({ "X-MonoCloud-Groups": ["x"] }), "/X-MonoCloud-Groups: not an extension"),
        (json!({ "x-monocloud-alternatives": [{}, {}] }), "/x-monocloud-alternatives: "),
        (json!({ "x-monocloud-alternatives": [1] }), "/x-monocloud-alternatives/0: "),
        (
            json!({ "x-monocloud-groups": ["x"], "x-monocloud-alternatives": [{ "x-monocloud-groups": ["y"] }] }),
            "/x-monocloud-alternatives/0/x-monocloud-groups: ",
        ),
        (json!({ "security": [], "x-monocloud-max-age": 1 }), "no `security`"),
        (json!({ "security": [{ "key": [] }], "x-monocloud-max-age": 1 }), "no `security`"),
        (
            json!({
                "security": [{ "login": [] }, { "key": [] }],
                "x-monocloud-alternatives": [{}, { "x-monocloud-max-age": 1 }],
            }),
            "/x-monocloud-alternatives/1/x-monocloud-max-age: it has no effect here",
        ),
    ] {
        let mut own = json!({ "security": [{ "login": [] }] });
        own.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        let error = error(&operation(own));
        assert!(error.contains(expected), "{members}: {error}");
    }
    for (document, expected) in [
        (with(json!({ "x-monocloud-groups": ["x"] })), "#/x-monocloud-groups: it has no effect"),
        (
            with(json!({ "paths": { "/a": { "x-monocloud-max-age": 1 } } })),
            "#/paths/~1a/x-monocloud-max-age: it has no effect",
        ),
        (
            with(json!({ "components": { "securitySchemes": { "s": {
                "type": "oauth2", "x-monocloud-implies": { "a": "b" } } } } })),
            "#/components/securitySchemes/s/x-monocloud-implies: ",
        ),
    ] {
        let error = error(&document);
        assert!(error.contains(expected), "{expected}: {error}");
    }
}

#[test]
fn security_of_an_unknown_shape_is_an_error_with_its_place() {
    for (security, expected) in [
        (json!({}), "#/paths/~1posts/get/security: not a list"),
        (json!(null), "#/paths/~1posts/get/security: not a list"),
        (json!([["login"]]), "#/paths/~1posts/get/security/0: not an object"),
        (json!([{ "login": "a" }]), "#/paths/~1posts/get/security/0/login: not a list"),
        (json!([{ "login": [1] }]), "#/paths/~1posts/get/security/0/login: not a list"),
    ] {
        let error = error(&operation(json!({ "security": security })));
        assert!(error.starts_with(expected), "{security}: {error}");
    }
    for (document, expected) in [
        (with(json!({ "security": {} })), "#/security: "),
        (with(json!({ "paths": { "/a": { "security": [] } } })), "#/paths/~1a/security: "),
        (with(json!({ "paths": { "/a": { "GET": {} } } })), "#/paths/~1a/GET: "),
        (with(json!({ "paths": { "/a": { "get": 1 } } })), "#/paths/~1a/get: "),
        (with(json!({ "paths": { "a": {} } })), "#/paths/a: "),
        (with(json!({ "paths": [] })), "#/paths: "),
        (with(json!({ "components": { "securitySchemes": { "s": {} } } })), "/s/type: "),
        (
            with(json!({ "components": { "securitySchemes": { "s": { "type": "http" } } } })),
            "#/components/securitySchemes/s/scheme: ",
        ),
        (
            with(json!({
                "components": { "operations": { "get": {} } },
                "paths": { "/a": { "get": { "$ref": "#/components/operations/get", "security": [] } } },
            })),
            "#/paths/~1a/get/security: it has no effect beside",
        ),
    ] {
        let error = error(&document);
        assert!(error.contains(expected), "{expected}: {error}");
    }
}

#[test]
fn methods_of_3_2_are_methods_of_3_2_alone() {
    let document = |version: &str| {
        json!({ "openapi": version, "paths": { "/a": {
            "query": {}, "trace": {}, "additionalOperations": { "COPY": {} } } } })
    };
    let methods = |version: &str| {
        let document = read(&document(version)).unwrap();
        document.operations.iter().map(|it| it.method.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(methods("3.1.1"), ["TRACE"]);
    assert_eq!(methods("3.2.0"), ["TRACE", "COPY", "QUERY"]);
    let mut document = document("3.2.0");
    document["paths"]["/a"]["additionalOperations"] = json!({ "A B": {} });
    assert!(error(&document).contains("/additionalOperations/A B: not the name of a method"));
    document["paths"]["/a"]["additionalOperations"] = json!({ "TRACE": {} });
    assert!(error(&document).contains("twice"));
}

#[test]
fn what_is_not_a_document_is_an_error_that_says_so() {
    for (text, expected) in [
        ("", "it is empty"),
        ("# nothing", "it is empty"),
        ("posts", "not an OpenAPI document"),
        ("[]", "not an OpenAPI document"),
        ("{}", "no member `openapi`"),
        ("{", "not valid JSON"),
        ("{} {}", "not valid JSON"),
        (r#"{"swagger":"2.0"}"#, "Swagger 2.0"),
        (r#"{"openapi":"2.0.0"}"#, "#/openapi: \"2.0.0\" is not one of"),
        (r#"{"openapi":"3.10.0"}"#, "is not one of"),
        (r#"{"openapi":3.1}"#, "quotation marks"),
        (
            r#"{"openapi":"3.1.0","paths":{"/a":{},"\/a":{}}}"#,
            "#/paths/~1a: not valid JSON: the member is written twice",
        ),
        ("openapi: 3.1.0\n---\nopenapi: 3.1.0", "not valid YAML"),
    ] {
        let error = Document::read(text.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(expected), "{text}: {error}");
    }
    let error = Document::read(&[b'{', 0xff]).unwrap_err();
    assert_eq!(error.to_string(), "it is not UTF-8");
}

#[test]
fn what_a_document_costs_is_bounded() {
    let error = |text: &str| Document::read(text.as_bytes()).unwrap_err().to_string();
    let long = " ".repeat(Document::MAX_LENGTH + 1);
    assert_eq!(error(&long), "it is larger than 16 MiB");
    for levels in [118, 119, 100_000] {
        let nested = format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        for text in [
            format!(r#"{{"openapi":"3.1.0","a":{nested}}}"#),
            format!("openapi: 3.1.0\na: {nested}"),
        ] {
            assert_eq!(Document::read(text.as_bytes()).is_ok(), levels < 120, "{levels}");
        }
    }
    let mut aliases = "openapi: 3.1.0\na0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..30 {
        let alias = format!("*a{}", level - 1);
        aliases.push_str(&format!("a{level}: &a{level} [{}]\n", [&*alias; 10].join(", ")));
    }
    assert!(error(&aliases).contains("not valid YAML"));
    // One large part, and many references to it.
    let values = vec![0; 10_000];
    let paths: Map<String, Value> = (0..1000)
        .map(|n| (format!("/{n}"), json!({ "get": { "parameters": [{ "$ref": "#/p" }] } })))
        .collect();
    let document = json!({
        "openapi": "3.1.0",
        "p": { "name": "p", "in": "query", "schema": { "enum": values } },
        "paths": paths,
    });
    assert!(error(&document.to_string()).contains("repeat too much"));
}

fn any_json() -> impl Strategy<Value = Value> {
    let text = prop::sample::select(vec![
        "#",
        "#/",
        "#/paths",
        "#/paths/~1a",
        "#/components/securitySchemes/s",
        "3.1.0",
        "oauth2",
        "http",
        "in",
        "x",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        text.prop_map(Value::from),
        ".{0,4}".prop_map(Value::from),
    ];
    let name = prop::sample::select(vec![
        "openapi",
        "paths",
        "/a",
        "get",
        "post",
        "security",
        "components",
        "securitySchemes",
        "s",
        "$ref",
        "parameters",
        "name",
        "in",
        "type",
        "scheme",
        "requestBody",
        "content",
        "responses",
        "servers",
        "url",
        "variables",
        "default",
        "x-monocloud-groups",
        "x-monocloud-alternatives",
        "x-monocloud-claims",
        "any",
        "additionalOperations",
        "x-monocloud-implies",
        "x-monocloud-max-age",
    ]);
    leaf.prop_recursive(8, 64, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(name.clone(), inner, 0..6).prop_map(|members| members
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect()),
        ]
    })
}

proptest! {
    #[test]
    fn arbitrary_json_never_panics(
        paths in any_json(),
        item in any_json(),
        operation in any_json(),
        schemes in any_json(),
        rest in any_json(),
    ) {
        let mut documents = vec![rest.clone()];
        for paths in [paths, json!({ "/a": item }), json!({ "/a": { "get": operation } })] {
            let mut document = json!({ "components": { "securitySchemes": schemes }, "security": rest });
            document["openapi"] = "3.2.0".into();
            document["paths"] = paths;
            documents.push(document.clone());
            document["security"] = json!([{ "s": [] }]);
            document["components"] = json!({ "securitySchemes": { "s": { "type": "oauth2" } } });
            documents.push(document);
        }
        for document in documents {
            if let Err(error) = read(&document) {
                prop_assert!(!error.to_string().is_empty());
            }
        }
    }

    #[test]
    fn arbitrary_text_never_panics(text in ".{0,60}", yaml in "(openapi: 3.1.0\n)?[a-c&*{}\\[\\]:,<\n -]{0,60}") {
        for text in [text, yaml] {
            let _ = Document::read(text.as_bytes());
        }
    }
}
