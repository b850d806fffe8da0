//! End to end over HTTP: a client reads the document, and what it declares is enforced.

use harness::support::client;
use monocloud_backend::{Bearer, Policy};
use poem::{Route, http::Method};
use poem_openapi::{OpenApi, OpenApiService, param::Path};
use serde_json::Value;

use crate::world::{Scope, World, listen};

struct Api;

#[OpenApi]
impl Api {
    #[oai(path = "/health", method = "get")]
    async fn health(&self) {}

    #[oai(path = "/posts", method = "get")]
    async fn list(&self, #[oai(scope = "Scope::Read")] _caller: Bearer) {}

    #[oai(path = "/posts/:id", method = "delete")]
    async fn delete(
        &self,
        #[oai(scope = "Scope::Read", scope = "Scope::Write")] _caller: Bearer,
        _id: Path<u64>,
    ) {
    }

    #[oai(path = "/me", method = "get")]
    async fn me(&self) {}
}

#[tokio::test]
async fn only_a_client_that_follows_the_document_is_accepted() {
    let world = World::new().await;
    let (service, document) = (world.protect.secure(Api))
        .by_default(Policy::ANY_TOKEN)
        .public("GET", "/health")
        .into_service(|api| OpenApiService::new(api, "Posts", "1.0"))
        .unwrap();
    let app = Route::new().nest("/", service).at("/openapi.json", document.json());
    let api = listen(app);

    let http = client(None, None);
    let document = http.get(format!("{api}/openapi.json")).send().await.unwrap();
    assert_eq!(document.status(), 200);
    let document: Value = serde_json::from_str(&document.text().await.unwrap()).unwrap();

    let mut secured = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let method = Method::from_bytes(method.to_ascii_uppercase().as_bytes()).unwrap();
            let url = format!("{api}{}", path.replace("{id}", "7"));
            let status = async |token: Option<String>| {
                let mut request = http.request(method.clone(), &url);
                if let Some(token) = token {
                    request = request.bearer_auth(token);
                }
                request.send().await.unwrap().status().as_u16()
            };
            let Some(scopes) = operation["security"][0]["MonoCloud"].as_array() else {
                assert_eq!(status(None).await, 200, "{method} {path}");
                continue;
            };
            secured += 1;
            let scopes: Vec<_> = scopes.iter().map(|scope| scope.as_str().unwrap()).collect();
            assert_eq!(status(None).await, 401, "{method} {path}");
            assert_eq!(status(Some(world.expired())).await, 401, "{method} {path}");
            assert_eq!(status(Some(world.token(&scopes.join(" ")))).await, 200, "{method} {path}");
            if let Some((_, too_few)) = scopes.split_first() {
                let token = world.token(&too_few.join(" "));
                assert_eq!(status(Some(token)).await, 403, "{method} {path}");
            }
        }
    }
    assert_eq!(secured, 3);
}
