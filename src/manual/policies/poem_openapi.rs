use std::{error::Error, time::Duration};

use monocloud_backend::{Bearer, Policy, ProtectApi, Require, policy::PolicyBuf};
use poem::Route;
use poem_openapi::{OAuthScopes, OpenApi, OpenApiService};

#[derive(OAuthScopes)]
enum Scope {
    /// Read posts
    #[oai(rename = "posts:read")]
    Read,
    /// Write posts
    #[oai(rename = "posts:write")]
    Write,
    /// Administer posts
    #[oai(rename = "posts:admin")]
    Admin,
}

struct ReadersAndAdmins;

impl Require for ReadersAndAdmins {
    const POLICY: Policy = Policy::any_of(&[
        Policy::ANY_TOKEN.scopes(&["posts:read"]),
        Policy::ANY_TOKEN.any_group(&["admin"]),
    ]);
}

struct RecentMfa;

impl Require for RecentMfa {
    const POLICY: Policy =
        Policy::ANY_TOKEN.acr_values(&["urn:example:mfa"]).max_age(Duration::from_secs(300));
}

struct ProPlan;

impl Require for ProPlan {
    const POLICY: Policy = Policy::ANY_TOKEN.claim("plan", "pro");
}

struct BoundToken;

impl Require for BoundToken {
    const POLICY: Policy = Policy::ANY_TOKEN.sender_constrained();
}

struct Posts;

#[OpenApi]
impl Posts {
    #[oai(path = "/posts", method = "get")]
    async fn list(&self, _caller: Bearer<ReadersAndAdmins>) {}

    #[oai(path = "/publish", method = "post")]
    async fn publish(&self, #[oai(scope = "Scope::Write")] _caller: Bearer<RecentMfa>) {}

    #[oai(path = "/export", method = "get")]
    async fn export(&self, _caller: Bearer<ProPlan>) {}

    #[oai(path = "/key", method = "post")]
    async fn replace_key(&self, _caller: Bearer<BoundToken>) {}

    #[oai(path = "/operations/reindex", method = "post")]
    async fn reindex(&self) {}
}

fn app(protect: ProtectApi, operators: &str) -> Result<Route, Box<dyn Error>> {
    let operators = PolicyBuf::any_token().any_group(operators.split_whitespace())?;
    let (service, document) = protect
        .describe_scopes::<Scope>()
        .implies("posts:admin", &["posts:read", "posts:write"])
        .secure(Posts)
        .by_default_under("/operations", operators)
        .into_service(|api| OpenApiService::new(api, "Posts", "1.0"))?;
    Ok(Route::new().nest("/", service).at("/openapi.json", document.json()))
}
