//! A bearer token or another scheme.

use monocloud_backend::{Bearer, Policy};
use poem_openapi::{OpenApi, SecurityScheme, payload::PlainText};
use serde_json::json;

use crate::world::{Client, Key, Scope, World, challenges, serve};

const REALM: &str = r#"Bearer realm="https://api.example.com""#;

#[derive(SecurityScheme)]
enum TokenOrKey {
    Token(#[allow(dead_code)] Bearer),
    Key(#[allow(dead_code)] Key),
}

#[derive(SecurityScheme)]
enum KeyOrToken {
    Key(#[allow(dead_code)] Key),
    Token(#[allow(dead_code)] Bearer),
}

#[derive(SecurityScheme)]
enum TokenOrAnonymous {
    Token(#[allow(dead_code)] Bearer),
    #[oai(fallback)]
    Anonymous,
}

struct Api;

#[OpenApi]
impl Api {
    #[oai(path = "/token-first", method = "get")]
    async fn token_first(
        &self,
        #[oai(scope = "Scope::Read")] caller: TokenOrKey,
    ) -> PlainText<&'static str> {
        PlainText(match caller {
            TokenOrKey::Token(_) => "token",
            TokenOrKey::Key(_) => "key",
        })
    }

    #[oai(path = "/key-first", method = "get")]
    async fn key_first(
        &self,
        #[oai(scope = "Scope::Read")] caller: KeyOrToken,
    ) -> PlainText<&'static str> {
        PlainText(match caller {
            KeyOrToken::Token(_) => "token",
            KeyOrToken::Key(_) => "key",
        })
    }

    #[oai(path = "/anonymous", method = "get")]
    async fn anonymous(&self, caller: TokenOrAnonymous) -> PlainText<&'static str> {
        PlainText(match caller {
            TokenOrAnonymous::Token(_) => "token",
            TokenOrAnonymous::Anonymous => "anonymous",
        })
    }
}

const PATHS: [&str; 2] = ["/token-first", "/key-first"];

async fn send(client: &Client, path: &str, token: &str, key: &str) -> poem::test::TestResponse {
    let mut request = client.http().get(path);
    if !token.is_empty() {
        request = request.header("Authorization", format!("Bearer {token}"));
    }
    if !key.is_empty() {
        request = request.header("X-Api-Key", key);
    }
    request.send().await
}

#[tokio::test]
async fn a_token_that_is_present_decides_whatever_the_key() {
    let world = World::new().await;
    let (client, _) = serve(world.protect.secure(Api));
    for path in PATHS {
        for key in ["", "wrong", "known"] {
            for (token, status, error) in [
                (world.expired(), 401, "invalid_token"),
                ("opaque".to_owned(), 401, "invalid_token"),
                (world.token("posts:write"), 403, "insufficient_scope"),
                ("not a token".to_owned(), 400, "invalid_request"),
            ] {
                let rejected = send(&client, path, &token, key).await;
                assert_eq!(rejected.0.status(), status, "{path} {key} {error}");
                let challenges = challenges(&rejected);
                assert_eq!(challenges.len(), 1, "{challenges:?}");
                let start = format!(r#"{REALM}, error="{error}""#);
                assert!(challenges[0].starts_with(&start), "{challenges:?}");
            }
        }
        let accepted = send(&client, path, &world.token("posts:read"), "").await;
        accepted.assert_text("token").await;
    }
}

#[tokio::test]
async fn without_a_token_the_key_decides() {
    let world = World::new().await;
    let (client, _) = serve(world.protect.secure(Api));
    for path in PATHS {
        send(&client, path, "", "known").await.assert_text("key").await;
        for key in ["", "wrong"] {
            let rejected = send(&client, path, "", key).await;
            assert_eq!(rejected.0.status(), 401, "{path} {key}");
            assert_eq!(
                challenges(&rejected),
                [format!("{REALM}, scope=\"posts:read\"")],
                "{path} {key}"
            );
        }
    }
}

#[tokio::test]
async fn an_authorization_of_another_scheme_is_not_a_token() {
    let world = World::new().await;
    let (client, _) = serve(world.protect.secure(Api));
    for path in PATHS {
        let request = client.http().get(path).header("Authorization", "Basic YTpi");
        let accepted = request.header("X-Api-Key", "known").send().await;
        accepted.assert_text("key").await;
    }
}

#[tokio::test]
async fn in_the_served_document_only_the_token_has_scopes() {
    let world = World::new().await;
    let (_, document) = serve(world.protect.secure(Api));
    let document = document.render_with(&world.tenant.metadata()).unwrap();
    for (path, expected) in [
        ("/token-first", json!([{ "MonoCloud": ["posts:read"] }, { "Key": [] }])),
        ("/key-first", json!([{ "Key": [] }, { "MonoCloud": ["posts:read"] }])),
        ("/anonymous", json!([{ "MonoCloud": [] }, {}])),
    ] {
        assert_eq!(document["paths"][path]["get"]["security"], expected, "{path}");
    }
    let schemes = &document["components"]["securitySchemes"];
    assert_eq!(schemes["Key"]["type"], "apiKey");
    assert_eq!(schemes["MonoCloud"]["type"], "oauth2");
}

#[tokio::test]
async fn a_fallback_does_not_make_a_rejected_token_anonymous() {
    let world = World::new().await;
    for api in [world.protect.secure(Api), world.protect.secure(Api).by_default(Policy::ANY_TOKEN)]
    {
        let (client, _) = serve(api);
        client.send("GET /anonymous", "").await.assert_text("anonymous").await;
        client.send("GET /anonymous", &world.token("")).await.assert_text("token").await;
        assert_eq!(client.status("GET /anonymous", &world.expired()).await, 401);
    }
}
