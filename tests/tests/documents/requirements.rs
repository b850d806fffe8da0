//! What a supplied document requires beyond scopes: alternatives, step-up, claims, implied scopes.

use std::sync::{Arc, Mutex};

use harness::{
    named_policies,
    support::{frozen_tenant, introspecting, protect},
};
use monocloud_backend::{
    ApiDocument, Bearer, Policy, ProtectApi, Require,
    certificate::CertificateBinding,
    decision::{Decision, Operation},
    openapi::DeclaredApi,
    poem::Handlers,
};
use monocloud_testkit::{Insufficient, MockTenant, StepUp};
use poem::{Route, handler};
use poem_openapi::OpenApi;
use serde_json::{Value, json};

use crate::world::{Client, Scope, listen, offline, serve};

const REALM: &str = r#"Bearer realm="https://api.example.com""#;

#[handler]
fn up() -> &'static str {
    "up"
}

const REQUIREMENTS: &str = "
openapi: 3.1.0
info: { title: Posts, version: '1' }
components:
  securitySchemes:
    MonoCloud:
      type: oauth2
      flows: { clientCredentials: { tokenUrl: 'https://x.test', scopes: {
        'posts:read': Read, 'posts:write': Write, 'posts:admin': Administer } } }
      x-monocloud-implies: { 'posts:admin': ['posts:read', 'posts:write'] }
paths:
  /posts: { get: { security: [MonoCloud: ['posts:read', 'posts:write']] } }
  /publish:
    get:
      security: [MonoCloud: ['posts:write']]
      x-monocloud-acr-values: ['urn:example:mfa', 'urn:example:passkey']
      x-monocloud-max-age: 300
  /plan:
    get:
      security: [MonoCloud: []]
      x-monocloud-claims: { plan: pro }
  /bound:
    get:
      security: [MonoCloud: []]
      x-monocloud-sender-constrained: true
  /either:
    get:
      security: [MonoCloud: ['posts:read', 'posts:write'], MonoCloud: [], MonoCloud: ['emergency']]
      x-monocloud-alternatives:
        - {}
        - { x-monocloud-groups: { any: [admin] }, x-monocloud-claims: { plan: pro } }
        - { x-monocloud-acr-values: ['urn:example:mfa'] }
";

fn handlers() -> Handlers {
    let paths = ["/posts", "/publish", "/plan", "/bound", "/either"];
    paths.into_iter().fold(Handlers::new(), |handlers, path| handlers.get(path, up))
}

fn routed(protect: &ProtectApi, document: &str) -> (Client, ApiDocument) {
    let api = protect.document(document).unwrap();
    let (route, document) = api.routes(handlers()).unwrap();
    (Client::new(Route::new().nest("/", route)), document)
}

