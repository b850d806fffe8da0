//! The routes of the posts API, over HTTP: what each needs and answers is the same on every host.

use monocloud_backend::ProtectApi;
use monocloud_testkit::{MockTenant, TokenBuilder};
use reqwest::{Client, Method, Response};
use serde_json::{Value, json};

use crate::served::{self, Serve};

#[tokio::test]
async fn the_axum_example_answers_as_the_others() {
    assert_answers(served::axum).await;
}

#[tokio::test]
async fn the_poem_example_answers_as_the_others() {
    assert_answers(served::poem).await;
}

#[tokio::test]
async fn the_poem_openapi_example_answers_as_the_others() {
    assert_answers(served::poem_openapi).await;
}

#[tokio::test]
async fn the_salvo_example_answers_as_the_others() {
    assert_answers(served::salvo).await;
}

async fn assert_answers(serve: Serve) {
    let tenant = MockTenant::start().await;
    let url = serve(ProtectApi::from_vars(tenant.vars()).unwrap());
    let client = Client::builder().no_proxy().build().unwrap();
    let api = Api { tenant, url, client };
    reading_a_post_needs_a_scope_or_a_group(&api).await;
    publishing_a_post_needs_a_recent_second_factor(&api).await;
    a_profile_needs_an_email(&api).await;
}

async fn reading_a_post_needs_a_scope_or_a_group(api: &Api) {
    const READ: &str = "GET /api/posts/7";
    api.assert(READ, None, 401, r#", scope="posts:read""#).await;
    let insufficient = r#", error="insufficient_scope", scope="posts:read""#;
    api.assert(READ, Some(api.token()), 403, insufficient).await;
    api.assert(READ, Some(api.token().scope("posts:write")), 403, insufficient).await;
    api.assert(READ, Some(api.token().groups(["staff"])), 403, insufficient).await;
    for token in [
        api.token().scope("posts:read"),
        api.token().scope("posts:admin"),
        api.token().groups(["admin"]),
    ] {
        assert_eq!(api.assert(READ, Some(token), 200, "").await, json!({ "id": 7 }));
    }
}

async fn publishing_a_post_needs_a_recent_second_factor(api: &Api) {
    const PUBLISH: &str = "POST /api/posts/7/publish";
    let mfa = |scope| api.token().scope(scope).acr("urn:example:mfa");
    api.assert(PUBLISH, None, 401, r#", scope="posts:write""#).await;
    let again = |reason, scope| {
        format!(
            r#", error="insufficient_user_authentication", error_description="{reason}", acr_values="urn:example:mfa", max_age="300"{scope}"#
        )
    };
    let (weak, old) = (
        "the operation needs another kind of authentication",
        "the operation needs a more recent authentication",
    );
    let write = || api.token().scope("posts:write").authenticated_ago(10);
    api.assert(PUBLISH, Some(write()), 401, &again(weak, "")).await;
    api.assert(PUBLISH, Some(write().acr("pwd")), 401, &again(weak, "")).await;
    let lacks_scope = again(weak, r#", scope="posts:write""#);
    api.assert(PUBLISH, Some(api.token()), 401, &lacks_scope).await;
    let old = again(old, "");
    api.assert(PUBLISH, Some(mfa("posts:write")), 401, &old).await;
    api.assert(PUBLISH, Some(mfa("posts:write").authenticated_ago(400)), 401, &old).await;
    let insufficient = r#", error="insufficient_scope", scope="posts:write""#;
    api.assert(PUBLISH, Some(mfa("posts:read").authenticated_ago(10)), 403, insufficient).await;
    for scope in ["posts:write", "posts:admin"] {
        let token = mfa(scope).authenticated_ago(10);
        assert_eq!(api.assert(PUBLISH, Some(token), 200, "").await, json!({ "id": 7 }));
    }
}

async fn a_profile_needs_an_email(api: &Api) {
    const PROFILE: &str = "GET /api/profile";
    let unfit = r#", error="invalid_token", error_description="a claim of the token is missing or malformed""#;
    api.assert(PROFILE, None, 401, "").await;
    api.assert(PROFILE, Some(api.token()), 401, unfit).await;
    api.assert(PROFILE, Some(api.token().claim("email", 7)), 401, unfit).await;
    let alice = || api.token().subject("alice").claim("email", "alice@example.com");
    for (token, plan) in [(alice(), Value::Null), (alice().claim("plan", "pro"), json!("pro"))] {
        let profile = json!({ "subject": "alice", "email": "alice@example.com", "plan": plan });
        assert_eq!(api.assert(PROFILE, Some(token), 200, "").await, profile);
    }
}

/// An example that is being served, and its tenant.
struct Api {
    tenant: MockTenant,
    url: String,
    client: Client,
}

impl Api {
    fn token(&self) -> TokenBuilder<'_> {
        self.tenant.token()
    }

    /// Asserts the status, and what the challenge has between the realm and the URL of the API's
    /// metadata; hands the body over.
    async fn assert(
        &self,
        request: &str,
        token: Option<TokenBuilder<'_>>,
        status: u16,
        challenge: &str,
    ) -> Value {
        let response = self.send(request, token).await;
        let challenges: Vec<_> = response.headers().get_all("WWW-Authenticate").iter().collect();
        if status == 200 {
            assert!(challenges.is_empty(), "{request}: {challenges:?}");
        } else {
            let audience = self.tenant.audience();
            let expected = format!(
                r#"Bearer realm="{audience}"{challenge}, resource_metadata="{audience}/.well-known/oauth-protected-resource""#
            );
            assert_eq!(challenges, [&expected], "{request}");
        }
        assert_eq!(response.status(), status, "{request}");
        serde_json::from_slice(&response.bytes().await.unwrap()).unwrap()
    }

    async fn send(&self, request: &str, token: Option<TokenBuilder<'_>>) -> Response {
        let (method, path) = request.split_once(' ').unwrap();
        let method: Method = method.parse().unwrap();
        let request = self.client.request(method, format!("{}{path}", self.url));
        let request = match token {
            Some(token) => request.header("Authorization", format!("Bearer {}", token.mint())),
            None => request,
        };
        request.send().await.unwrap()
    }
}
