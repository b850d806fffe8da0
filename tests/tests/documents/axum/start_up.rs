//! Problems that prevent an API from starting, each in one line that names the operation.

use axum::{
    Router,
    routing::{any, delete, get, head, post},
};
use harness::given::{
    promises::start_with_methods_of_openapi_32,
    world::{declared, needs, offline, public, start_error},
};
use monocloud_backend::Policy;
use serde_json::{Value, json};

async fn fine() {}

fn problems_of(paths: &Value, router: Router) -> String {
    start_error(declared(&offline(), paths), router)
}

#[test]
fn every_kind_of_problem_is_reported_at_once() {
    let paths = json!({
        "/posts": { "get": needs(&["posts:read"]), "put": needs(&[]) },
        "/posts/{id}": { "get": needs(&["posts:purge"]) },
        "/none": { "get": needs(&[]) },
        "/a b": { "get": needs(&[]) },
        "/either/{x}": { "get": needs(&[]) },
        "/services/{name}": { "get": needs(&[]) },
        "/anything": { "get": needs(&[]) },
        "/secured": { "get": needs(&[]) },
    });
    let router = Router::new()
        .route("/posts", get(fine).post(fine))
        .route("/posts/{post}", get(fine))
        .route("/either/{one}", post(fine))
        .route("/anything", any(fine))
        .route("/all", any(fine))
        .route("/own", axum::routing::MethodRouter::new().fallback(fine))
        .route("/secured", get(fine))
        .route("/secret", get(fine).delete(fine))
        .route("/listed", get(fine).post(fine))
        .nest("/nested/{tenant}", Router::new().route("/secret/{id}", delete(fine)))
        .nest_service("/services", Router::new().route("/{name}", get(fine)));
    let api = declared(&offline(), &paths)
        .by_default(Policy::ANY_TOKEN)
        .public("get", "/listed")
        .public("GET", "/secured")
        .public("GET", "/helth");
    insta::assert_snapshot!(start_error(api, router), @r#"
    the API and its document do not agree:
    ANY /all: `any` and `route_service` take every method, and a document lists each; write `get(…)` (a WebSocket opens with GET), `post(…)` or `get_service(…)`, or route it in the router that `routes` returns, behind `protect.require(POLICY)`
    ANY /anything: `any` and `route_service` take every method, and a document lists each; write `get(…)` (a WebSocket opens with GET), `post(…)` or `get_service(…)`, or route it in the router that `routes` returns, behind `protect.require(POLICY)`
    ANY /own: `any` and `route_service` take every method, and a document lists each; write `get(…)` (a WebSocket opens with GET), `post(…)` or `get_service(…)`, or route it in the router that `routes` returns, behind `protect.require(POLICY)`
    ANY /services: `nest_service` takes every method and every path below, which no document lists; nest it in the router that `routes` returns: `.nest_service("/services", protect.require(POLICY).layer(service))`
    GET /a b: it is documented, and nothing is routed there; route it, or remove it from the document
    GET /anything: it is documented, and nothing is routed there; route it, or remove it from the document
    POST /either/{one}: it is routed, and the document does not have it; declare what it needs with `.hidden("POST", "/either/{one}", POLICY)`, list it with `.public("POST", "/either/{one}")`, or document it
    GET /either/{x}: it is documented, and nothing is routed there; route it, or remove it from the document
    GET /helth: it is listed as public, and there is no such operation; the nearest is GET /posts
    POST /listed: it is routed, and the document does not have it; declare what it needs with `.hidden("POST", "/listed", POLICY)`, list it with `.public("POST", "/listed")`, or document it
    DELETE /nested/{tenant}/secret/{id}: it is routed, and the document does not have it; declare what it needs with `.hidden("DELETE", "/nested/{tenant}/secret/{id}", POLICY)`, list it with `.public("DELETE", "/nested/{tenant}/secret/{id}")`, or document it
    GET /none: it is documented, and nothing is routed there; route it, or remove it from the document
    POST /posts: it is routed, and the document does not have it; declare what it needs with `.hidden("POST", "/posts", POLICY)`, list it with `.public("POST", "/posts")`, or document it
    PUT /posts: it is documented, and nothing is routed there; route it, or remove it from the document
    GET /posts/{id}: it needs the scope "posts:purge", which is not described; describe it with `.describe_scope("posts:purge", "…")`
    DELETE /secret: it is routed, and the document does not have it; declare what it needs with `.hidden("DELETE", "/secret", POLICY)`, list it with `.public("DELETE", "/secret")`, or document it
    GET /secret: it is routed, and the document does not have it; declare what it needs with `.hidden("GET", "/secret", POLICY)`, list it with `.public("GET", "/secret")`, or document it
    GET /secured: it is listed as public, and declares that it needs a token; remove one of the two
    GET /services/{name}: it is documented, and nothing is routed there; route it, or remove it from the document
    "#);
}

#[test]
fn a_router_without_routes_serves_no_documented_operation() {
    let paths = json!({ "/posts": { "get": needs(&[]) } });
    let problems = problems_of(&paths, Router::new());
    assert!(problems.contains("GET /posts: it is documented, and nothing is routed there"));
    assert!(declared(&offline(), &json!({})).routes(Router::new()).is_ok());
}

async fn run() {
    panic!("a handler was run");
}

#[test]
fn finding_the_routes_runs_no_handler() {
    let paths = json!({ "/posts/{id}": { "get": needs(&[]) }, "/none": { "get": needs(&[]) } });
    let router = Router::new()
        .route("/posts/{id}", get(run).fallback(run))
        .route("/all", any(run))
        .nest("/nested", Router::new().route("/", get(run)).fallback(run))
        .fallback(run)
        .method_not_allowed_fallback(run);
    let problems = problems_of(&paths, router);
    assert!(problems.contains("GET /none: it is documented"), "{problems}");
    assert!(problems.contains("GET /nested: it is routed"), "{problems}");
}

#[test]
fn a_handler_that_no_request_can_reach_is_a_problem() {
    let router = Router::new().route("/a b", get(fine));
    let problems = problems_of(&json!({}), router);
    let expected = "a handler is routed where no request for its path arrives";
    assert!(problems.lines().any(|line| line.starts_with(expected)), "{problems}");
}

#[test]
fn parameters_may_have_different_names_in_routes_and_document() {
    let router = Router::new()
        .route("/posts/{post}", get(fine).delete(fine))
        .route("/files/{*path}", get(fine))
        .route("/literal/{{braces}}", get(fine))
        .route("/options", get(fine).options(fine))
        .route("/head", head(fine).get(fine))
        .merge(Router::new().route("/merged", get(fine)))
        .nest("/v1/{tenant}", Router::new().route("/", get(fine)).route("/x/{id}", get(fine)));
    let paths = json!({
        "/posts/{id}": { "get": needs(&[]), "delete": needs(&["posts:write"]) },
        "/files/{rest}": { "get": needs(&[]) },
        "/options": { "get": needs(&[]), "options": public() },
        "/head": { "get": needs(&[]), "head": needs(&[]) },
        "/merged": { "get": public() },
        "/v1/{tenant}": { "get": needs(&[]) },
        "/v1/{t}/x/{i}": { "get": needs(&[]) },
    });
    let api = declared(&offline(), &paths).public("GET", "/literal/{{braces}}");
    assert_eq!(api.routes(router).err().map(|error| error.to_string()), None);
}

#[test]
fn methods_that_axum_does_not_route_are_named() {
    let problems = start_with_methods_of_openapi_32(Router::new().route("/posts", get(fine)));
    for method in ["COPY", "QUERY"] {
        let expected = format!("{method} /posts: it is documented, and nothing is routed there");
        assert!(problems.iter().any(|line| line.starts_with(&expected)), "{problems:?}");
    }
}
