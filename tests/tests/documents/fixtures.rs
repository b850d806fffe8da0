//! Documents like those that companies publish: the served document has all members of the file, in
//! the same order, and what this library adds.

use std::{fmt, fs, path::Path};

use monocloud_backend::poem::Handlers;
use poem::{Route, handler, http::Method};
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Value};

use crate::world::{Client, World};

const FIXTURES: [&str; 5] = ["charges", "checkout", "messages", "repositories", "responses"];

#[handler]
fn up() {}

fn text(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/documents/fixtures").join(name);
    fs::read_to_string(path).unwrap()
}

/// A handler for each operation, at its documented path.
fn handlers(file: &Value) -> Handlers {
    let mut handlers = Handlers::new();
    for (path, item) in file["paths"].as_object().unwrap() {
        for method in [Method::GET, Method::PATCH, Method::POST] {
            if item.get(method.as_str().to_ascii_lowercase()).is_some() {
                handlers = handlers.at(method, path, up);
            }
        }
    }
    handlers
}

/// The served document as JSON and as YAML.
async fn served(world: &World, text: &str, file: &Value) -> [String; 2] {
    let api = world.protect.document(text).unwrap();
    let (_, document) = api.routes(handlers(file)).unwrap();
    let app =
        Route::new().at("/openapi.json", document.json()).at("/openapi.yaml", document.yaml());
    let client = Client::new(app);
    let mut texts = Vec::new();
    for request in ["GET /openapi.json", "GET /openapi.yaml"] {
        let response = client.send(request, "").await;
        texts.push(response.0.into_body().into_string().await.unwrap());
    }
    texts.try_into().unwrap()
}

/// Removes the text about what an operation requires, which follows its own description.
fn restore_description(operation: &mut Map<String, Value>, written: Option<&Value>) {
    match written {
        None => drop(operation.remove("description")),
        Some(written) => {
            let served = operation["description"].as_str().unwrap();
            assert!(served.starts_with(written.as_str().unwrap()), "{served}");
            operation["description"] = written.clone();
        }
    }
}

/// Removes what this library added, and restores the scheme that it replaced.
fn without_additions(mut served: Value, file: &Value) -> Value {
    for (path, item) in served["paths"].as_object_mut().unwrap() {
        for (method, operation) in item.as_object_mut().into_iter().flatten() {
            let written = &file["paths"][path][method];
            let Some(operation) = operation.as_object_mut().filter(|_| written.is_object()) else {
                continue;
            };
            restore_description(operation, written.get("description"));
            let written = &written["responses"];
            let responses = operation.get_mut("responses").and_then(Value::as_object_mut);
            if let Some(responses) = responses.filter(|_| written.is_object()) {
                responses.retain(|status, _| written.get(status).is_some());
            }
        }
    }
    let written = |name: &str| file.get("components")?.get(name);
    let components = served["components"].as_object_mut().unwrap();
    for name in ["securitySchemes", "responses"] {
        let member = components.entry(name).or_insert(Value::Null);
        match written(name) {
            Some(schemes) if name == "securitySchemes" => *member = schemes.clone(),
            Some(responses) => {
                member.as_object_mut().unwrap().retain(|name, _| responses.get(name).is_some());
            }
            None => drop(components.remove(name)),
        }
    }
    if file.get("components").is_none() && components.is_empty() {
        served.as_object_mut().unwrap().remove("components");
    }
    served
}

#[tokio::test]
async fn the_served_document_is_the_file_with_additions() {
    let world = World::new().await;
    for name in FIXTURES {
        let (yaml, json) = (text(&format!("{name}.yaml")), text(&format!("{name}.json")));
        let file: Value = serde_json::from_str(&json).unwrap();
        for text in [&yaml, &json] {
            let [json, yaml] = served(&world, text, &file).await;
            let from_json: Value = serde_json::from_str(&json).unwrap();
            let from_yaml: Value = serde_saphyr::from_str(&yaml).unwrap();
            assert_eq!(from_yaml, from_json, "{name}");
            assert!(from_json["components"]["securitySchemes"]["MonoCloud"].is_object());
            assert_eq!(without_additions(from_json, &file), file, "{name}");
        }
    }
}

