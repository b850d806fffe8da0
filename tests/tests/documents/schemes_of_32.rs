//! Security schemes of OpenAPI 3.2.

use monocloud_backend::{ProtectApi, poem::Handlers};
use poem::{Route, handler};
use serde_json::{Value, json};

use crate::world::{Client, World, offline};

#[handler]
fn up() {}

fn document(version: &str, security: Value, schemes: Value) -> String {
    json!({
        "openapi": version,
        "info": { "title": "Posts", "version": "1.0" },
        "paths": { "/posts": { "get": { "security": security, "responses": {} } } },
        "components": { "securitySchemes": schemes },
    })
    .to_string()
}

fn needs() -> Value {
    json!([{ "MonoCloud": [] }])
}

async fn schemes(protect: &ProtectApi, text: &str) -> Value {
    let api = protect.document(text).unwrap();
    let (_, document) = api.routes(Handlers::new().get("/posts", up)).unwrap();
    document.render().await["components"]["securitySchemes"].clone()
}

/// A tenant that names an endpoint for the login on devices.
async fn world_with_devices() -> (World, String) {
    let world = World::new().await;
    let url = format!("{}/connect/deviceauthorization", world.tenant.issuer());
    let mut metadata = world.tenant.metadata();
    metadata["device_authorization_endpoint"] = url.clone().into();
    world.tenant.serve_metadata(metadata);
    (world, url)
}

#[tokio::test]
async fn the_own_scheme_names_the_metadata_and_the_flow_of_devices() {
    let (world, url) = world_with_devices().await;
    let issuer = world.tenant.issuer();
    let text = document("3.2.0", needs(), json!({}));
    let schemes = schemes(&world.protect, &text).await;
    let scopes = json!({ "posts:read": "Read posts", "posts:write": "Write posts" });
    assert_eq!(
        schemes["MonoCloud"],
        json!({
            "type": "oauth2",
            "x-monocloud-certificate-binding": "when_present",
            "description": "An access token of the MonoCloud tenant",
            "oauth2MetadataUrl": format!("{issuer}/.well-known/openid-configuration"),
            "flows": {
                "authorizationCode": {
                    "authorizationUrl": format!("{issuer}/connect/authorize"),
                    "tokenUrl": format!("{issuer}/connect/token"),
                    "scopes": scopes,
                },
                "deviceAuthorization": {
                    "deviceAuthorizationUrl": url,
                    "tokenUrl": format!("{issuer}/connect/token"),
                    "scopes": scopes,
                },
            },
        }),
    );
}

#[tokio::test]
async fn a_tenant_without_logins_on_devices_has_no_flow_for_them() {
    let world = World::new().await;
    for endpoint in [None, Some("http://evil.example/device"), Some("/device")] {
        let mut metadata = world.tenant.metadata();
        metadata["device_authorization_endpoint"] = endpoint.into();
        let text = document("3.2.0", needs(), json!({}));
        let api = world.protect.document(&text).unwrap();
        let (_, document) = api.routes(Handlers::new().get("/posts", up)).unwrap();
        let document = document.render_with(&metadata).unwrap();
        let scheme = &document["components"]["securitySchemes"]["MonoCloud"];
        assert_eq!(scheme["flows"].as_object().unwrap().len(), 1, "{endpoint:?}");
        assert!(scheme["oauth2MetadataUrl"].is_string());
    }
}

#[tokio::test]
async fn documents_before_32_have_none_of_it() {
    let (world, _) = world_with_devices().await;
    let own = json!({ "MonoCloud": { "type": "http", "scheme": "bearer", "deprecated": true } });
    for version in ["3.0.3", "3.1.0", "3.1.1"] {
        let schemes = schemes(&world.protect, &document(version, needs(), own.clone())).await;
        let scheme = schemes["MonoCloud"].as_object().unwrap();
        let members: Vec<_> = scheme.keys().collect();
        assert_eq!(members, ["description", "flows", "type", "x-monocloud-certificate-binding"]);
        assert_eq!(scheme["flows"].as_object().unwrap().len(), 1);
    }
}

#[tokio::test]
async fn a_deprecated_own_scheme_stays_deprecated_and_enforced() {
    let world = World::new().await;
    let own = |deprecated: Value| {
        json!({
            "MonoCloud": { "$ref": "#/components/securitySchemes/Old" },
            "Old": { "type": "http", "scheme": "bearer", "deprecated": deprecated },
        })
    };
    for (deprecated, expected) in [(json!(true), json!(true)), (json!(false), json!(null))] {
        let text = document("3.2.0", needs(), own(deprecated));
        for protect in [&world.protect, &offline()] {
            assert_eq!(schemes(protect, &text).await["MonoCloud"]["deprecated"], expected);
        }
        let api = world.protect.document(&text).unwrap();
        let (route, _) = api.routes(Handlers::new().get("/posts", up)).unwrap();
        let client = Client::new(Route::new().nest("/", route));
        assert_eq!(client.status("GET /posts", "").await, 401);
        assert_eq!(client.status("GET /posts", &world.token("")).await, 200);
    }
}

