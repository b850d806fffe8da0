//! Problems that prevent an API from starting, each in one line that names the operation.

use harness::given::{
    promises::start_with_methods_of_openapi_32,
    world::{declared, needs, offline, public, start_error},
};
use monocloud_backend::{Authenticated, Bearer, Policy, ProtectApi};
use salvo::{
    oapi::{RouterExt, SecurityRequirement},
    prelude::*,
    routing::{Filter, PathState, filters},
};
use serde_json::{Value, json};

use super::endpoints::Admins;

#[handler]
async fn fine() {}

/// A filter that the application defines.
#[derive(Debug)]
struct Whatever;

#[async_trait]
impl Filter for Whatever {
    async fn filter(&self, _request: &mut Request, _path: &mut PathState<'_>) -> bool {
        true
    }
}

#[test]
fn every_kind_of_problem_is_reported_at_once() {
    let at = Router::with_path;
    let paths = json!({
        "/posts": { "get": needs(&["posts:read"]), "put": needs(&[]) },
        "/posts/{id}": { "get": needs(&["posts:purge"]) },
        "/none": { "get": needs(&[]) },
        "/either/{x}": { "get": needs(&[]) },
        "/anything": { "get": needs(&[]) },
        "/twice": { "get": needs(&[]) },
        "/filtered": { "get": needs(&[]) },
        "/secured": { "get": needs(&[]) },
    });
    let router = Router::new()
        .push(at("posts").get(fine).post(fine))
        .push(at("posts/{post:num}").get(fine))
        .push(at("either/{one:num}").get(fine))
        .push(at(r"either/{one|[a-z]{3}}").get(fine))
        .push(at("anything").goal(fine))
        .push(at("twice").get(fine).push(Router::new().get(fine)))
        .push(at("filtered").filter(Whatever).get(fine))
        .push(at("both").filter(filters::post()).get(fine))
        .push(at("secured").get(fine))
        .push(at("secret").get(fine).delete(fine))
        .push(at("listed").get(fine).post(fine))
        .push(at("nested/{tenant}").push(at("secret/{id}").delete(fine)));
    let api = declared(&offline(), &paths)
        .by_default(Policy::ANY_TOKEN)
        .public("get", "/listed")
        .public("GET", "/secured")
        .public("GET", "/helth");
    insta::assert_snapshot!(start_error(api, router), @r#"
    the API and its document do not agree:
    ANY /anything: it takes every method, and a document lists each; write `.get(…)`, `.post(…)` and so on instead of `.goal(…)`, or push it to the router that `routes` returns, behind `.hoop(protect.require(POLICY))`
    GET /twice: it is routed twice; remove one of the two
    GET /filtered: it has the filter documents::salvo::start_up::Whatever, and which requests that lets pass is not known; use a hoop instead
    ANY /both: it has filters for several methods; give each method a router of its own
    GET /anything: it is documented, and nothing is routed there; route it, or remove it from the document
    GET /either/{x}: it could be any of the routes /either/{one:num} and /either/{one|[a-z]{3}}; rename or remove one of them
    GET /filtered: it is documented, and nothing is routed there; route it, or remove it from the document
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
    "#);
}

#[endpoint(security(("MonoCloud" = ["posts:read"])))]
async fn attribute_and_type(_caller: Bearer<Admins>) {}

#[endpoint]
async fn two_types(_reader: Bearer, _admin: Bearer<Admins>) {}

#[endpoint]
async fn by_type(_caller: Bearer) {}

fn of_salvo(protect: &ProtectApi, api: Router) -> String {
    let document = OpenApi::new("Posts", "1.0").merge_router(&api).to_json().unwrap();
    start_error(protect.document(&document).unwrap(), api)
}

#[test]
fn only_one_argument_may_declare_what_it_needs() {
    let write = SecurityRequirement::new("MonoCloud", ["posts:write"]);
    let api = Router::new()
        .push(Router::with_path("a").get(attribute_and_type))
        .push(Router::with_path("b").get(two_types))
        .push(Router::with_path("c").oapi_security(write).get(by_type));
    insta::assert_snapshot!(of_salvo(&offline(), api), @r#"
    the API and its document do not agree:
    GET /c: one of its alternatives is met by any token, so that the others mean nothing; remove it or them
    GET /a: an argument's type declares what it needs, in the scheme "MonoCloud"; remove what else declares it
    GET /b: an argument's type declares what it needs, in the scheme "MonoCloud"; remove what else declares it
    "#);
}

#[test]
fn an_argument_declares_nothing_if_the_scheme_has_another_name() {
    let vars = [
        ("MONOCLOUD_BACKEND_TENANT_DOMAIN", "acme.us.monocloud.com"),
        ("MONOCLOUD_BACKEND_AUDIENCE", "https://api.example.com"),
    ];
    let protect = ProtectApi::builder().vars(vars).scheme_name("Other").build().unwrap();
    let problems = of_salvo(&protect, Router::with_path("a").get(by_type));
    let remedy = r#"configure `ProtectApi::builder().scheme_name("MonoCloud")`"#;
    assert!(problems.contains(remedy), "{problems}");

    // Nor does it if the application declares that it enforces that scheme.
    let api = || Router::with_path("a").get(by_type);
    let document = OpenApi::new("Posts", "1.0").merge_router(&api()).to_json().unwrap();
    for default in [None, Some(Policy::ANY_TOKEN)] {
        let declared = protect.document(&document).unwrap().application_scheme("MonoCloud");
        let declared = match default {
            Some(policy) => declared.by_default(policy),
            None => declared,
        };
        let problems = start_error(declared, api());
        let problem = "GET /a: an argument's type declares what it needs";
        assert!(problems.contains(problem), "{problems}");
    }
}

#[endpoint]
async fn asks(_caller: Authenticated) {}

#[test]
fn parameters_may_be_written_differently_in_routes_and_document() {
    let at = Router::with_path;
    let router = Router::new()
        .push(at("posts/{post:num}").get(asks).delete(fine))
        .push(at("files/{**path}").get(fine))
        .push(at("options").get(fine).options(fine))
        .push(at("head").get(fine).head(fine))
        .push(Router::new().filter(filters::host("api.example.com")).push(at("hosted").get(fine)))
        .push(Router::with_filter(filters::put()).path("put").goal(fine))
        .push(at("v1/{tenant}").get(fine).push(at("x").push(at("{id|[0-9]+}").get(fine))));
    let paths: Value = json!({
        "/posts/{id}": { "get": needs(&[]), "delete": needs(&["posts:write"]) },
        "/files/{rest}": { "get": needs(&[]) },
        "/options": { "get": needs(&[]), "options": public() },
        "/head": { "get": needs(&[]), "head": needs(&[]) },
        "/hosted": { "get": needs(&[]) },
        "/put": { "put": needs(&[]) },
        "/v1/{tenant}": { "get": needs(&[]) },
        "/v1/{t}/x/{i}": { "get": needs(&[]) },
    });
    let api = declared(&offline(), &paths);
    assert_eq!(api.routes(router).err().map(|error| error.to_string()), None);
}

#[test]
fn an_undocumented_router_is_a_problem() {
    assert!(declared(&offline(), &json!({})).routes(Router::new()).is_ok());
    let problems = start_error(declared(&offline(), &json!({})), Router::new().get(fine));
    assert!(problems.contains("GET /: it is routed, and the document does not have it"));
}

#[test]
fn methods_of_openapi_32_are_compared_with_the_routes() {
    let copy = filters::MethodFilter(salvo::http::Method::from_bytes(b"COPY").unwrap());
    let router = || Router::with_path("posts").query(fine);
    assert_eq!(
        start_with_methods_of_openapi_32(router()),
        [
            "COPY /posts: it is documented, and nothing is routed there; route it, or remove it from the document"
        ]
    );
    let router = router().push(Router::with_filter(copy).goal(fine));
    assert!(start_with_methods_of_openapi_32(router).is_empty());
}
