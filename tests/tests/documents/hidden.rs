//! Operations that the document does not show: listings declare what they need.

use monocloud_backend::{
    Authenticated, Bearer, MaybeBearer, Policy, Require, poem_openapi::Secured,
};
use poem_openapi::{
    Object, OpenApi, SecurityScheme,
    param::Path,
    payload::{Json, PlainText},
};

use crate::world::{Key, World, challenges, offline, serve, start_error};

const ADMIN: Policy = Policy::ANY_TOKEN.any_group(&["admin"]);

struct Admins;

impl Require for Admins {
    const POLICY: Policy = ADMIN;
}

#[derive(SecurityScheme)]
enum TokenOrKeyOrAnonymous {
    Token(#[allow(dead_code)] Bearer<Admins>),
    Key(#[allow(dead_code)] Key),
    #[oai(fallback)]
    Anonymous,
}

#[derive(Object)]
struct Post {
    #[allow(dead_code)]
    title: String,
}

struct Api;

#[OpenApi]
impl Api {
    #[oai(path = "/admin", method = "get", hidden)]
    async fn admin(&self, _caller: Bearer<Admins>) {}

    #[oai(path = "/scoped/:id", method = "get", hidden)]
    async fn scoped(&self, #[oai(scope = "Scope::Read")] _caller: Bearer, _id: Path<u64>) {}

    #[oai(path = "/body", method = "post", hidden)]
    async fn body(&self, _post: Json<Post>, _caller: Bearer) {}

    #[oai(path = "/maybe", method = "get", hidden)]
    async fn maybe(&self, caller: MaybeBearer) -> PlainText<&'static str> {
        PlainText(if caller.claims().is_some() { "identified" } else { "anonymous" })
    }

    #[oai(path = "/any", method = "get", hidden)]
    async fn any(&self, caller: TokenOrKeyOrAnonymous) -> PlainText<&'static str> {
        PlainText(match caller {
            TokenOrKeyOrAnonymous::Token(_) => "token",
            TokenOrKeyOrAnonymous::Key(_) => "key",
            TokenOrKeyOrAnonymous::Anonymous => "anonymous",
        })
    }

    #[oai(path = "/open", method = "get", hidden)]
    async fn open(&self) {}

    #[oai(path = "/extractor", method = "get", hidden)]
    async fn extractor(&self, _caller: Authenticated) {}

    #[oai(path = "/documented", method = "get")]
    async fn documented(&self) {}
}

const READ: Policy = Policy::ANY_TOKEN.scopes(&["posts:read"]);

/// The API with a listing for every hidden operation.
fn listed(world: &World) -> Secured<Api> {
    (world.protect.secure(Api))
        .public("GET", "/documented")
        .public("GET", "/open")
        .hidden("get", "/admin", ADMIN)
        .hidden("GET", "/scoped/:id", READ)
        .hidden("POST", "/body", READ)
        .hidden("GET", "/maybe", Policy::ANY_TOKEN)
        .hidden("GET", "/any", ADMIN)
        .hidden("GET", "/extractor", Policy::ANY_TOKEN)
}

#[tokio::test]
async fn listed_operations_are_enforced_and_not_in_the_document() {
    let world = World::new().await;
    let (client, document) = serve(listed(&world));
    let document = document.render_with(&world.tenant.metadata()).unwrap();
    assert_eq!(document["paths"].as_object().unwrap().keys().collect::<Vec<_>>(), ["/documented"]);

    let (any, read, admin) = (world.token(""), world.token("posts:read"), world.member(["admin"]));
    for (request, answers) in [
        ("GET /admin", [401, 401, 403, 403, 200]),
        ("GET /scoped/7", [401, 401, 403, 200, 403]),
        ("GET /scoped/x", [401, 401, 403, 400, 403]),
        ("GET /maybe", [401, 401, 200, 200, 200]),
        ("GET /any", [401, 401, 403, 403, 200]),
        ("GET /extractor", [401, 401, 200, 200, 200]),
        ("GET /open", [200; 5]),
    ] {
        let tokens = ["", &world.expired(), &any, &read, &admin];
        for (token, status) in tokens.into_iter().zip(answers) {
            assert_eq!(client.status(request, token).await, status, "{request} {token:.20}");
        }
    }
    let realm = r#"Bearer realm="https://api.example.com""#;
    assert_eq!(client.challenges("GET /admin", "").await, [realm]);
}

#[tokio::test]
async fn a_request_is_not_read_before_its_token_is_validated() {
    let world = World::new().await;
    let (client, _) = serve(listed(&world));
    let post = |token: &str| {
        let request = client.http().post("/body").content_type("application/json").body("{");
        request.header("Authorization", format!("Bearer {token}")).send()
    };
    assert_eq!(client.status("POST /body", "").await, 401);
    assert_eq!(post(&world.expired()).await.0.status(), 401);
    assert_eq!(post(&world.token("")).await.0.status(), 403);
    assert_eq!(post(&world.token("posts:read")).await.0.status(), 400);
}

#[tokio::test]
async fn neither_a_key_nor_a_fallback_replaces_a_rejected_token() {
    let world = World::new().await;
    let (client, _) = serve(listed(&world));
    client.send("GET /any", &world.member(["admin"])).await.assert_text("token").await;
    for (token, status, error) in [
        (world.expired(), 401, "invalid_token"),
        (world.member(["staff"]), 403, "insufficient_scope"),
    ] {
        let request = client.http().get("/any").header("X-Api-Key", "known");
        let rejected = request.header("Authorization", format!("Bearer {token}")).send().await;
        assert_eq!(rejected.0.status(), status);
        let challenges = challenges(&rejected);
        assert!(challenges[0].contains(error) && challenges.len() == 1, "{challenges:?}");
    }
}

#[tokio::test]
async fn an_argument_enforces_its_own_policy_if_the_listing_requires_less() {
    struct Api;

    #[OpenApi]
    impl Api {
        #[oai(path = "/admin", method = "get", hidden)]
        async fn admin(&self, _caller: Bearer<Admins>) {}
    }

    let world = World::new().await;
    let api = world.protect.secure(Api).hidden("GET", "/admin", Policy::ANY_TOKEN);
    let (client, _) = serve(api);
    assert_eq!(client.status("GET /admin", "").await, 401);
    let challenges = client.challenges("GET /admin", &world.token("")).await;
    let challenge = r#"Bearer realm="https://api.example.com", error="insufficient_scope""#;
    assert_eq!(challenges, [challenge]);
    assert_eq!(client.status("GET /admin", &world.member(["admin"])).await, 200);
}

#[tokio::test]
async fn listings_take_precedence_over_defaults() {
    let world = World::new().await;
    let api = listed(&world).by_default(READ).by_default_under("/documented", READ);
    let (client, _) = serve(api);
    assert_eq!(client.status("GET /admin", &world.member(["admin"])).await, 200);
    assert_eq!(client.status("GET /open", "").await, 200);
}

#[test]
fn an_unlisted_hidden_operation_prevents_the_start_whatever_the_default() {
    insta::assert_snapshot!(start_error(offline().secure(Api).by_default(ADMIN)), @r#"
    the API and its document do not agree:
    GET /admin: it is hidden from the document, so the scopes on its arguments cannot be read; declare what it needs with `.hidden("GET", "/admin", POLICY)`, list it with `.public("GET", "/admin")`, or document it
    GET /any: it is hidden from the document, so the scopes on its arguments cannot be read; declare what it needs with `.hidden("GET", "/any", POLICY)`, list it with `.public("GET", "/any")`, or document it
    POST /body: it is hidden from the document, so the scopes on its arguments cannot be read; declare what it needs with `.hidden("POST", "/body", POLICY)`, list it with `.public("POST", "/body")`, or document it
    GET /extractor: it is hidden from the document, so the scopes on its arguments cannot be read; declare what it needs with `.hidden("GET", "/extractor", POLICY)`, list it with `.public("GET", "/extractor")`, or document it
    GET /maybe: it is hidden from the document, so the scopes on its arguments cannot be read; declare what it needs with `.hidden("GET", "/maybe", POLICY)`, list it with `.public("GET", "/maybe")`, or document it
    GET /open: it is hidden from the document, so the scopes on its arguments cannot be read; declare what it needs with `.hidden("GET", "/open", POLICY)`, list it with `.public("GET", "/open")`, or document it
    GET /scoped/:param0: it is hidden from the document, so the scopes on its arguments cannot be read; declare what it needs with `.hidden("GET", "/scoped/:param0", POLICY)`, list it with `.public("GET", "/scoped/:param0")`, or document it
    "#);
}

#[test]
fn a_listing_must_name_one_hidden_route_and_only_once() {
    struct Api;

    #[OpenApi]
    impl Api {
        #[oai(path = "/admin/:id", method = "get", hidden)]
        async fn admin(&self, _id: Path<u64>) {}

        #[oai(path = "/twice", method = "get", hidden)]
        async fn twice(&self) {}

        #[oai(path = "/public", method = "get", hidden)]
        async fn public(&self) {}

        #[oai(path = "/documented", method = "get")]
        async fn documented(&self) {}
    }

    let api = (offline().secure(Api))
        .public("GET", "/documented")
        .public("GET", "/public")
        .hidden("GET", "/admin/{id}", Policy::ANY_TOKEN.scopes(&["posts:raed"]))
        .hidden("GET", "/twice", ADMIN)
        .hidden("GET", "/twice", READ)
        .hidden("GET", "/public", ADMIN)
        .hidden("GET", "/documented", ADMIN)
        .hidden("POST", "/twice", ADMIN)
        .hidden("GET", "/tweice", ADMIN);
    insta::assert_snapshot!(start_error(api), @r#"
    the API and its document do not agree:
    GET /admin/{id}: it needs the scope "posts:raed", which is not described; did you mean "posts:read"?
    GET /documented: it is listed as hidden, and the document has it; declare there what it needs
    GET /public: it is listed as hidden and as public; remove one of the two
    GET /tweice: it is listed as hidden, and there is no such route; the nearest is GET /twice
    GET /twice: it is listed as hidden twice; remove one of the two
    POST /twice: it is listed as hidden, and there is no such route; the nearest is GET /twice
    "#);
}
