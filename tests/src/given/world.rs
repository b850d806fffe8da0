//! Helpers for hosts whose router takes a document: a tenant, the API it protects, and requests in
//! one line.

use monocloud_backend::{
    ApiDocument, ProtectApi,
    openapi::{DeclaredApi, Routes},
};
use monocloud_testkit::MockTenant;
use reqwest::header::WWW_AUTHENTICATE;
use salvo::conn::tcp::TcpAcceptor;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::client;

/// A framework's router that takes a document and can be served.
pub trait App: Routes<Guarded = Self> + Sized + 'static {
    /// Serves it until the test's runtime ends.
    fn serve(self, listener: TcpListener) -> impl Future<Output = ()> + Send;
}

impl App for axum::Router {
    async fn serve(self, listener: TcpListener) {
        axum::serve(listener, self).await.unwrap();
    }
}

impl App for salvo::Router {
    async fn serve(self, listener: TcpListener) {
        let acceptor = TcpAcceptor::try_from(listener).unwrap();
        salvo::Server::new(acceptor).serve(self).await;
    }
}

/// A tenant and the API it protects.
pub struct World {
    pub tenant: MockTenant,
    pub protect: ProtectApi,
}

impl World {
    pub async fn new() -> Self {
        let tenant = MockTenant::start().await;
        let protect = described(ProtectApi::from_vars(tenant.vars()).unwrap());
        Self { tenant, protect }
    }

    /// A token with these scopes, separated by spaces.
    pub fn token(&self, scopes: &str) -> String {
        self.tenant.token().subject("alice").scope(scopes).mint()
    }

    /// Serves a router with a document of these paths.
    pub async fn serve(&self, paths: &Value, router: impl App) -> Client {
        let (router, _) = guarded(&self.protect, paths, router);
        Client::new(router).await
    }
}

/// An API whose tenant never answers, for tests in which no token is validated.
pub fn offline() -> ProtectApi {
    let vars = [
        ("MONOCLOUD_BACKEND_TENANT_DOMAIN", "acme.us.monocloud.com"),
        ("MONOCLOUD_BACKEND_AUDIENCE", "https://api.example.com"),
    ];
    described(ProtectApi::from_vars(vars).unwrap())
}

pub fn described(protect: ProtectApi) -> ProtectApi {
    protect.describe_scope("posts:read", "Read posts").describe_scope("posts:write", "Write posts")
}

/// An API that is declared by a document with these paths.
pub fn declared(protect: &ProtectApi, paths: &Value) -> DeclaredApi {
    let document = json!({
        "openapi": "3.1.0",
        "info": { "title": "Posts", "version": "1.0" },
        "components": { "securitySchemes": {
            "Key": { "type": "apiKey", "in": "header", "name": "x-api-key" },
        }},
        "paths": paths,
    });
    let api = protect.document(&document.to_string()).unwrap();
    if paths.to_string().contains("\"Key\"") { api.application_scheme("Key") } else { api }
}

pub fn guarded<R: App>(protect: &ProtectApi, paths: &Value, router: R) -> (R, ApiDocument) {
    declared(protect, paths).routes(router).unwrap()
}

/// Why an API does not start.
pub fn start_error(api: DeclaredApi, router: impl App) -> String {
    api.routes(router).err().expect("the API must not start").to_string()
}

/// An operation that needs these scopes.
pub fn needs(scopes: &[&str]) -> Value {
    json!({ "security": [{ "MonoCloud": scopes }], "responses": { "200": { "description": "" } } })
}

/// An operation that needs nothing.
pub fn public() -> Value {
    json!({ "security": [], "responses": { "200": { "description": "" } } })
}

/// Sends requests to an application, which is served on loopback until the test's runtime ends.
pub struct Client {
    address: String,
    http: reqwest::Client,
}

impl Client {
    pub async fn new(app: impl App) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(app.serve(listener));
        Self { address, http: client(None, None) }
    }

    /// A request such as `GET /posts`, with a token unless it is empty.
    pub fn request(&self, request: &str, token: &str) -> reqwest::RequestBuilder {
        let (method, path) = request.split_once(' ').unwrap();
        let url = format!("{}{path}", self.address);
        let request = self.http.request(method.parse().unwrap(), url);
        match token {
            "" => request,
            token => request.bearer_auth(token),
        }
    }

    pub async fn send(&self, request: &str, token: &str) -> reqwest::Response {
        self.request(request, token).send().await.unwrap()
    }

    /// The status of the answer.
    pub async fn status(&self, request: &str, token: &str) -> u16 {
        self.send(request, token).await.status().as_u16()
    }

    /// The body of the answer.
    pub async fn text(&self, request: &str, token: &str) -> String {
        self.send(request, token).await.text().await.unwrap()
    }

    /// The challenges of the answer.
    pub async fn challenges(&self, request: &str, token: &str) -> Vec<String> {
        let response = self.send(request, token).await;
        let values = response.headers().get_all(WWW_AUTHENTICATE).iter();
        values.map(|value| value.to_str().unwrap().to_owned()).collect()
    }
}

/// Checks that an operation refers to the descriptions of 401 and 403, and that these have the
/// challenge.
pub fn assert_rejections_are_described(document: &Value, operation: &Value) {
    for status in ["401", "403"] {
        let reference = operation["responses"][status]["$ref"].as_str().unwrap();
        let response = document.pointer(reference.trim_start_matches('#')).unwrap();
        assert!(response["headers"]["WWW-Authenticate"].is_object(), "{status}: {response}");
    }
}
