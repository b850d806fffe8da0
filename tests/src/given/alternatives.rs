//! What an operation needs, given its own `security`, that of the root, a default and a listing:
//! one table for every host that takes a document.

use monocloud_backend::{Policy, ProtectApi, openapi::DeclaredApi};
use monocloud_testkit::MockTenant;
use serde_json::{Value, json};

/// What a request to the operation needs.
#[derive(Clone, Copy, Debug)]
enum Needs {
    /// Nothing.
    Open,
    /// Any valid token.
    Any,
    /// A token with the scope of the default.
    Default,
    /// No token, but one that is present must be valid.
    Optional,
    /// The API does not start, for this reason.
    Never(&'static str),
}

use Needs::{Any, Default, Never, Open, Optional};

const SILENT: Needs = Never("GET /posts: it does not declare what it needs");
const CONFLICT: Needs =
    Never("GET /posts: it is listed as public, and declares that it needs a token");
const FOREIGN: Needs = Never("security names the scheme \"Foreign\", which nothing enforces");

/// `security`, and what it needs: without and with a default, then both again, listed as public.
type Row = (&'static str, [Needs; 4]);

/// The operation's `security`, which takes precedence over that of the root.
const OWN: [Row; 9] = [
    ("[]", [Open, Open, Open, Open]),
    ("[{}]", [Open, Default, Open, Open]),
    (r#"[{"Key":[]}]"#, [Open, Default, Open, Open]),
    (r#"[{"Key":[]},{}]"#, [Open, Default, Open, Open]),
    (r#"[{"Key":[],"MonoCloud":[]}]"#, [Any, Any, CONFLICT, CONFLICT]),
    (r#"[{"MonoCloud":[]}]"#, [Any, Any, CONFLICT, CONFLICT]),
    (r#"[{},{"MonoCloud":[]}]"#, [Optional, Optional, CONFLICT, CONFLICT]),
    (r#"[{"Key":[]},{"MonoCloud":[]}]"#, [Optional, Optional, CONFLICT, CONFLICT]),
    (r#"[{"MonoCloud":[],"Foreign":[]}]"#, [FOREIGN; 4]),
];

/// The root's `security`, where the operation has none; `null` where the root has none either.
const ROOT: [Row; 8] = [
    ("null", [SILENT, Default, Open, Open]),
    ("[]", [Open, Default, Open, Open]),
    ("[{}]", [Open, Default, Open, Open]),
    (r#"[{"Key":[]}]"#, [Open, Default, Open, Open]),
    (r#"[{"MonoCloud":[]}]"#, [Any, Any, CONFLICT, CONFLICT]),
    (r#"[{},{"MonoCloud":[]}]"#, [Optional, Optional, CONFLICT, CONFLICT]),
    (r#"[{"Key":[]},{"MonoCloud":[]}]"#, [Optional, Optional, CONFLICT, CONFLICT]),
    (r#"[{"Foreign":[]}]"#, [FOREIGN; 4]),
];

/// Calls `status` with each API of the table and each token: the status of `GET /posts`, or why the
/// API does not start.
pub async fn assert_every_alternative(
    status: impl AsyncFn(DeclaredApi, &str) -> Result<u16, String>,
) {
    let tenant = MockTenant::start().await;
    let protect =
        ProtectApi::from_vars(tenant.vars()).unwrap().describe_scope("posts:read", "Read posts");
    let tokens = [
        String::new(),
        tenant.token().expires_in(-3600).mint(),
        tenant.token().mint(),
        tenant.token().scope("posts:read").mint(),
    ];
    for (security, needs) in OWN {
        for root in ["null", "[]", r#"[{"MonoCloud":[]}]"#, r#"[{"Key":[]}]"#] {
            assert_row(&protect, &tokens, (root, security), needs, &status).await;
        }
    }
    for (root, needs) in ROOT {
        assert_row(&protect, &tokens, (root, "null"), needs, &status).await;
    }
}

async fn assert_row(
    protect: &ProtectApi,
    tokens: &[String; 4],
    (root, own): (&str, &str),
    needs: [Needs; 4],
    status: impl AsyncFn(DeclaredApi, &str) -> Result<u16, String>,
) {
    let columns = [(false, false), (true, false), (false, true), (true, true)];
    for (needs, (has_default, is_public)) in needs.into_iter().zip(columns) {
        let case = format!("root {root}, own {own}, {has_default}, {is_public}: {needs:?}");
        let api = || {
            let api = declared(protect, root, own);
            let api = if is_public { api.public("GET", "/posts") } else { api };
            let policy = Policy::ANY_TOKEN.scopes(&["posts:read"]);
            if has_default { api.by_default(policy) } else { api }
        };
        let expected = match needs {
            Open => [200, 200, 200, 200],
            Any => [401, 401, 200, 200],
            Default => [401, 401, 403, 200],
            Optional => [200, 401, 200, 200],
            Never(why) => {
                let problems = status(api(), "").await.expect_err(&case);
                assert!(problems.contains(why), "{case}: {problems}");
                continue;
            }
        };
        for (token, expected) in tokens.iter().zip(expected) {
            assert_eq!(status(api(), token).await, Ok(expected), "{case}, {token:.20}");
        }
    }
}

fn declared(protect: &ProtectApi, root: &str, own: &str) -> DeclaredApi {
    let parsed = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    let mut document = json!({
        "openapi": "3.1.0",
        "info": { "title": "Posts", "version": "1.0" },
        "components": { "securitySchemes": {
            "Key": { "type": "apiKey", "in": "header", "name": "x-api-key" },
            "Foreign": { "type": "http", "scheme": "bearer" },
        }},
        "paths": { "/posts": { "get": { "responses": {} } } },
    });
    if root != "null" {
        document["security"] = parsed(root);
    }
    if own != "null" {
        document["paths"]["/posts"]["get"]["security"] = parsed(own);
    }
    let api = protect.document(&document.to_string()).unwrap();
    if document.to_string().contains(r#""Key":[]"#) { api.application_scheme("Key") } else { api }
}
