use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use crate::caller::{accepted, controlled_tenant, post, request, sent};

/// The targets of all references.
fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            if let Some(target) = members.get("$ref").and_then(Value::as_str) {
                found.insert(target.to_owned());
            }
            members.values().for_each(|value| references(value, found));
        }
        Value::Array(values) => values.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

#[tokio::test]
async fn the_document_describes_every_operation() {
    let tenant = controlled_tenant().await;
    let document = accepted(sent(request(&tenant, Method::GET, "openapi.json")).await);
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));

    // The same paths and methods as the API itself names.
    let (_, answer) = sent(request(&tenant, Method::GET, "nothing")).await;
    let paths = document["paths"].as_object().unwrap();
    let valid = answer["valid"].as_array().unwrap().iter().map(|path| path.as_str().unwrap());
    assert_eq!(paths.keys().map(String::as_str).collect::<BTreeSet<_>>(), valid.collect());
    for (path, operations) in paths {
        let path = path.strip_prefix("/_control/").unwrap();
        let response = request(&tenant, Method::PATCH, path).send().await.unwrap();
        let allow = response.headers()["allow"].to_str().unwrap().to_ascii_lowercase();
        let allow: BTreeSet<_> = allow.split(", ").collect();
        let described: BTreeSet<_> =
            operations.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(described, allow, "{path}");
    }

    let mut targets = BTreeSet::new();
    references(&document, &mut targets);
    for target in targets {
        let place = target.strip_prefix('#').unwrap();
        assert!(document.pointer(place).is_some(), "{target}");
    }
}

#[tokio::test]
async fn the_document_has_the_members_and_names_that_the_api_takes() {
    let tenant = controlled_tenant().await;
    let document = accepted(sent(request(&tenant, Method::GET, "openapi.json")).await);
    let schemas = &document["components"]["schemas"];
    for (member, path) in [("endpoint", "Endpoint"), ("fault", "FaultName")] {
        let mut order = json!({ "endpoint": "jwks", "fault": "reset" });
        order[member] = "x".into();
        let (_, answer) = post(&tenant, "faults", order).await;
        assert_eq!(schemas[path]["enum"], answer["valid"]);
    }
    let (_, answer) = post(&tenant, "tokens", json!({ "x": 1 })).await;
    let error = answer["error"].as_str().unwrap();
    let named: BTreeSet<_> = error.split('`').skip(3).step_by(2).collect();
    let described = schemas["TokenOrder"]["properties"].as_object().unwrap();
    assert_eq!(named, described.keys().map(String::as_str).collect());
}
