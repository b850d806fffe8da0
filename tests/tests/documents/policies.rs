//! Policies by type: groups, and scopes that a type requires.

use harness::named_policies;
use monocloud_backend::{Bearer, Policy, ProtectApi, Require};
use poem_openapi::OpenApi;
use serde_json::{Value, json};

use crate::world::{Scope, World, serve};

named_policies! {
    Any = Policy::ANY_TOKEN.any_group(&["admin", "staff"]);
    All = Policy::ANY_TOKEN.all_groups(&["admin", "staff"]);
    Unsaid = Policy::ANY_TOKEN.groups(&["admin", "staff"]);
    Writers = Policy::ANY_TOKEN.scopes(&["posts:write"]);
    Editors = Policy::ANY_TOKEN.scopes(&["posts:write"]).any_group(&["editors: all"]);
}

struct Api;

#[OpenApi]
impl Api {
    #[oai(path = "/any", method = "get")]
    async fn any(&self, _caller: Bearer<Any>) {}

    #[oai(path = "/all", method = "get")]
    async fn all(&self, _caller: Bearer<All>) {}

    #[oai(path = "/unsaid", method = "get")]
    async fn unsaid(&self, _caller: Bearer<Unsaid>) {}

    #[oai(path = "/writers", method = "get")]
    async fn writers(&self, #[oai(scope = "Scope::Read")] _caller: Bearer<Writers>) {}

    #[oai(path = "/editors", method = "get")]
    async fn editors(&self, _caller: Bearer<Editors>) {}
}

#[tokio::test]
async fn groups_are_an_extension_of_the_operation_and_not_a_scheme() {
    let world = World::new().await;
    let (_, document) = serve(world.protect.secure(Api));
    let document = document.render_with(&world.tenant.metadata()).unwrap();
    for (path, scopes, groups) in [
        ("/any", json!([]), json!({ "any": ["admin", "staff"] })),
        ("/all", json!([]), json!({ "all": ["admin", "staff"] })),
        ("/unsaid", json!([]), json!(["admin", "staff"])),
        ("/writers", json!(["posts:write", "posts:read"]), Value::Null),
        ("/editors", json!(["posts:write"]), json!({ "any": ["editors: all"] })),
    ] {
        let operation = &document["paths"][path]["get"];
        assert_eq!(operation["security"], json!([{ "MonoCloud": scopes }]), "{path}");
        assert_eq!(operation["x-monocloud-groups"], groups, "{path}");
    }
    let schemes = document["components"]["securitySchemes"].as_object().unwrap();
    assert_eq!(schemes.keys().collect::<Vec<_>>(), ["MonoCloud"]);
}

#[tokio::test]
async fn groups_are_enforced_as_documented() {
    let world = World::new().await;
    let (client, _) = serve(world.protect.secure(Api));
    let outsider = world.member([]);
    let admin = world.member(["admin"]);
    let both = world.member(["staff", "admin"]);
    for (request, statuses) in [
        ("GET /any", [403, 200, 200]),
        ("GET /all", [403, 403, 200]),
        ("GET /unsaid", [403, 200, 200]),
    ] {
        for (token, status) in [&outsider, &admin, &both].into_iter().zip(statuses) {
            assert_eq!(client.status(request, token).await, status, "{request}");
        }
    }
}

#[tokio::test]
async fn the_configuration_decides_between_any_and_all_if_the_policy_does_not() {
    let world = World::new().await;
    let protect = ProtectApi::builder().vars(world.tenant.vars()).groups_match_all(true).build();
    let (client, _) = serve(protect.unwrap().describe_scopes::<Scope>().secure(Api));
    let admin = world.member(["admin"]);
    for (request, status) in [("GET /any", 200), ("GET /all", 403), ("GET /unsaid", 403)] {
        assert_eq!(client.status(request, &admin).await, status, "{request}");
    }
}

#[tokio::test]
async fn scopes_of_the_type_and_of_the_argument_are_all_needed() {
    let world = World::new().await;
    let (client, _) = serve(world.protect.secure(Api));
    for scopes in ["posts:read", "posts:write"] {
        let challenges = client.challenges("GET /writers", &world.token(scopes)).await;
        let expected = r#"Bearer realm="https://api.example.com", error="insufficient_scope", scope="posts:write posts:read""#;
        assert_eq!(challenges, [expected]);
    }
    let both = world.token("posts:read posts:write");
    assert_eq!(client.status("GET /writers", &both).await, 200);
}

#[tokio::test]
async fn scopes_and_groups_of_one_type_are_both_needed() {
    let world = World::new().await;
    let (client, _) = serve(world.protect.secure(Api));
    let token = |scopes: &str, groups: &[&str]| {
        world.tenant.token().scope(scopes).groups(groups.iter().copied()).mint()
    };
    for (scopes, groups, status) in [
        ("posts:write", vec![], 403),
        ("", vec!["editors: all"], 403),
        ("posts:write", vec!["editors"], 403),
        ("posts:write", vec!["editors: all"], 200),
    ] {
        let token = token(scopes, &groups);
        assert_eq!(client.status("GET /editors", &token).await, status, "{scopes} {groups:?}");
    }
}
