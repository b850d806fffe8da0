//! The examples' documents, and what their operations need, are in the repository, so that a review
//! shows their changes.
//!
//! `UPDATE_OPENAPI=1 cargo test -p monocloud-backend-examples --all-features --test posts` rewrites
//! them.

use std::{env, fs, path::Path};

use monocloud_backend::{ApiDocument, ProtectApi};
use serde_json::{Value, json};

use crate::{axum_example, poem_example, poem_openapi_example, salvo_example};

const ISSUER: &str = "https://acme.us.monocloud.com";

#[test]
fn the_document_of_the_axum_example_is_up_to_date() {
    let (_, document) = axum_example::app(protect()).unwrap();
    compare(&document, "axum.json");
}

#[test]
fn the_document_of_the_poem_example_is_up_to_date() {
    let (_, document) = poem_example::app(protect()).unwrap();
    compare(&document, "poem.json");
}

#[test]
fn the_document_of_the_poem_openapi_example_is_up_to_date() {
    let (_, document) = poem_openapi_example::app(protect()).unwrap();
    compare(&document, "poem_openapi.json");
}

#[test]
fn the_document_of_the_salvo_example_is_up_to_date() {
    let (_, document) = salvo_example::app(protect()).unwrap();
    compare(&document, "salvo.json");
}

#[test]
fn the_report_is_up_to_date_and_the_same_on_every_host() {
    let (_, axum) = axum_example::app(protect()).unwrap();
    let (_, poem) = poem_example::app(protect()).unwrap();
    let (_, poem_openapi) = poem_openapi_example::app(protect()).unwrap();
    let (_, salvo) = salvo_example::app(protect()).unwrap();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../openapi/report.md");
    if env::var_os("UPDATE_OPENAPI").is_some() {
        fs::write(&path, axum.report().to_markdown()).unwrap();
    }
    let golden = fs::read_to_string(&path).unwrap_or_default();
    for (host, document) in
        [("axum", axum), ("poem", poem), ("poem_openapi", poem_openapi), ("salvo", salvo)]
    {
        assert_eq!(
            document.report().to_markdown(),
            golden,
            "openapi/report.md is not that of {host}; set UPDATE_OPENAPI=1 and run the test again if the change is intended"
        );
    }
}

fn protect() -> ProtectApi {
    let vars = [
        ("MONOCLOUD_BACKEND_TENANT_DOMAIN", ISSUER),
        ("MONOCLOUD_BACKEND_AUDIENCE", "https://api.example.com"),
    ];
    ProtectApi::from_vars(vars).unwrap()
}

fn compare(document: &ApiDocument, name: &str) {
    let metadata = json!({
        "issuer": ISSUER,
        "jwks_uri": format!("{ISSUER}/.well-known/openid-configuration/jwks"),
        "authorization_endpoint": format!("{ISSUER}/connect/authorize"),
        "token_endpoint": format!("{ISSUER}/connect/token"),
    });
    let document = document.render_with(&metadata).unwrap();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../openapi").join(name);
    if env::var_os("UPDATE_OPENAPI").is_some() {
        fs::write(&path, format!("{document:#}\n")).unwrap();
    }
    let golden = fs::read_to_string(&path).unwrap_or_default();
    let golden: Value = serde_json::from_str(&golden).unwrap_or_default();
    assert_eq!(
        document, golden,
        "openapi/{name} is out of date; set UPDATE_OPENAPI=1 and run the test again if the change is intended"
    );
}
