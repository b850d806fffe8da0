//! What the tests of every host share whose router takes a document: a tenant, an API behind it, and
//! requests in one line. The test crate says in `host` which router that is.

use std::sync::Arc;

use monocloud_backend::{ApiDocument, DeclaredApi, ProtectApi};
use monocloud_testkit::MockTenant;
use reqwest::header::WWW_AUTHENTICATE;
use serde_json::{Value, json};

use crate::host::{Router, serve};

/// A tenant, and what it protects.
pub(crate) struct World {
    pub(crate) tenant: MockTenant,
    pub(crate) protect: ProtectApi,
}

impl World {
    pub(crate) async fn new() -> Self {
        let tenant = MockTenant::start().await;
        let protect = described(ProtectApi::from_vars(tenant.vars()).unwrap());
        Self { tenant, protect }
    }

    /// A token with scopes, separated by blanks.
    pub(crate) fn token(&self, scopes: &str) -> String {
        self.tenant.token().subject("alice").scope(scopes).mint()
    }

    /// Serves a router by a document.
    pub(crate) async fn serve(&self, paths: &Value, router: Router) -> Client {
        let (router, _) = guarded(&self.protect, paths, router);
        Client::new(router).await
    }
}

/// An API for which no tenant answers: enough where no token is judged.
pub(crate) fn offline() -> ProtectApi {
    let vars = [
        ("MONOCLOUD_BACKEND_TENANT_DOMAIN", "acme.us.monocloud.com"),
        ("MONOCLOUD_BACKEND_AUDIENCE", "https://api.example.com"),
    ];
    described(ProtectApi::from_vars(vars).unwrap())
}

pub(crate) fn described(protect: ProtectApi) -> ProtectApi {
    protect.scope("posts:read", "Read posts").scope("posts:write", "Write posts")
}

/// An API as a document with these paths declares it.
pub(crate) fn declared(protect: &ProtectApi, paths: &Value) -> DeclaredApi {
    let document = json!({
        "openapi": "3.1.0",
        "info": { "title": "Posts", "version": "1.0" },
        "components": { "securitySchemes": {
            "Key": { "type": "apiKey", "in": "header", "name": "x-api-key" },
        }},
        "paths": paths,
    });
    let api = protect.from_document(&document.to_string()).unwrap();
    if paths.to_string().contains("\"Key\"") { api.application_scheme("Key") } else { api }
}

pub(crate) fn guarded(
    protect: &ProtectApi,
    paths: &Value,
    router: Router,
) -> (Router, ApiDocument) {
    declared(protect, paths).routes(router).unwrap()
}

/// Why an API does not start.
pub(crate) fn why_not(api: DeclaredApi, router: Router) -> String {
    api.routes(router).expect_err("the API must not start").to_string()
}

/// An operation that needs these scopes.
pub(crate) fn needs(scopes: &[&str]) -> Value {
    json!({ "security": [{ "MonoCloud": scopes }], "responses": { "200": { "description": "" } } })
}

/// An operation that needs nothing.
pub(crate) fn public() -> Value {
    json!({ "security": [], "responses": { "200": { "description": "" } } })
}

/// Sends requests to an application that is served on loopback until the test's runtime ends.
pub(crate) struct Client {
    address: String,
    http: reqwest::Client,
}

impl Client {
    pub(crate) async fn new(app: Router) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(serve(app, listener));
        Self { address, http: http_client() }
    }

    /// A request, `GET /posts`, with a token if it is not blank.
    pub(crate) fn request(&self, request: &str, token: &str) -> reqwest::RequestBuilder {
        let (method, path) = request.split_once(' ').unwrap();
        let url = format!("{}{path}", self.address);
        let request = self.http.request(method.parse().unwrap(), url);
        match token {
            "" => request,
            token => request.bearer_auth(token),
        }
    }

    pub(crate) async fn send(&self, request: &str, token: &str) -> reqwest::Response {
        self.request(request, token).send().await.unwrap()
    }

    /// The status of the answer.
    pub(crate) async fn status(&self, request: &str, token: &str) -> u16 {
        self.send(request, token).await.status().as_u16()
    }

    /// The body of the answer.
    pub(crate) async fn text(&self, request: &str, token: &str) -> String {
        self.send(request, token).await.text().await.unwrap()
    }

    /// The challenges of the answer.
    pub(crate) async fn challenges(&self, request: &str, token: &str) -> Vec<String> {
        let response = self.send(request, token).await;
        let values = response.headers().get_all(WWW_AUTHENTICATE).iter();
        values.map(|value| value.to_str().unwrap().to_owned()).collect()
    }
}

/// A client for `http` alone; what it could do over TLS is nobody's business.
fn http_client() -> reqwest::Client {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    reqwest::Client::builder().tls_backend_preconfigured(tls).no_proxy().build().unwrap()
}

/// Whether an operation refers to the descriptions of 401 and 403, and they have their challenge.
pub(crate) fn assert_refusals_are_described(document: &Value, operation: &Value) {
    for status in ["401", "403"] {
        let reference = operation["responses"][status]["$ref"].as_str().unwrap();
        let response = document.pointer(reference.trim_start_matches('#')).unwrap();
        assert!(response["headers"]["WWW-Authenticate"].is_object(), "{status}: {response}");
    }
}
