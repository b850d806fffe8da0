//! A guard before tower services of every kind.

use axum::{Router, handler::Handler, routing::get};
use monocloud_backend::{Authenticated, Policy};
use tower_layer::Layer;

use crate::world::{Client, World};

const READ: Policy = Policy::ANY_TOKEN.scopes(&["posts:read"]);

async fn whose(caller: Authenticated) -> String {
    caller.claims().subject().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn it_fits_methods_handlers_routers_and_services() {
    let world = World::new().await;
    let guard = || world.protect.require(READ);
    let router = || Router::new().route("/x", get(whose));
    let app = Router::new()
        .route("/methods", get(whose).route_layer(guard()))
        .route("/handler", get(whose.layer(guard())))
        .nest("/router", router().layer(guard()))
        .nest_service("/service", guard().layer(router()))
        .route_service("/route-service", guard().layer(get(whose)));
    let client = Client::new(app).await;
    for path in ["/methods", "/handler", "/router/x", "/service/x", "/route-service"] {
        let request = format!("GET {path}");
        assert_eq!(client.status(&request, "").await, 401, "{path}");
        assert_eq!(client.status(&request, &world.token("")).await, 403, "{path}");
        assert_eq!(client.text(&request, &world.token("posts:read")).await, "alice", "{path}");
    }
}

#[tokio::test]
async fn a_service_of_another_body_is_guarded_too() {
    use axum::http::Request;
    use tower_service::Service;

    let world = World::new().await;
    let inner = get(async |body: String| body);
    let mut service = world.protect.require(READ).layer(inner);
    let request = |token: Option<String>| {
        let request = Request::post("/").method("GET");
        let request = match token {
            Some(token) => request.header("authorization", format!("Bearer {token}")),
            None => request,
        };
        request.body(axum::body::Body::from("hello")).unwrap()
    };
    let answer = service.call(request(None)).await.unwrap();
    assert_eq!(answer.status(), 401);
    let answer = service.call(request(Some(world.token("posts:read")))).await.unwrap();
    let body = axum::body::to_bytes(answer.into_body(), 99).await.unwrap();
    assert_eq!(body, "hello");
}