#[tokio::test]
async fn what_was_served_is_accepted_and_served_again() {
    let (world, _) = world_with_devices().await;
    let own = json!({ "MonoCloud": { "type": "http", "scheme": "bearer", "deprecated": true } });
    let text = document("3.2.0", needs(), own);
    let served = async |text: &str| {
        let api = world.protect.document(text).unwrap();
        let (_, document) = api.routes(Handlers::new().get("/posts", up)).unwrap();
        document.render().await
    };
    let first = served(&text).await;
    assert_eq!(served(&first.to_string()).await, first);
}

#[tokio::test]
async fn other_schemes_are_served_as_they_are_given() {
    let partner = json!({
        "type": "oauth2",
        "deprecated": true,
        "oauth2MetadataUrl": "https://partner.example/.well-known/oauth-authorization-server",
        "flows": { "deviceAuthorization": {
            "deviceAuthorizationUrl": "https://partner.example/device",
            "tokenUrl": "https://partner.example/token",
            "scopes": { "orders": "Read orders" },
        } },
    });
    let security = json!([{ "MonoCloud": [] }, { "Partner": ["orders"] }]);
    let world = World::new().await;
    let text = document("3.2.0", security.clone(), json!({ "Partner": partner }));
    let api = world.protect.document(&text).unwrap().application_scheme("Partner");
    let (_, document) = api.routes(Handlers::new().get("/posts", up)).unwrap();
    let document = document.render().await;
    assert_eq!(document["components"]["securitySchemes"]["Partner"], partner);
    // Its flow has scopes, and so its requirement keeps them.
    assert_eq!(document["paths"]["/posts"]["get"]["security"], security);
}

#[tokio::test]
async fn the_flow_of_devices_describes_scopes_of_the_own_scheme() {
    let own = json!({ "MonoCloud": { "type": "oauth2", "flows": { "deviceAuthorization": {
        "deviceAuthorizationUrl": "https://acme.example/device",
        "tokenUrl": "https://acme.example/token",
        "scopes": { "posts:pin": "Pin posts" },
    } } } });
    let world = World::new().await;
    let text = document("3.2.0", json!([{ "MonoCloud": ["posts:pin"] }]), own);
    let schemes = schemes(&world.protect, &text).await;
    let scopes = &schemes["MonoCloud"]["flows"]["authorizationCode"]["scopes"];
    assert_eq!(scopes["posts:pin"], "Pin posts");
}

#[test]
fn a_requirement_that_names_a_uri_prevents_the_start() {
    let key = json!({ "type": "apiKey", "in": "header", "name": "X-Key" });
    for uri in [
        "https://partner.example/schemes.yaml#/components/securitySchemes/Key",
        "#/components/securitySchemes/MonoCloud",
        "#/components/securitySchemes/Key",
        "./Key",
        "urn:example:key",
    ] {
        let text = document("3.2.0", json!([{ uri: [] }]), json!({ "Key": key }));
        for is_declared in [false, true] {
            let mut api = offline().document(&text).unwrap();
            if is_declared {
                api = api.application_scheme(uri);
            }
            let problem = api.routes(Handlers::new().get("/posts", up)).err().unwrap();
            let expected = format!(
                "GET /posts: its security names a scheme by the URI {uri:?}, and URIs are not followed; describe the scheme in `components.securitySchemes`, and name it as it is called there"
            );
            assert_eq!(problem.problems(), [expected]);
        }
        // At the root as well.
        let text = json!({
            "openapi": "3.2.0", "info": { "title": "Posts", "version": "1.0" },
            "security": [{ uri: [] }], "paths": { "/posts": { "get": {} } },
        });
        let api = offline().document(&text.to_string()).unwrap();
        let problem = api.routes(Handlers::new().get("/posts", up)).err().unwrap().to_string();
        assert!(problem.contains("the root security names a scheme by the URI"), "{problem}");
    }
}

#[test]
fn a_component_with_the_name_of_a_uri_takes_precedence() {
    let uri = "https://partner.example/schemes/Key";
    let key = json!({ "type": "apiKey", "in": "header", "name": "X-Key" });
    let text = document("3.2.0", json!([{ uri: [] }]), json!({ uri: key }));
    let api = || offline().document(&text).unwrap();
    let handlers = || Handlers::new().get("/posts", up);
    assert!(api().application_scheme(uri).routes(handlers()).is_ok());
    let problem = api().routes(handlers()).err().unwrap().to_string();
    assert!(problem.contains("which nothing enforces"), "{problem}");
}
