//! An API does not start if parts of its document cannot be read, as they cannot be the policy.

use monocloud_backend::poem::Handlers;
use poem::{Route, handler, http::Method};
use serde_json::{Value, json};

use crate::world::{Client, World, described, offline};

#[handler]
fn up() -> &'static str {
    "up"
}

/// A document of this version with these members in addition to `info`.
fn document(version: &str, rest: Value) -> String {
    let mut document = json!({ "openapi": version, "info": { "title": "Posts", "version": "1" } });
    document.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
    document.to_string()
}

/// An operation that needs a token.
fn needs() -> Value {
    json!({ "security": [{ "MonoCloud": [] }], "responses": { "200": { "description": "" } } })
}

/// The reason for which a document is rejected.
fn rejection(text: &str) -> String {
    offline().document(text).err().map_or_else(String::new, |error| error.to_string())
}

fn rejection_31(rest: Value) -> String {
    rejection(&document("3.1.0", rest))
}

fn served(world: &World, text: &str, handlers: Handlers) -> Client {
    let api = world.protect.document(text).unwrap();
    let (route, _) = api.routes(handlers).unwrap();
    Client::new(Route::new().nest("/", route))
}

#[test]
fn duplicate_members_are_rejected_everywhere() {
    let text = |paths: &str| {
        format!(r#"{{"openapi":"3.1.0","info":{{"title":"","version":""}},"paths":{paths}}}"#)
    };
    for (paths, place) in [
        (
            r#"{"/a":{"get":{"security":[{"MonoCloud":["a"]}],"security":[]}}}"#,
            "paths./a.get.security",
        ),
        (r#"{"/a":{"get":{"security":[{"MonoCloud":[]}]},"get":{"security":[]}}}"#, "paths./a.get"),
        (r#"{"/a":{"get":{"security":[{"MonoCloud":[]}]}},"/a":{"get":{}}}"#, "paths./a"),
        (
            r#"{"/a":{"get":{"security":[{"MonoCloud":["a"],"MonoCloud":[]}]}}}"#,
            "security.0.MonoCloud",
        ),
    ] {
        let problem = rejection(&text(paths));
        assert!(problem.starts_with("the document cannot be read:"), "{problem}");
        assert!(
            problem.contains(&format!("the same member twice: {place}")) || problem.contains(place),
            "{paths}: {problem}"
        );
    }
}

#[test]
fn operations_and_path_items_that_cannot_be_read_are_named() {
    for (paths, expected) in [
        (
            json!({ "/a": { "get": { "$ref": "ops/a.yaml" } } }),
            "GET /a: it refers to \"ops/a.yaml\"",
        ),
        (
            json!({ "/a": { "$ref": "https://x.test/a.json" } }),
            "/a: it refers to \"https://x.test/a.json\"",
        ),
        (
            json!({ "/a": { "$ref": "#/components/pathItems/A" } }),
            "which the document does not contain",
        ),
        (json!({ "/a": { "get": { "$ref": "#" } } }), "GET /a: it refers to \"#\""),
        (json!({ "/a": { "$ref": 1 } }), "/a: it refers to 1"),
        (
            json!({ "/a": { "$ref": "#/paths/~1b" }, "/b": { "$ref": "#/paths/~1a" } }),
            "/a: its reference goes in a circle",
        ),
        (json!({ "/a": { "$ref": "#/info/title" } }), "which is not an object"),
        (
            json!({ "/a": { "$ref": "#/paths/~1b", "get": needs() }, "/b": { "get": { "security": [] } } }),
            "/a: it has \"get\" beside its `$ref`",
        ),
        (json!({ "/a": null }), "/a: a path item is an object"),
        (json!({ "/a": [] }), "/a: a path item is an object"),
        (json!({ "/a": { "get": null } }), "GET /a: an operation is an object"),
        (json!({ "/a": { "post": "x" } }), "POST /a: an operation is an object"),
        (json!({ "/a": { "GET": needs() } }), "/a: \"GET\" is not read; write `get`"),
        (json!({ "/a": { "connect": needs() } }), "/a: \"connect\" is not read"),
        (json!({ "/a": { "query": needs() } }), "/a: \"query\" is of OpenAPI 3.2"),
        (json!({ "/a": { "additionalOperations": {} } }), "is of OpenAPI 3.2"),
        (json!({ "a": {} }), "a: a path begins with `/`"),
    ] {
        let problem = rejection_31(json!({ "paths": paths }));
        assert!(problem.starts_with("the document cannot be enforced:\n"), "{paths}: {problem}");
        assert!(problem.contains(expected), "{paths}: {problem}");
    }
    for (paths, expected) in [
        (
            json!({ "/a": { "additionalOperations": { "POST": needs() } } }),
            "/a: \"POST\" does not belong",
        ),
        (
            json!({ "/a": { "additionalOperations": { "post": needs() } } }),
            "/a: \"post\" does not belong",
        ),
        (
            json!({ "/a": { "additionalOperations": { "Query": needs() } } }),
            "/a: \"Query\" does not belong",
        ),
        (
            json!({ "/a": { "additionalOperations": { "A B": needs() } } }),
            "/a: \"A B\" does not belong",
        ),
        (
            json!({ "/a": { "additionalOperations": { "COPY": 1 } } }),
            "COPY /a: an operation is an object",
        ),
        (
            json!({ "/a": { "additionalOperations": { "COPY": { "$ref": "x" } } } }),
            "COPY /a: it refers to \"x\"",
        ),
        (
            json!({ "/a": { "additionalOperations": [] } }),
            "/a: its `additionalOperations` is not an object",
        ),
    ] {
        let problem = rejection(&document("3.2.0", json!({ "paths": paths })));
        assert!(problem.contains(expected), "{paths}: {problem}");
    }
}

#[test]
fn references_do_not_multiply_a_document_without_limit() {
    let problem = |count: usize| {
        let paths: Value = (0..count)
            .map(|number| (format!("/{number}"), json!({ "$ref": "#/components/pathItems/A" })))
            .collect();
        let item = json!({ "get": needs(), "x-own": vec![0; 100_000] });
        rejection_31(json!({ "paths": paths, "components": { "pathItems": { "A": item } } }))
    };
    assert_eq!(problem(9), "");
    assert!(problem(10).contains("the references up to here copy too much; write it out"));
}

#[test]
fn schemes_and_responses_with_dangling_references_are_named() {
    let schemes = json!({ "MonoCloud": { "$ref": "#/components/securitySchemes/Base" } });
    let problem =
        rejection_31(json!({ "paths": {}, "components": { "securitySchemes": schemes } }));
    assert!(problem.contains("components.securitySchemes.MonoCloud: it refers to"), "{problem}");
    let problem = rejection_31(
        json!({ "paths": {}, "components": { "securitySchemes": { "MonoCloud": null } } }),
    );
    assert!(
        problem.contains("components.securitySchemes.MonoCloud: it is not an object"),
        "{problem}"
    );

    let mut operation = needs();
    operation["responses"]["401"] = json!({ "$ref": "responses.yaml#/Unauthorized" });
    let routes = |operation: &Value| {
        let text = document("3.1.0", json!({ "paths": { "/a": { "get": operation } } }));
        offline().document(&text).unwrap().routes(Handlers::new().get("/a", up))
    };
    let problem = routes(&operation).err().unwrap().to_string();
    assert!(problem.contains("GET /a: its response 401: it refers to"), "{problem}");
    operation["security"] = json!([]);
    assert!(routes(&operation).is_ok(), "a public operation needs no description of a rejection");
}

#[test]
fn misplaced_security_is_named() {
    let at = |pointer: &str| {
        let mut document = json!({
            "info": { "title": "", "version": "" },
            "tags": [{ "name": "a" }],
            "components": {
                "schemas": { "A": {}, "default": {} },
                "callbacks": { "c": { "{$u}": { "post": {} } } },
            },
            "paths": { "/a": { "parameters": [{}], "gets": {}, "get": {
                "requestBody": { "content": { "a/b": {} } },
                "responses": { "200": { "description": "" }, "default": { "description": "" } },
            } } },
        });
        document.pointer_mut(pointer).unwrap()["security"] = json!([{ "MonoCloud": [] }]);
        rejection_31(document)
    };
    for (pointer, place) in [
        ("/paths/~1a", "/a"),
        ("/info", "info"),
        ("/tags/0", "tags.0"),
        ("/paths/~1a/parameters/0", "/a, at parameters.0"),
        ("/paths/~1a/gets", "/a, at gets"),
        ("/paths/~1a/get/requestBody", "GET /a, at requestBody"),
        ("/paths/~1a/get/requestBody/content/a~1b", "GET /a, at requestBody.content.a/b"),
        ("/paths/~1a/get/responses", "GET /a, at responses"),
        ("/paths/~1a/get/responses/200", "GET /a, at responses.200"),
        ("/paths/~1a/get/responses/default", "GET /a, at responses.default"),
        ("/components/schemas/A", "components.schemas.A"),
        ("/components/schemas/default", "components.schemas.default"),
    ] {
        let problem = at(pointer);
        assert!(problem.contains(&format!("\n{place}: `security` is not read here")), "{problem}");
    }
    let callback = "/components/callbacks/c/{$u}/post";
    for pointer in ["", "/paths/~1a/get", "/components/schemas", callback] {
        assert_eq!(at(pointer), "", "{pointer}");
    }
    let problem = rejection_31(json!({ "paths": { "security": [] } }));
    assert!(problem.contains("security: a path begins with `/`"), "{problem}");
    let copy = json!({ "security": [], "parameters": [{ "security": [] }] });
    let rest = json!({ "paths": { "/a": { "additionalOperations": { "COPY": copy } } } });
    let problem = rejection(&document("3.2.0", rest));
    assert!(problem.contains("\nCOPY /a, at parameters.0: `security` is not read"), "{problem}");
}

#[test]
fn misspelt_security_is_named() {
    for name in ["Security", "SECURITY", "securty", "secuirty", "securities"] {
        let operation = json!({ name: [{ "MonoCloud": ["posts:read"] }], "responses": {} });
        let problem = rejection_31(json!({ "paths": { "/a": { "get": operation } } }));
        let is_named = problem.contains(&format!("GET /a: {name:?} is not read; write `security`"));
        assert_eq!(is_named, name != "securities", "{name}: {problem}");
    }
    let problem = rejection_31(json!({ "paths": {}, "Security": [{ "MonoCloud": [] }] }));
    assert!(problem.contains("the document: \"Security\" is not read"), "{problem}");
}

#[test]
fn unknown_and_misplaced_extensions_are_named() {
    let with = |pointer: &str, name: &str| {
        let mut document = json!({
            "info": {},
            "paths": { "/a": { "get": { "parameters": [{ "schema": {} }], "callbacks": { "c": { "{$u}": { "post": {} } } },
                "responses": { "200": { "description": "" } } } } },
            "webhooks": { "w": { "post": {} } },
            "tags": [{ "name": "a" }],
            "components": { "schemas": { "A": {} }, "securitySchemes": { "MonoCloud": {}, "Other": {} } },
        });
        document.pointer_mut(pointer).unwrap()[name] = json!(["admin"]);
        rejection_31(document)
    };
    let operation = "/paths/~1a/get";
    for name in [
        "x-monocloud-group",
        "X-MonoCloud-Groups",
        "x-monocloud_groups",
        "x-moncloud-groups",
        "x-monocloud-Groups",
    ] {
        let problem = with(operation, name);
        let expected = format!("GET /a: {name:?} is unknown; write \"x-monocloud-groups\"");
        assert!(problem.contains(&expected), "{problem}");
    }
    for name in ["x-monocloud-authorization-details", "x-monocloud-", "x-monocloud"] {
        assert!(with(operation, name).contains(&format!("GET /a: {name:?} is unknown")), "{name}");
    }
    for (pointer, place) in [
        ("", "the document"),
        ("/info", "info"),
        ("/paths", "paths"),
        ("/paths/~1a", "/a"),
        ("/paths/~1a/get/parameters/0", "GET /a, at parameters.0"),
        ("/paths/~1a/get/parameters/0/schema", "GET /a, at parameters.0.schema"),
        ("/paths/~1a/get/responses", "GET /a, at responses"),
        ("/paths/~1a/get/responses/200", "GET /a, at responses.200"),
        ("/paths/~1a/get/callbacks/c/{$u}/post", "GET /a, at callbacks.c.{$u}.post"),
        ("/webhooks/w/post", "webhooks.w.post"),
        ("/tags/0", "tags.0"),
        ("/components", "components"),
        ("/components/schemas/A", "components.schemas.A"),
        ("/components/securitySchemes/MonoCloud", "components.securitySchemes.MonoCloud"),
    ] {
        let problem = with(pointer, "x-monocloud-groups");
        let expected = format!(
            "\n{place}: \"x-monocloud-groups\" is not read here; write it on each operation"
        );
        assert!(problem.contains(&expected), "{pointer}: {problem}");
    }
    let problem = with("/components/securitySchemes/Other", "x-monocloud-implies");
    assert!(
        problem.contains("components.securitySchemes.Other: \"x-monocloud-implies\" is read only"),
        "{problem}"
    );
    let problem = with("/components/securitySchemes/MonoCloud", "x-monocloud-certificate-binding");
    assert!(problem.contains("this API is configured for \"when_present\""), "{problem}");
    let problem = with("/components/securitySchemes/MonoCloud", "x-monocloud-implies");
    assert!(problem.contains("is not an object with lists of scopes"), "{problem}");
    let problem = with("/components/securitySchemes/MonoCloud", "x-monocloud-dpop");
    assert!(problem.contains("this API is configured for \"disabled\""), "{problem}");
}

#[test]
fn a_scheme_is_this_librarys_by_references_to_security_schemes_alone() {
    let problem = |place: &str| {
        let other = json!({ "x-monocloud-implies": { "a": ["b"] } });
        let mut components = json!({ place: { "Other": {} } });
        let own = json!({ "$ref": format!("#/components/{place}/Other") });
        components["securitySchemes"]["MonoCloud"] = own;
        components["securitySchemes"]["Other"] = other;
        rejection_31(json!({ "paths": {}, "components": components }))
    };
    assert_eq!(problem("securitySchemes"), "");
    assert!(problem("schemas").contains("\"x-monocloud-implies\" is read only on"));
}

#[test]
fn data_and_names_are_not_extensions() {
    let policy = json!({ "x-monocloud-group": ["admin"], "security": [] });
    let mut operation = needs();
    operation["parameters"] = json!([{ "name": "a", "in": "query", "schema": {
        "example": policy, "default": policy, "enum": [policy], "const": policy, "examples": [policy],
        "properties": { "x-monocloud-group": {}, "security": {} },
    }, "examples": { "one": { "value": policy } } }]);
    operation["responses"]["200"]["headers"] = json!({ "X-MonoCloud-Request": { "schema": {} } });
    operation["responses"]["200"]["links"] = json!({ "next": { "parameters": policy } });
    operation["x-own"] = policy.clone();
    let rest = json!({
        "paths": { "x-owner": policy, "/a": { "get": operation } },
        "components": { "schemas": { "security": {} }, "examples": { "a": { "value": policy } } },
    });
    assert_eq!(rejection_31(rest), "");
}

#[test]
fn only_a_document_of_version_31_may_have_no_paths() {
    for members in [json!({ "webhooks": {} }), json!({ "components": {} })] {
        assert_eq!(rejection_31(members.clone()), "");
        let problem = rejection(&document("3.0.3", members));
        assert!(problem.contains("it has no `paths`"), "{problem}");
    }
    assert!(rejection_31(json!({})).contains("it has no `paths`"));
    assert!(rejection_31(json!({ "paths": null })).contains("its `paths` is not an object"));
}

#[tokio::test]
async fn local_references_are_followed_and_enforced() {
    let world = World::new().await;
    let read = json!({ "security": [{ "MonoCloud": ["posts:read"] }] });
    let text = document(
        "3.1.0",
        json!({
            "paths": {
                "/a": { "$ref": "#/components/pathItems/A" },
                "/b": { "$ref": "#/paths/~1%7Bx%7D~1~0c", "summary": "B", "put": read },
                "/{x}/~c": { "get": read },
                "/d": { "get": { "$ref": "#/paths/~1a/get" }, "post": { "$ref": "#/components/x-operations/post" } },
            },
            "components": {
                "pathItems": { "A": { "$ref": "#/components/pathItems/Other" }, "Other": { "get": read } },
                "x-operations": { "post": { "security": [{ "MonoCloud": ["posts:write"] }] } },
            },
        }),
    );
    let handlers = Handlers::new()
        .get("/a", up)
        .get("/b", up)
        .put("/b", up)
        .get("/:x/~c", up)
        .get("/d", up)
        .post("/d", up);
    // An operation in a path item that is a reference is found only without that reference.
    let problem = rejection(&text);
    assert!(problem.contains("GET /d: it refers to \"#/paths/~1a/get\""), "{problem}");
    let text = text.replace("#/paths/~1a/get", "#/components/pathItems/Other/get");
    let client = served(&world, &text, handlers);
    let (read, write) = (world.token("posts:read"), world.token("posts:write"));
    for request in ["GET /a", "GET /b", "PUT /b", "GET /z/~c", "GET /d"] {
        for (token, status) in [("", 401), (&*write, 403), (&*read, 200)] {
            assert_eq!(client.status(request, token).await, status, "{request}");
        }
    }
    assert_eq!(client.status("POST /d", &read).await, 403);
    assert_eq!(client.status("POST /d", &write).await, 200);
}

#[tokio::test]
async fn a_scheme_by_reference_describes_its_scopes() {
    let flows = json!({ "clientCredentials": { "tokenUrl": "https://x.test", "scopes": { "posts:purge": "Purge" } } });
    let text = document(
        "3.1.0",
        json!({
            "paths": { "/a": { "get": { "security": [{ "MonoCloud": ["posts:purge"] }, { "Other": ["a"] }] } } },
            "components": { "securitySchemes": {
                "MonoCloud": { "$ref": "#/components/securitySchemes/Base" },
                "Other": { "$ref": "#/components/securitySchemes/Base" },
                "Base": { "type": "oauth2", "flows": flows, "x-monocloud-certificate-binding": "when_present" },
            } },
        }),
    );
    let world = World::new().await;
    let api = world.protect.document(&text).unwrap().application_scheme("Other");
    let (_, document) = api.routes(Handlers::new().get("/a", up)).unwrap();
    let document = document.render().await;
    let schemes = &document["components"]["securitySchemes"];
    assert_eq!(
        schemes["MonoCloud"]["flows"]["authorizationCode"]["scopes"]["posts:purge"],
        "Purge"
    );
    assert_eq!(schemes["Other"]["$ref"], "#/components/securitySchemes/Base");
    // An oauth2 scheme by reference keeps its scopes.
    assert_eq!(document["paths"]["/a"]["get"]["security"][1]["Other"], json!(["a"]));
}

#[tokio::test]
async fn responses_by_reference_describe_the_challenge() {
    let with = |reference: &str| {
        let mut operation = needs();
        operation["responses"]["401"] = json!({ "$ref": reference, "description": "Beside" });
        operation
    };
    let mut public = with("#/components/responses/Plain");
    public["security"] = json!([]);
    let challenge =
        json!({ "description": "", "headers": { "www-authenticate": { "schema": {} } } });
    let text = document(
        "3.1.0",
        json!({
            "paths": {
                "/plain": { "get": with("#/components/responses/Plain") },
                "/own": { "get": with("#/components/responses/Own") },
                "/public": { "get": public },
            },
            "components": { "responses": { "Plain": { "description": "Plain", "content": {} }, "Own": challenge } },
        }),
    );
    let world = World::new().await;
    let api = world.protect.document(&text).unwrap();
    let handlers = Handlers::new().get("/plain", up).get("/own", up).get("/public", up);
    let document = api.routes(handlers).unwrap().1.render().await;
    let response = |path: &str| document["paths"][path]["get"]["responses"]["401"].clone();
    assert_eq!(response("/plain")["$ref"], "#/components/responses/Plain");
    assert_eq!(response("/plain")["description"], "Beside");
    assert_eq!(response("/own")["$ref"], "#/components/responses/Own");
    assert_eq!(response("/public")["$ref"], "#/components/responses/Plain");
    let responses = &document["components"]["responses"];
    assert!(responses["Plain"]["headers"]["WWW-Authenticate"].is_object());
    assert_eq!(responses["Plain"]["content"], json!({}));
    assert_eq!(responses["Own"]["headers"].as_object().unwrap().len(), 1);
}

#[tokio::test]
async fn methods_of_openapi_32_are_enforced_and_documented() {
    let world = World::new().await;
    let text = document(
        "3.2.0",
        json!({ "paths": { "/a": {
        "query": needs(),
        "additionalOperations": { "COPY": needs() },
    } } }),
    );
    let method = |name: &str| Method::from_bytes(name.as_bytes()).unwrap();
    let handlers = Handlers::new().at(method("QUERY"), "/a", up).at(method("COPY"), "/a", up);
    let api = world.protect.document(&text).unwrap();
    let (route, document) = api.routes(handlers).unwrap();
    let client = Client::new(Route::new().nest("/", route));
    for request in ["QUERY /a", "COPY /a"] {
        assert_eq!(client.status(request, "").await, 401, "{request}");
        assert_eq!(client.status(request, &world.token("")).await, 200, "{request}");
    }
    let document = document.render().await;
    let item = &document["paths"]["/a"];
    for operation in [&item["query"], &item["additionalOperations"]["COPY"]] {
        for status in ["401", "403"] {
            let response = described(&document, operation, status);
            assert!(response["headers"]["WWW-Authenticate"].is_object());
        }
    }
    // They are compared with the routes too.
    let problem = world.protect.document(&text).unwrap().routes(Handlers::new()).err().unwrap();
    for operation in ["QUERY /a", "COPY /a"] {
        let expected = format!("{operation}: it is documented, and nothing is routed there");
        assert!(problem.problems().iter().any(|line| line.starts_with(&expected)), "{problem}");
    }
}

#[tokio::test]
async fn handlers_have_a_function_for_each_of_the_common_methods() {
    let world = World::new().await;
    let methods = ["delete", "get", "patch", "post", "put"];
    let item: Value = methods.map(|method| (method, needs())).into_iter().collect();
    let handlers =
        Handlers::new().delete("/a", up).get("/a", up).patch("/a", up).post("/a", up).put("/a", up);
    let client = served(&world, &document("3.1.0", json!({ "paths": { "/a": item } })), handlers);
    for method in methods.map(str::to_ascii_uppercase) {
        assert_eq!(client.status(&format!("{method} /a"), "").await, 401, "{method}");
        let status = client.status(&format!("{method} /a"), &world.token("")).await;
        assert_eq!(status, 200, "{method}");
    }
}

#[tokio::test]
async fn a_head_beside_a_get_is_authorized_as_the_get() {
    let world = World::new().await;
    let paths = |head: Value| {
        document("3.1.0", json!({ "paths": { "/a": { "get": needs(), "head": head } } }))
    };
    let client = served(&world, &paths(needs()), Handlers::new().get("/a", up));
    assert_eq!(client.status("HEAD /a", "").await, 401);
    assert_eq!(client.status("HEAD /a", &world.token("")).await, 200);

    let api = world.protect.document(&paths(json!({ "security": [] }))).unwrap();
    let problem = api.routes(Handlers::new().get("/a", up)).err().unwrap().to_string();
    assert!(problem.contains("HEAD /a: HEAD is answered by the handler of GET /a"), "{problem}");

    let api = world.protect.document(&paths(needs())).unwrap();
    let problem = api.routes(Handlers::new().get("/b", up)).err().unwrap().to_string();
    for operation in ["GET /a", "HEAD /a"] {
        let expected = format!("{operation}: it is documented, and nothing is routed there");
        assert!(problem.contains(&expected), "{problem}");
    }

    let own = Handlers::new().get("/a", up).at(Method::HEAD, "/a", up);
    let client = served(&world, &paths(json!({ "security": [] })), own);
    assert_eq!(client.status("HEAD /a", "").await, 200);
    assert_eq!(client.status("GET /a", "").await, 401);
}

#[test]
fn a_head_that_lets_other_callers_pass_than_the_get_is_an_error() {
    let [nothing, key] = [json!({}), json!({ "Key": [] })];
    for (get, head) in [(&nothing, &key), (&key, &nothing)] {
        let needs = |other| json!({ "security": [{ "MonoCloud": [] }, other] });
        let key = json!({ "type": "apiKey", "in": "header", "name": "x-api-key" });
        let item = json!({ "get": needs(get), "head": needs(head) });
        let rest = json!({
            "components": { "securitySchemes": { "Key": key } },
            "paths": { "/a": item },
        });
        let api = offline().document(&document("3.1.0", rest)).unwrap().application_scheme("Key");
        let problem = api.routes(Handlers::new().get("/a", up)).err().unwrap().to_string();
        assert!(
            problem.contains("HEAD /a: HEAD is answered by the handler of GET /a"),
            "{problem}"
        );
    }
}

#[test]
fn a_base_path_that_routes_have_or_lack_is_named() {
    for servers in [
        json!([{ "url": "/v1" }]),
        json!([{ "url": "https://x.test/" }, { "url": "https://x.test/v1/" }]),
        json!([{ "url": "https://{host}/{base}", "variables": { "base": { "default": "v1" } } }]),
    ] {
        let text =
            document("3.1.0", json!({ "servers": servers, "paths": { "/a": { "get": needs() } } }));
        let routes =
            |path| offline().document(&text).unwrap().routes(Handlers::new().get(path, up));
        let problem = routes("/v1/a").err().unwrap().to_string();
        assert!(problem.contains("/v1 is the base path of `servers`"), "{problem}");
        assert!(!routes("/b").err().unwrap().to_string().contains("base path"));
        assert!(routes("/a").is_ok());
    }
}

#[tokio::test]
async fn a_complete_served_document_is_accepted_and_served_again() {
    let world = World::new().await;
    let text = document("3.1.0", json!({ "paths": { "/a": { "get": needs() } } }));
    let handlers = || Handlers::new().get("/a", up);
    let (_, document) = world.protect.document(&text).unwrap().routes(handlers()).unwrap();
    let first = document.render().await;
    for text in [first.to_string(), serde_saphyr::to_string(&first).unwrap()] {
        let (_, document) = world.protect.document(&text).unwrap().routes(handlers()).unwrap();
        assert_eq!(document.render().await, first);
    }
    let unreachable = offline().document(&text).unwrap().routes(handlers()).unwrap().1;
    let incomplete = unreachable.render().await;
    assert_eq!(
        incomplete["components"]["securitySchemes"]["MonoCloud"]["x-monocloud-incomplete"],
        true
    );
    // An incomplete one lacks the scopes, and would accept any token.
    let problem = world.protect.document(&incomplete.to_string()).unwrap_err().to_string();
    assert!(
        problem.contains("the document was served while the tenant's metadata was unavailable")
    );
}
