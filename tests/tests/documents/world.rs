//! Helpers: a tenant, the API it protects, and requests in one line.

use monocloud_backend::{ApiDocument, ProtectApi, poem_openapi::Secured};
use monocloud_testkit::MockTenant;
use poem::{
    Request, Route, Server,
    http::{
        Method,
        header::{AUTHORIZATION, WWW_AUTHENTICATE},
    },
    listener::TcpAcceptor,
    test::{TestClient, TestResponse},
};
use poem_openapi::{OAuthScopes, OpenApi, OpenApiService, SecurityScheme, auth::ApiKey};
use serde_json::Value;

/// The scopes of every API in these tests.
#[derive(OAuthScopes)]
pub(crate) enum Scope {
    /// Read posts
    #[oai(rename = "posts:read")]
    Read,
    /// Write posts
    #[oai(rename = "posts:write")]
    Write,
}

/// An API key, of which one is valid: `known`.
#[derive(SecurityScheme)]
#[oai(ty = "api_key", key_name = "X-Api-Key", key_in = "header", checker = "known_key")]
pub(crate) struct Key(#[allow(dead_code)] String);

async fn known_key(_: &Request, key: ApiKey) -> Option<String> {
    (key.key == "known").then_some(key.key)
}

/// A tenant and the API it protects.
pub(crate) struct World {
    pub(crate) tenant: MockTenant,
    pub(crate) protect: ProtectApi,
}

impl World {
    pub(crate) async fn new() -> Self {
        let tenant = MockTenant::start().await;
        let protect = ProtectApi::from_vars(tenant.vars()).unwrap().describe_scopes::<Scope>();
        Self { tenant, protect }
    }

    /// A token with these scopes, separated by spaces.
    pub(crate) fn token(&self, scopes: &str) -> String {
        self.tenant.token().scope(scopes).mint()
    }

    /// A token with these groups.
    pub(crate) fn member<const N: usize>(&self, groups: [&str; N]) -> String {
        self.tenant.token().groups(groups).mint()
    }

    pub(crate) fn expired(&self) -> String {
        self.tenant.token().scope("posts:read").expires_in(-3600).mint()
    }
}

/// An API whose tenant never answers, for tests in which no token is validated.
pub(crate) fn offline() -> ProtectApi {
    let vars = [
        ("MONOCLOUD_BACKEND_TENANT_DOMAIN", "acme.us.monocloud.com"),
        ("MONOCLOUD_BACKEND_AUDIENCE", "https://api.example.com"),
    ];
    ProtectApi::from_vars(vars).unwrap().describe_scopes::<Scope>()
}

/// Serves an API at the root.
pub(crate) fn serve<T: OpenApi + 'static>(api: Secured<T>) -> (Client, ApiDocument) {
    let (service, document) =
        api.into_service(|api| OpenApiService::new(api, "Posts", "1.0")).unwrap();
    (Client::new(Route::new().nest("/", service)), document)
}

/// Serves an API without the check that prevents it from starting.
pub(crate) fn serve_unchecked<T: OpenApi + 'static>(api: T) -> Client {
    Client::new(Route::new().nest("/", OpenApiService::new(api, "Posts", "1.0")))
}

/// The description of an operation's response, from the components if it refers to them.
pub(crate) fn described<'d>(document: &'d Value, operation: &'d Value, status: &str) -> &'d Value {
    let response = &operation["responses"][status];
    match response["$ref"].as_str() {
        None => response,
        Some(reference) => document.pointer(reference.trim_start_matches('#')).unwrap(),
    }
}

/// Why an API does not start.
pub(crate) fn start_error<T: OpenApi>(api: Secured<T>) -> String {
    let started = api.into_service(|api| OpenApiService::new(api, "Posts", "1.0"));
    started.err().expect("the API must not start").to_string()
}

/// Sends requests to an application.
pub(crate) struct Client(TestClient<Route>);

impl Client {
    pub(crate) fn new(app: Route) -> Self {
        Self(TestClient::new(app))
    }

    pub(crate) fn http(&self) -> &TestClient<Route> {
        &self.0
    }

    /// Sends a request such as `GET /posts`, with a token unless it is empty.
    pub(crate) async fn send(&self, request: &str, token: &str) -> TestResponse {
        let (method, path) = request.split_once(' ').unwrap();
        let request = self.0.request(Method::from_bytes(method.as_bytes()).unwrap(), path);
        match token {
            "" => request.send().await,
            token => request.header(AUTHORIZATION, format!("Bearer {token}")).send().await,
        }
    }

    /// The status of the answer.
    pub(crate) async fn status(&self, request: &str, token: &str) -> u16 {
        self.send(request, token).await.0.status().as_u16()
    }

    /// The challenges of the answer.
    pub(crate) async fn challenges(&self, request: &str, token: &str) -> Vec<String> {
        challenges(&self.send(request, token).await)
    }
}

pub(crate) fn challenges(response: &TestResponse) -> Vec<String> {
    let values = response.0.headers().get_all(WWW_AUTHENTICATE).into_iter();
    values.map(|value| value.to_str().unwrap().to_owned()).collect()
}

/// Serves an application on loopback until the test's runtime ends.
pub(crate) fn listen(app: Route) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    let server = Server::new_with_acceptor(TcpAcceptor::from_std(listener).unwrap());
    tokio::spawn(server.run(app));
    format!("http://{address}")
}
