//! Operations that the document does not show: their policies are types.

use monocloud_backend::{
    Authenticated, Policy, Require,
    poem_openapi::{Bearer, MaybeBearer},
};
use poem::Request;
use poem_openapi::{OpenApi, SecurityScheme, auth::ApiKey, payload::PlainText};

use crate::world::{World, challenges, serve};

struct Admins;

impl Require for Admins {
    const POLICY: Policy = Policy::ANY_TOKEN.any_group(&["admin"]);
}

#[derive(SecurityScheme)]
#[oai(ty = "api_key", key_name = "X-Api-Key", key_in = "header", checker = "known_key")]
struct Key(#[allow(dead_code)] String);

async fn known_key(_: &Request, key: ApiKey) -> Option<String> {
    (key.key == "known").then_some(key.key)
}

#[derive(SecurityScheme)]
enum TokenOrKeyOrNobody {
    Token(#[allow(dead_code)] Bearer<Admins>),
    Key(#[allow(dead_code)] Key),
    #[oai(fallback)]
    Nobody,
}

struct Api;

#[OpenApi]
impl Api {
    #[oai(path = "/admin", method = "get", hidden)]
    async fn admin(&self, _caller: Bearer<Admins>) {}

    #[oai(path = "/maybe", method = "get", hidden)]
    async fn maybe(&self, caller: MaybeBearer) -> PlainText<&'static str> {
        PlainText(if caller.claims().is_some() { "somebody" } else { "nobody" })
    }

    #[oai(path = "/any", method = "get", hidden)]
    async fn any(&self, caller: TokenOrKeyOrNobody) -> PlainText<&'static str> {
        PlainText(match caller {
            TokenOrKeyOrNobody::Token(_) => "token",
            TokenOrKeyOrNobody::Key(_) => "key",
            TokenOrKeyOrNobody::Nobody => "nobody",
        })
    }

    #[oai(path = "/open", method = "get", hidden)]
    async fn open(&self) {}

    #[oai(path = "/extractor", method = "get", hidden)]
    async fn extractor(&self, _caller: Authenticated) {}

    #[oai(path = "/documented", method = "get")]
    async fn documented(&self) {}
}

#[tokio::test]
async fn the_policy_of_the_type_is_enforced() {
    let world = World::new().await;
    let (client, document) = serve(world.protect.secure(Api));
    let document = document.render_with(&world.tenant.metadata()).unwrap();
    assert_eq!(document["paths"].as_object().unwrap().keys().collect::<Vec<_>>(), ["/documented"]);

    assert_eq!(client.status("GET /admin", "").await, 401);
    assert_eq!(client.status("GET /admin", &world.expired()).await, 401);
    assert_eq!(client.status("GET /admin", &world.member(["staff"])).await, 403);
    assert_eq!(client.status("GET /admin", &world.member(["admin"])).await, 200);
    let realm = r#"Bearer realm="https://api.example.com""#;
    assert_eq!(client.challenges("GET /admin", "").await, [realm]);
}

#[tokio::test]
async fn an_optional_token_is_judged_if_it_is_there() {
    let world = World::new().await;
    let (client, _) = serve(world.protect.secure(Api));
    client.send("GET /maybe", "").await.assert_text("nobody").await;
    client.send("GET /maybe", &world.token("")).await.assert_text("somebody").await;
    assert_eq!(client.status("GET /maybe", &world.expired()).await, 401);
}

#[tokio::test]
async fn a_refused_token_is_the_answer_and_neither_a_key_nor_nobody_takes_its_place() {
    let world = World::new().await;
    let (client, _) = serve(world.protect.secure(Api));
    client.send("GET /any", "").await.assert_text("nobody").await;
    client.send("GET /any", &world.member(["admin"])).await.assert_text("token").await;
    let key = client.http().get("/any").header("X-Api-Key", "known").send().await;
    key.assert_text("key").await;

    for (token, status, error) in [
        (world.expired(), 401, "invalid_token"),
        (world.member(["staff"]), 403, "insufficient_scope"),
    ] {
        let request = client.http().get("/any").header("X-Api-Key", "known");
        let refused = request.header("Authorization", format!("Bearer {token}")).send().await;
        assert_eq!(refused.0.status(), status);
        let challenges = challenges(&refused);
        assert!(challenges[0].contains(error) && challenges.len() == 1, "{challenges:?}");
    }
}

#[tokio::test]
async fn the_default_holds_for_them_too() {
    let world = World::new().await;
    let api = world.protect.secure(Api).by_default(Policy::ANY_TOKEN.scopes(&["posts:read"]));
    let (client, _) = serve(api.public("GET", "/documented"));
    for request in ["GET /open", "GET /maybe", "GET /any", "GET /extractor"] {
        assert_eq!(client.status(request, "").await, 401, "{request}");
        assert_eq!(client.status(request, &world.token("")).await, 403, "{request}");
    }
    assert_eq!(client.status("GET /open", &world.token("posts:read")).await, 200);

    // Both the default and the type's own policy.
    assert_eq!(client.status("GET /admin", &world.token("posts:read")).await, 403);
    assert_eq!(client.status("GET /admin", &world.member(["admin"])).await, 403);
    let both = world.tenant.token().scope("posts:read").groups(["admin"]).mint();
    assert_eq!(client.status("GET /admin", &both).await, 200);
}

#[tokio::test]
async fn they_can_be_listed_as_public() {
    let world = World::new().await;
    let api = world.protect.secure(Api).by_default(Policy::ANY_TOKEN).public("GET", "/open");
    let (client, _) = serve(api);
    assert_eq!(client.status("GET /open", "").await, 200);
    assert_eq!(client.status("GET /maybe", "").await, 401);
}

#[tokio::test]
async fn an_extractor_that_declares_nothing_gets_nobody() {
    let world = World::new().await;
    let (client, _) = serve(world.protect.secure(Api));
    assert_eq!(client.status("GET /extractor", &world.member(["admin"])).await, 500);
    // With a default somebody is judged, and handed over.
    let (client, _) = serve(world.protect.secure(Api).by_default(Policy::ANY_TOKEN));
    assert_eq!(client.status("GET /extractor", "").await, 401);
    assert_eq!(client.status("GET /extractor", &world.token("")).await, 200);
}
