//! Problems that prevent an API from starting, each in one line that names the operation.

use monocloud_backend::{Authenticated, Bearer, Policy, Require};
use poem_openapi::{OpenApi, SecurityScheme, auth::ApiKey, param::Path};

use crate::world::{Scope, World, offline, serve, serve_unchecked, start_error};

struct Undescribed;

impl Require for Undescribed {
    const POLICY: Policy = Policy::ANY_TOKEN.scopes(&["posts:purge"]);
}

#[derive(SecurityScheme)]
#[oai(ty = "api_key", key_name = "X-Api-Key", key_in = "header")]
struct Key(#[allow(dead_code)] ApiKey);

struct Wrong;

#[OpenApi]
impl Wrong {
    #[oai(path = "/undescribed", method = "get", method = "post")]
    async fn undescribed(&self, _caller: Bearer<Undescribed>) {}

    #[oai(path = "/two-tokens", method = "get")]
    async fn two_tokens(&self, _one: Bearer, #[oai(scope = "Scope::Read")] _two: Bearer) {}

    #[oai(path = "/two-arguments", method = "get")]
    async fn two_arguments(&self, #[oai(scope = "Scope::Read")] _one: Bearer, _two: Key) {}

    #[oai(path = "/secured/:id", method = "put")]
    async fn secured(&self, _caller: Bearer, _id: Path<u64>) {}

    #[oai(path = "/double", method = "get")]
    async fn double(&self, _caller: Bearer) {}

    #[oai(path = "/either/:x", method = "get")]
    async fn parameter(&self, _caller: Bearer) {}

    #[oai(path = "/either/{x}", method = "delete")]
    async fn literal(&self) {}

    #[oai(path = "/named/:one", method = "get")]
    async fn named_one(&self, _caller: Bearer) {}

    #[oai(path = "/named/:two", method = "get")]
    async fn named_two(&self) {}

    #[oai(path = "/tunnel", method = "connect")]
    async fn tunnel(&self, #[oai(scope = "Scope::Read")] _caller: Bearer) {}
}

struct WrongToo;

#[OpenApi]
impl WrongToo {
    #[oai(path = "/double", method = "get")]
    async fn double(&self) {}

    #[oai(path = "/either/{x}", method = "get", hidden)]
    async fn literal(&self) {}

    #[oai(path = "/hidden/:x", method = "get", hidden)]
    async fn hidden(&self) {}

    #[oai(path = "/hidden/{x}", method = "get", hidden)]
    async fn hidden_literal(&self) {}
}

struct Silent;

#[OpenApi]
impl Silent {
    #[oai(path = "/silent/:id", method = "get", method = "post")]
    async fn silent(&self, _id: Path<u64>) {}

    #[oai(path = "/keyed", method = "get")]
    async fn keyed(&self, _key: Key) {}

    #[oai(path = "/extractor", method = "get")]
    async fn extractor(&self, _caller: Authenticated) {}
}

#[tokio::test]
async fn an_operation_that_declares_nothing_prevents_the_start() {
    let world = World::new().await;
    insta::assert_snapshot!(start_error(world.protect.secure(Silent)), @r#"
    the API and its document do not agree:
    GET /extractor: it does not declare what it needs: take a `Bearer` argument (or `MaybeBearer`), set a default with `.by_default(Policy::ANY_TOKEN)`, or list it with `.public("GET", "/extractor")`
    GET /silent/{id}: it does not declare what it needs: take a `Bearer` argument (or `MaybeBearer`), set a default with `.by_default(Policy::ANY_TOKEN)`, or list it with `.public("GET", "/silent/{id}")`
    POST /silent/{id}: it does not declare what it needs: take a `Bearer` argument (or `MaybeBearer`), set a default with `.by_default(Policy::ANY_TOKEN)`, or list it with `.public("POST", "/silent/{id}")`
    "#);
    // Each of the three corrections.
    serve(world.protect.secure(Silent).by_default(Policy::ANY_TOKEN));
    let public = world.protect.secure(Silent).public("GET", "/silent/:id");
    serve(public.public("POST", "/silent/{id}").public("GET", "/extractor"));
}

#[test]
fn every_kind_of_problem_is_reported_at_once() {
    let api = (offline().secure((Wrong, WrongToo)))
        .by_default(Policy::ANY_TOKEN)
        .public("GET", "/helth")
        .public("put", "/secured/:id")
        .public("POST", "/secured/:id")
        .public("G E T", "/secured/:id")
        .public("GET", "/hidden/{x}");
    insta::assert_snapshot!(start_error(api), @r#"
    the API and its document do not agree:
    GET /double: two operations are documented there, and one would be lost; rename one
    GET /either/{x}: it could be any of the routes /either/:param0 and /either/{x}; rename or remove one of them
    GET /helth: it is listed as public, and there is no such operation; the nearest is GET /hidden/{x}
    GET /hidden/:param0: it is hidden from the document, so the scopes on its arguments cannot be read; declare what it needs with `.hidden("GET", "/hidden/:param0", POLICY)`, list it with `.public("GET", "/hidden/:param0")`, or document it
    GET /hidden/{x}: it is hidden from the document, so the scopes on its arguments cannot be read; declare what it needs with `.hidden("GET", "/hidden/{x}", POLICY)`, list it with `.public("GET", "/hidden/{x}")`, or document it
    GET /hidden/{x}: it is listed as public, and could be any of /hidden/:param0 and /hidden/{x}
    GET /named/{one}: its route is that of /named/{two} too; remove one of them, or rename it
    GET /named/{two}: its route is that of /named/{one} too; remove one of them, or rename it
    G E T /secured/:id: it is listed as public, and there is no such operation; the nearest is PUT /secured/{id}
    POST /secured/:id: it is listed as public, and there is no such operation; the nearest is PUT /secured/{id}
    PUT /secured/{id}: it is listed as public, and declares that it needs a token; remove one of the two
    CONNECT /tunnel: OpenAPI has no such method; hide the operation
    GET /two-arguments: a bearer token and another scheme are two arguments; make them one enum
    GET /two-tokens: two of its arguments are bearer tokens; take one, with all scopes on it
    GET /undescribed: it needs the scope "posts:purge", which is not described; describe it with `.describe_scope("posts:purge", "…")` or `.describe_scopes::<Scope>()`
    POST /undescribed: it needs the scope "posts:purge", which is not described; describe it with `.describe_scope("posts:purge", "…")` or `.describe_scopes::<Scope>()`
    "#);
}

#[test]
fn a_scope_is_described_by_its_enum_or_separately() {
    struct Api;

    #[OpenApi]
    impl Api {
        #[oai(path = "/", method = "get")]
        async fn both(&self, #[oai(scope = "Scope::Read")] _caller: Bearer<Undescribed>) {}
    }

    let problems = start_error(offline().secure(Api));
    assert!(problems.contains(r#"GET /: it needs the scope "posts:purge""#), "{problems}");
    assert!(!problems.contains("posts:read"), "{problems}");
    serve(offline().describe_scope("posts:purge", "Delete every post").secure(Api));
}

#[tokio::test]
async fn a_documented_operation_without_a_route_is_a_problem() {
    use std::collections::HashMap;

    use poem::{endpoint::BoxEndpoint, http::Method};
    use poem_openapi::registry::{MetaApi, Registry};

    struct NotRouted;

    impl OpenApi for NotRouted {
        fn meta() -> Vec<MetaApi> {
            Wrong::meta()
        }

        fn register(registry: &mut Registry) {
            Wrong::register(registry);
        }

        fn add_routes(self, _: &mut HashMap<String, HashMap<Method, BoxEndpoint<'static>>>) {}
    }

    let problems = start_error(offline().secure(NotRouted));
    let expected = "PUT /secured/{id}: it is documented, and nothing is routed there";
    assert!(problems.lines().any(|line| line.starts_with(expected)), "{problems}");
}

#[tokio::test]
async fn an_api_that_was_never_secured_answers_500_even_behind_a_guard() {
    use poem::{EndpointExt, Route};
    use poem_openapi::OpenApiService;

    struct Api;

    #[OpenApi]
    impl Api {
        #[oai(path = "/", method = "get")]
        async fn read(&self, #[oai(scope = "Scope::Read")] _caller: Bearer) {}
    }

    let world = World::new().await;
    let client = serve_unchecked(Api);
    assert_eq!(client.status("GET /", &world.token("posts:read")).await, 500);

    // The guard does not know which scopes the operation needs.
    let service = OpenApiService::new(Api, "Posts", "1.0");
    let app = Route::new().nest("/", service.with(world.protect.require(Policy::ANY_TOKEN)));
    let client = crate::world::Client::new(app);
    assert_eq!(client.status("GET /", &world.token("")).await, 500);
}
