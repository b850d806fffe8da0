//! The document is the policy: each operation requires what the document declares.

use axum::{
    Json, Router,
    extract::{Path, Request, State},
    http::StatusCode,
    middleware::{Next, from_fn},
    response::{IntoResponse, Response},
    routing::{get, head, post},
};
use harness::given::{
    alternatives::assert_every_alternative,
    promises::{
        api, assert_another_scheme_is_possible, assert_head_is_authorized_as_get, assert_rows,
    },
    world::{Client, World, guarded, needs},
};
use monocloud_backend::{Authenticated, Caller};
use serde_json::{Value, json};

async fn say_id(Path(id): Path<u64>) -> String {
    id.to_string()
}

#[tokio::test]
async fn every_operation_needs_exactly_what_its_document_declares() {
    let world = World::new().await;
    let router = Router::new()
        .route("/posts", get(|| async { "all" }).post(|_: Json<Value>| async { "new" }))
        .route("/posts/{id}", get(say_id))
        .route("/files/{*rest}", get(|Path(rest): Path<String>| async { rest }))
        .route(
            "/default",
            get(|caller: Authenticated| async move {
                caller.claims().subject().unwrap_or_default().to_owned()
            }),
        )
        .route("/health", get(|| async { "up" }))
        .route("/listed", get(|| async { "listed" }))
        .route("/below/{id}", get(say_id))
        .route("/hidden", get(|| async { "hidden" }).post(|_: Json<Value>| async { "hidden" }))
        .nest("/v1", Router::new().route("/posts/{id}", get(say_id)));
    let client = Client::new(api(&world).routes(router).unwrap().0).await;
    let own = [
        ("GET /posts/x", [401, 403, 400, 403], "Invalid URL: Cannot parse `x` to a `u64`"),
        // The body of a hidden operation is not read before authorization either.
        ("POST /hidden", [401, 403, 403, 415], ""),
    ];
    assert_rows(&world, &client, &own).await;
    let answer = client.send("PUT /posts", "").await;
    assert_eq!(answer.headers()["allow"], "GET,HEAD,POST");
}

#[tokio::test]
async fn what_an_operation_needs_follows_from_every_alternative() {
    assert_every_alternative(async |api, token| {
        let router = Router::new().route("/posts", get(|| async {}));
        let (router, _) = api.routes(router).map_err(|error| error.to_string())?;
        Ok(Client::new(router).await.status("GET /posts", token).await)
    })
    .await;
}

#[tokio::test]
async fn a_handler_of_head_is_authorized_as_its_own_operation() {
    let world = World::new().await;
    let router = Router::new().route("/", head(|| async {}).get(|| async {}));
    let paths = json!({ "/": { "get": needs(&["posts:read"]), "head": needs(&["posts:write"]) } });
    let client = world.serve(&paths, router).await;
    assert_eq!(client.status("HEAD /", &world.token("posts:read")).await, 403);
    assert_eq!(client.status("HEAD /", &world.token("posts:write")).await, 200);
    assert_eq!(client.status("GET /", &world.token("posts:write")).await, 403);
}

#[tokio::test]
async fn a_router_may_have_state_and_may_be_nested_after_it_was_guarded() {
    let world = World::new().await;
    let router = Router::new()
        .route("/posts/{id}", get(|State(name): State<String>| async { name }))
        .with_state("state".to_owned());
    let paths = json!({ "/posts/{id}": { "get": needs(&["posts:read"]) } });
    let (api, _) = guarded(&world.protect, &paths, router);
    let app = Router::<u8>::new()
        .nest("/api", api.clone().with_state(()))
        .nest_service("/service", api)
        .with_state(7);
    let client = Client::new(app).await;
    for request in ["GET /api/posts/7", "GET /service/posts/7"] {
        assert_eq!(client.status(request, "").await, 401, "{request}");
        assert_eq!(client.status(request, &world.token("")).await, 403, "{request}");
        assert_eq!(client.text(request, &world.token("posts:read")).await, "state", "{request}");
    }
}

#[tokio::test]
async fn a_preflight_is_left_to_the_application_and_reaches_no_secured_handler() {
    let world = World::new().await;
    let cors = from_fn(async |request: Request, next: Next| -> Response {
        match request.headers().contains_key("access-control-request-method") {
            true => "preflight".into_response(),
            false => next.run(request).await,
        }
    });
    let router = Router::new()
        .route("/posts", post(|| async { "a secret" }))
        .route("/own", get(|| async {}).options(|| async { "own" }))
        .layer(cors);
    let paths = json!({
        "/posts": { "post": needs(&[]) },
        "/own": { "get": needs(&[]), "options": needs(&["posts:read"]) },
    });
    let client = world.serve(&paths, router).await;
    let preflight = client.request("OPTIONS /posts", "");
    let answer = preflight.header("access-control-request-method", "POST").send().await.unwrap();
    assert_eq!(answer.text().await.unwrap(), "preflight");
    assert_eq!(client.status("OPTIONS /posts", "").await, 405);
    // A documented OPTIONS is an operation like any other.
    assert_eq!(client.status("OPTIONS /own", "").await, 401);
    assert_eq!(client.text("OPTIONS /own", &world.token("posts:read")).await, "own");
}

#[tokio::test]
async fn a_fallback_of_a_route_does_not_bypass_the_document() {
    let world = World::new().await;
    let secret = || async { "a secret" };
    let router = Router::new().route("/posts", get(secret).fallback(secret));
    let paths = json!({ "/posts": { "get": needs(&[]) } });
    let client = world.serve(&paths, router).await;
    for method in ["POST", "DELETE", "BREW"] {
        for token in ["", &world.token("")] {
            let answer = client.send(&format!("{method} /posts"), token).await;
            assert_eq!(answer.status(), 405, "{method}");
            assert_eq!(answer.text().await.unwrap(), "", "{method}");
        }
    }
}

#[tokio::test]
async fn routes_added_afterwards_are_left_to_the_application() {
    let world = World::new().await;
    let router = Router::new().route("/posts", get(|| async {})).fallback(|| async { "nothing" });
    let paths = json!({ "/posts": { "get": needs(&[]) } });
    let (api, document) = guarded(&world.protect, &paths, router);
    let app = api
        .route("/openapi.json", get(document.json()))
        .method_not_allowed_fallback(|| async { (StatusCode::METHOD_NOT_ALLOWED, "try GET") });
    let client = Client::new(app).await;
    assert_eq!(client.status("GET /openapi.json", "").await, 200);
    assert_eq!(client.text("GET /none", "").await, "nothing");
    assert_eq!(client.text("POST /posts", "").await, "try GET");
    assert_eq!(client.status("GET /posts", "").await, 401);
}

#[tokio::test]
async fn with_another_scheme_the_application_decides_and_its_401_gets_the_challenge_too() {
    let either = async |caller: Caller, request: Request| -> Response {
        let has_key = request.headers().contains_key("x-api-key");
        match caller.authenticated() {
            Some(_) => "token".into_response(),
            None if has_key => "key".into_response(),
            None => (StatusCode::UNAUTHORIZED, [("www-authenticate", "ApiKey")]).into_response(),
        }
    };
    let optional = async |caller: Caller| caller.require().map(|_| ());
    let router = Router::new().route("/either", get(either)).route("/optional", get(optional));
    assert_another_scheme_is_possible(router).await;
}

#[tokio::test]
async fn a_documented_head_is_authorized_as_get() {
    assert_head_is_authorized_as_get(|| Router::new().route("/posts", get(async || "all"))).await;
}
