//! Guards as layers of tower services.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    task::{Context, Poll},
};

use axum::{
    Router,
    body::to_bytes,
    handler::Handler,
    http::{Request, header::AUTHORIZATION},
    routing::get,
};
use harness::given::world::{Client, World};
use monocloud_backend::{Authenticated, Policy};
use tower_layer::Layer;
use tower_service::Service;

const READ: Policy = Policy::ANY_TOKEN.scopes(&["posts:read"]);

async fn whose(caller: Authenticated) -> String {
    caller.claims().subject().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_guard_is_a_layer_for_methods_handlers_routers_and_services() {
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

/// A service that does not use axum.
#[derive(Clone)]
struct Echo;

impl Service<Request<&'static str>> for Echo {
    type Response = &'static str;
    type Error = Infallible;
    type Future = Ready<Result<&'static str, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<&'static str>) -> Self::Future {
        ready(Ok(request.into_body()))
    }
}

#[tokio::test]
async fn a_guard_is_a_layer_for_services_with_other_bodies() {
    let world = World::new().await;
    let mut service = world.protect.require(READ).layer(Echo);
    let mut request = Request::new("hello");
    assert_eq!(service.call(request.clone()).await.unwrap().status(), 401);
    let bearer = format!("Bearer {}", world.token("posts:read"));
    request.headers_mut().insert(AUTHORIZATION, bearer.parse().unwrap());
    let answer = service.call(request).await.unwrap();
    assert_eq!(to_bytes(answer.into_body(), 99).await.unwrap(), "hello");
}
