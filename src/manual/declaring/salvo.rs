use std::error::Error;

use monocloud_backend::{Bearer, MaybeBearer, Policy, ProtectApi, Require};
use salvo::prelude::*;

struct Admins;

impl Require for Admins {
    const POLICY: Policy = Policy::ANY_TOKEN.any_group(&["admin"]);
}

#[endpoint]
async fn me(caller: Bearer) -> String {
    caller.claims().subject().unwrap_or("an application").to_owned()
}

#[endpoint(security(("MonoCloud" = ["posts:read"])))]
async fn list() {}

#[endpoint]
async fn clear(caller: Bearer<Admins>) {
    let _ = caller;
}

#[endpoint]
async fn health() {}

#[endpoint]
async fn greet(caller: MaybeBearer) -> String {
    let name = caller.claims().and_then(|claims| claims.subject());
    format!("hello, {}", name.unwrap_or("stranger"))
}

fn app(protect: ProtectApi) -> Result<Router, Box<dyn Error>> {
    let api = Router::new()
        .push(Router::with_path("me").get(me))
        .push(Router::with_path("posts").get(list).delete(clear))
        .push(Router::with_path("health").get(health))
        .push(Router::with_path("greeting").get(greet));
    let (api, document) = protect
        .describe_scope("posts:read", "Read posts")
        .document(&OpenApi::new("Posts", "1.0").merge_router(&api).to_json()?)?
        .by_default(Policy::ANY_TOKEN)
        .public("GET", "/health")
        .routes(api)?;
    Ok(Router::new().push(api).push(Router::with_path("openapi.json").get(document.json())))
}
