//! Endpoints that declare what they need.

use harness::given::world::{Client, World, guarded, needs};
use monocloud_backend::{Authenticated, Bearer, Caller, MaybeBearer, Policy, Require};
use salvo::{
    oapi::{RouterExt, SecurityRequirement},
    prelude::*,
};
use serde_json::{Value, json};

pub(crate) struct Admins;

impl Require for Admins {
    const POLICY: Policy = Policy::ANY_TOKEN.scopes(&["posts:read"]).any_group(&["admin"]);
}

#[endpoint(security(("MonoCloud" = ["posts:read"])))]
async fn by_attribute(caller: Authenticated) -> String {
    caller.claims().subject().unwrap_or_default().to_owned()
}

#[endpoint]
async fn by_type(caller: Bearer<Admins>) -> String {
    caller.claims().subject().unwrap_or_default().to_owned()
}

#[endpoint]
async fn by_router(caller: Bearer) -> String {
    caller.into_authenticated().claims().subject().unwrap_or_default().to_owned()
}

#[endpoint]
async fn inherits() -> &'static str {
    "inherits"
}

#[endpoint]
async fn optional(caller: MaybeBearer) -> String {
    let caller: Caller = caller.into_caller();
    caller.claims().and_then(|claims| claims.subject()).unwrap_or("anonymous").to_owned()
}

#[tokio::test]
async fn an_endpoint_is_declared_by_attribute_by_type_or_by_the_router_above() {
    let world = World::new().await;
    let write = SecurityRequirement::new("MonoCloud", ["posts:write"]);
    let api = Router::new()
        .push(Router::with_path("words").get(by_attribute))
        .push(Router::with_path("type").get(by_type))
        .push(Router::with_path("any").get(by_router))
        .push(Router::with_path("above").oapi_security(write).push(Router::new().get(inherits)))
        .push(Router::with_path("optional").get(optional));
    let document = OpenApi::new("Posts", "1.0").merge_router(&api).to_json().unwrap();
    let (api, document) = world.protect.document(&document).unwrap().routes(api).unwrap();
    let app = Router::new().push(api).push(Router::with_path("openapi.json").get(document.json()));
    let client = Client::new(app).await;

    let admin = world.tenant.token().subject("alice").scope("posts:read").groups(["admin"]).mint();
    let outsider = world.tenant.token().groups(["admin"]).mint();
    let (any, read, write) =
        (world.token(""), world.token("posts:read"), world.token("posts:write"));
    for (request, statuses) in [
        ("GET /words", [401, 403, 200, 403, 200, 403]),
        ("GET /type", [401, 403, 403, 403, 200, 403]),
        ("GET /any", [401, 200, 200, 200, 200, 200]),
        ("GET /above", [401, 403, 403, 200, 403, 403]),
        ("GET /optional", [200, 200, 200, 200, 200, 200]),
    ] {
        for (token, status) in
            ["", &any, &read, &write, &admin, &outsider].into_iter().zip(statuses)
        {
            assert_eq!(client.status(request, token).await, status, "{request} {token}");
        }
    }
    for request in ["GET /words", "GET /type", "GET /any", "GET /optional"] {
        assert_eq!(client.text(request, &admin).await, "alice", "{request}");
    }
    assert_eq!(client.text("GET /optional", "").await, "anonymous");
    assert_eq!(client.status("GET /optional", "rubbish").await, 401);

    let served: Value = serde_json::from_str(&client.text("GET /openapi.json", "").await).unwrap();
    let security = |path: &str| served["paths"][path]["get"]["security"].clone();
    assert_eq!(security("/words"), json!([{ "MonoCloud": ["posts:read"] }]));
    assert_eq!(security("/type"), json!([{ "MonoCloud": ["posts:read"] }]));
    assert_eq!(security("/any"), json!([{ "MonoCloud": [] }]));
    assert_eq!(security("/above"), json!([{ "MonoCloud": ["posts:write"] }]));
    assert_eq!(security("/optional"), json!([{ "MonoCloud": [] }, {}]));
    assert_eq!(served["paths"]["/type"]["get"]["x-monocloud-groups"], json!({ "any": ["admin"] }));
}

#[tokio::test]
async fn an_argument_enforces_its_own_policy_if_a_document_or_a_guard_requires_less() {
    let world = World::new().await;
    let paths = json!({ "/type": { "get": needs(&[]) } });
    let (api, _) = guarded(&world.protect, &paths, Router::with_path("type").get(by_type));
    let guard = world.protect.require(Policy::ANY_TOKEN);
    let app = Router::new().push(api).push(Router::with_path("guard").hoop(guard).get(by_type));
    let client = Client::new(app).await;
    let admin = world.tenant.token().subject("alice").scope("posts:read").groups(["admin"]).mint();
    for request in ["GET /type", "GET /guard"] {
        assert_eq!(client.status(request, "").await, 401, "{request}");
        assert_eq!(client.status(request, &world.token("posts:read")).await, 403, "{request}");
        assert_eq!(client.text(request, &admin).await, "alice", "{request}");
    }
    let challenges = client.challenges("GET /guard", &world.token("")).await;
    let challenge =
        r#"Bearer realm="https://api.example.com", error="insufficient_scope", scope="posts:read""#;
    assert_eq!(challenges, [challenge]);
}

#[tokio::test]
async fn arguments_without_a_guard_answer_500() {
    let world = World::new().await;
    let app = Router::new()
        .push(Router::with_path("type").get(by_type))
        .push(Router::with_path("optional").get(optional));
    let client = Client::new(app).await;
    for request in ["GET /type", "GET /optional"] {
        for token in ["", &world.token("posts:read")] {
            let answer = client.send(request, token).await;
            assert_eq!(answer.status(), 500, "{request}");
            let body = answer.text().await.unwrap();
            assert_eq!(body, r#"{"message":"internal server error"}"#, "{request}");
        }
    }
}
