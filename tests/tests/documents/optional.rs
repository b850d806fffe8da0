//! Optional authentication has a separate type.

use monocloud_backend::{
    Authenticated, Bearer, Caller, MaybeBearer, Policy, poem_openapi::Secured,
};
use poem_openapi::{OpenApi, OpenApiService, payload::PlainText};
use serde_json::{Value, json};

use crate::world::{Scope, World, described, offline, serve};

struct Api;

#[OpenApi]
impl Api {
    #[oai(path = "/maybe", method = "get")]
    async fn maybe(&self, caller: MaybeBearer) -> PlainText<String> {
        let subject = caller.claims().and_then(|claims| claims.subject());
        PlainText(subject.unwrap_or("anonymous").to_owned())
    }

    #[oai(path = "/scoped", method = "get")]
    async fn scoped(&self, #[oai(scope = "Scope::Read")] _caller: MaybeBearer) {}

    #[oai(path = "/undeclared", method = "get")]
    async fn undeclared(&self, _caller: Authenticated) {}

    #[oai(path = "/undeclared", method = "post")]
    async fn undeclared_caller(&self, _caller: Caller) {}

    #[oai(path = "/declared", method = "get")]
    async fn declared(&self, _bearer: Bearer, _caller: Authenticated) {}
}

/// The API, in which two operations declare nothing.
fn public(world: &World) -> Secured<Api> {
    world.protect.secure(Api).public("GET", "/undeclared").public("POST", "/undeclared")
}

#[tokio::test]
async fn an_anonymous_request_is_accepted_and_an_invalid_token_is_not() {
    let world = World::new().await;
    let (client, document) = serve(public(&world));
    let token = world.tenant.token().subject("alice").mint();
    client.send("GET /maybe", "").await.assert_text("anonymous").await;
    client.send("GET /maybe", &token).await.assert_text("alice").await;
    for invalid in [world.expired().as_str(), "garbage", "a.b.c"] {
        let challenges = client.challenges("GET /maybe", invalid).await;
        assert!(challenges[0].contains(r#"error="invalid_token""#), "{challenges:?}");
        assert_eq!(client.status("GET /maybe", invalid).await, 401);
    }
    assert_eq!(client.status("GET /maybe", "two tokens").await, 400);

    let document = document.render_with(&world.tenant.metadata()).unwrap();
    let operation = &document["paths"]["/maybe"]["get"];
    assert_eq!(operation["security"], json!([{ "MonoCloud": [] }, {}]));
    assert!(described(&document, operation, "401")["headers"]["WWW-Authenticate"].is_object());
}

#[tokio::test]
async fn a_default_does_not_make_a_token_mandatory() {
    let world = World::new().await;
    let (client, _) = serve(world.protect.secure(Api).by_default(Policy::ANY_TOKEN));
    assert_eq!(client.status("GET /maybe", "").await, 200);
}

#[tokio::test]
async fn its_scopes_apply_to_a_token_that_is_present() {
    let world = World::new().await;
    let (client, document) = serve(public(&world));
    assert_eq!(client.status("GET /scoped", "").await, 200);
    assert_eq!(client.status("GET /scoped", &world.token("posts:write")).await, 403);
    assert_eq!(client.status("GET /scoped", &world.token("posts:read")).await, 200);
    let document = document.render_with(&world.tenant.metadata()).unwrap();
    let security = &document["paths"]["/scoped"]["get"]["security"];
    assert_eq!(security, &json!([{ "MonoCloud": ["posts:read"] }, {}]));
}

#[tokio::test]
async fn poems_extractors_work_only_with_a_declared_token() {
    let world = World::new().await;
    let (client, _) = serve(public(&world));
    let token = world.token("");
    for request in ["GET /undeclared", "POST /undeclared"] {
        assert_eq!(client.status(request, &token).await, 500, "{request}");
    }
    assert_eq!(client.status("GET /declared", "").await, 401);
    assert_eq!(client.status("GET /declared", &token).await, 200);

    let (client, _) = serve(world.protect.secure(Api).by_default(Policy::ANY_TOKEN));
    assert_eq!(client.status("GET /undeclared", "").await, 401);
    assert_eq!(client.status("GET /undeclared", &token).await, 200);
}

struct OnlyOptional;

#[OpenApi]
impl OnlyOptional {
    #[oai(path = "/maybe", method = "get")]
    async fn maybe(&self, _caller: MaybeBearer) {}
}

#[test]
fn the_frameworks_own_document_has_the_scheme_that_it_names() {
    let (service, _) = offline()
        .secure(OnlyOptional)
        .into_service(|api| OpenApiService::new(api, "Posts", "1.0"))
        .unwrap();
    let raw: Value = serde_json::from_str(&service.spec()).unwrap();
    assert_eq!(raw["components"]["securitySchemes"]["MonoCloud"]["type"], "oauth2", "{raw}");
}
