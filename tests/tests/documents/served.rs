//! The served document.

use monocloud_backend::{Bearer, ProtectApi, certificate::CertificateBinding, error::TenantError};
use monocloud_testkit::MockTenant;
use poem::Route;
use poem_openapi::{ApiResponse, OpenApi, OpenApiService, payload::PlainText};
use serde_json::{Value, json};

use crate::world::{Client, Scope, World, described, offline, serve};

#[derive(ApiResponse)]
enum Answer {
    /// Fine
    #[oai(status = 200)]
    #[allow(dead_code)]
    Fine,
    /// Our own words
    #[oai(status = 401)]
    #[allow(dead_code)]
    Unauthorized(PlainText<String>),
}

struct Api;

#[OpenApi]
impl Api {
    #[oai(path = "/posts", method = "get", operation_id = "list_posts")]
    async fn list(&self, #[oai(scope = "Scope::Read")] _caller: Bearer) {}

    #[oai(path = "/own", method = "get")]
    async fn own(&self, _caller: Bearer) -> Answer {
        Answer::Fine
    }

    #[oai(path = "/health", method = "get")]
    async fn health(&self) {}
}

fn scheme(document: &Value) -> &Value {
    &document["components"]["securitySchemes"]["MonoCloud"]
}

#[tokio::test]
async fn the_scheme_has_the_tenants_endpoints_and_every_scope() {
    let world = World::new().await;
    let (_, document) = serve(world.protect.secure(Api).public("GET", "/health"));
    let document = document.render().await;
    let issuer = world.tenant.issuer();
    assert_eq!(
        *scheme(&document),
        json!({
            "type": "oauth2",
            "x-monocloud-certificate-binding": "when_present",
            "description": "An access token of the MonoCloud tenant",
            "flows": { "authorizationCode": {
                "authorizationUrl": format!("{issuer}/connect/authorize"),
                "tokenUrl": format!("{issuer}/connect/token"),
                "scopes": { "posts:read": "Read posts", "posts:write": "Write posts" },
            }},
        }),
    );
}

#[tokio::test]
async fn the_scheme_says_which_tokens_must_be_bound_to_a_certificate() {
    let tenant = MockTenant::start().await;
    for (binding, word) in [
        (CertificateBinding::Required, "required"),
        (CertificateBinding::WhenPresent, "when_present"),
        (CertificateBinding::DangerouslyIgnore, "dangerously_ignore"),
    ] {
        let protect = ProtectApi::builder().vars(tenant.vars()).certificate_binding(binding);
        let protect = protect.build().unwrap().describe_scopes::<Scope>();
        let (_, document) = serve(protect.secure(Api).public("GET", "/health"));
        let document = document.render().await;
        assert_eq!(scheme(&document)["x-monocloud-certificate-binding"], word);
    }
}

#[tokio::test]
async fn secured_operations_describe_their_rejections_and_public_ones_do_not() {
    let world = World::new().await;
    let (_, document) = serve(world.protect.secure(Api).public("GET", "/health"));
    let document = document.render().await;
    let body = json!({
        "type": "object",
        "required": ["message"],
        "properties": { "message": { "type": "string" } },
    });
    let list = &document["paths"]["/posts"]["get"];
    for status in ["401", "403"] {
        let response = described(&document, list, status);
        assert_eq!(response["content"]["application/json"]["schema"], body, "{status}");
        assert_eq!(response["headers"]["WWW-Authenticate"]["schema"]["type"], "string");
    }
    assert!(list["responses"]["200"].is_object());
    assert_eq!(list["description"], "Requires `posts:read`.");
    assert_eq!(document["paths"]["/own"]["get"]["description"], Value::Null);
    let responses = document["components"]["responses"].as_object().unwrap();
    let names: Vec<_> = responses.keys().collect();
    assert_eq!(
        names,
        ["MonoCloudForbidden", "MonoCloudUnauthorized"],
        "once, not for each operation"
    );

    let health = &document["paths"]["/health"]["get"];
    assert_eq!(health["security"], Value::Null);
    assert_eq!(health["responses"].as_object().unwrap().keys().collect::<Vec<_>>(), ["200"]);
}

#[tokio::test]
async fn the_body_that_the_application_chose_is_described() {
    let tenant = MockTenant::start().await;
    let builder = || ProtectApi::builder().vars(tenant.vars());
    let own = json!({ "type": "object", "required": ["errors"] });
    let by_function = builder().error_body("application/vnd.acme+json", own.clone(), |rejection| {
        json!({ "errors": [rejection.error().reason()] }).to_string()
    });
    for (builder, content_type, required) in [
        (builder(), "application/json", json!(["message"])),
        (
            builder().problem_details(),
            "application/problem+json",
            json!(["type", "title", "status", "code"]),
        ),
        (by_function, "application/vnd.acme+json", own["required"].clone()),
    ] {
        let protect = builder.build().unwrap().describe_scopes::<Scope>();
        let (client, document) = serve(protect.secure(Api).public("GET", "/health"));
        let document = document.render().await;
        let response = described(&document, &document["paths"]["/posts"]["get"], "401");
        let content = response["content"].as_object().unwrap();
        assert_eq!(content.len(), 1);
        assert_eq!(content[content_type]["schema"]["required"], required);
        // The body is as described.
        let answer = client.send("GET /posts", "").await;
        assert_eq!(answer.0.status(), 401);
        assert_eq!(answer.0.content_type(), Some(content_type));
        let body = answer.0.into_body().into_vec().await.unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap();
        for name in required.as_array().unwrap() {
            assert!(!body[name.as_str().unwrap()].is_null(), "{body}");
        }
    }
}

#[tokio::test]
async fn the_applications_description_of_a_401_is_kept_and_the_challenge_is_added() {
    let world = World::new().await;
    let (_, document) = serve(world.protect.secure(Api).public("GET", "/health"));
    let document = document.render().await;
    let response = &document["paths"]["/own"]["get"]["responses"]["401"];
    assert_eq!(response["description"], "Our own words");
    assert_eq!(response["content"].as_object().unwrap().len(), 1);
    assert!(response["content"]["text/plain; charset=utf-8"].is_object());
    assert!(response["headers"]["WWW-Authenticate"].is_object());
}

#[tokio::test]
async fn json_and_yaml_are_the_same_document() {
    let world = World::new().await;
    let (_, document) = serve(world.protect.secure(Api).public("GET", "/health"));
    let app =
        Route::new().at("/openapi.json", document.json()).at("/openapi.yaml", document.yaml());
    let client = Client::new(app);

    let json = client.send("GET /openapi.json", "").await;
    json.assert_content_type("application/json");
    json.assert_header("cache-control", "no-cache");
    let json: Value =
        serde_json::from_slice(&json.0.into_body().into_vec().await.unwrap()).unwrap();

    let yaml = client.send("GET /openapi.yaml", "").await;
    yaml.assert_content_type("application/yaml");
    let yaml = yaml.0.into_body().into_string().await.unwrap();
    let yaml: Value = serde_saphyr::from_str(&yaml).unwrap();

    assert_eq!(json, document.render().await);
    assert_eq!(yaml, json);
    assert_eq!(yaml["info"]["version"], "1.0");
}

#[tokio::test]
async fn operations_are_in_the_order_of_their_declaration() {
    let world = World::new().await;
    let (_, document) = serve(world.protect.secure(Api).public("GET", "/health"));
    let app = Route::new().at("/json", document.json()).at("/yaml", document.yaml());
    let client = Client::new(app);
    for request in ["GET /json", "GET /yaml"] {
        let body = client.send(request, "").await.0.into_body().into_string().await.unwrap();
        let names = ["openapi", "info", "paths", "/posts", "/own", "/health", "securitySchemes"];
        let places: Vec<_> = names.map(|name| body.find(name)).into();
        assert!(places.is_sorted() && places.iter().all(Option::is_some), "{request}: {places:?}");
    }
}

#[test]
fn a_document_can_be_rendered_without_a_network() {
    let (_, document) = serve(offline().secure(Api).public("GET", "/health"));
    let issuer = "https://acme.us.monocloud.com";
    let metadata = json!({
        "issuer": issuer,
        "jwks_uri": format!("{issuer}/keys"),
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
    });
    let rendered = document.render_with(&metadata).unwrap();
    let flow = &scheme(&rendered)["flows"]["authorizationCode"];
    assert_eq!(flow["authorizationUrl"], format!("{issuer}/authorize"));

    for foreign in ["https://other.us.monocloud.com", "https://acme.us.monocloud.com/"] {
        let mut metadata = metadata.clone();
        metadata["issuer"] = foreign.into();
        let error = document.render_with(&metadata).unwrap_err();
        assert!(matches!(error, TenantError::Issuer { .. }), "{error}");
    }
    assert!(document.render_with(&json!([])).is_err());
}

#[tokio::test]
async fn the_scheme_has_the_configured_name() {
    let world = World::new().await;
    let protect = ProtectApi::builder().vars(world.tenant.vars()).scheme_name("Acme-2").build();
    let (client, document) =
        serve(protect.unwrap().describe_scopes::<Scope>().secure(Api).public("GET", "/health"));
    let document = document.render().await;
    let schemes = document["components"]["securitySchemes"].as_object().unwrap();
    assert_eq!(schemes.keys().collect::<Vec<_>>(), ["Acme-2"]);
    let security = &document["paths"]["/posts"]["get"]["security"];
    assert_eq!(*security, json!([{ "Acme-2": ["posts:read"] }]));
    assert_eq!(client.status("GET /posts", &world.token("posts:write")).await, 403);
    assert_eq!(client.status("GET /posts", &world.token("posts:read")).await, 200);
}

#[tokio::test]
async fn each_of_two_tenants_in_one_process_has_its_own_document() {
    let (one, two) = (World::new().await, World::new().await);
    let builder = ProtectApi::builder().vars(two.tenant.vars()).scheme_name("Two").build();
    let protect_two = builder.unwrap().describe_scope("posts:read", "Look");
    let (client_one, document_one) = serve(one.protect.secure(Api).public("GET", "/health"));
    let (client_two, document_two) = serve(protect_two.secure(Api).public("GET", "/health"));

    for (tenant, document, name, description) in [
        (&one.tenant, document_one, "MonoCloud", "Read posts"),
        (&two.tenant, document_two, "Two", "Look"),
    ] {
        let document = document.render().await;
        let schemes = document["components"]["securitySchemes"].as_object().unwrap();
        assert_eq!(schemes.len(), 1);
        let flow = &schemes[name]["flows"]["authorizationCode"];
        assert_eq!(flow["tokenUrl"], format!("{}/connect/token", tenant.issuer()));
        assert_eq!(flow["scopes"]["posts:read"], description);
    }
    for (client, own, other) in [(&client_one, &one, &two), (&client_two, &two, &one)] {
        assert_eq!(client.status("GET /posts", &own.token("posts:read")).await, 200);
        assert_eq!(client.status("GET /posts", &other.token("posts:read")).await, 401);
    }
}

#[tokio::test]
async fn the_frameworks_document_stays_valid() {
    let tenant = MockTenant::start().await;
    let protect = ProtectApi::from_vars(tenant.vars()).unwrap().describe_scopes::<Scope>();
    let (service, _) = (protect.secure(Api).public("GET", "/health"))
        .into_service(|api| OpenApiService::new(api, "Posts", "1.0"))
        .unwrap();
    let raw: Value = serde_json::from_str(&service.spec()).unwrap();
    let schemes = raw["components"]["securitySchemes"].as_object().unwrap();
    assert_eq!(schemes["MonoCloud"]["type"], "oauth2");
    assert_eq!(schemes["MonoCloud"]["flows"], json!({}));
    // Each requirement names an existing scheme, and both documents have the same operations.
    for (path, item) in raw["paths"].as_object().unwrap() {
        for requirement in item["get"]["security"].as_array().into_iter().flatten() {
            let names = requirement.as_object().unwrap().keys();
            assert!(names.into_iter().all(|name| schemes.contains_key(name)), "{path}");
        }
    }
    assert_eq!(raw["paths"].as_object().unwrap().len(), 3);
}