/// Checks that each operation needs what [`REQUIREMENTS`] says, and its challenges.
async fn assert_required(tenant: &MockTenant, client: &Client) {
    let forbidden = |rest: &str| vec![format!(r#"{REALM}, error="insufficient_scope"{rest}"#)];
    let all = r#", scope="posts:read posts:write""#;
    assert_eq!(client.challenges("GET /either", "").await, [format!("{REALM}{all}")]);
    for token in [tenant.token(), tenant.opaque_token()] {
        let token = || token.clone();
        let acr = |token: monocloud_testkit::TokenBuilder<'_>| token.acr("urn:example:mfa").mint();
        for (request, token, challenges) in [
            ("GET /posts", token().scope("posts:read posts:write").mint(), vec![]),
            ("GET /posts", token().scope("posts:admin").mint(), vec![]),
            ("GET /posts", token().scope("posts:write").mint(), forbidden(all)),
            ("GET /plan", token().claim("plan", "pro").mint(), vec![]),
            ("GET /plan", token().claim("plan", ["free", "pro"]).mint(), vec![]),
            ("GET /plan", token().claim("plan", "free").mint(), forbidden("")),
            (
                "GET /bound",
                token().mint(),
                vec![format!(
                    r#"{REALM}, error="invalid_token", error_description="the token is not bound to its sender""#
                )],
            ),
            ("GET /either", token().scope("posts:admin").mint(), vec![]),
            ("GET /either", token().groups(["admin"]).claim("plan", "pro").mint(), vec![]),
            ("GET /either", acr(token().scope("emergency")), vec![]),
            ("GET /either", token().mint(), forbidden(all)),
            ("GET /either", token().scope("posts:read").mint(), forbidden(all)),
            ("GET /either", token().scope("posts:read").groups(["admin"]).mint(), forbidden(all)),
            ("GET /either", token().groups(["admin"]).mint(), forbidden("")),
            (
                "GET /either",
                token().scope("emergency").mint(),
                vec![format!(
                    r#"{REALM}, error="insufficient_user_authentication", error_description="the operation needs another kind of authentication", acr_values="urn:example:mfa""#
                )],
            ),
        ] {
            assert_eq!(client.challenges(request, &token).await, challenges, "{request}");
        }
        assert_step_up(client, "GET /publish", &token().scope("posts:write")).await;
    }
}

/// Sends the testkit's catalogue of insufficient authentications, and its controls.
async fn assert_step_up(
    client: &Client,
    request: &str,
    token: &monocloud_testkit::TokenBuilder<'_>,
) {
    let demanded =
        StepUp::new().acr_values(["urn:example:mfa", "urn:example:passkey"]).max_age(300);
    for insufficient in Insufficient::all(token, &demanded) {
        let status = client.status(request, &insufficient.token).await;
        let challenges = client.challenges(request, &insufficient.token).await;
        insufficient.assert_refused(status, challenges.first().map(String::as_str));
        let rest = r#"acr_values="urn:example:mfa urn:example:passkey", max_age="300""#;
        assert!(challenges[0].ends_with(rest), "{challenges:?}");
    }
    for control in demanded.controls(token) {
        assert_eq!(client.status(request, &control.token).await, 200, "{}", control.name);
    }
}

#[tokio::test]
async fn a_document_that_was_served_requires_the_same_when_it_is_supplied() {
    let tenant = frozen_tenant().await;
    let protect = introspecting(&tenant).build().unwrap();
    let protect = protect.describe_scope("emergency", "In an emergency");
    let (client, document) = routed(&protect, REQUIREMENTS);
    assert_required(&tenant, &client).await;

    let served = document.render().await;
    let either = &served["paths"]["/either"]["get"];
    assert_eq!(
        either["x-monocloud-alternatives"],
        json!([
            {},
            { "x-monocloud-groups": { "any": ["admin"] }, "x-monocloud-claims": { "plan": "pro" } },
            { "x-monocloud-acr-values": ["urn:example:mfa"] },
        ])
    );
    let publish = &served["paths"]["/publish"]["get"];
    assert_eq!(publish["x-monocloud-max-age"], 300);
    let scheme = &served["components"]["securitySchemes"]["MonoCloud"];
    let implied = json!({ "posts:admin": ["posts:read", "posts:write"] });
    assert_eq!(scheme["x-monocloud-implies"], implied);

    // Nothing is described or implied in code any more.
    let protect = introspecting(&tenant).build().unwrap();
    let (client, document) = routed(&protect, &served.to_string());
    assert_required(&tenant, &client).await;
    assert_eq!(document.render().await, served);
}

#[tokio::test]
async fn a_policy_that_is_required_in_code_is_added_to_what_the_document_declares() {
    const STRONG: Policy =
        Policy::ANY_TOKEN.acr_values(&["urn:example:mfa", "urn:example:passkey"]);
    let tenant = frozen_tenant().await;
    let protect = protect(&tenant).build().unwrap().describe_scopes::<Scope>();
    let document = "
openapi: 3.1.0
info: { title: Posts, version: '1' }
paths: { /publish: { get: { security: [MonoCloud: ['posts:write']], x-monocloud-max-age: 300 } } }
";
    let api = protect.document(document).unwrap().require("GET", "/publish", STRONG);
    let (route, document) = api.routes(Handlers::new().get("/publish", up)).unwrap();
    let client = Client::new(Route::new().nest("/", route));
    assert_step_up(&client, "GET /publish", &tenant.token().scope("posts:write")).await;
    let lacks = tenant.token().acr("urn:example:mfa").authenticated_ago(0).mint();
    assert_eq!(client.status("GET /publish", &lacks).await, 403);
    let operation = &document.render().await["paths"]["/publish"]["get"];
    let values = json!(["urn:example:mfa", "urn:example:passkey"]);
    assert_eq!(operation["x-monocloud-acr-values"], values);
}

#[tokio::test]
async fn the_applications_decision_is_told_the_operation_of_the_document() {
    let tenant = frozen_tenant().await;
    let told = Arc::new(Mutex::new(Vec::new()));
    let hears = Arc::clone(&told);
    let builder = protect(&tenant).decide(move |request| {
        hears.lock().unwrap().push((request.path, request.operation));
        async { Ok(Decision::Allow) }
    });
    let document = "
openapi: 3.1.0
info: { title: Posts, version: '1' }
security: [MonoCloud: []]
paths:
  /posts/{id}: { get: { operationId: readPost }, delete: {} }
  /public: { get: { security: [], operationId: readAll } }
  /optional: { get: { security: [{}, MonoCloud: []] } }
";
    let handlers = Handlers::new()
        .get("/posts/:id", up)
        .delete("/posts/:id", up)
        .get("/public", up)
        .get("/optional", up)
        .get("/hidden", up);
    let api = builder.build().unwrap().document(document).unwrap();
    let (route, _) = api.hidden("GET", "/hidden", Policy::ANY_TOKEN).routes(handlers).unwrap();
    let address = listen(Route::new().nest("/v1", route));
    let http = harness::support::client(None, None);
    let status = async |request: &str, token: &str| {
        let (method, path) = request.split_once(' ').unwrap();
        let request = http.request(method.parse().unwrap(), format!("{address}{path}"));
        let request = if token.is_empty() { request } else { request.bearer_auth(token) };
        request.send().await.unwrap().status()
    };
    let token = tenant.token().mint();
    let id_of = |operation: Option<Operation>| {
        operation
            .map(|operation| (operation.path.to_string(), operation.id.map(|id| id.to_string())))
    };
    let posts = "/posts/{id}".to_owned();
    for (request, expected) in [
        ("GET /v1/posts/7?x=y", Some((posts.clone(), Some("readPost".to_owned())))),
        ("HEAD /v1/posts/a%2Fb", Some((posts.clone(), Some("readPost".to_owned())))),
        ("DELETE /v1/posts/7", Some((posts, None))),
        ("GET /v1/optional", Some(("/optional".to_owned(), None))),
        ("GET /v1/hidden", None),
    ] {
        assert_eq!(status(request, &token).await, 200, "{request}");
        let (path, operation) = told.lock().unwrap().pop().expect(request);
        let sent = request.split_once(' ').unwrap().1.split('?').next().unwrap();
        assert_eq!(path, sent);
        assert_eq!(id_of(operation), expected, "{request}");
    }
    for (request, token) in [("GET /v1/public", &*token), ("GET /v1/optional", "")] {
        assert_eq!(status(request, token).await, 200, "{request}");
    }
    assert!(told.lock().unwrap().is_empty(), "public operations and anonymous callers");
}

/// Why an API does not start whose `GET /a` has these members beside its security, which is an array
/// of two entries.
fn problems(protect: &ProtectApi, members: Value) -> String {
    let mut operation =
        json!({ "security": [{ "MonoCloud": ["posts:read"] }, { "MonoCloud": ["posts:write"] }] });
    operation.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    let document = json!({
        "openapi": "3.1.0",
        "info": { "title": "Posts", "version": "1" },
        "paths": { "/a": { "get": operation } },
    });
    let start = |api: DeclaredApi| api.routes(Handlers::new().get("/a", up)).map(|_| ());
    let started = protect.document(&document.to_string()).and_then(start);
    let problems = started.expect_err("the API must not start").to_string();
    // The first line says that there are problems.
    problems.lines().skip(1).collect::<Vec<_>>().join("\n")
}

#[test]
fn what_a_document_cannot_mean_prevents_the_start() {
    let rows = [
        json!({ "x-monocloud-acr-values": [] }),
        json!({ "x-monocloud-acr-values": ["a b"] }),
        json!({ "x-monocloud-groups": { "any": [] } }),
        json!({ "x-monocloud-claims": {} }),
        json!({ "x-monocloud-claims": { "plan": ["pro"] } }),
        json!({ "x-monocloud-max-age": -1 }),
        json!({ "x-monocloud-max-age": 1.5 }),
        json!({ "x-monocloud-max-age": "300" }),
        json!({ "x-monocloud-sender-constrained": "mtls" }),
        json!({ "x-monocloud-alternatives": [] }),
        json!({ "x-monocloud-alternatives": [{}] }),
        json!({ "x-monocloud-alternatives": [{}, { "x-monocloud-max-age": -1 }] }),
        json!({ "x-monocloud-alternatives": [{}, { "x-monocloud-max-age": 0.5 }] }),
        json!({ "x-monocloud-alternatives": [{}, { "x-monocloud-maxage": 5 }] }),
        json!({ "x-monocloud-alternatives": [{}, { "x-monocloud-everything": 5 }] }),
        json!({ "x-monocloud-alternatives": [{}, { "x-monocloud-alternatives": [] }] }),
        json!({ "x-monocloud-alternatives": [{}, { "x-monocloud-implies": {} }] }),
        json!({ "x-monocloud-alternatives": [{}, { "security": [] }] }),
        json!({ "X-MonoCloud-Max-Age": 300 }),
        json!({ "x-monocloud-acr-value": ["mfa"] }),
        json!({ "x-monocloud-everything": true }),
        json!({ "x-monocloud-implies": {} }),
        json!({ "responses": { "x-monocloud-max-age": 300 } }),
        json!({ "security": [{ "MonoCloud": [] }, { "MonoCloud": ["posts:read"] }] }),
        json!({ "security": [{ "MonoCloud": [] }], "x-monocloud-alternatives": [{}, {}] }),
        json!({ "security": [], "x-monocloud-max-age": 300 }),
    ];
    let lines: Vec<_> = rows
        .into_iter()
        .map(|members| format!("{members}\n  {}", problems(&offline(), members.clone())))
        .collect();
    insta::assert_snapshot!(lines.join("\n"), @r#"
    {"x-monocloud-acr-values":[]}
      GET /a: its "x-monocloud-acr-values" is not a list of names without blanks
    {"x-monocloud-acr-values":["a b"]}
      GET /a: its "x-monocloud-acr-values" is not a list of names without blanks
    {"x-monocloud-groups":{"any":[]}}
      GET /a: its groups are neither a list nor an object with `any` or `all`
    {"x-monocloud-claims":{}}
      GET /a: its "x-monocloud-claims" is not an object of strings, integers or Booleans by the names of claims
    {"x-monocloud-claims":{"plan":["pro"]}}
      GET /a: its "x-monocloud-claims" is not an object of strings, integers or Booleans by the names of claims
    {"x-monocloud-max-age":-1}
      GET /a: its "x-monocloud-max-age" is not a whole number of seconds
    {"x-monocloud-max-age":1.5}
      GET /a: its "x-monocloud-max-age" is not a whole number of seconds
    {"x-monocloud-max-age":"300"}
      GET /a: its "x-monocloud-max-age" is not a whole number of seconds
    {"x-monocloud-sender-constrained":"mtls"}
      GET /a: its "x-monocloud-sender-constrained" is neither true nor false
    {"x-monocloud-alternatives":[]}
      GET /a: its "x-monocloud-alternatives" is not a list with one object for each entry of its `security`
    {"x-monocloud-alternatives":[{}]}
      GET /a: its "x-monocloud-alternatives" is not a list with one object for each entry of its `security`
    {"x-monocloud-alternatives":[{},{"x-monocloud-max-age":-1}]}
      GET /a: its "x-monocloud-max-age" is not a whole number of seconds
    {"x-monocloud-alternatives":[{},{"x-monocloud-max-age":0.5}]}
      GET /a: its "x-monocloud-max-age" is not a whole number of seconds
    {"x-monocloud-alternatives":[{},{"x-monocloud-maxage":5}]}
      GET /a, at x-monocloud-alternatives.1: "x-monocloud-maxage" is unknown; write "x-monocloud-max-age"
    {"x-monocloud-alternatives":[{},{"x-monocloud-everything":5}]}
      GET /a, at x-monocloud-alternatives.1: "x-monocloud-everything" is unknown; operations may have x-monocloud-groups, x-monocloud-acr-values, x-monocloud-max-age, x-monocloud-sender-constrained, x-monocloud-claims, x-monocloud-alternatives
    {"x-monocloud-alternatives":[{},{"x-monocloud-alternatives":[]}]}
      GET /a, at x-monocloud-alternatives.1: "x-monocloud-alternatives" is not read here; write it on each operation
    {"x-monocloud-alternatives":[{},{"x-monocloud-implies":{}}]}
      GET /a, at x-monocloud-alternatives.1: "x-monocloud-implies" is read only on the security scheme of this API
    {"x-monocloud-alternatives":[{},{"security":[]}]}
      GET /a, at x-monocloud-alternatives.1: `security` is not read here; write it on each operation, or at the root of the document
    {"X-MonoCloud-Max-Age":300}
      GET /a: "X-MonoCloud-Max-Age" is unknown; write "x-monocloud-max-age"
    {"x-monocloud-acr-value":["mfa"]}
      GET /a: "x-monocloud-acr-value" is unknown; write "x-monocloud-acr-values"
    {"x-monocloud-everything":true}
      GET /a: "x-monocloud-everything" is unknown; operations may have x-monocloud-groups, x-monocloud-acr-values, x-monocloud-max-age, x-monocloud-sender-constrained, x-monocloud-claims, x-monocloud-alternatives
    {"x-monocloud-implies":{}}
      GET /a: "x-monocloud-implies" is read only on the security scheme of this API
    {"responses":{"x-monocloud-max-age":300}}
      GET /a, at responses: "x-monocloud-max-age" is not read here; write it on each operation
    {"security":[{"MonoCloud":[]},{"MonoCloud":["posts:read"]}]}
      GET /a: one of its alternatives is met by any token, so that the others mean nothing; remove it or them
    {"security":[{"MonoCloud":[]}],"x-monocloud-alternatives":[{},{}]}
      GET /a: its "x-monocloud-alternatives" is not a list with one object for each entry of its `security`
    {"security":[],"x-monocloud-max-age":300}
      GET /a: it says what a token must carry, and requires no token; give it `security: [{MonoCloud: []}]`
    "#);
}

#[test]
fn what_code_cannot_mean_prevents_the_start() {
    let ignoring = ProtectApi::builder()
        .vars([
            ("MONOCLOUD_BACKEND_TENANT_DOMAIN", "acme.us.monocloud.com"),
            ("MONOCLOUD_BACKEND_AUDIENCE", "https://api.example.com"),
        ])
        .certificate_binding(CertificateBinding::DangerouslyIgnore)
        .build()
        .unwrap()
        .describe_scopes::<Scope>();
    let constrained = json!({ "x-monocloud-sender-constrained": true });
    let in_one =
        json!({ "x-monocloud-alternatives": [{}, { "x-monocloud-sender-constrained": true }] });
    let implying = |scopes: &[(&str, &str)]| {
        scopes
            .iter()
            .fold(offline(), |protect, (scope, implied)| protect.implies(*scope, &[implied]))
    };
    let misplaced = {
        let document = "
openapi: 3.1.0
info: { title: Posts, version: '1' }
paths: { /posts: { get: { security: [MonoCloud: []] } } }
";
        let policy = Policy::ANY_TOKEN.acr_values(&["mfa"]);
        let api = offline().document(document).unwrap();
        let api = api.require("GET", "/post", policy).require("PUT", "/posts", policy);
        api.routes(Handlers::new().get("/posts", up)).map(|_| ()).unwrap_err().to_string()
    };
    let lines = [
        problems(&ignoring, constrained),
        problems(&ignoring, in_one),
        problems(
            &implying(&[("posts:read", "posts:write"), ("posts:write", "posts:read")]),
            json!({}),
        ),
        problems(&implying(&[("posts:read", "posts:read")]), json!({})),
        problems(&implying(&[("posts:write", "posts:raed"), ("admin", "posts:read")]), json!({})),
        misplaced.lines().skip(1).collect::<Vec<_>>().join("\n"),
    ];
    insta::assert_snapshot!(lines.join("\n"), @r#"
    GET /a: it needs a token that is bound to its sender, and no binding is verified; set MONOCLOUD_BACKEND_VALIDATE_CERTIFICATE_BINDING to `when_present` or `required`, or MONOCLOUD_BACKEND_DPOP to `allowed` or `required`
    GET /a: it needs a token that is bound to its sender, and no binding is verified; set MONOCLOUD_BACKEND_VALIDATE_CERTIFICATE_BINDING to `when_present` or `required`, or MONOCLOUD_BACKEND_DPOP to `allowed` or `required`
    implies("posts:read"): it implies itself; remove one of the implications of that circle
    implies("posts:write"): it implies itself; remove one of the implications of that circle
    implies("posts:read"): it implies itself; remove one of the implications of that circle
    implies("admin"): the scope "admin" is not described
    implies("posts:write"): the scope "posts:raed" is not described; did you mean "posts:read"?
    GET /post: a policy is required of it, and the document has no such operation; the nearest is GET /posts
    PUT /posts: a policy is required of it, and the document has no such operation; the nearest is GET /posts
    "#);
}

#[test]
fn a_policy_that_is_required_besides_does_not_hide_scopes_that_cannot_be_read() {
    for scopes in ["'posts:read'", "{ 'posts:read': true }", "['posts:read', 7]", "null"] {
        let document = format!(
            "
openapi: 3.1.0
info: {{ title: Posts, version: '1' }}
paths: {{ /posts: {{ get: {{ security: [MonoCloud: {scopes}] }} }} }}
"
        );
        let api = offline().document(&document).unwrap();
        let api = api.require("GET", "/posts", Policy::ANY_TOKEN.any_group(&["admin"]));
        let started = api.routes(Handlers::new().get("/posts", up)).map(|_| ());
        let problems = started.unwrap_err().to_string();
        let expected = "GET /posts: the scopes in its security are not a list of names";
        assert!(problems.contains(expected), "{scopes}: {problems}");
    }
}

named_policies! {
    Publisher = Policy::ANY_TOKEN
        .scopes(&["posts:write"])
        .acr_values(&["urn:example:mfa", "urn:example:passkey"])
        .max_age(std::time::Duration::from_secs(300));
    ReaderOrAdmin = Policy::any_of(&[
        Policy::ANY_TOKEN.scopes(&["posts:read"]),
        Policy::ANY_TOKEN.any_group(&["admin"]).claim("plan", "pro"),
    ]);
}

struct Api;

#[OpenApi]
impl Api {
    #[oai(path = "/publish", method = "get")]
    async fn publish(&self, _caller: Bearer<Publisher>) {}

    #[oai(path = "/either", method = "get")]
    async fn either(&self, _caller: Bearer<ReaderOrAdmin>) {}
}

#[tokio::test]
async fn an_argument_of_poem_openapi_documents_and_enforces_its_policy() {
    let tenant = frozen_tenant().await;
    let protect = protect(&tenant).build().unwrap().describe_scopes::<Scope>();
    let (client, document) = serve(protect.secure(Api));
    let document = document.render_with(&tenant.metadata()).unwrap();
    let publish = &document["paths"]["/publish"]["get"];
    assert_eq!(publish["security"], json!([{ "MonoCloud": ["posts:write"] }]));
    let values = json!(["urn:example:mfa", "urn:example:passkey"]);
    assert_eq!(publish["x-monocloud-acr-values"], values);
    assert_eq!(publish["x-monocloud-max-age"], 300);
    let either = &document["paths"]["/either"]["get"];
    let security = json!([{ "MonoCloud": ["posts:read"] }, { "MonoCloud": [] }]);
    assert_eq!(either["security"], security);
    assert_eq!(
        either["x-monocloud-alternatives"],
        json!([
            {},
            { "x-monocloud-groups": { "any": ["admin"] }, "x-monocloud-claims": { "plan": "pro" } },
        ])
    );

    assert_step_up(&client, "GET /publish", &tenant.token().scope("posts:write")).await;
    let strong = tenant.token().acr("urn:example:mfa").authenticated_ago(0);
    assert_eq!(client.status("GET /publish", &strong.mint()).await, 403);
    let token = || tenant.token();
    for (token, status) in [
        (token().scope("posts:read").mint(), 200),
        (token().groups(["admin"]).claim("plan", "pro").mint(), 200),
        (token().groups(["admin"]).mint(), 403),
        (token().claim("plan", "pro").mint(), 403),
        (token().mint(), 403),
        (String::new(), 401),
    ] {
        assert_eq!(client.status("GET /either", &token).await, status);
    }
}