#[tokio::test]
async fn the_served_document_has_the_order_of_the_file() {
    let world = World::new().await;
    for name in FIXTURES {
        let json = text(&format!("{name}.json"));
        let file: Value = serde_json::from_str(&json).unwrap();
        let Names(written) = serde_json::from_str(&json).unwrap();
        for text in [&text(&format!("{name}.yaml")), &json] {
            let [json, yaml] = served(&world, text, &file).await;
            let from_json: Names = serde_json::from_str(&json).unwrap();
            let from_yaml: Names = serde_saphyr::from_str(&yaml).unwrap();
            for Names(served) in [from_json, from_yaml] {
                let mut served = served.into_iter();
                // This library replaces its scheme.
                let own = ["type", "scheme"];
                for name in written.iter().filter(|name| !own.contains(&name.as_str())) {
                    assert!(served.any(|served| served == *name), "{name} is out of order");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_copied_operation_keeps_its_order_and_additions_come_last() {
    let world = World::new().await;
    let text = r##"{
        "openapi": "3.1.0", "info": { "version": "1", "title": "Posts" },
        "paths": {
            "x-owner": "team",
            "/z/{*rest}": { "summary": "Z", "get": { "security": [{ "MonoCloud": [] }] } },
            "/a": { "$ref": "#/components/pathItems/A" }
        },
        "components": { "pathItems": { "A": { "put": { "summary": "Put", "deprecated": true }, "get": {} } } },
        "x-last": 1
    }"##;
    let api = world.protect.document(text).unwrap();
    let handlers = Handlers::new().get("/z/*rest", up).get("/a", up).at(Method::PUT, "/a", up);
    let api = api.by_default(monocloud_backend::Policy::ANY_TOKEN);
    let (_, document) = api.routes(handlers).unwrap();
    let client = Client::new(Route::new().at("/openapi.json", document.json()));
    let body = client.send("GET /openapi.json", "").await.0.into_body().into_string().await;
    let Names(names) = serde_json::from_str(&body.unwrap()).unwrap();
    let expected = [
        "openapi",
        "info",
        "version",
        "title",
        "paths",
        "x-owner",
        "/z/{rest}",
        "summary",
        "get",
        "/a",
        "put",
        "summary",
        "deprecated",
        "get",
        "components",
        "pathItems",
        "x-last",
    ];
    let mut names = names.iter();
    for expected in expected {
        assert!(names.any(|name| name == expected), "{expected} is out of order");
    }
}

/// The names of a document's members, in their order.
struct Names(Vec<String>);

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;

        impl<'de> Visitor<'de> for Collect {
            type Value = Names;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a document")
            }

            fn visit_unit<E>(self) -> Result<Names, E> {
                Ok(Names(Vec::new()))
            }

            fn visit_bool<E>(self, _: bool) -> Result<Names, E> {
                Ok(Names(Vec::new()))
            }

            fn visit_i64<E>(self, _: i64) -> Result<Names, E> {
                Ok(Names(Vec::new()))
            }

            fn visit_u64<E>(self, _: u64) -> Result<Names, E> {
                Ok(Names(Vec::new()))
            }

            fn visit_f64<E>(self, _: f64) -> Result<Names, E> {
                Ok(Names(Vec::new()))
            }

            fn visit_str<E>(self, _: &str) -> Result<Names, E> {
                Ok(Names(Vec::new()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Names, A::Error> {
                let mut names = Vec::new();
                while let Some(Names(inner)) = elements.next_element()? {
                    names.extend(inner);
                }
                Ok(Names(names))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Names, A::Error> {
                let mut names = Vec::new();
                while let Some((name, Names(inner))) = members.next_entry::<String, Names>()? {
                    names.push(name);
                    names.extend(inner);
                }
                Ok(Names(names))
            }
        }

        deserializer.deserialize_any(Collect)
    }
}
