use monocloud_backend::{Bearer, DocumentError, MaybeBearer, Policy, ProtectApi, Require};
use poem::Route;
use poem_openapi::{OAuthScopes, OpenApi, OpenApiService, payload::PlainText};

#[derive(OAuthScopes)]
enum Scope {
    /// Read posts
    #[oai(rename = "posts:read")]
    Read,
}

struct Admins;

impl Require for Admins {
    const POLICY: Policy = Policy::ANY_TOKEN.any_group(&["admin"]);
}

struct Posts;

#[OpenApi]
impl Posts {
    #[oai(path = "/me", method = "get")]
    async fn me(&self, caller: Bearer) -> PlainText<String> {
        PlainText(caller.claims().subject().unwrap_or("an application").to_owned())
    }

    #[oai(path = "/posts", method = "get")]
    async fn list(&self, #[oai(scope = "Scope::Read")] caller: Bearer) {
        let _ = caller;
    }

    #[oai(path = "/posts", method = "delete")]
    async fn clear(&self, caller: Bearer<Admins>) {
        let _ = caller;
    }

    #[oai(path = "/health", method = "get")]
    async fn health(&self) {}

    #[oai(path = "/greeting", method = "get")]
    async fn greet(&self, caller: MaybeBearer) -> PlainText<String> {
        let name = caller.claims().and_then(|claims| claims.subject());
        PlainText(format!("hello, {}", name.unwrap_or("stranger")))
    }
}

fn app(protect: ProtectApi) -> Result<Route, DocumentError> {
    let (service, document) = protect
        .describe_scopes::<Scope>()
        .secure(Posts)
        .by_default(Policy::ANY_TOKEN)
        .public("GET", "/health")
        .into_service(|api| OpenApiService::new(api, "Posts", "1.0"))?;
    Ok(Route::new().nest("/", service).at("/openapi.json", document.json()))
}
