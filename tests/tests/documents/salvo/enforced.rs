//! The document is the policy: each operation requires what the document declares.

use harness::{
    given::{
        alternatives::assert_every_alternative,
        promises::{
            api, assert_another_scheme_is_possible, assert_head_is_authorized_as_get, assert_rows,
        },
        world::{Client, World, guarded, needs, public},
    },
    hosts::Say,
};
use monocloud_backend::{Authenticated, Caller, Error};
use salvo::{oapi::extract::JsonBody, prelude::*, routing::filters};
use serde_json::{Value, json};

#[handler]
async fn say_id(request: &mut Request) -> String {
    request.param("id").unwrap_or_default()
}

#[handler]
async fn say_rest(request: &mut Request) -> String {
    request.param("rest").unwrap_or_default()
}

#[handler]
async fn whose(caller: Authenticated) -> String {
    caller.claims().subject().unwrap_or_default().to_owned()
}

#[handler]
async fn new(_post: JsonBody<Value>) -> &'static str {
    "new"
}

#[tokio::test]
async fn every_operation_needs_exactly_what_its_document_declares() {
    let world = World::new().await;
    let at = Router::with_path;
    let router = Router::new()
        .push(at("posts").get(Say("all")).head(Say("")).post(new))
        .push(at("posts/{id:num}").get(say_id))
        .push(at("files/{**rest}").get(say_rest))
        .push(at("default").get(whose))
        .push(at("health").get(Say("up")))
        .push(at("listed").get(Say("listed")))
        .push(at("below/{id}").get(say_id))
        .push(at("hidden").get(Say("hidden")).post(new))
        .push(at("v1").push(at("posts").push(at("{id}").get(say_id))));
    let client = Client::new(api(&world).routes(router).unwrap().0).await;
    let own = [
        ("GET /posts/", [401, 403, 200, 403], "all"),
        ("GET //posts", [401, 403, 200, 403], "all"),
        ("HEAD /posts/7", [401, 403, 200, 403], ""),
        ("HEAD /listed", [200, 200, 200, 200], ""),
        ("GET /posts/x", [404, 404, 404, 404], ""),
        // The body of a hidden operation is not read before authorization either.
        ("POST /hidden", [401, 403, 403, 400], ""),
    ];
    assert_rows(&world, &client, &own).await;
}

#[tokio::test]
async fn what_an_operation_needs_follows_from_every_alternative() {
    assert_every_alternative(async |api, token| {
        let router = Router::with_path("posts").get(Say("all"));
        let (router, _) = api.routes(router).map_err(|error| error.to_string())?;
        Ok(Client::new(router).await.status("GET /posts", token).await)
    })
    .await;
}

#[tokio::test]
async fn documented_head_and_options_are_separate_operations() {
    let world = World::new().await;
    let router = Router::new()
        .get(Say("get"))
        .head(Say(""))
        .options(Say("options"))
        .push(Router::with_path("{id:num}").get(Say("one")))
        .push(Router::with_path("{id}").head(Say("")));
    let paths = json!({
        "/": {
            "get": needs(&["posts:read"]),
            "head": needs(&["posts:write"]),
            "options": needs(&["posts:read"]),
        },
        "/{id}": { "get": needs(&["posts:read"]), "head": needs(&["posts:write"]) },
    });
    let client = world.serve(&paths, router).await;
    let (read, write) = (world.token("posts:read"), world.token("posts:write"));
    for (request, reader, writer) in [
        ("GET /", 200, 403),
        ("HEAD /", 403, 200),
        ("OPTIONS /", 200, 403),
        ("GET /7", 200, 403),
        ("HEAD /7", 403, 200),
    ] {
        assert_eq!(client.status(request, "").await, 401, "{request}");
        assert_eq!(client.status(request, &read).await, reader, "{request}");
        assert_eq!(client.status(request, &write).await, writer, "{request}");
    }
}

#[tokio::test]
async fn an_undocumented_options_is_left_to_the_application() {
    let world = World::new().await;
    let router = Router::new()
        .push(Router::with_path("own").get(Say("a secret")).options(Say("preflight")))
        .push(Router::with_path("none").get(Say("a secret")));
    let paths = json!({ "/own": { "get": needs(&[]) }, "/none": { "get": needs(&[]) } });
    let client = world.serve(&paths, router).await;
    assert_eq!(client.text("OPTIONS /own", "").await, "preflight");
    assert_eq!(client.status("OPTIONS /none", "").await, 405);
}

