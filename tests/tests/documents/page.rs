//! The page with Swagger UI.

use harness::support;
use monocloud_backend::ProtectApi;
use poem::Route;
use poem_openapi::OpenApi;
use serde_json::{Value, json};

use crate::world::{Client, listen, offline, serve};

struct Api;

#[OpenApi]
impl Api {
    #[oai(path = "/", method = "get")]
    async fn read(&self) {}
}

fn page(protect: &ProtectApi, document_url: &str) -> Client {
    let (_, document) = serve(protect.secure(Api).public("GET", "/"));
    Client::new(Route::new().nest("/docs", document.swagger_ui(document_url)))
}

async fn text(client: &Client, path: &str) -> String {
    let response = client.send(&format!("GET {path}"), "").await;
    response.assert_status_is_ok();
    response.0.into_body().into_string().await.unwrap()
}

/// The settings that the page passes to its script.
fn settings(page: &str) -> Value {
    let (_, settings) = page.split_once(r#"type="application/json">"#).unwrap();
    let (settings, _) = settings.split_once("</script>").unwrap();
    serde_json::from_str(settings).unwrap()
}

#[tokio::test]
async fn the_page_finds_its_assets_with_and_without_a_trailing_slash() {
    let (_, document) = serve(offline().secure(Api).public("GET", "/"));
    let api = listen(Route::new().nest("/docs", document.swagger_ui("/openapi.json")));
    for (path, base) in [("/docs", "docs/"), ("/docs/", "./")] {
        let response =
            support::client(None, None).get(format!("{api}{path}")).send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/html; charset=utf-8");
        let page = response.text().await.unwrap();
        assert!(page.contains(&format!(r#"<base href="{base}">"#)), "{path}");
        assert!(!page.contains("{{"), "{path}");
        let expected =
            json!({ "documentUrl": "/openapi.json", "clientId": null, "scheme": "MonoCloud" });
        assert_eq!(settings(&page), expected);
    }
}

#[tokio::test]
async fn everything_that_the_page_loads_is_served() {
    let client = page(&offline(), "/openapi.json");
    let html = text(&client, "/docs").await;
    for (asset, content_type) in [
        ("swagger-ui.css", "text/css"),
        ("swagger-ui-bundle.js", "text/javascript"),
        ("favicon-32x32.png", "image/png"),
        ("oauth2-redirect.html", "text/html"),
    ] {
        assert!(html.contains(asset), "{asset}");
        let response = client.send(&format!("GET /docs/{asset}"), "").await;
        response.assert_status_is_ok();
        assert_eq!(response.0.content_type(), Some(content_type));
        assert!(!response.0.into_body().into_bytes().await.unwrap().is_empty(), "{asset}");
    }
    for unknown in ["/docs/nothing.js", "/docs/../Cargo.toml", "/docs/index.html/x"] {
        assert_eq!(client.status(&format!("GET {unknown}"), "").await, 404, "{unknown}");
    }
}

#[tokio::test]
async fn settings_cannot_break_out_of_the_page() {
    let url = "/x\"</script><script>alert(1)</script><!--";
    let client = page(&offline(), url);
    let html = text(&client, "/docs").await;
    assert!(!html.contains("alert(1)</script>"));
    assert_eq!(settings(&html)["documentUrl"], url);
}

#[tokio::test]
async fn users_log_in_with_the_client_that_is_configured_for_the_page() {
    let vars = [
        ("MONOCLOUD_BACKEND_TENANT_DOMAIN", "acme.us.monocloud.com"),
        ("MONOCLOUD_BACKEND_AUDIENCE", "https://api.example.com"),
        ("MONOCLOUD_BACKEND_SWAGGER_CLIENT_ID", "browser"),
    ];
    let protect = ProtectApi::from_vars(vars).unwrap();
    let html = text(&page(&protect, "/openapi.json"), "/docs").await;
    assert_eq!(settings(&html)["clientId"], "browser");
    assert!(html.contains("usePkceWithAuthorizationCodeGrant: true"));
}

#[tokio::test]
async fn a_token_can_be_pasted_and_is_kept_only_in_the_page() {
    let html = text(&page(&offline(), "/openapi.json"), "/docs").await;
    assert!(html.contains(r#"<label for="token">"#));
    assert!(html.contains(r#"role="status""#));
    for store in ["localStorage", "sessionStorage", "document.cookie", "history.", "location."] {
        assert!(!html.contains(store), "{store}");
    }
    assert!(html.contains("persistAuthorization: false"));
    // The browser would offer to store the value of a password field.
    assert!(!html.contains(r#"type="password""#));
}