/// Writes the answer's error and the caller that it has seen.
#[handler]
async fn above(
    request: &mut Request,
    depot: &mut Depot,
    response: &mut Response,
    ctrl: &mut FlowCtrl,
) {
    ctrl.call_next(request, depot, response).await;
    if let Some(error) = response.extensions.get::<Error>().map(ToString::to_string) {
        response.body(error);
    }
}

#[handler]
async fn beside(caller: Authenticated, response: &mut Response) {
    let subject = caller.claims().subject().unwrap_or_default().parse().unwrap();
    response.headers_mut().insert("x-caller", subject);
}

#[tokio::test]
async fn a_hoop_above_sees_rejections_and_one_of_the_handler_knows_the_caller() {
    let world = World::new().await;
    let router = Router::new()
        .hoop(above)
        .push(Router::with_path("handler").get(Say("all").hoop(beside)))
        .push(Router::with_path("router").filter(filters::get()).hoop(beside).goal(Say("all")));
    let paths = json!({ "/handler": { "get": needs(&[]) }, "/router": { "get": needs(&[]) } });
    let client = world.serve(&paths, router).await;
    for request in ["GET /handler", "GET /router"] {
        let rejected = client.send(request, "").await;
        assert_eq!(rejected.status(), 401, "{request}");
        assert_eq!(rejected.text().await.unwrap(), Error::MissingToken.to_string(), "{request}");
        let answer = client.send(request, &world.token("")).await;
        assert_eq!(answer.headers()["x-caller"], "alice", "{request}");
        assert_eq!(answer.text().await.unwrap(), "all", "{request}");
    }
}

#[tokio::test]
async fn the_guard_of_an_endpoint_does_not_apply_to_those_below_it() {
    let world = World::new().await;
    let router = Router::with_path("tree")
        .filter(filters::get())
        .goal(Say("tree"))
        .push(Router::with_path("public").goal(Say("public")))
        .push(Router::with_path("leaf").goal(Say("leaf")));
    let paths = json!({
        "/tree": { "get": needs(&["posts:write"]) },
        "/tree/public": { "get": public() },
        "/tree/leaf": { "get": needs(&["posts:read"]) },
    });
    let client = world.serve(&paths, router).await;
    let (read, write) = (world.token("posts:read"), world.token("posts:write"));
    for (request, [anonymous, reader, writer]) in [
        ("GET /tree", [401, 403, 200]),
        ("GET /tree/public", [200, 200, 200]),
        ("GET /tree/leaf", [401, 200, 403]),
        ("GET /tree/none", [404, 404, 404]),
        ("POST /tree", [405, 405, 405]),
    ] {
        assert_eq!(client.status(request, "").await, anonymous, "{request}");
        assert_eq!(client.status(request, &read).await, reader, "{request}");
        assert_eq!(client.status(request, &write).await, writer, "{request}");
    }
    assert_eq!(client.text("GET /tree", &write).await, "tree");
    assert_eq!(client.text("GET /tree/leaf", &read).await, "leaf");
}

#[tokio::test]
async fn routes_added_afterwards_are_left_to_the_application() {
    let world = World::new().await;
    let paths = json!({ "/posts": { "get": needs(&[]) } });
    let (api, document) =
        guarded(&world.protect, &paths, Router::with_path("posts").get(Say("all")));
    let app = Router::new()
        .push(Router::with_path("api").push(api))
        .push(Router::with_path("openapi.json").get(document.json()));
    let client = Client::new(app).await;
    assert_eq!(client.status("GET /openapi.json", "").await, 200);
    assert_eq!(client.status("GET /api/posts", "").await, 401);
    assert_eq!(client.text("GET /api/posts", &world.token("")).await, "all");
}

#[handler]
async fn either(caller: Caller, request: &mut Request, response: &mut Response) {
    let has_key = request.headers().contains_key("x-api-key");
    match caller.authenticated() {
        Some(_) => response.render("token"),
        None if has_key => response.render("key"),
        None => {
            response.status_code(StatusCode::UNAUTHORIZED);
            response.headers_mut().insert("www-authenticate", "ApiKey".parse().unwrap());
        }
    }
}

#[handler]
async fn optional(caller: Caller, response: &mut Response) {
    if let Err(refusal) = caller.require() {
        response.render(refusal);
    }
}

#[tokio::test]
async fn with_another_scheme_the_application_decides_and_its_401_gets_the_challenge_too() {
    let router = Router::new()
        .push(Router::with_path("either").get(either))
        .push(Router::with_path("optional").get(optional));
    assert_another_scheme_is_possible(router).await;
}

#[tokio::test]
async fn a_documented_head_is_authorized_as_get() {
    assert_head_is_authorized_as_get(|| Router::with_path("posts").get(Say("all"))).await;
}
